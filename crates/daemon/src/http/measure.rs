//! Metrics of every request, and the page that shows them.
//!
//! Labels are bounded: the template of the matched route, never the path; the method if it is a usual one; the class of
//! the status.

use crate::metrics::{Counters, Durations, MetricError, Metrics};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use std::time::Instant;

/// Metrics of requests.
#[derive(Clone)]
struct Requests {
    total: Counters,
    duration: Durations,
}

/// Measures every request to `routes`. Requests that match no route are counted under the route `none`.
pub fn measured(routes: Router, metrics: &Metrics) -> Result<Router, MetricError> {
    let labels = ["route", "method", "code"];
    let requests = Requests {
        total: metrics.counters("chancery_http_requests_total", "Answered requests", &labels)?,
        duration: metrics.durations(
            "chancery_http_request_duration_seconds",
            "Seconds from the header of a request to the header of its answer",
            &labels,
        )?,
    };
    Ok(routes.layer(middleware::from_fn_with_state(requests, measure)))
}

/// Times every request to `routes` under the metric name that existing dashboards expect; labels are `code` and
/// `method`.
pub fn timed(routes: Router, latency: Durations) -> Router {
    routes.route_layer(middleware::from_fn_with_state(latency, time))
}

async fn time(State(latency): State<Durations>, request: Request, next: Next) -> Response {
    let method = method_label(request.method());
    let begun = Instant::now();
    let response = next.run(request).await;
    latency.observe(&[response.status().as_str(), method], begun.elapsed());
    response
}

async fn measure(State(requests): State<Requests>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = method_label(request.method());
    let begun = Instant::now();
    let response = next.run(request).await;
    let labels = [route.as_ref().map_or("none", MatchedPath::as_str), method, class(response.status())];
    requests.total.increment(&labels);
    requests.duration.observe(&labels, begun.elapsed());
    response
}

/// The method in lower case, as in Fulcio's metrics; unusual methods are `other`.
pub(super) fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "get",
        "HEAD" => "head",
        "POST" => "post",
        "OPTIONS" => "options",
        _ => "other",
    }
}

/// `2xx` and so on.
fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

/// Prometheus' text format.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`, for its own listener.
pub fn metrics_page(metrics: Metrics) -> Router {
    let page = move || async move {
        match metrics.text() {
            Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
            Err(error) => {
                tracing::error!(%error, "the metrics cannot be written");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    };
    Router::new().route("/metrics", get(page))
}
