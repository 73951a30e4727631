//! Certificate logs that are made while the server answers: which of them a request is for is looked up when it comes.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::any;
use chancery_daemon::http::not_found;
use std::sync::Arc;
use tower::ServiceExt as _;

/// The routes of the log at a path, if there is one.
type Find = Arc<dyn Fn(&str) -> Option<Router> + Send + Sync>;

/// Answers below `/ct/` whatever no fixed route answers, with the routes that `find` returns for a request's path.
pub fn shards_router(find: impl Fn(&str) -> Option<Router> + Send + Sync + 'static) -> Router {
    Router::new().route("/ct/{shard}/{*rest}", any(answer)).with_state(Arc::new(find) as Find)
}

async fn answer(State(find): State<Find>, request: Request) -> Response {
    let Some(routes) = find(request.uri().path()) else { return not_found() };
    let (mut parts, body) = request.into_parts();
    // What this route has found in the path is no parameter of the other one.
    parts.extensions = Extensions::new();
    match routes.fallback(|| async { not_found() }).oneshot(Request::from_parts(parts, body)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
