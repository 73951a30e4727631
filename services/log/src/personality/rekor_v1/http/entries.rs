//! `/api/v1/log/entries`: create an entry, read one by index or id.

use super::error::{self, Failure};
use super::parameters::{self, Parameters};
use super::response::{Json, LogEntry, log_entry};
use super::{proposal, receive_json};
use crate::admission::WriteRules;
use crate::personality::rekor_v1::{Choices, EntryId, RekorV1, Submitted};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chancery_verify::rekor::{Admission, ProposedEntry};
use std::sync::Arc;

/// What names an entry.
pub(super) const ID: &str = "^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$";

/// `POST`: 201 with the entry, its id as entity tag and its location; 409 where it is logged already.
pub(super) async fn create(State(rekor): State<RekorV1>, request: Request) -> Result<Response, Failure> {
    let (rules, choices) = (rekor.access.rules.clone(), Arc::clone(&rekor.choices));
    let received = receive_json(request, "proposedEntry").await?;
    let admitted = received.run(move |json| admit(json, &choices, &rules)).await??;
    match rekor.submit(admitted).await? {
        Submitted::Exists(id) => Err(Failure::Conflict(id)),
        Submitted::Created(entry) => {
            let location = (header::LOCATION, error::location(entry.id));
            let headers = [error::entity_tag(entry.id), location];
            Ok((StatusCode::CREATED, headers, Json(log_entry(&entry))).into_response())
        }
    }
}

/// Checks a proposal.
fn admit(json: &[u8], choices: &Choices, rules: &WriteRules) -> Result<Admission, Failure> {
    let proposal = ProposedEntry::parse(json).map_err(|_| Failure::Json)?;
    proposal::verify_kind(&proposal)?;
    proposal::verify_members(&proposal)?;
    let refused = |reason| Failure::Bad(format!("error processing entry: {reason}"));
    let kind = proposal::kind_of(&proposal).ok_or_else(|| refused(proposal::unsupported(&proposal)))?;
    // Before anything is unpacked or verified.
    if !choices.kinds.take(kind) {
        return Err(refused(proposal::disabled(kind)));
    }
    let admitted = kind.admission(&proposal).map_err(Failure::Entry)?;
    rules.check(kind.name(), &admitted.body).map_err(Failure::NotAccepted)?;
    Ok(admitted)
}

/// `GET ?logIndex=N`.
pub(super) async fn by_index(
    State(rekor): State<RekorV1>,
    Query(query): Query<Parameters>,
) -> Result<Json<LogEntry>, Failure> {
    let index = parameters::required_number(&query, "logIndex", 0)?;
    let entry = rekor.by_index(index).await?.ok_or(Failure::NotFound)?;
    Ok(Json(log_entry(&entry)))
}

/// `GET /{entryUUID}`: by UUID (64 digits) or by full entry id (80 digits).
pub(super) async fn by_id(
    State(rekor): State<RekorV1>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<LogEntry>, Failure> {
    // What is not UTF-8 is no id either.
    let Ok(Path(id)) = id else { return Err(no_id()) };
    let entry = match parse_name(&id) {
        Ok(EntryName::Entry(id)) => rekor.by_id(id).await?,
        Ok(EntryName::Leaf(leaf_hash)) => rekor.by_leaf_hash(leaf_hash).await?,
        Err(BadName::Form) => return Err(no_id()),
        Err(BadName::Tree(reason)) => return Err(Failure::Bad(format!("validation error: {reason}"))),
    };
    Ok(Json(log_entry(&entry.ok_or(Failure::NotFound)?)))
}

/// `GET /retrieve`: upstream reads it as an id.
pub(super) async fn retrieve_is_no_id() -> Failure {
    no_id()
}

fn no_id() -> Failure {
    Failure::Schema { code: 605, message: format!("entryUUID in path should match '{ID}'") }
}

/// A name by which clients ask for an entry.
pub(super) enum EntryName {
    /// Leaf hash alone, in any shard.
    Leaf([u8; 32]),
    /// Tree id and leaf hash.
    Entry(EntryId),
}

/// Why a text is no name.
pub(super) enum BadName {
    /// It does not match [`ID`].
    Form,
    /// No tree can have this id: the reason.
    Tree(String),
}

/// Reads a name. A tree's id is a positive number of 63 bits.
pub(super) fn parse_name(text: &str) -> Result<EntryName, BadName> {
    let bytes = hex::decode(text).map_err(|_| BadName::Form)?;
    if let Ok(leaf_hash) = bytes.as_slice().try_into() {
        return Ok(EntryName::Leaf(leaf_hash));
    }
    let (tree_id, leaf_hash) = bytes.split_first_chunk::<8>().ok_or(BadName::Form)?;
    let leaf_hash = leaf_hash.try_into().map_err(|_| BadName::Form)?;
    match i64::from_be_bytes(*tree_id) {
        0 => Err(BadName::Tree("0 is not a valid TreeID".into())),
        // The digits as they were sent.
        ..0 => Err(BadName::Tree(format!("{} is not a valid TreeID", text.get(..16).unwrap_or_default()))),
        tree_id => Ok(EntryName::Entry(EntryId { tree_id, leaf_hash })),
    }
}

/// Only JSON is read; a request without a content type is taken at its word.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    let Some(sent) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let sent = sent.to_str().unwrap_or_default();
    let media_type = sent.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Failure::ContentType(media_type.into()))
    }
}
