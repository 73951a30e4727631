//! `GET /api/search/consistency`: that one tree of a log extends another.

use super::error::{Failure, respond};
use super::response::hexadecimals;
use crate::answer::Asking;
use crate::answer::consistency::consistency;
use crate::query::Unusable;
use crate::query::parameters::Parameters;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chancery_daemon::http::RequestId;
use schemars::JsonSchema;
use serde::Serialize;

/// Logs have fewer entries than 2^63.
const MAX_SIZE: u64 = u64::MAX >> 1;

/// A consistency proof.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SearchConsistency")]
pub(super) struct Answer {
    /// Name of the log.
    log: String,
    /// Leaves of the smaller tree.
    first: u64,
    /// Leaves of the larger tree.
    second: u64,
    /// In hexadecimal. Empty if the sizes are the same, or the first is 0.
    hashes: Vec<String>,
}

pub(super) async fn prove(
    State(asking): State<Asking>,
    RawQuery(query): RawQuery,
    request_id: Option<Extension<RequestId>>,
) -> Response {
    let request_id = request_id.map(|Extension(id)| id);
    respond(answer(&asking, &query.unwrap_or_default()).await, request_id.as_ref())
}

async fn answer(asking: &Asking, text: &str) -> Result<Response, Failure> {
    let mut parameters = Parameters::parse(text)?;
    let missing = |name: &str| Unusable::new(name, "it is missing");
    let log = parameters.one("log")?.ok_or_else(|| missing("log"))?;
    let first = parameters.number("first", 0, MAX_SIZE)?.ok_or_else(|| missing("first"))?;
    let second = parameters.number("second", 0, MAX_SIZE)?.ok_or_else(|| missing("second"))?;
    parameters.finish()?;
    let _place = asking.admit()?;
    let hashes = hexadecimals(&consistency(asking, &log, first, second).await?);
    Ok(Json(Answer { log, first, second, hashes }).into_response())
}
