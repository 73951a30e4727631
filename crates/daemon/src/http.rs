//! The HTTP shell around every role: connections, deadlines, drain, and the common parts of all answers.
//!
//! Serves HTTP/1.1 and HTTP/2 on one port, HTTP/2 also without TLS for gRPC; with TLS if the [`Listener`] has it.
//! Routes, bodies and statuses belong to the roles. The shell turns a panic into a 500, an unmatched path into a 404,
//! and repeated slashes into one (`slashes`). It cuts off clients that send or read too slowly: a header has 5 seconds,
//! a body and an answer have the limits in `deadline`, a reader those in `pace` and `unread`. hyper refuses framing that
//! two parsers could read differently. Every request with a body carries the process's [`Budget`](crate::budget::Budget), within which roles read
//! it: [`receive()`].

mod arrival;
mod connections;
mod deadline;
pub mod grpc;
mod health;
mod listen;
mod measure;
pub mod openapi;
mod origins;
mod pace;
mod peer;
mod receive;
mod request_id;
mod slashes;
mod unread;

pub use connections::ConnectionLimit;
pub use listen::{Listener, Tls, TlsError};
pub use measure::{measured, metrics_page, timed};
pub use origins::{Origins, READABLE_ANYWHERE, readable_anywhere};
pub use peer::Peer;
pub use receive::{NotReceived, Received, receive};
pub use request_id::{RequestId, answered_by, named};

use crate::health::Checks;
use crate::shutdown::Shutdown;
use arrival::Arrival;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use connections::BUFFER_BYTES;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use listen::Stream;
use pace::Paced;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{ServiceBuilder, ServiceExt as _};
use tower_http::catch_panic::CatchPanicLayer;
use unread::Answers;

/// How long a client may take to send its request header.
const HEADER_DEADLINE: Duration = Duration::from_secs(5);
/// Header fields of a request.
const MAX_HEADERS: usize = 64;
/// Size of all header fields of a request together.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// The same limit as HTTP/2 counts it.
const MAX_HEADER_BYTES_U32: u32 = 64 * 1024;
/// Bytes that one HTTP/2 stream may have waiting to be sent.
const MAX_SEND_BYTES: usize = 64 * 1024;
/// Concurrent requests on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// Bytes of bodies that an HTTP/2 client may send before they are read: on one stream, and on all of a connection. They wait
/// outside of the budget, and are bounded by the number of connections.
const WINDOW_BYTES: u32 = 256 * 1024;
/// An idle HTTP/2 connection must answer a ping this often.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Connections still busy this long after the shutdown began are closed.
const DRAIN_DEADLINE: Duration = Duration::from_secs(25);

/// Answers a request for an unknown path with a page, depending on method and headers. `None` if the client is not a
/// browser.
pub type UnknownPath = Arc<dyn Fn(&Method, &HeaderMap) -> Option<Response> + Send + Sync>;

/// What every listener has beside the routes of its roles.
pub struct Shell {
    /// For `/readyz`.
    pub checks: Checks,
    /// Answers unmatched paths instead of [`not_found`], where it does.
    pub pages: Option<UnknownPath>,
    /// Web pages that may do what other clients may.
    pub origins: Origins,
}

impl Shell {
    /// Adds to `routes` health, readiness, the fallback, panic handling, deadlines, and the rules for web pages.
    pub fn around(self, routes: Router) -> Router {
        let Self { checks, pages, origins } = self;
        // Together, because every layer of a router is a box and a future around every request.
        let around_all = ServiceBuilder::new()
            .layer(CatchPanicLayer::custom(|_panic| {
                tracing::error!("a request handler panicked");
                json(StatusCode::INTERNAL_SERVER_ERROR, r#"{"code":13,"message":"internal error","details":[]}"#)
            }))
            .layer(middleware::from_fn(deadline::within))
            .layer(middleware::from_fn_with_state(origins, origins::guard));
        routes
            .merge(health::routes(checks))
            .fallback(move |method: Method, headers: HeaderMap| async move {
                pages.and_then(|pages| pages(&method, &headers)).unwrap_or_else(not_found)
            })
            .layer(around_all)
    }
}

/// As [`Shell::around`], without pages and for no web page.
pub fn shell(routes: Router, checks: Checks) -> Router {
    Shell { checks, pages: None, origins: Origins::default() }.around(routes)
}

/// The answer for an unknown path.
#[must_use]
pub fn not_found() -> Response {
    json(StatusCode::NOT_FOUND, r#"{"code":5,"message":"Not Found","details":[]}"#)
}

fn json(status: StatusCode, body: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// Serves `routes` on `listener` until `shutdown` begins, then lets requests in flight finish.
pub async fn serve(listener: impl Into<Listener>, routes: Router, mut shutdown: Shutdown) {
    let Listener { tcp, tls, limit, budget } = listener.into();
    let graceful = GracefulShutdown::new();
    let servers = Servers::new();
    loop {
        let accepted = tokio::select! {
            accepted = tcp.accept() => accepted,
            () = shutdown.begun() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, usually: accepting again at once would spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let peer = Peer::of(peer.ip());
        // Closed without an answer: answering would cost what the limit saves.
        let Some(mut admitted) = limit.admit(peer) else { continue };
        // Answers are small and clients wait for them, so they are not delayed (no Nagle).
        let _ = stream.set_nodelay(true);
        let routes = Arrival::new(routes.clone(), Some(peer), budget.clone());
        let (servers, watcher) = (servers.clone(), graceful.watcher());
        let (tls, mut shutdown) = (tls.clone(), shutdown.clone());
        tokio::spawn(async move {
            let begun = tokio::select! {
                begun = tokio::time::timeout(HEADER_DEADLINE, listen::begin(stream, tls.as_deref())) => begun,
                () = shutdown.begun() => return,
            };
            // Otherwise the client sent nothing in time, or has gone.
            let Ok(Ok((stream, http2))) = begun else { return };
            if http2 && !admitted.speaks_http2() {
                return;
            }
            let served = match stream {
                Stream::Plain(stream) => servers.serve(stream, http2, routes, watcher).await,
                Stream::Tls(stream) => servers.serve(stream, http2, routes, watcher).await,
            };
            if let Err(error) = served {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(tcp);
    if tokio::time::timeout(DRAIN_DEADLINE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not drain in time");
    }
}

/// Settings of HTTP/1.1 and HTTP/2.
#[derive(Clone)]
struct Servers {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Servers {
    fn new() -> Self {
        let (mut http1, mut http2) = (http1::Builder::new(), http2::Builder::new(TokioExecutor::new()));
        http1.timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE);
        http1.max_headers(MAX_HEADERS).max_header_size(MAX_HEADER_BYTES).max_buf_size(BUFFER_BYTES);
        http2.timer(TokioTimer::new()).keep_alive_interval(PING_INTERVAL).keep_alive_timeout(HEADER_DEADLINE);
        // Limits what waits for readers to 8 MiB on one connection.
        http2.max_send_buf_size(MAX_SEND_BYTES);
        http2.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
        http2.max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEADER_BYTES_U32);
        Self { http1, http2 }
    }

    async fn serve<S>(&self, stream: S, http2: bool, routes: Arrival, watcher: Watcher) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(Paced::new(stream));
        if !http2 {
            let service = TowerToHyperService::new(routes);
            return watcher.watch(self.http1.serve_connection(stream, service)).await;
        }
        let answers = Answers::default();
        let watched = answers.clone();
        let routes = routes.map_response(move |response: Response| response.map(|body| watched.watch(body)));
        let service = TowerToHyperService::new(routes);
        tokio::select! {
            served = watcher.watch(self.http2.serve_connection(stream, service)) => served,
            () = answers.abandoned() => {
                tracing::debug!("a client did not go on reading");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
