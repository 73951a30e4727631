//! The HTTP API of a monitor: the newest checkpoints that it has proven, for the gossip of others.
//!
//! It is the reading part of C2SP tlog-witness, so that monitors are asked as witnesses are. Alarms are not shown here: they are the
//! operator's own.

mod openapi;

pub use openapi::describe;

use crate::status::{LogStatus, Statuses};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chancery_daemon::http::readable_anywhere;
use chancery_verify::{hash, leaves, shown};
use std::fmt::Write as _;

/// Content type of everything.
const TEXT_TYPE: &str = "text/plain; charset=utf-8";
const TEXT: (header::HeaderName, HeaderValue) = (header::CONTENT_TYPE, HeaderValue::from_static(TEXT_TYPE));
/// The contents change with every checkpoint, so caches must revalidate.
const CHANGES: (header::HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));

/// The routes.
pub fn router(statuses: Statuses) -> Router {
    Router::new()
        .route("/{origin}/checkpoint", get(checkpoint).layer(map_response(readable_anywhere)))
        .route("/", get(about))
        .with_state(statuses)
}

async fn checkpoint(State(statuses): State<Statuses>, Path(origin_hash): Path<String>) -> Response {
    let is_asked = |status: &LogStatus| {
        status.origin.as_ref().is_some_and(|origin| hex::encode(hash::sha256(origin.as_bytes())) == origin_hash)
    };
    match statuses.all().into_values().find(is_asked).and_then(|status| status.checkpoint) {
        Some(note) => ([TEXT, CHANGES], note).into_response(),
        None => (StatusCode::NOT_FOUND, [TEXT, CHANGES], "no log with such an origin is followed\n").into_response(),
    }
}

async fn about(State(statuses): State<Statuses>) -> Response {
    let mut page = String::new();
    for status in statuses.all().into_values() {
        if let Some(origin) = status.origin {
            // Writing to a string cannot fail.
            let _ = writeln!(page, "{}: {}", shown(&origin), leaves(status.size));
        }
    }
    ([TEXT, CHANGES], page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn a_checkpoint_is_found_by_the_hash_of_its_origin() {
        let statuses = Statuses::default();
        statuses.update("a", |status| {
            *status = LogStatus {
                origin: Some("log.example.org".to_owned()),
                checkpoint: Some("a note\n".to_owned()),
                size: 7,
                ..LogStatus::default()
            };
        });
        statuses.update("new", |_| {});
        let ask = async |path: String| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = router(statuses.clone()).oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, 1 << 20).await.unwrap();
            (parts.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
        };
        let origin = hex::encode(hash::sha256(b"log.example.org"));
        assert_eq!(ask(format!("/{origin}/checkpoint")).await, (200, "a note\n".to_owned()));
        assert_eq!(ask(format!("/{}/checkpoint", "0".repeat(64))).await.0, 404);
        assert_eq!(ask("/".to_owned()).await, (200, "log.example.org: 7 leaves\n".to_owned()));
    }
}
