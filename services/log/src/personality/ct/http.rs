//! The HTTP API of RFC 6962 §4, as the reference implementation answers it.
//!
//! Errors are plain text: the status line's words, then the reason.

mod openapi;
mod read;
mod submit;

pub use openapi::describe;

use super::{Ct, SubmissionError};
use crate::Error;
use crate::reader::Form;
use crate::store::StoreError;
use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use chancery_daemon::budget::{Busy, RETRY_AFTER_SECONDS};
use chancery_daemon::http::{NotReceived, readable_anywhere};

/// Largest submission in bytes.
const MAX_CHAIN_BYTES: usize = 512_000;

pub(super) fn router(ct: Ct) -> Router {
    // What says nothing of an entry.
    let public = |route: MethodRouter<Ct>| route.layer(map_response(readable_anywhere));
    let for_readers = |route: MethodRouter<Ct>| ct.readers.only_for(route, Form::Text);
    Router::new()
        .route("/ct/v1/add-chain", post(submit::add_chain))
        .route("/ct/v1/add-pre-chain", post(submit::add_pre_chain))
        .route("/ct/v1/get-sth", public(get(read::get_sth)))
        .route("/ct/v1/get-sth-consistency", public(get(read::get_sth_consistency)))
        .route("/ct/v1/get-proof-by-hash", get(read::get_proof_by_hash))
        .route("/ct/v1/get-entries", for_readers(get(read::get_entries)))
        .route("/ct/v1/get-entry-and-proof", for_readers(get(read::get_entry_and_proof)))
        .route("/ct/v1/get-roots", public(get(read::get_roots)))
        .route("/issuer/{fingerprint}", get(read::issuer))
        .method_not_allowed_fallback(|| async { Failure::Method })
        .with_state(ct)
}

/// What a request was answered with instead of success.
#[derive(Debug)]
enum Failure {
    /// The request is not one.
    Bad(String),
    /// No such leaf or tree size.
    NotFound(&'static str),
    /// The submission is over the limit.
    TooLarge,
    /// The server has too many requests in flight.
    Busy(Busy),
    /// The path exists, the method does not.
    Method,
    /// The log did not do it.
    Log(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Log(error)
    }
}

impl From<NotReceived> for Failure {
    fn from(refusal: NotReceived) -> Self {
        match refusal {
            NotReceived::TooLarge => Self::TooLarge,
            NotReceived::Busy(busy) => Self::Busy(busy),
            NotReceived::Incomplete => Self::Bad("the request body could not be read".into()),
        }
    }
}

impl From<SubmissionError> for Failure {
    fn from(error: SubmissionError) -> Self {
        match error {
            SubmissionError::Refused(refused) => Self::Bad(refused.to_string()),
            SubmissionError::Log(error) => Self::Log(error),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, reason, retry_after) = match self {
            Self::Bad(reason) => (StatusCode::BAD_REQUEST, reason, None),
            Self::NotFound(reason) => (StatusCode::NOT_FOUND, reason.to_owned(), None),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "request body too large".to_owned(), None),
            Self::Busy(busy) => (StatusCode::SERVICE_UNAVAILABLE, busy.to_string(), Some(RETRY_AFTER_SECONDS)),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method not allowed".to_owned(), None),
            Self::Log(error) => {
                tracing::error!(error.code = error.code(), %error, "a request to the CT log failed");
                let (status, reason) = log_answer(&error);
                (status, reason.to_owned(), error.retry_after_seconds())
            }
        };
        let body = format!("{}\n{reason}\n", status.canonical_reason().unwrap_or_default());
        let mut response = (status, body).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Fixed sentences: a 5xx never shows a client what is inside.
const fn log_answer(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "backend overloaded"),
        Error::Frozen => (StatusCode::SERVICE_UNAVAILABLE, "the log is frozen"),
        Error::Quarantined(_) => (StatusCode::SERVICE_UNAVAILABLE, "the log is quarantined"),
        Error::Corrupt(_) | Error::Store(StoreError::Corrupt(_)) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "backend failure")
        }
        Error::Unavailable { .. } | Error::Clock(_) | Error::Store(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "backend unavailable")
        }
    }
}
