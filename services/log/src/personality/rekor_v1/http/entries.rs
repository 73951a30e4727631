//! `/api/v1/log/entries`: create an entry, read one by index or id.

use super::error::{self, Failure};
use super::receive_json;
use super::response::{LogEntry, log_entry};
use crate::personality::rekor_v1::{Choices, EntryId, RekorV1, Submitted};
use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chancery_verify::Rejection;
use chancery_verify::rekor::{Admission, EntryKind, ProposedEntry};
use std::collections::HashMap;
use std::sync::Arc;

/// `POST`: 201 with the entry, its id as entity tag and its location; 409 where it is logged already.
pub(super) async fn create(State(rekor): State<RekorV1>, request: Request) -> Result<Response, Failure> {
    let choices = Arc::clone(&rekor.choices);
    let admitted = receive_json(request, "proposedEntry").await?.run(move |json| admit(json, &choices)).await??;
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
fn admit(json: &[u8], choices: &Choices) -> Result<Admission, Failure> {
    let proposal = ProposedEntry::parse(json).map_err(|_| Failure::Json)?;
    let kind = kind_of(&proposal)?;
    // Before anything is unpacked or verified.
    if !choices.kinds.take(kind) {
        return Err(Failure::disabled(kind));
    }
    kind.admission(&proposal).map_err(Failure::Entry)
}

/// `GET ?logIndex=N`.
pub(super) async fn by_index(
    State(rekor): State<RekorV1>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<LogEntry>, Failure> {
    let text = query.get("logIndex").ok_or_else(|| Failure::required("logIndex", "query"))?;
    let index = text.parse::<i64>().map_err(|_| Failure::Schema {
        code: 601,
        message: format!("logIndex in query must be of type int64: {text:?}"),
    })?;
    let index = u64::try_from(index).map_err(|_| Failure::Schema {
        code: 609,
        message: "logIndex in query should be greater than or equal to 0".into(),
    })?;
    let entry = rekor.by_index(index).await?.ok_or(Failure::NotFound)?;
    Ok(Json(log_entry(&entry)))
}

/// `GET /{id}`: by UUID (64 digits) or by full entry id (80 digits).
pub(super) async fn by_id(State(rekor): State<RekorV1>, Path(id): Path<String>) -> Result<Json<LogEntry>, Failure> {
    let name = parse_name(&id).ok_or_else(|| Failure::Schema {
        code: 605,
        message: "entryUUID in path should match '^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$'".into(),
    })?;
    let entry = match name {
        EntryName::Entry(id) => rekor.by_id(id).await?,
        EntryName::Leaf(leaf_hash) => rekor.by_leaf_hash(leaf_hash).await?,
    };
    Ok(Json(log_entry(&entry.ok_or(Failure::NotFound)?)))
}

/// A name by which clients ask for an entry.
pub(super) enum EntryName {
    /// Leaf hash alone, in any shard.
    Leaf([u8; 32]),
    /// Tree id and leaf hash.
    Entry(EntryId),
}

pub(super) fn parse_name(text: &str) -> Option<EntryName> {
    let bytes = hex::decode(text).ok()?;
    match bytes.len() {
        32 => Some(EntryName::Leaf(bytes.try_into().ok()?)),
        40 => {
            let (tree_id, leaf_hash) = bytes.split_first_chunk::<8>()?;
            Some(EntryName::Entry(EntryId {
                tree_id: i64::from_be_bytes(*tree_id),
                leaf_hash: leaf_hash.try_into().ok()?,
            }))
        }
        _ => None,
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

/// The kind of a proposal whose version is one that can be inserted.
pub(super) fn kind_of(proposal: &ProposedEntry<'_>) -> Result<EntryKind, Failure> {
    let name =
        proposal.kind.as_deref().filter(|kind| !kind.is_empty()).ok_or_else(|| Failure::required("kind", "body"))?;
    if EntryKind::named(name).next().is_none() {
        return Err(Failure::Schema { code: 422, message: format!("invalid kind value: {name:?}") });
    }
    let version = proposal.api_version.as_deref().ok_or_else(|| Failure::required("apiVersion", "body"))?;
    let kind = EntryKind::named(name).find(|kind| kind.version() == version).ok_or_else(|| {
        Failure::Bad(format!(
            "error processing entry: entry kind '{name}' does not support inserting entries of version '{version}'"
        ))
    })?;
    if proposal.spec.is_none() {
        return Err(Failure::Entry(Rejection::EntryMissing { field: "spec" }));
    }
    Ok(kind)
}
