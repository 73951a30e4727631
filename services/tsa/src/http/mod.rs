//! The HTTP protocol of Sigstore's timestamp authority, which contains RFC 3161 §3.4.
//!
//! The only module that knows paths, statuses and bodies. Requests are DER (`application/timestamp-query`) or JSON;
//! answers are always DER.

mod error;
mod json;
mod openapi;

pub use openapi::describe;

use crate::{Error, TimestampAuthority, chain};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use chancery_daemon::http::{NotReceived, READABLE_ANYWHERE, receive, timed};
use chancery_daemon::metrics::{MetricError, Metrics};
use chancery_verify::timestamping::{MAX_REQUEST_BYTES, Request as TimestampRequest};
use std::sync::Arc;

/// Path for timestamp requests. Clients are configured with it and append nothing, so a slash at its end is answered too.
pub const PATH: &str = "/api/v1/timestamp";
/// Path of the certificates.
const CHAIN_PATH: &str = "/api/v1/timestamp/certchain";
/// Characters of a content type that an answer repeats.
const MAX_REPEATED: usize = 100;
/// Media type of a request.
const QUERY: &str = "application/timestamp-query";
/// Media type of an answer.
const REPLY: &str = "application/timestamp-reply";
/// Media type of the authority's certificates.
const PEM_CHAIN: &str = "application/pem-certificate-chain";
/// A timestamp answers one request at one time, so it must not be cached.
const NOT_KEPT: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));

/// The routes of the authority, each also with a slash at its end. The shell answers unmatched paths.
pub fn router(authority: Arc<TimestampAuthority>) -> Router {
    let routes = [
        (PATH, post(timestamp).fallback(error::method_not_allowed)),
        (CHAIN_PATH, get(certificate_chain).fallback(error::method_not_allowed)),
    ];
    let add = |router: Router<_>, (path, route): (&str, MethodRouter<_>)| {
        router.route(path, route.clone()).route(&format!("{path}/"), route)
    };
    routes.into_iter().fold(Router::new(), add).with_state(authority)
}

/// As [`router`], with metrics.
pub fn measured_router(authority: Arc<TimestampAuthority>, metrics: &Metrics) -> Result<Router, MetricError> {
    let latency = metrics.durations(
        "timestamp_authority_api_latency",
        "Duration of a request in seconds",
        &["code", "method"],
    )?;
    Ok(timed(router(authority), latency))
}

/// Returns the certificates of the key that signs. Not marked immutable, as upstream does: a key can be rotated.
async fn certificate_chain(State(authority): State<Arc<TimestampAuthority>>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(PEM_CHAIN)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        READABLE_ANYWHERE,
    ];
    (headers, chain::to_pem(&authority.authority())).into_response()
}

async fn timestamp(State(authority): State<Arc<TimestampAuthority>>, request: Request) -> Result<Response, Error> {
    let form = Form::of(request.headers())?;
    let body = read(request, form).await?;
    let written;
    let der = match form {
        Form::Der => &body,
        Form::Json => {
            written = json::to_der(&body)?;
            &written[..]
        }
    };
    let request = TimestampRequest::from_der(der).map_err(Error::Request)?;
    let response = authority.timestamp(&request).await?;
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static(REPLY));
    Ok(([kind, NOT_KEPT], response).into_response())
}

/// The encoding of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Der,
    Json,
}

impl Form {
    /// Only the part before the media type's parameters is compared. The separator is searched once, however long they
    /// are.
    fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = sent.split_once(';').map_or(sent, |(kind, _parameters)| kind).trim();
        if kind.eq_ignore_ascii_case(QUERY) {
            Ok(Self::Der)
        } else if kind.eq_ignore_ascii_case("application/json") {
            Ok(Self::Json)
        } else {
            Err(Error::ContentType { sent: sent.chars().take(MAX_REPEATED).collect() })
        }
    }

    const fn limit_bytes(self) -> usize {
        match self {
            Self::Der => MAX_REQUEST_BYTES,
            Self::Json => json::MAX_JSON_BYTES,
        }
    }

    const fn too_large(self) -> Error {
        let limit_bytes = self.limit_bytes();
        match self {
            Self::Der => Error::TooLarge { limit_bytes },
            Self::Json => Error::JsonTooLarge { limit_bytes },
        }
    }
}

/// Reads the body, up to the limit for a request. It is so small that the budget for bodies need not know how long it is used.
async fn read(request: Request, form: Form) -> Result<Bytes, Error> {
    match receive(request, form.limit_bytes()).await {
        Ok(received) => Ok(received.bytes),
        Err(NotReceived::TooLarge) => Err(form.too_large()),
        Err(NotReceived::Busy(busy)) => Err(busy.into()),
        Err(NotReceived::Incomplete) => Err(Error::Malformed { reason: "the body was not received" }),
    }
}
