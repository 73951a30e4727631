//! Errors in the words of Rekor's server.

use super::MAX_BODY_BYTES;
use crate::answer::AskError;
use crate::http::error::{self, Told};
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chancery_daemon::budget::{Busy, RETRY_AFTER_SECONDS};
use chancery_daemon::http::{NotReceived, RequestId};
use schemars::JsonSchema;
use serde::Serialize;

/// Rekor's error body.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SearchIndexError")]
pub(in super::super) struct ErrorBody {
    /// The status again; with 422 go-openapi's own number of the fault, for example 602 for a missing member.
    code: u16,
    message: String,
}

/// Why a query is not answered.
#[derive(Debug)]
pub(in super::super) enum Failure {
    /// The query does not fit the OpenAPI document, with go-openapi's number of the fault.
    Schema { code: u16, message: String },
    /// The query cannot be answered.
    Bad(String),
    /// The content type is not JSON.
    ContentType(String),
    /// Everything else, which other searches have as well.
    Other(error::Failure),
}

impl Failure {
    pub(super) const fn schema(code: u16, message: String) -> Self {
        Self::Schema { code, message }
    }

    /// A member that the OpenAPI document requires is missing.
    pub(super) fn required(name: &str) -> Self {
        Self::schema(602, format!("{name} in body is required"))
    }

    pub(super) fn bad(message: &str) -> Self {
        Self::Bad(message.to_owned())
    }

    /// The body is not a query.
    pub(super) fn malformed() -> Self {
        Self::bad("parsing query body from \"\" failed, because it is not a search query")
    }

    /// Status, code and text.
    pub(super) fn told(&self) -> (u16, u16, String) {
        let same = |status: StatusCode, message: String| (status.as_u16(), status.as_u16(), message);
        match self {
            Self::Schema { code, message } => (StatusCode::UNPROCESSABLE_ENTITY.as_u16(), *code, message.clone()),
            Self::Bad(message) => same(StatusCode::BAD_REQUEST, message.clone()),
            Self::ContentType(sent) => same(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("unsupported media type {sent:?}, only [application/json] are allowed"),
            ),
            Self::Other(error::Failure::Body(NotReceived::TooLarge)) => {
                same(StatusCode::PAYLOAD_TOO_LARGE, format!("Request Entity Too Large. Limit set to {MAX_BODY_BYTES}"))
            }
            Self::Other(error::Failure::Body(NotReceived::Incomplete)) => Self::malformed().told(),
            // As upstream has it of too many entries in a request.
            Self::Other(error::Failure::Ask(error @ AskError::TooMany { .. })) => {
                same(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
            Self::Other(failure) => {
                let Told { status, message, .. } = failure.told();
                let is_ours = status == StatusCode::INTERNAL_SERVER_ERROR;
                same(status, if is_ours { "unexpected result from searching index".to_owned() } else { message })
            }
        }
    }

    pub(super) fn answer(&self, request_id: Option<&RequestId>) -> Response {
        if let Self::Other(failure) = self {
            failure.log(request_id);
        }
        let (status, code, message) = self.told();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(ErrorBody { code, message })).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::Other(error.into())
    }
}

impl From<NotReceived> for Failure {
    fn from(refusal: NotReceived) -> Self {
        Self::Other(refusal.into())
    }
}

impl From<Busy> for Failure {
    fn from(busy: Busy) -> Self {
        Self::Other(busy.into())
    }
}

/// Only JSON is read; a request without a content type is taken at its word.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    match super::super::content_type(headers) {
        None => Ok(()),
        Some(media_type) if media_type.eq_ignore_ascii_case("application/json") => Ok(()),
        Some(media_type) => Err(Failure::ContentType(media_type.to_owned())),
    }
}

/// 405 in go-openapi's words.
pub(in super::super) async fn method_not_allowed(method: Method) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let message = format!("method {method} is not allowed, but [POST] are");
    let mut response = (status, Json(ErrorBody { code: status.as_u16(), message })).into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}
