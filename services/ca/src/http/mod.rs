//! Fulcio's HTTP protocol, v2 and v1 (`fulcio.proto`, `fulcio_legacy.proto` through grpc-gateway), and v2 over gRPC.
//!
//! The only module that knows paths, statuses and bodies. Content types and `Accept` are ignored, as Fulcio does,
//! because clients send wrong ones.

mod body;
mod configuration;
mod error;
mod grpc;
mod openapi;
mod signing_cert;
mod trust_bundle;

pub use openapi::describe;

use crate::CertificateAuthority;
use axum::Router;
use axum::http::header;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use chancery_daemon::http::grpc::method_not_allowed;
use chancery_daemon::http::{readable_anywhere, timed};
use chancery_daemon::metrics::{MetricError, Metrics};
use serde_json::Value;
use std::sync::Arc;

/// The name of the gRPC service, for health checks.
pub const GRPC_SERVICE: &str = "dev.sigstore.fulcio.v2.CA";

/// Largest request for a certificate, over HTTP and gRPC: many times a token, a signing request and their JSON.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// The routes of the authority. The shell answers unmatched paths.
pub fn router(authority: Arc<CertificateAuthority>) -> Router {
    // What clients trust.
    let public = |route: MethodRouter<Arc<CertificateAuthority>>| route.layer(map_response(readable_anywhere));
    Router::new()
        .route("/api/v2/signingCert", post(signing_cert::v2).fallback(method_not_allowed))
        .route("/api/v2/trustBundle", public(get(trust_bundle::v2)).fallback(method_not_allowed))
        .route("/api/v2/configuration", get(configuration::v2).fallback(method_not_allowed))
        .route("/api/v1/signingCert", post(signing_cert::v1).fallback(method_not_allowed))
        .route("/api/v1/rootCert", public(get(trust_bundle::v1)).fallback(method_not_allowed))
        .merge(grpc::router())
        .with_state(authority)
}

/// As [`router`], measured under Fulcio's metric name.
pub fn measured_router(authority: Arc<CertificateAuthority>, metrics: &Metrics) -> Result<Router, MetricError> {
    let latency = metrics.durations("fulcio_api_latency", "Duration of a request in seconds", &["code", "method"])?;
    Ok(timed(router(authority), latency))
}

/// A JSON answer with status 200.
fn json(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// A PEM answer with status 200.
fn pem(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/pem-certificate-chain")], body).into_response()
}
