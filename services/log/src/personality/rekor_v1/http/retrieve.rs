//! `POST /api/v1/log/entries/retrieve`: up to ten entries by id, proposal or index.
//!
//! A client that proposes an entry has it, so a proposal is answered to everybody, also where entries are for readers: clients
//! that verify a signature without a bundle ask that way. Ids and indices can be counted up, so these are for readers. So is a
//! payload that is kept beside an entry: a client that has the entry may have only the hash of the payload.

use super::entries::{BadName, EntryName, ID, parse_name};
use super::error::{Failure, sentence};
use super::response::{Json, LogEntry, log_entry};
use super::{proposal, receive_json};
use crate::personality::rekor_v1::{Choices, ProvenEntry, RekorV1};
use crate::reader::bearer;
use axum::extract::{Request, State};
use chancery_verify::Hash;
use chancery_verify::rekor::ProposedEntry;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Entries one request may ask for, over all three lists.
pub(super) const MAX_ENTRIES: usize = 10;

/// Which entries to answer with. The limit of each list is also that of all three together.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchLogQuery<'a> {
    /// Leaf hashes (64 hexadecimal digits) or entry ids (80).
    #[serde(rename = "entryUUIDs", default)]
    #[schemars(length(min = 1, max = MAX_ENTRIES))]
    entry_uuids: Option<Vec<String>>,
    /// Indexes over all shards.
    #[serde(default)]
    #[schemars(length(min = 1, max = MAX_ENTRIES))]
    log_indexes: Option<Vec<i64>>,
    /// Entries as they were proposed, or as they are logged.
    #[serde(default, borrow)]
    #[schemars(with = "Option<Vec<serde_json::Value>>", length(min = 1, max = MAX_ENTRIES))]
    entries: Option<Vec<&'a RawValue>>,
}

/// A query, read.
struct Wanted {
    names: Vec<EntryName>,
    /// Of the entries that were given whole.
    leaf_hashes: Vec<Hash>,
    indexes: Vec<u64>,
}

impl Wanted {
    /// Whether every entry was given whole.
    fn is_at_hand(&self) -> bool {
        self.names.is_empty() && self.indexes.is_empty()
    }
}

/// Entries that do not exist are left out of the answer.
pub(super) async fn retrieve(State(rekor): State<RekorV1>, request: Request) -> Result<Json<Vec<LogEntry>>, Failure> {
    let token = bearer(request.headers()).to_owned();
    let choices = Arc::clone(&rekor.choices);
    let wanted = receive_json(request, "entry").await?.run(move |json| wanted(json, &choices)).await??;
    if !wanted.is_at_hand() {
        rekor.access.readers.admit(&token).await.map_err(Failure::NotAReader)?;
    }
    let is_for_everybody = wanted.is_at_hand() && rekor.access.readers.are_restricted();
    let mut found = Vec::new();
    for name in wanted.names {
        match name {
            EntryName::Leaf(leaf_hash) => found.extend(rekor.all_by_leaf_hash(leaf_hash).await?),
            EntryName::Entry(id) => {
                found.extend(rekor.by_id(id).await.map_err(|error| Failure::Search(id, Box::new(error)))?);
            }
        }
    }
    for leaf_hash in wanted.leaf_hashes {
        let entries = rekor.all_by_leaf_hash(leaf_hash).await?.into_iter();
        found.extend(
            entries.map(|entry| if is_for_everybody { ProvenEntry { attestation: None, ..entry } } else { entry }),
        );
    }
    for index in wanted.indexes {
        found.extend(rekor.by_index(index).await?);
    }
    Ok(Json(found.iter().map(log_entry).collect()))
}

/// Reads a query, in this order: (1) the JSON, and how much is asked for in each list, (2) what the schema says of entries,
/// ids and indexes, (3) how much is asked for in all, (4) the ids and entries themselves. An entry is checked as if it were
/// proposed. Upstream reads every entry before it counts them.
fn wanted(json: &[u8], choices: &Choices) -> Result<Wanted, Failure> {
    // (1)
    let no_query = || malformed("it is not a search query");
    // Serde would also read a list of the three lists.
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(no_query());
    }
    let query: SearchLogQuery<'_> = serde_json::from_slice(json).map_err(|_| no_query())?;
    check_counts(&query)?;
    // (2)
    let proposals = query.entries.iter().flatten().map(|entry| parse(entry)).collect::<Result<Vec<_>, _>>()?;
    for (number, proposal) in proposals.iter().enumerate() {
        proposal::verify_members(proposal).map_err(|failure| failure.within(&format!("entries.{number}")))?;
    }
    let names: Vec<_> = query.entry_uuids.iter().flatten().map(|id| (id, parse_name(id))).collect();
    if let Some(number) = names.iter().position(|(_, name)| matches!(name, Err(BadName::Form))) {
        let message = format!("entryUUIDs.{number} in body should match '{ID}'");
        return Err(Failure::Schema { code: 605, message });
    }
    let indexes = query.log_indexes.iter().flatten().enumerate();
    let indexes = indexes.map(|(number, index)| {
        let message = || format!("logIndexes.{number} in body should be greater than or equal to 0");
        u64::try_from(*index).map_err(|_| Failure::Schema { code: 609, message: message() })
    });
    let indexes = indexes.collect::<Result<_, _>>()?;
    // (3)
    if names.len() + proposals.len() + query.log_indexes.iter().flatten().count() > MAX_ENTRIES {
        let message = format!("more than max allowed {MAX_ENTRIES} entries in request");
        return Err(Failure::Schema { code: 422, message });
    }
    // (4)
    let name =
        |(id, name): (&String, Result<_, BadName>)| name.map_err(|_| Failure::Bad(format!("invalid entryID {id}")));
    let names = names.into_iter().map(name).collect::<Result<_, _>>()?;
    let leaf_hashes = proposals.iter().map(|proposal| leaf_hash(proposal, choices)).collect::<Result<_, _>>()?;
    Ok(Wanted { names, leaf_hashes, indexes })
}

/// Upstream's decoder also looks at the kind.
fn parse(entry: &RawValue) -> Result<ProposedEntry<'_>, Failure> {
    let other_type = |_| malformed("an entry has a member of another type");
    let proposal = ProposedEntry::parse(entry.get().as_bytes()).map_err(other_type)?;
    match proposal::verify_kind(&proposal) {
        Ok(()) => Ok(proposal),
        Err(Failure::Schema { message, .. }) => Err(malformed(&message)),
        Err(other) => Err(other),
    }
}

fn malformed(reason: &str) -> Failure {
    Failure::Bad(format!("parsing entry body from \"\" failed, because {reason}"))
}

/// The leaf hash of an entry. Other than where one is created, the reason of a refusal stands alone. Archives are not unpacked
/// where no client may add them; their entries are found by name and index.
fn leaf_hash(proposal: &ProposedEntry<'_>, choices: &Choices) -> Result<Hash, Failure> {
    let kind = proposal::kind_of(proposal).ok_or_else(|| Failure::Bad(proposal::unsupported(proposal)))?;
    if kind.is_archive() && !choices.kinds.take(kind) {
        return Err(Failure::Bad(proposal::disabled(kind)));
    }
    let body = kind.canonicalize(proposal).map_err(|rejection| Failure::Bad(sentence(&rejection)))?;
    Ok(body.leaf_hash())
}

fn check_counts(query: &SearchLogQuery<'_>) -> Result<(), Failure> {
    let counts = [
        ("entries", query.entries.as_ref().map(Vec::len)),
        ("entryUUIDs", query.entry_uuids.as_ref().map(Vec::len)),
        ("logIndexes", query.log_indexes.as_ref().map(Vec::len)),
    ];
    for (name, count) in counts {
        let (code, message) = match count {
            Some(0) => (612, format!("{name} in body should have at least 1 items")),
            Some(count) if count > MAX_ENTRIES => {
                (611, format!("{name} in body should have at most {MAX_ENTRIES} items"))
            }
            _ => continue,
        };
        return Err(Failure::Schema { code, message });
    }
    Ok(())
}
