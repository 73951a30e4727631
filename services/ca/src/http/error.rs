//! One exhaustive match from an error to Fulcio's answer.
//!
//! Statuses and texts are identical to Fulcio's, because clients print and match them. The objects in `details` are
//! ours: a stable reason that a person can look up, and the request's id (`google.rpc.ErrorInfo`, `RequestInfo`). Each
//! failure is logged here, once, and nowhere else.

use crate::Error;
use crate::issue::IssueError;
use crate::request::Refusal;
use crate::transparency::LogError;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chancery_daemon::budget;
use chancery_daemon::http::RequestId;
use chancery_daemon::http::grpc::{self, http_status};
use chancery_daemon::signer::SignerError;
use std::borrow::Cow;
use tonic::Code;

/// Seconds after which a client may retry when the clock is wrong, or the issuing key or the certificate log could not be
/// reached.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// The text for a fault of the authority itself.
const BACKEND: &str = "error communicating with CA backend";

/// A refused request.
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) request_id: Option<RequestId>,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self { refusal, request_id } = self;
        let (code, message) = answer(&refusal.error);
        log(&refusal, code);
        let error = refusal.error;
        let refusal = grpc::Refusal { code, message: &message, reason: error.code(), request_id: request_id.as_ref() };
        let mut response = refusal.response(http_status(code), Vec::new());
        let retry_after = match error {
            Error::Limited { retry_after_seconds, .. } => Some(HeaderValue::from(retry_after_seconds)),
            Error::Busy(_) => Some(HeaderValue::from(budget::RETRY_AFTER_SECONDS)),
            _ => (code == Code::Unavailable).then_some(RETRY_AFTER),
        };
        if let Some(retry_after) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after);
        }
        response
    }
}

/// Logs a refusal: as an error if it is our fault, otherwise as the client's. As few of one client as the audit log has. The
/// request's id is in the span around it.
pub(super) fn log(Refusal { error, left_out }: &Refusal, code: Code) {
    if *left_out {
        return;
    }
    let reason = error.code();
    if http_status(code).is_server_error() {
        tracing::error!(code = reason, %error, "no certificate was issued");
    } else {
        tracing::warn!(code = reason, %error, "a request was refused");
    }
}

/// Returns code and text.
pub(super) fn answer(error: &Error) -> (Code, Cow<'static, str>) {
    let (code, message) = match error {
        Error::TooLarge { .. } => (Code::InvalidArgument, "http: request body too large"),
        Error::Busy(busy) => return (Code::Unavailable, busy.to_string().into()),
        Error::Malformed { reason } => return (Code::InvalidArgument, reason.clone().into()),
        Error::Token(_) => (Code::InvalidArgument, "There was an error processing the identity token"),
        // Fulcio has no such error: a proxy in front of it limits requests.
        Error::Limited { .. } => return (Code::ResourceExhausted, error.to_string().into()),
        Error::KeyMalformed(_) => (Code::InvalidArgument, "The public key supplied in the request could not be parsed"),
        Error::KeyInsecure => (Code::InvalidArgument, "The public key supplied in the request is insecure"),
        Error::RequestMalformed(_) => (Code::InvalidArgument, "The certificate signing request could not be parsed"),
        Error::RequestAlgorithm { name } => {
            return (Code::InvalidArgument, format!("unrecognized signature algorithm: {name}").into());
        }
        Error::Possession => (Code::InvalidArgument, "The signature supplied in the request could not be verified"),
        Error::AlgorithmNotPermitted { key, hash } => {
            return (Code::InvalidArgument, format!("signing algorithm not permitted: {key}, {hash}").into());
        }
        // Fulcio repeats the offending claim here, with all values its template knows. We name the field and not its
        // content.
        Error::Issue(IssueError::Unfit(rejection)) => return (Code::InvalidArgument, rejection.to_string().into()),
        // Fulcio also answers 500. A client that tells outages from defects retries a 503.
        Error::Issue(IssueError::Log(LogError::Unavailable { .. }) | IssueError::LogDeadline) => {
            (Code::Unavailable, "Error entering certificate in CTL")
        }
        Error::Issue(IssueError::Log(LogError::Refused { .. }) | IssueError::LogPromise(_)) => {
            (Code::Internal, "Error entering certificate in CTL")
        }
        Error::Audit(_) => (Code::Internal, BACKEND),
        Error::Clock(_) | Error::Issue(IssueError::Signer(SignerError::Unavailable { .. })) => {
            (Code::Unavailable, BACKEND)
        }
        Error::Issue(IssueError::AuthorityExpired | IssueError::Signer(_) | IssueError::Corrupt(_)) => {
            (Code::Internal, BACKEND)
        }
    };
    (code, message.into())
}
