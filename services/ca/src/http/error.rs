//! One exhaustive match from what went wrong to what Fulcio would say.
//!
//! Statuses and texts are Fulcio's to the letter, because clients print and match them. Ours is the object in `details`:
//! a stable reason that a person can look up, and the request's id (`google.rpc.ErrorInfo`, `RequestInfo`). Each failure is logged here, once, and nowhere else.

use crate::Error;
use crate::issue::IssueError;
use crate::transparency::LogError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chancery_daemon::http::RequestId;
use chancery_daemon::signer::SignerError;
use serde_json::{Value, json};
use std::borrow::Cow;

/// gRPC's `INVALID_ARGUMENT`.
const INVALID_ARGUMENT: u32 = 3;
/// gRPC's `RESOURCE_EXHAUSTED`.
const RESOURCE_EXHAUSTED: u32 = 8;
/// gRPC's `UNIMPLEMENTED`.
const UNIMPLEMENTED: u32 = 12;
/// gRPC's `INTERNAL`.
const INTERNAL: u32 = 13;
/// gRPC's `UNAVAILABLE`: the same request may succeed later.
const UNAVAILABLE: u32 = 14;
/// When a client may ask again after the issuing key or the certificate log could not be reached, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// Whose reasons ours are.
pub(super) const DOMAIN: &str = "chancery";

/// What clients are told of a fault that is the authority's own.
const BACKEND: &str = "error communicating with CA backend";

/// A request that was not granted.
pub(super) struct Refused {
    pub(super) error: Error,
    pub(super) request_id: Option<RequestId>,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self { error, request_id } = self;
        let (code, message) = answer(&error);
        let reason = error.code();
        let mut details = vec![json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": DOMAIN,
            "metadata": {},
        })];
        details.extend(request_id.iter().map(|id| {
            json!({
                "@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": id.as_str(), "servingData": "",
            })
        }));
        let request_id = request_id.as_ref().map_or("", RequestId::as_str);
        log(&error, code, request_id);
        let mut response = respond(status(code), code, &message, &json!(details));
        let retry_after = match error {
            Error::Limited { retry_after_seconds, .. } => Some(HeaderValue::from(retry_after_seconds)),
            _ => (code == UNAVAILABLE).then_some(RETRY_AFTER),
        };
        if let Some(retry_after) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after);
        }
        response
    }
}

/// Notes a refusal in our own log: as ours where it is, as the client's where not.
pub(super) fn log(error: &Error, code: u32, request_id: &str) {
    let reason = error.code();
    if status(code).is_server_error() {
        tracing::error!(code = reason, %error, request_id, "no certificate was issued");
    } else {
        tracing::warn!(code = reason, %error, request_id, "a request was refused");
    }
}

/// The HTTP status grpc-gateway gives a code.
const fn status(code: u32) -> StatusCode {
    match code {
        INVALID_ARGUMENT => StatusCode::BAD_REQUEST,
        RESOURCE_EXHAUSTED => StatusCode::TOO_MANY_REQUESTS,
        UNIMPLEMENTED => StatusCode::NOT_IMPLEMENTED,
        UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Code and text.
pub(super) fn answer(error: &Error) -> (u32, Cow<'static, str>) {
    let (code, message) = match error {
        Error::TooLarge { .. } => (INVALID_ARGUMENT, "http: request body too large"),
        Error::Malformed { reason } => return (INVALID_ARGUMENT, reason.clone().into()),
        Error::Token(_) => (INVALID_ARGUMENT, "There was an error processing the identity token"),
        // Not one of Fulcio's: there, a proxy in front says it.
        Error::Limited { .. } => return (RESOURCE_EXHAUSTED, error.to_string().into()),
        Error::KeyMalformed(_) => (INVALID_ARGUMENT, "The public key supplied in the request could not be parsed"),
        Error::KeyInsecure => (INVALID_ARGUMENT, "The public key supplied in the request is insecure"),
        Error::RequestMalformed(_) => (INVALID_ARGUMENT, "The certificate signing request could not be parsed"),
        Error::RequestAlgorithm { name } => {
            return (INVALID_ARGUMENT, format!("unrecognized signature algorithm: {name}").into());
        }
        Error::Possession => (INVALID_ARGUMENT, "The signature supplied in the request could not be verified"),
        Error::AlgorithmNotPermitted { key, hash } => {
            return (INVALID_ARGUMENT, format!("signing algorithm not permitted: {key}, {hash}").into());
        }
        // Fulcio repeats the offending claim here, with everything its template knows; we name the field, not the content.
        Error::Issue(IssueError::Unfit(rejection)) => return (INVALID_ARGUMENT, rejection.to_string().into()),
        // Fulcio says 500 to this, too; a client that tells outages from defects comes back.
        Error::Issue(IssueError::Log(LogError::Unavailable { .. }) | IssueError::LogDeadline) => {
            (UNAVAILABLE, "Error entering certificate in CTL")
        }
        Error::Issue(IssueError::Log(LogError::Refused { .. }) | IssueError::LogPromise(_)) => {
            (INTERNAL, "Error entering certificate in CTL")
        }
        Error::Audit(_) => (INTERNAL, BACKEND),
        Error::Issue(IssueError::Signer(SignerError::Unavailable { .. })) => (UNAVAILABLE, BACKEND),
        Error::Issue(IssueError::AuthorityExpired | IssueError::Signer(_) | IssueError::Corrupt(_)) => {
            (INTERNAL, BACKEND)
        }
    };
    (code, message.into())
}

fn respond(status: StatusCode, code: u32, message: &str, details: &Value) -> Response {
    let body = json!({ "code": code, "message": message, "details": details }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A known path asked for in another way.
pub(super) async fn method_not_allowed() -> Response {
    respond(status(UNIMPLEMENTED), UNIMPLEMENTED, "Method Not Allowed", &json!([]))
}
