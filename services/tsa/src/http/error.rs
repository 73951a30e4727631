//! One exhaustive match from an error to the answer of Sigstore's timestamp authority.
//!
//! Statuses and texts are identical to Sigstore's. It never answers with a rejection of RFC 3161, and clients look only
//! at the status. The stable `reason` is ours. Each failure is logged here, once, and nowhere else.

use crate::Error;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chancery_daemon::budget::RETRY_AFTER_SECONDS;
use chancery_daemon::signer::SignerError;
use chancery_verify::Rejection;
use serde_json::{Value, json};
use std::borrow::Cow;

/// The text for all errors without a text of their own.
const GENERAL: &str = "Error generating timestamp response";
/// Seconds after which a client may retry.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, message) = answer(&self);
        let code = self.code();
        // A flood of requests must not be one of lines.
        if status.is_server_error() && !matches!(self, Self::Busy(_)) {
            tracing::error!(code, error = %self, "no timestamp was made");
        } else {
            tracing::debug!(code, error = %self, "a request for a timestamp was refused");
        }
        let body = json!({ "code": status.as_u16(), "message": message, "reason": code });
        let mut response = respond(status, &body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let is_busy = matches!(self, Self::Busy(_));
            let seconds = if is_busy { HeaderValue::from(RETRY_AFTER_SECONDS) } else { RETRY_AFTER };
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// Returns status and text.
fn answer(error: &Error) -> (StatusCode, Cow<'static, str>) {
    let (status, message) = match error {
        Error::ContentType { sent } => {
            let message = format!(
                "unsupported media type {sent:?}, only [application/timestamp-query application/json] are allowed"
            );
            return (StatusCode::UNSUPPORTED_MEDIA_TYPE, message.into());
        }
        Error::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "timestamp request is too large"),
        Error::JsonTooLarge { .. } => (StatusCode::BAD_REQUEST, "timestamp request is too large"),
        Error::PolicyMalformed => (StatusCode::BAD_REQUEST, "OID should be comprised of at most 128 components"),
        Error::Request(Rejection::TimestampHashWeak) => {
            (StatusCode::BAD_REQUEST, "Weak hash algorithm in timestamp request")
        }
        Error::Request(Rejection::DigestLength) => {
            (StatusCode::BAD_REQUEST, "Message digest has incorrect length for specified algorithm")
        }
        Error::Request(Rejection::TimestampExtension) => {
            (StatusCode::BAD_REQUEST, "unaccepted extension: requested extensions are not supported by the TSA")
        }
        Error::Policy => {
            (StatusCode::BAD_REQUEST, "unaccepted policy: requested TSA policy is not supported by the TSA")
        }
        Error::Malformed { .. } | Error::Request(_) => (StatusCode::BAD_REQUEST, GENERAL),
        Error::Busy(busy) => return (StatusCode::SERVICE_UNAVAILABLE, busy.to_string().into()),
        // Upstream answers 500, if it notices at all. A client that tells outages from defects retries a 503.
        Error::Clock(_) | Error::Expired | Error::Signer(SignerError::Unavailable { .. }) => {
            (StatusCode::SERVICE_UNAVAILABLE, GENERAL)
        }
        Error::Signer(_) | Error::Corrupt(_) => (StatusCode::INTERNAL_SERVER_ERROR, GENERAL),
    };
    (status, message.into())
}

fn respond(status: StatusCode, body: &Value) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (status, [kind, super::NOT_KEPT], body.to_string()).into_response()
}

/// 405 in go-openapi's words.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let allowed = if uri.path().trim_end_matches('/') == super::PATH { "POST" } else { "GET" };
    let message = format!("method {method} is not allowed, but [{allowed}] are");
    let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, &json!({ "code": 405, "message": message }));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}
