//! Logs that follow one another, `rekor`, `rekor-2`, `rekor-3`: their names, and routes to those that are made while the server
//! answers. Each has a key of its own.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::any;
use chancery_daemon::http::not_found;
use std::sync::Arc;
use tower::ServiceExt as _;

/// The name of the log with this number, from 1.
#[must_use]
pub fn name(series: &str, number: u64) -> String {
    if number > 1 { format!("{series}-{number}") } else { series.to_owned() }
}

/// The series a log of this name belongs to, and its number there: `ct` and 2 for `ct-2`.
#[must_use]
pub fn split(name: &str) -> (&str, u64) {
    let numbered = name.rsplit_once('-').and_then(|(series, number)| Some((series, number.parse().ok()?)));
    numbered.unwrap_or((name, 1))
}

/// The routes of the log at a path, if there is one.
type Find = Arc<dyn Fn(&str) -> Option<Router> + Send + Sync>;

/// Answers two levels below `prefix` whatever no fixed route answers, with the routes that `find` returns for a request's path.
pub fn router(prefix: &str, find: impl Fn(&str) -> Option<Router> + Send + Sync + 'static) -> Router {
    Router::new().route(&format!("{prefix}/{{shard}}/{{*rest}}"), any(answer)).with_state(Arc::new(find) as Find)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_series_and_its_number() {
        for (series, number, text) in [("ct", 1, "ct"), ("rekor", 2, "rekor-2"), ("rekor2", 10, "rekor2-10")] {
            assert_eq!((name(series, number).as_str(), split(text)), (text, (series, number)));
        }
        assert_eq!(split("another-log"), ("another-log", 1));
    }
}
