//! Rekor v2's protocol (`rekor_service.proto` through grpc-gateway) over HTTP and gRPC, and the log's files.
//!
//! Content types and `Accept` are ignored, as they are upstream. The files are at the root as well as below `/api/v2`,
//! because clients, monitors and the specification do not agree on where they are.

mod entries;
mod error;
mod grpc;
mod openapi;
mod response;

pub use openapi::describe;

use super::RekorV2;
use crate::read::tiles;
use axum::Router;
use axum::routing::post;
use chancery_daemon::http::grpc::method_not_allowed;

pub(super) fn router(rekor: &RekorV2) -> Router {
    let files = tiles::http::router(rekor.files(), &rekor.access.readers);
    Router::new()
        .route("/api/v2/log/entries", post(entries::create).fallback(method_not_allowed))
        .merge(grpc::router())
        .with_state(rekor.clone())
        .merge(files.clone())
        .nest("/api/v2", files)
}
