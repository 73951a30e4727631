//! One exhaustive match from what went wrong to what Fulcio would say.
//!
//! Statuses and texts are Fulcio's to the letter, because clients print and match them. Ours is the object in `details`:
//! a stable reason that a person can look up. Each failure is logged here, once, and nowhere else.

use crate::Error;
use crate::issue::IssueError;
use crate::transparency::LogError;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::borrow::Cow;

/// gRPC's `INVALID_ARGUMENT`.
const INVALID_ARGUMENT: u32 = 3;
/// gRPC's `UNIMPLEMENTED`.
const UNIMPLEMENTED: u32 = 12;
/// gRPC's `INTERNAL`.
const INTERNAL: u32 = 13;
/// gRPC's `UNAVAILABLE`: the same request may succeed later.
const UNAVAILABLE: u32 = 14;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (code, message) = answer(&self);
        let reason = self.code();
        let details = json!([{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "chancery",
            "metadata": {},
        }]);
        let status = status(code);
        if status.is_server_error() {
            tracing::error!(code = reason, error = %self, "no certificate was issued");
        } else {
            tracing::warn!(code = reason, error = %self, "a request was refused");
        }
        respond(status, code, &message, &details)
    }
}

/// The HTTP status grpc-gateway gives a code.
const fn status(code: u32) -> StatusCode {
    match code {
        INVALID_ARGUMENT => StatusCode::BAD_REQUEST,
        UNIMPLEMENTED => StatusCode::NOT_IMPLEMENTED,
        UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn answer(error: &Error) -> (u32, Cow<'static, str>) {
    let (code, message) = match error {
        Error::TooLarge { .. } => (INVALID_ARGUMENT, "http: request body too large"),
        Error::Malformed { reason } => return (INVALID_ARGUMENT, reason.clone().into()),
        Error::Token(_) => (INVALID_ARGUMENT, "There was an error processing the identity token"),
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
        Error::Issue(IssueError::AuthorityExpired | IssueError::Signer(_) | IssueError::Corrupt(_)) => {
            (INTERNAL, "error communicating with CA backend")
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
