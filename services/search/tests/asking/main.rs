//! Questions over HTTP, to an index of a log in memory: answers that are compared with a sorted map, and logs, indexes and
//! readers that are not as they should be.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

mod answers;
mod faults;
#[path = "../index/log.rs"]
#[expect(dead_code, reason = "the tests of the index do more with it")]
mod log;
mod statements;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use chancery_daemon::clock::SystemClock;
use chancery_daemon::database::open_sqlite;
use chancery_search::store::{SqliteStore, Store};
use chancery_search::{Asking, Index, Source, http};
use http_body_util::BodyExt as _;
use log::FakeLog;
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;
use tower::ServiceExt as _;

/// A log, and the index of it.
struct World {
    log: Arc<FakeLog>,
    store: Arc<dyn Store>,
    _directory: TempDir,
}

impl World {
    /// A log of this size, of which everything is indexed.
    async fn of(size: u64) -> Self {
        let world = Self::without_index(size).await;
        Index::new(Arc::clone(&world.store), world.log.sources()).catch_up(|_, _, _| {}).await.unwrap();
        world
    }

    /// A log of this size, of which nothing is indexed.
    async fn without_index(size: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = open_sqlite(&directory.path().join("chancery.db")).await.unwrap();
        Self { log: FakeLog::of(size), store: Arc::new(SqliteStore::new(database)), _directory: directory }
    }

    /// What answers from this index and this log.
    fn asking(&self, log: Arc<dyn Source>) -> Asked {
        let index = Index::new(Arc::clone(&self.store), Arc::new(move || vec![Arc::clone(&log)]));
        Asked(http::router(Asking::new(index, Arc::new(|| None), Arc::new(SystemClock))))
    }

    /// What answers from this index and its own log.
    fn asked(&self) -> Asked {
        self.asking(Arc::clone(&self.log) as Arc<dyn Source>)
    }
}

/// What is asked.
struct Asked(Router);

impl Asked {
    async fn get(&self, path: &str) -> Response {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.0.clone().oneshot(request).await.unwrap()
    }

    /// The answer to a question that is answered with this status.
    async fn answer(&self, status: u16, path: &str) -> Value {
        let response = self.get(path).await;
        let is_passing = response.headers().contains_key("retry-after");
        let (found, body) = (response.status().as_u16(), text(response).await);
        assert_eq!((found, is_passing), (status, status == 503), "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Demands that a question is refused with this status and reason.
    async fn refused(&self, status: u16, path: &str, reason: &str) {
        let body = self.answer(status, path).await;
        assert_eq!(body["details"][0]["reason"], reason, "{path}: {body}");
    }
}

async fn text(response: Response) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// The indices of the entries of an answer.
fn indices(answer: &Value) -> Vec<u64> {
    answer["entries"].as_array().unwrap().iter().map(|entry| entry["index"].as_u64().unwrap()).collect()
}
