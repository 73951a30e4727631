//! One exhaustive match from an error to its answer: a `Status`, as the other APIs of this project have it.
//!
//! Each failure of ours is logged here, once, and nowhere else.

use crate::answer::AskError;
use crate::error::Error;
use crate::query::Unusable;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use chancery_daemon::budget::{Busy, RETRY_AFTER_SECONDS};
use chancery_daemon::http::grpc::Refusal;
use chancery_daemon::http::{NotReceived, RequestId};
use serde_json::{Value, json};
use tonic::Code;

/// What a client is told where asking again does not help.
const DAMAGED: &str = "the index or a log is damaged; its operator must look at it";

/// Why a request is not answered with a success.
#[derive(Debug)]
pub(super) enum Failure {
    /// The question has no answer.
    Ask(AskError),
    /// The body was not received, or there is no room to work on it.
    Body(NotReceived),
    /// The body is not the JSON that it should be. The text says what would be right.
    Json(&'static str),
    /// The content type is not JSON.
    ContentType,
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::Ask(error)
    }
}

impl From<Unusable> for Failure {
    fn from(unusable: Unusable) -> Self {
        Self::Ask(unusable.into())
    }
}

impl From<NotReceived> for Failure {
    fn from(refusal: NotReceived) -> Self {
        Self::Body(refusal)
    }
}

impl From<Busy> for Failure {
    fn from(busy: Busy) -> Self {
        Self::Body(busy.into())
    }
}

/// The status, the reason and the text of a failure.
pub(super) struct Told {
    pub(super) status: StatusCode,
    code: Code,
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// Whether the same request may succeed later.
    pub(super) is_passing: bool,
}

impl Failure {
    /// What a client is told. The cause of a fault of ours is not shown.
    pub(super) fn told(&self) -> Told {
        let (status, code, reason, message) = self.sentence();
        Told { status, code, reason, message, is_passing: status == StatusCode::SERVICE_UNAVAILABLE }
    }

    /// Logs the failure if it is ours.
    pub(super) fn log(&self, request_id: Option<&RequestId>) {
        let Told { status, reason, .. } = self.told();
        if status.is_server_error() && !matches!(self, Self::Ask(AskError::Busy) | Self::Body(_)) {
            let request_id = request_id.map_or("", RequestId::as_str);
            tracing::error!(code = reason, error = %self.cause(), request_id, "a search was not answered");
        }
    }

    fn sentence(&self) -> (StatusCode, Code, &'static str, String) {
        let error = match self {
            Self::Ask(error) => error,
            Self::Body(NotReceived::TooLarge) => {
                let message = "the body is larger than the limit".to_owned();
                return (StatusCode::PAYLOAD_TOO_LARGE, Code::InvalidArgument, "search.too_large", message);
            }
            Self::Body(NotReceived::Busy(busy)) => {
                return (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, "search.busy", busy.to_string());
            }
            Self::Body(NotReceived::Incomplete) => {
                let message = "the body is incomplete".to_owned();
                return (StatusCode::BAD_REQUEST, Code::InvalidArgument, "search.body", message);
            }
            Self::Json(message) => {
                return (StatusCode::BAD_REQUEST, Code::InvalidArgument, "search.body", (*message).to_owned());
            }
            Self::ContentType => {
                let message = "the body must be application/json".to_owned();
                return (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument, "search.content_type", message);
            }
        };
        let (status, code, message) = match error {
            AskError::Unusable(_)
            | AskError::Cursor(_)
            | AskError::TooMany { .. }
            | AskError::Index(Error::PrefixTooWide) => {
                (StatusCode::BAD_REQUEST, Code::InvalidArgument, error.to_string())
            }
            AskError::Busy => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, error.to_string()),
            AskError::Index(Error::NotCovered { .. } | Error::Moved) => {
                let message = "the index is being built; ask again in a moment";
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message.to_owned())
            }
            AskError::Contradiction { .. } => (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, DAMAGED.to_owned()),
            AskError::Index(error) if error.is_final() => {
                (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, DAMAGED.to_owned())
            }
            AskError::Index(_) | AskError::Source(_) | AskError::Interrupted => {
                let message = "the index or a log cannot be read at the moment";
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message.to_owned())
            }
        };
        (status, code, error.code(), message)
    }

    fn cause(&self) -> String {
        match self {
            Self::Ask(error) => error.to_string(),
            Self::Body(refusal) => refusal.to_string(),
            Self::Json(message) => (*message).to_owned(),
            Self::ContentType => String::new(),
        }
    }

    /// The failure in the middle of a stream, when the status has long been sent.
    pub(super) fn in_stream(&self) -> Value {
        let Told { reason, message, .. } = self.told();
        json!({ "error": { "reason": reason, "message": message } })
    }

    /// The whole answer.
    fn answer(&self, request_id: Option<&RequestId>) -> Response {
        let Told { status, code, reason, message, is_passing } = self.told();
        let refusal = Refusal { code, message: &message, reason, request_id };
        let mut response = refusal.response(status, Vec::new());
        if is_passing {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}

/// A success, or a failure with the request's id.
pub(super) fn respond(answer: Result<Response, Failure>, request_id: Option<&RequestId>) -> Response {
    answer.unwrap_or_else(|failure| {
        failure.log(request_id);
        failure.answer(request_id)
    })
}
