//! Metrics of requests under the names and labels that dashboards of Rekor ask for. Paths are those of Rekor's OpenAPI
//! document: the template of a route, never a request's own path.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use chancery_daemon::metrics::{Counters, Durations, MetricError, Metrics};
use std::time::{Duration, Instant};

/// The upper end of the buckets of latency.
const LONGEST: Duration = Duration::from_mins(1);

/// What is measured.
#[derive(Clone)]
pub(in crate::personality::rekor_v1) struct Requests {
    count: Counters,
    latency: Durations,
    summary: Durations,
}

impl Requests {
    pub(in crate::personality::rekor_v1) fn register(metrics: &Metrics) -> Result<Self, MetricError> {
        Ok(Self {
            count: metrics.counters(
                "rekor_qps_by_api",
                "Requests by path, method and status",
                &["path", "method", "code"],
            )?,
            latency: metrics.nanoseconds(
                "rekor_latency_by_api",
                "Nanoseconds to answer a request, by path and method",
                &["path", "method"],
                LONGEST,
            )?,
            summary: metrics.nanosecond_summaries(
                "rekor_api_latency_summary",
                "Nanoseconds to answer a request, by path and status",
                &["path", "code"],
            )?,
        })
    }
}

/// Measures requests with a method that the path has. A HEAD is none: Rekor does not answer it.
pub(super) async fn measure(State(requests): State<Requests>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        _ => return next.run(request).await,
    };
    let begun = Instant::now();
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        let path = path.as_ref().map_or("", |path| path.as_str().trim_end_matches('/'));
        let (status, took) = (response.status(), begun.elapsed());
        requests.count.increment(&[path, method, status.as_str()]);
        requests.latency.observe(&[path, method], took);
        requests.summary.observe(&[path, status.as_str()], took);
    }
    response
}
