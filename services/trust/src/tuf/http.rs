//! `/tuf/…`: the repository over HTTP.
//!
//! Serves only the files that the repository lists; a requested name never reaches the file system. A missing file is a
//! 404: clients learn from it that they have the newest root, so caches must not keep it.

use super::Service;
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    middleware::map_response,
    response::{IntoResponse as _, Response},
    routing::get,
};
use chancery_daemon::http::readable_anywhere;
use chancery_verify::hash;
use std::sync::Arc;

/// The routes of a repository.
pub fn router(service: Arc<Service>) -> Router {
    Router::new().route("/tuf/{*path}", get(serve).layer(map_response(readable_anywhere))).with_state(service)
}

async fn serve(State(service): State<Arc<Service>>, Path(path): Path<String>, request: HeaderMap) -> Response {
    let Some(contents) = service.repository().file(&path).cloned() else {
        return (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], "not found\n").into_response();
    };
    let etag = format!("\"{}\"", hex::encode(hash::sha256(&contents)));
    let content_type =
        if path.rsplit('.').next() == Some("json") { "application/json" } else { "application/octet-stream" };
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, cache_control(&path).to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if crate::http::is_current(&request, &etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, contents.to_vec()).into_response()
}

/// A file with a version or a hash in its name never changes.
fn cache_control(path: &str) -> &'static str {
    match path {
        "timestamp.json" => "no-cache",
        "root.json" => "public, max-age=3600",
        _ => "public, max-age=31536000, immutable",
    }
}
