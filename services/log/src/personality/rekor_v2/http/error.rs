//! One exhaustive match from each failure to the answer of rekor-tiles, with the reason, which rekor-tiles leaves out.
//!
//! Codes and statuses are upstream's, and so are the texts, with the reason behind them where upstream keeps it to its own
//! log. What upstream has no field for is in `details`: our stable reason, and of a duplicate the entry that is there.

use super::response::TransparencyLogEntry;
use crate::Error;
use crate::personality::rekor_v2::{ProvenEntry, SubmissionError};
use crate::store::StoreError;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chancery_daemon::budget::{self, Busy};
use chancery_daemon::http::grpc::{Refusal, http_status};
use chancery_daemon::http::{NotReceived, RequestId};
use chancery_verify::protojson::Malformed;
use std::borrow::Cow;
use tonic::Code;

/// Says of a duplicate where it is, over HTTP and gRPC.
pub(super) const INDEX_HEADER: &str = "x-log-index";
/// What a duplicate's details hold.
pub(super) const ENTRY_TYPE: &str = "dev.sigstore.rekor.v1.TransparencyLogEntry";
/// All that is said of a log that is frozen over HTTP, and not in JSON.
const FROZEN: &str = "This log has been frozen, please switch to the latest log.\n";

/// What a request was answered with instead of an entry.
#[derive(Debug)]
pub(super) enum Failure {
    /// The body is over the limit.
    TooLarge,
    /// The body could not be read.
    Unreadable,
    /// The server has too many requests in flight.
    Busy(Busy),
    /// The body is no message.
    Malformed(Malformed),
    /// The entry is not new, or not one.
    Submission(SubmissionError),
}

impl From<SubmissionError> for Failure {
    fn from(error: SubmissionError) -> Self {
        Self::Submission(error)
    }
}

impl From<Busy> for Failure {
    fn from(busy: Busy) -> Self {
        Self::Busy(busy)
    }
}

impl From<NotReceived> for Failure {
    fn from(refusal: NotReceived) -> Self {
        match refusal {
            NotReceived::TooLarge => Self::TooLarge,
            NotReceived::Busy(busy) => Self::Busy(busy),
            NotReceived::Incomplete => Self::Unreadable,
        }
    }
}

impl Failure {
    /// Code, text and stable reason. Fixed sentences where the fault is ours.
    pub(super) fn answer(&self) -> (Code, Cow<'static, str>, &'static str) {
        match self {
            Self::TooLarge => (Code::InvalidArgument, "http: request body too large".into(), "request.too_large"),
            Self::Unreadable => (Code::InvalidArgument, "the request body could not be read".into(), "request.body"),
            Self::Busy(busy) => (Code::Unavailable, busy.to_string().into(), "server.busy"),
            Self::Malformed(malformed) => (Code::InvalidArgument, malformed.to_string().into(), "request.malformed"),
            Self::Submission(SubmissionError::Log(error)) => {
                let (code, message) = log_answer(error);
                (code, message.into(), error.code())
            }
            Self::Submission(error @ SubmissionError::Kind { .. }) => {
                (Code::InvalidArgument, error.to_string().into(), "entry.kind")
            }
            Self::Submission(error @ SubmissionError::Refused { rejection, .. }) => {
                (Code::InvalidArgument, error.to_string().into(), rejection.code())
            }
            Self::Submission(SubmissionError::NotAccepted(refused)) => {
                (Code::PermissionDenied, refused.to_string().into(), refused.code())
            }
            Self::Submission(error @ SubmissionError::Exists(_)) => {
                (Code::AlreadyExists, error.to_string().into(), "entry.exists")
            }
        }
    }

    /// The entry that is there, where that is what went wrong.
    pub(super) fn existing(&self) -> Option<&ProvenEntry> {
        match self {
            Self::Submission(SubmissionError::Exists(entry)) => Some(entry),
            _ => None,
        }
    }

    /// Says a fault of ours in our own log.
    pub(super) fn report(&self) {
        if let Self::Submission(SubmissionError::Log(error)) = self
            && !matches!(error, Error::Frozen)
        {
            tracing::error!(error.code = error.code(), %error, "a request to the log failed");
        }
    }

    /// Seconds after which the same request may succeed.
    const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Submission(SubmissionError::Log(error)) => error.retry_after_seconds(),
            Self::Busy(_) => Some(budget::RETRY_AFTER_SECONDS),
            _ => None,
        }
    }
}

const fn log_answer(error: &Error) -> (Code, &'static str) {
    match error {
        Error::Busy { .. } => (Code::Unavailable, "reached max pushback; retry"),
        Error::Unavailable { .. } | Error::Clock(_) => {
            (Code::Unavailable, "the transparency log takes no entries at the moment; try again")
        }
        Error::Quarantined(_) => {
            (Code::Unavailable, "the transparency log is quarantined until its operator has looked at it")
        }
        Error::Frozen => (Code::Unimplemented, "log frozen"),
        Error::Corrupt(_) | Error::Store(StoreError::Corrupt(_)) => (Code::Unknown, "failed to integrate entry"),
        Error::Store(_) => (Code::Unavailable, "the transparency log cannot be reached at the moment; try again"),
    }
}

/// A failure and the request that met it.
pub(super) struct Refused {
    pub(super) failure: Failure,
    pub(super) request_id: Option<RequestId>,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self { failure, request_id } = self;
        failure.report();
        if matches!(failure, Failure::Submission(SubmissionError::Log(Error::Frozen))) {
            return (StatusCode::METHOD_NOT_ALLOWED, FROZEN).into_response();
        }
        let (code, message, reason) = failure.answer();
        let status =
            if matches!(failure, Failure::TooLarge) { StatusCode::PAYLOAD_TOO_LARGE } else { http_status(code) };
        let entry = failure.existing().and_then(|entry| {
            let fields = serde_json::to_value(TransparencyLogEntry::from(entry)).ok()?;
            Some((ENTRY_TYPE, fields))
        });
        let refusal = Refusal { code, message: &message, reason, request_id: request_id.as_ref() };
        let mut response = refusal.response(status, entry.into_iter().collect());
        let headers = response.headers_mut();
        if let Some(entry) = failure.existing() {
            headers.insert(HeaderName::from_static(INDEX_HEADER), HeaderValue::from(entry.receipt.index));
        }
        if let Some(seconds) = failure.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
