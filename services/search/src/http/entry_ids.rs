//! `POST /api/v1/index/retrieve`: Rekor v1's search, as its clients know it.
//!
//! Statuses, texts and codes are those of Rekor's server. Its OpenAPI document decides what a query may be: a query that does
//! not fit it is answered 422 with go-openapi's own number of the fault in the body. URLs in a query are ignored.

mod error;
mod key;
mod question;

pub(super) use error::{ErrorBody, Failure, method_not_allowed};
pub(super) use question::{KEY_FORMATS, Question};

use crate::answer::Asking;
use crate::answer::entry_ids::entry_ids;
use crate::answer::newest::newest;
use crate::query::Query;
use crate::source::LogKind;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chancery_daemon::http::{RequestId, receive};

/// Largest body. A key ring or root metadata has tens of kilobytes.
pub(super) const MAX_BODY_BYTES: usize = 512 * 1024;

pub(super) async fn retrieve(State(asking): State<Asking>, request: Request) -> Response {
    let request_id = request.extensions().get::<RequestId>().cloned();
    let answer = answer(&asking, request).await;
    answer.unwrap_or_else(|failure| failure.answer(request_id.as_ref()))
}

async fn answer(asking: &Asking, request: Request) -> Result<Response, Failure> {
    let kind = error::require_json(request.headers());
    let received = receive(request, MAX_BODY_BYTES).await?;
    kind?;
    if received.bytes.is_empty() {
        return Err(Failure::required("query"));
    }
    let conditions = received.run(|json| Question::read(json)?.conditions()).await??;
    // A query without a condition finds nothing, and not everything.
    let ids = if conditions.is_empty() {
        Vec::new()
    } else {
        newest(asking, Some(LogKind::Rekor), None).await;
        let _place = asking.admit()?;
        entry_ids(asking, Query { conditions, ..Query::of(None) }).await?
    };
    Ok(json(&ids))
}

/// Whether a body is a question.
pub(super) fn can_be_asked(json: &[u8]) -> bool {
    Question::read(json).and_then(|question| question.conditions()).is_ok()
}

/// The ids as Go's encoder writes them: with a newline at the end.
fn json(ids: &[String]) -> Response {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    ([(header::CONTENT_TYPE, "application/json")], format!("[{}]\n", ids.join(","))).into_response()
}
