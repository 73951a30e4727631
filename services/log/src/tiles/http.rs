//! The HTTP side of a log as files.

use super::Files;
use crate::Error;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chancery_verify::tile::TilePath;

/// What never changes may be kept for ever.
pub(crate) const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// `checkpoint` and `tile/…`.
pub(crate) fn router(files: Files) -> Router {
    Router::new().route("/checkpoint", get(checkpoint)).route("/tile/{*path}", get(tile)).with_state(files)
}

async fn checkpoint(State(files): State<Files>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    match files.log.latest().await {
        Ok(published) => (headers, published.note.clone()).into_response(),
        Err(error) => failure(&error),
    }
}

async fn tile(State(files): State<Files>, Path(path): Path<String>) -> Response {
    let Ok(path) = TilePath::parse(&path, files.entries) else {
        return (StatusCode::BAD_REQUEST, "not a tile path; see https://c2sp.org/tlog-tiles\n").into_response();
    };
    match files.log.tile_bytes(&path, files.encode).await {
        Ok(Some(bytes)) => {
            let octets = HeaderValue::from_static("application/octet-stream");
            ([(header::CONTENT_TYPE, octets), (header::CACHE_CONTROL, IMMUTABLE)], bytes).into_response()
        }
        // Not immutable: the tree may grow into it.
        Ok(None) => {
            (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], "no such tile yet\n").into_response()
        }
        Err(error) => failure(&error),
    }
}

/// A read that failed: the reason is in the server's log.
pub(crate) fn failure(error: &Error) -> Response {
    tracing::error!(error.code = error.code(), %error, "a read of a log's files failed");
    if matches!(error, Error::Quarantined(_)) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the log has no checkpoint it can prove\n").into_response();
    }
    (StatusCode::INTERNAL_SERVER_ERROR, "the log could not be read\n").into_response()
}
