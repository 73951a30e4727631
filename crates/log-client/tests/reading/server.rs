//! A server whose every answer the test writes.

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Response, StatusCode, Uri},
};
use chancery_log_client::{Fetcher, Limits, LogIdentity, Protocol, RemoteLog};
use chancery_verify::PublicKey;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpListener;

/// What was asked.
pub(crate) struct Asked {
    /// With its query.
    pub(crate) path: String,
    pub(crate) body: String,
    /// How often the same was asked before.
    pub(crate) before: usize,
}

/// A server on a port of its own; it ends with the test.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        let handle = move |uri: Uri, request: Request| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let path = uri.path_and_query().unwrap().to_string();
                let body = axum::body::to_bytes(request.into_body(), 65536).await.unwrap();
                let body = String::from_utf8(body.to_vec()).unwrap();
                let before = {
                    let mut log = log.lock().unwrap();
                    let question = (path.clone(), body.clone());
                    let before = log.iter().filter(|known| **known == question).count();
                    log.push(question);
                    before
                };
                answer(&Asked { path, body, before })
            }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handle)).await });
        Self { url, asked }
    }

    /// Paths in the order they were asked.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    /// The log at this path, with this key.
    pub(crate) fn log(&self, protocol: Protocol, path: &str, key: &PublicKey) -> RemoteLog {
        self.log_of(protocol, path, key, None)
    }

    /// The same, whose checkpoints begin with `origin`.
    pub(crate) fn log_of(&self, protocol: Protocol, path: &str, key: &PublicKey, origin: Option<&str>) -> RemoteLog {
        let url = format!("{}{path}", self.url).parse().unwrap();
        let identity = LogIdentity { protocol, url, key: key.clone(), origin: origin.map(str::to_owned) };
        RemoteLog::new(identity, Fetcher::new(limits()).unwrap()).unwrap()
    }
}

/// Limits under which a test does not wait.
pub(crate) fn limits() -> Limits {
    Limits {
        answer_bytes: 1 << 20,
        connect: Duration::from_secs(5),
        request: Duration::from_secs(5),
        attempts: 3,
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_secs(2),
        parallel: 2,
    }
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

pub(crate) fn ok(body: impl Into<Body>) -> Response<Body> {
    answer(200, &[], body)
}

pub(crate) fn not_found() -> Response<Body> {
    answer(404, &[], "")
}
