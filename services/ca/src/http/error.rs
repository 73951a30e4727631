//! One exhaustive match from what went wrong to what Fulcio would say.
//!
//! Statuses and texts are Fulcio's to the letter, because clients print and match them. Ours is the object in `details`:
//! a stable reason that a person can look up. Each failure is logged here, once, and nowhere else.

use crate::Error;
use crate::issue::IssueError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chancery_daemon::signer::SignerError;
use serde_json::{Value, json};
use std::borrow::Cow;

/// gRPC's `INVALID_ARGUMENT`.
const INVALID_ARGUMENT: u32 = 3;
/// gRPC's `UNIMPLEMENTED`.
const UNIMPLEMENTED: u32 = 12;
/// gRPC's `INTERNAL`.
const INTERNAL: u32 = 13;
/// gRPC's `UNAVAILABLE`.
const UNAVAILABLE: u32 = 14;
/// When a client may ask again after the issuing key could not be reached, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

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
        match code {
            INTERNAL => {
                tracing::error!(code = reason, error = %self, "no certificate was issued");
                respond(StatusCode::INTERNAL_SERVER_ERROR, code, &message, &details)
            }
            UNAVAILABLE => {
                tracing::error!(code = reason, error = %self, "no certificate can be issued now");
                let answer = respond(StatusCode::SERVICE_UNAVAILABLE, code, &message, &details);
                ([(header::RETRY_AFTER, RETRY_AFTER)], answer).into_response()
            }
            _ => {
                tracing::warn!(code = reason, error = %self, "a request was refused");
                respond(StatusCode::BAD_REQUEST, code, &message, &details)
            }
        }
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
        Error::Issue(IssueError::Log(_) | IssueError::LogDeadline | IssueError::LogPromise(_)) => {
            (INTERNAL, "Error entering certificate in CTL")
        }
        Error::Issue(IssueError::Signer(SignerError::Unavailable { .. })) => {
            (UNAVAILABLE, "error communicating with CA backend")
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
    respond(StatusCode::NOT_IMPLEMENTED, UNIMPLEMENTED, "Method Not Allowed", &json!([]))
}
