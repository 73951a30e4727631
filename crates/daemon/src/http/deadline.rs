//! Deadlines of a request: 30 seconds until its body has arrived, a minute until it is answered.
//!
//! A request that is too slow is answered in the roles' form of errors: 408 if the body did not arrive (the client's
//! fault), 504 if the answer was not ready (ours). Work that a role continues in the background is not cancelled.

use super::json;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

/// A request's body must have arrived after this time.
pub(super) const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// A request must be answered after this time.
pub(super) const REQUEST_DEADLINE: Duration = Duration::from_mins(1);

/// Whether a request's body has arrived.
#[derive(Clone)]
struct OnItsWay(Arc<AtomicBool>);

/// A body that records when it has arrived.
struct Watched {
    body: Incoming,
    on_its_way: OnItsWay,
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.on_its_way.0.store(false, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Passes a request on as axum's type. If it has a body, [`within`] can see whether the body has arrived.
pub(super) fn watch(request: Request<Incoming>) -> Request<Body> {
    let (mut parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Request::from_parts(parts, Body::new(body));
    }
    let on_its_way = OnItsWay(Arc::new(AtomicBool::new(true)));
    parts.extensions.insert(on_its_way.clone());
    Request::from_parts(parts, Body::new(Watched { body, on_its_way }))
}

/// Answers within the deadlines.
pub(super) async fn within(request: Request, next: Next) -> Response {
    let on_its_way = request.extensions().get::<OnItsWay>().cloned();
    let mut answer = pin!(next.run(request));
    if let Ok(response) = timeout(BODY_DEADLINE, &mut answer).await {
        return response;
    }
    if on_its_way.is_some_and(|body| body.0.load(Ordering::Relaxed)) {
        let mut response = json(
            StatusCode::REQUEST_TIMEOUT,
            r#"{"code":4,"message":"the request was not complete in time","details":[]}"#,
        );
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return response;
    }
    timeout(REQUEST_DEADLINE.saturating_sub(BODY_DEADLINE), answer).await.unwrap_or_else(|_| {
        tracing::error!("a request was not answered in time");
        json(StatusCode::GATEWAY_TIMEOUT, r#"{"code":4,"message":"the request was not answered in time","details":[]}"#)
    })
}
