//! The HTTP shell around every role: connections, deadlines, drain, and what all answers have in common.
//!
//! Routes, bodies and statuses belong to the roles. Here a panic becomes a 500, a path that matched nothing a 404, a
//! doubled leading slash a single one (clients append paths to base URLs that end in `/`), and a client that sends its
//! header too slowly a closed connection.

mod measure;
mod request_id;

pub use measure::{measured, method_label, metrics_page};
pub use request_id::{RequestId, named};

use crate::shutdown::Shutdown;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt as _};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::timeout::TimeoutLayer;

/// A client has this long to send its request header.
const HEADER_DEADLINE: Duration = Duration::from_secs(5);
/// A request, body included, is answered within this time or refused with 408.
const REQUEST_DEADLINE: Duration = Duration::from_mins(1);
/// Connections that are still busy this long after the shutdown began are cut.
const DRAIN_DEADLINE: Duration = Duration::from_secs(25);

/// Says why a process cannot do all of its work, or `None` where it can.
pub type Readiness = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Adds to `routes` what every listener has: health, readiness, the fallback, panic handling and permissive CORS for reads (Rekor's
/// search page and Fulcio answer any origin; the answers hold nothing secret and no cookie is ever used).
pub fn shell(routes: Router, readiness: Readiness) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::HEAD])
        .allow_headers([header::ACCEPT, header::CONTENT_TYPE, header::HeaderName::from_static("x-requested-with")]);
    // Together, because every layer of a router is a box and a future around every request.
    let around_all = ServiceBuilder::new()
        .layer(CatchPanicLayer::custom(|_panic| {
            tracing::error!("a request handler panicked");
            json(StatusCode::INTERNAL_SERVER_ERROR, r#"{"code":13,"message":"internal error","details":[]}"#)
        }))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_DEADLINE))
        .layer(cors);
    routes
        .route("/healthz", get(|| async { json(StatusCode::OK, r#"{"status":"SERVING"}"#) }))
        .route("/readyz", get(move || async move { ready(readiness()) }))
        .fallback(|| async { json(StatusCode::NOT_FOUND, r#"{"code":5,"message":"Not Found","details":[]}"#) })
        .layer(around_all)
}

fn ready(obstacle: Option<String>) -> Response {
    match obstacle {
        None => (StatusCode::OK, "ready\n").into_response(),
        Some(obstacle) => (StatusCode::SERVICE_UNAVAILABLE, format!("{obstacle}\n")).into_response(),
    }
}

fn json(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// Serves `routes` on `listener` until `shutdown` begins, then lets requests in flight finish.
pub async fn serve(listener: TcpListener, routes: Router, mut shutdown: Shutdown) {
    let graceful = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE).max_headers(64).max_buf_size(64 * 1024);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.begun() => break,
        };
        let stream = match accepted {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                // Out of file descriptors, usually: accepting again at once would spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Answers are small and clients wait for them.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(routes.clone().map_request(normalize));
        let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_DEADLINE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not drain in time");
    }
}

/// Collapses leading slashes and hands the body on under axum's type.
fn normalize(request: Request<hyper::body::Incoming>) -> Request {
    let mut request = request.map(Body::new);
    if request.uri().path().starts_with("//") {
        let path =
            format!("/{}", request.uri().path_and_query().map_or("", |both| both.as_str()).trim_start_matches('/'));
        if let Ok(uri) = path.parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
    request
}
