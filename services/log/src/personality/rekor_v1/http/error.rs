//! Errors in the words of Rekor's server.

use super::MAX_BODY_BYTES;
use super::response::Json;
use crate::Error;
use crate::admission;
use crate::personality::rekor_v1::EntryId;
use crate::reader::{self, Form};
use crate::store::StoreError;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chancery_daemon::budget::{Busy, RETRY_AFTER_SECONDS};
use chancery_daemon::http::NotReceived;
use chancery_verify::Rejection;
use schemars::JsonSchema;
use serde::Serialize;

/// What a request was answered with instead of success.
#[derive(Debug)]
pub(super) enum Failure {
    /// The body is not JSON, or incomplete.
    Json,
    /// The request does not fit the OpenAPI document: 422, with go-openapi's own code in the body.
    Schema { code: u16, message: String },
    /// The request fits but cannot be done.
    Bad(String),
    /// The proposed entry is not a valid one.
    Entry(Rejection),
    /// The proposed entry is valid, and this log does not accept it.
    NotAccepted(admission::Refused),
    /// What is asked for is for readers.
    NotAReader(reader::Refused),
    /// An entry, or the index of one, that does not exist; without a body, as upstream.
    NotFound,
    /// A proposal of an entry that is in the log already.
    Conflict(EntryId),
    /// The body is over the limit.
    TooLarge,
    /// The server has too many requests in flight.
    Busy(Busy),
    /// The request's content type is not JSON.
    ContentType(String),
    /// The request accepts none of these media types.
    NotAcceptable(&'static [&'static str]),
    /// The log did not do it.
    Log(Box<Error>),
    /// The log could not be searched for this entry.
    Search(EntryId, Box<Error>),
}

/// Rekor's error body.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RekorError")]
pub(super) struct ErrorBody {
    /// The status again; with 422 go-openapi's own number of the fault, for example 602 for a missing member.
    code: u16,
    message: String,
}

impl Failure {
    /// A member the OpenAPI document requires is missing.
    pub(super) fn required(name: &str, place: &str) -> Self {
        Self::Schema { code: 602, message: format!("{name} in {place} is required") }
    }

    /// A fault of the schema in the member at `path`, whose own members it names.
    pub(super) fn within(self, path: &str) -> Self {
        match self {
            Self::Schema { code, message } => Self::Schema { code, message: format!("{path}.{message}") },
            other => other,
        }
    }
}

/// What is wrong with an entry. go-openapi lists faults of the schema under a heading.
pub(super) fn sentence(rejection: &Rejection) -> String {
    match rejection {
        Rejection::EntryRequired { .. } | Rejection::EntryEmpty { .. } | Rejection::EntryValue { .. } => {
            format!("validation failure list:\n{rejection}")
        }
        _ => rejection.to_string(),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Log(Box::new(error))
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
            NotReceived::Incomplete => Self::Json,
        }
    }
}

fn answer(status: StatusCode, code: u16, message: String) -> Response {
    (status, Json(ErrorBody { code, message })).into_response()
}

fn plain(status: StatusCode, message: String) -> Response {
    answer(status, status.as_u16(), message)
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            // Upstream answers 500 here, by accident; the fault is the client's.
            Self::Json => plain(StatusCode::BAD_REQUEST, "error processing entry: the body is not valid JSON".into()),
            Self::Schema { code, message } => answer(StatusCode::UNPROCESSABLE_ENTITY, code, message),
            Self::Bad(message) => plain(StatusCode::BAD_REQUEST, message),
            Self::Entry(rejection) => {
                plain(StatusCode::BAD_REQUEST, format!("error processing entry: {}", sentence(&rejection)))
            }
            Self::NotAccepted(refused) => plain(StatusCode::FORBIDDEN, format!("error processing entry: {refused}")),
            Self::NotAReader(refused) => reader::refusal(&refused, Form::Rekor, None),
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Conflict(id) => {
                let message = format!("an equivalent entry already exists in the transparency log with UUID {id}");
                let mut response = plain(StatusCode::CONFLICT, message);
                response.headers_mut().insert(header::LOCATION, location(id));
                response
            }
            Self::TooLarge => {
                plain(StatusCode::PAYLOAD_TOO_LARGE, format!("Request Entity Too Large. Limit set to {MAX_BODY_BYTES}"))
            }
            Self::Busy(busy) => {
                let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, busy.to_string());
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
                response
            }
            Self::ContentType(sent) => plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("unsupported media type {sent:?}, only [application/json] are allowed"),
            ),
            Self::NotAcceptable(offers) => plain(
                StatusCode::NOT_ACCEPTABLE,
                format!("unsupported media type requested, only [{}] are available", offers.join(" ")),
            ),
            Self::Log(error) => log_failure(&error, "unexpected error communicating with transparency log"),
            Self::Search(id, error) => log_failure(&error, &format!("error getting log entry for {id}")),
        }
    }
}

/// `unexpected` is what is said of a fault that is not one of being busy.
fn log_failure(error: &Error, unexpected: &str) -> Response {
    if matches!(error, Error::Frozen) {
        // As upstream, where a server for an old shard is configured like this.
        return plain(StatusCode::NOT_IMPLEMENTED, "Create Entry API not enabled in this Rekor instance".into());
    }
    tracing::error!(error.code = error.code(), %error, "a request to the log failed");
    // Fixed sentences: a 5xx never shows a client what is inside.
    let (status, message) = match error {
        // It does not end by itself.
        Error::Quarantined(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the transparency log is quarantined until its operator has looked at it")
        }
        Error::Busy { .. } | Error::Unavailable { .. } | Error::Clock(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the transparency log takes no entries at the moment; try again")
        }
        Error::Frozen | Error::Corrupt(_) | Error::Store(StoreError::Corrupt(_)) => {
            (StatusCode::INTERNAL_SERVER_ERROR, unexpected)
        }
        Error::Store(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the transparency log cannot be reached at the moment; try again")
        }
    };
    let mut response = plain(status, message.into());
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Where entries are.
const ENTRIES: &str = "/api/v1/log/entries";

/// `/api/v1/log/entries/<id>`: where an entry can be read.
pub(super) fn location(id: EntryId) -> HeaderValue {
    // Cannot fail: hexadecimal digits and a fixed path.
    HeaderValue::from_str(&format!("{ENTRIES}/{id}")).unwrap_or(HeaderValue::from_static(ENTRIES))
}

/// The entity tag upstream sends: the bare id, without the quotes the RFC asks for. Clients use it as a map key.
pub(super) fn entity_tag(id: EntryId) -> (HeaderName, HeaderValue) {
    (header::ETAG, HeaderValue::from_str(&id.to_string()).unwrap_or(HeaderValue::from_static("")))
}

/// 405 in go-openapi's words.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let path = uri.path().trim_end_matches('/');
    let allowed = match path {
        // To GET, `retrieve` is an id.
        "/api/v1/log/entries" | "/api/v1/log/entries/retrieve" => "GET,POST",
        _ => "GET",
    };
    let mut response =
        plain(StatusCode::METHOD_NOT_ALLOWED, format!("method {method} is not allowed, but [{allowed}] are"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// 404 for a path below Rekor's own that it does not have, in go-openapi's words.
pub(super) async fn unknown_path(uri: Uri) -> Response {
    plain(StatusCode::NOT_FOUND, format!("path {} was not found", uri.path()))
}
