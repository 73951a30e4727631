//! `GET /api/search`: a page as JSON, or everything as NDJSON or CSV.

use super::error::{Failure, respond};
use super::form::Form;
use super::page::page;
use super::response::{Answer, CompleteTo, Counts, Page};
use super::{csv, export};
use crate::answer::newest::newest;
use crate::answer::pages::Search;
use crate::answer::{Asking, counting};
use crate::cursor::Cursor;
use crate::query::parameters::Parameters;
use crate::query::{Query, Unusable};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chancery_daemon::http::RequestId;

/// Entries of one page.
pub(super) const MAX_PAGE: u64 = 1000;
/// Entries of a page where a client names no limit.
pub(super) const USUAL_PAGE: u64 = 50;
/// Entries of one export.
pub(super) const MAX_EXPORT: u64 = 10_000_000;

/// The answer to a query in one of three forms.
pub(super) async fn search(
    State(asking): State<Asking>,
    RawQuery(query): RawQuery,
    request_id: Option<Extension<RequestId>>,
    headers: HeaderMap,
) -> Response {
    let request_id = request_id.map(|Extension(id)| id);
    let answer = answer(&asking, &query.unwrap_or_default(), &headers, request_id.as_ref()).await;
    respond(answer, request_id.as_ref())
}

/// What is asked, and how it is to be answered.
struct Question {
    query: Query,
    form: Form,
    cursor: Option<String>,
    with_proofs: bool,
    only_count: bool,
    limit: Option<u64>,
}

impl Question {
    fn read(text: &str, headers: &HeaderMap) -> Result<Self, Unusable> {
        let mut parameters = Parameters::parse(text)?;
        let query = Query::read(&mut parameters, None)?;
        let form = Form::read(&mut parameters, headers)?;
        let most = if form == Form::Json { MAX_PAGE } else { MAX_EXPORT };
        let question = Self {
            query,
            form,
            cursor: parameters.one("cursor")?,
            with_proofs: parameters.switch("proof")?,
            only_count: parameters.switch("count")?,
            limit: parameters.number("limit", 1, most)?,
        };
        parameters.finish()?;
        let refuse = |parameter: &str, reason: &str| Err(Unusable::new(parameter, reason));
        match question.form {
            Form::Csv if question.with_proofs => refuse("proof", "a table has no proofs; ask for json or ndjson"),
            Form::Csv | Form::Ndjson if question.only_count => refuse("count", "a count is answered as json"),
            Form::Json if question.only_count && question.cursor.is_some() => {
                refuse("cursor", "a count is about all pages; leave the cursor out")
            }
            _ => Ok(question),
        }
    }
}

/// Whether a query is a question, and its cursor one of this question.
pub(super) fn can_be_asked(text: &str) -> bool {
    Question::read(text, &HeaderMap::new()).is_ok_and(|Question { query, cursor, .. }| {
        cursor.is_none_or(|cursor| Cursor::decode(&cursor, query.fingerprint(), query.order).is_ok())
    })
}

async fn answer(
    asking: &Asking,
    text: &str,
    headers: &HeaderMap,
    request_id: Option<&RequestId>,
) -> Result<Response, Failure> {
    let Question { query, form, cursor, with_proofs, only_count, limit } = Question::read(text, headers)?;
    newest(asking, query.kind, cursor.as_deref()).await;
    if form != Form::Json {
        let place = asking.admit_export()?;
        let search = Search::begin(asking, query, cursor.as_deref()).await?;
        let left = limit.unwrap_or(MAX_EXPORT);
        return Ok(match form {
            Form::Csv => csv::export(search, left, place, request_id.cloned()),
            Form::Json | Form::Ndjson => export::export(search, left, with_proofs, place, request_id.cloned()),
        });
    }
    let _place = asking.admit()?;
    if only_count {
        let counts = counting::counts(asking, &query).await?;
        return Ok(Json(Answer::Counts(Counts::of(&counts))).into_response());
    }
    let mut search = Search::begin(asking, query, cursor.as_deref()).await?;
    let limit = usize::try_from(limit.unwrap_or(USUAL_PAGE)).unwrap_or(usize::MAX);
    let (entries, cursor) = page(&mut search, limit, with_proofs).await?;
    let complete_to = CompleteTo::of_all(search.logs());
    Ok(Json(Answer::Page(Page { entries, cursor, complete_to })).into_response())
}
