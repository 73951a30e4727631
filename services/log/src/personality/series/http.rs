//! Routes to logs that are made while the server answers: which of them a request is for is looked up when it comes.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{Extensions, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::any;
use chancery_daemon::http::{RequestId, not_found};
use std::sync::Arc;
use tower::ServiceExt as _;

/// The routes of the log at a path, or at a host, if there is one.
type Find = Arc<dyn Fn(&str) -> Option<Router> + Send + Sync>;

/// Answers two levels below `prefix` whatever no fixed route answers, with the routes that `find` returns for a request's path.
pub fn router(prefix: &str, find: impl Fn(&str) -> Option<Router> + Send + Sync + 'static) -> Router {
    Router::new().route(&format!("{prefix}/{{shard}}/{{*rest}}"), any(answer)).with_state(Arc::new(find) as Find)
}

async fn answer(State(find): State<Find>, request: Request) -> Response {
    match find(request.uri().path()) {
        Some(routes) => answer_with(routes, request).await,
        None => not_found(),
    }
}

/// Answers whatever `first` does, unless the request names the host of another log: then with the routes that `find` returns
/// for that host, in lower case and without a port.
pub fn by_host(first: Router, find: impl Fn(&str) -> Option<Router> + Send + Sync + 'static) -> Router {
    first.layer(from_fn_with_state(Arc::new(find) as Find, answer_for_host))
}

async fn answer_for_host(State(find): State<Find>, request: Request, next: Next) -> Response {
    match host(&request).and_then(|host| find(&host)) {
        Some(routes) => answer_with(routes, request).await,
        None => next.run(request).await,
    }
}

/// The host a request names: HTTP/2 has it in the request line, HTTP/1 in a header.
fn host(request: &Request) -> Option<String> {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let authority = request.uri().authority().cloned().or(named)?;
    Some(authority.host().trim_end_matches('.').to_ascii_lowercase())
}

async fn answer_with(routes: Router, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    // What the route before has found in the path is no parameter of this one.
    let request_id = parts.extensions.remove::<RequestId>();
    parts.extensions = Extensions::new();
    request_id.map(|id| parts.extensions.insert(id));
    match routes.fallback(|| async { not_found() }).oneshot(Request::from_parts(parts, body)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Extension;
    use axum::body::{Body, to_bytes};
    use axum::extract::Path;
    use axum::routing::get;
    use chancery_daemon::http::named;
    use chancery_daemon::random::SystemRandom;

    #[tokio::test]
    async fn a_request_is_for_the_log_of_the_host_it_names() {
        let log = |name: &'static str| {
            let file = move |Path(path): Path<String>, id: Option<Extension<RequestId>>| async move {
                format!("{name} {path} {}", id.is_some())
            };
            Router::new().route("/{file}", get(file)).nest("/api", Router::new().route("/{file}", get(file)))
        };
        let second = log("second");
        let find = move |host: &str| (host == "log2.example").then(|| second.clone());
        let routes = named(by_host(log("first"), find), Arc::new(SystemRandom));
        let ask = async |uri: &str, host: &str| {
            let request = Request::builder().uri(uri).header(header::HOST, host).body(Body::empty()).unwrap();
            let response = routes.clone().oneshot(request).await.unwrap();
            String::from_utf8(to_bytes(response.into_body(), 100).await.unwrap().to_vec()).unwrap()
        };
        for host in ["log.example", "log2.example.org", "", "log2.example@log.example", "[::1]:80", "no host"] {
            assert_eq!(ask("/checkpoint", host).await, "first checkpoint true", "{host}");
        }
        for host in ["log2.example", "LOG2.example:443", "log2.example."] {
            assert_eq!(ask("/api/checkpoint", host).await, "second checkpoint true", "{host}");
        }
        // HTTP/2 names it in the request line, which counts.
        assert_eq!(ask("https://log2.example:8443/a", "log.example").await, "second a true");
        assert_eq!(ask("https://log.example/a", "log2.example").await, "first a true");
    }
}
