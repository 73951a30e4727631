//! `POST /api/v1/log/entries/retrieve`: up to ten entries by id, proposal or index.

use super::entries::{EntryName, kind_of, parse_name};
use super::error::Failure;
use super::receive_json;
use super::response::{LogEntry, log_entry};
use crate::personality::rekor_v1::{Choices, RekorV1};
use axum::Json;
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

/// Entries that do not exist are left out of the answer.
pub(super) async fn retrieve(State(rekor): State<RekorV1>, request: Request) -> Result<Json<Vec<LogEntry>>, Failure> {
    let choices = Arc::clone(&rekor.choices);
    let wanted = receive_json(request, "entry").await?.run(move |json| wanted(json, &choices)).await??;
    let mut found = Vec::new();
    for name in wanted.names {
        match name {
            EntryName::Leaf(leaf_hash) => found.extend(rekor.all_by_leaf_hash(leaf_hash).await?),
            EntryName::Entry(id) => found.extend(rekor.by_id(id).await?),
        }
    }
    for leaf_hash in wanted.leaf_hashes {
        found.extend(rekor.all_by_leaf_hash(leaf_hash).await?);
    }
    for index in wanted.indexes {
        found.extend(rekor.by_index(index).await?);
    }
    Ok(Json(found.iter().map(log_entry).collect()))
}

/// Reads a query, and checks the entries in it as if they were proposed. Archives are not unpacked where no client may add
/// them; their entries are found by name and index.
fn wanted(json: &[u8], choices: &Choices) -> Result<Wanted, Failure> {
    let malformed = |_| Failure::Bad("parsing entry body from \"\" failed, because it is not a search query".into());
    let query: SearchLogQuery<'_> = serde_json::from_slice(json).map_err(malformed)?;
    check_counts(&query)?;
    let name = |text: &String| parse_name(text).ok_or_else(|| Failure::Bad(format!("invalid uuid {text}")));
    let names = query.entry_uuids.iter().flatten().map(name).collect::<Result<_, _>>()?;
    let leaf_hash = |proposal: &&RawValue| -> Result<Hash, Failure> {
        let proposal = ProposedEntry::parse(proposal.get().as_bytes()).map_err(Failure::Entry)?;
        let kind = kind_of(&proposal)?;
        if kind.is_archive() && !choices.kinds.take(kind) {
            return Err(Failure::disabled(kind));
        }
        Ok(kind.canonicalize(&proposal).map_err(Failure::Entry)?.leaf_hash())
    };
    let leaf_hashes = query.entries.iter().flatten().map(leaf_hash).collect::<Result<_, _>>()?;
    let negative =
        |_| Failure::Schema { code: 609, message: "logIndexes in body should be greater than or equal to 0".into() };
    let indexes = query.log_indexes.iter().flatten().map(|index| u64::try_from(*index).map_err(negative));
    Ok(Wanted { names, leaf_hashes, indexes: indexes.collect::<Result<_, _>>()? })
}

fn check_counts(query: &SearchLogQuery<'_>) -> Result<(), Failure> {
    let counts = [
        ("entryUUIDs", query.entry_uuids.as_ref().map(Vec::len)),
        ("logIndexes", query.log_indexes.as_ref().map(Vec::len)),
        ("entries", query.entries.as_ref().map(Vec::len)),
    ];
    for (name, count) in counts {
        match count {
            Some(0) => {
                return Err(Failure::Schema {
                    code: 612,
                    message: format!("{name} in body should have at least 1 items"),
                });
            }
            Some(count) if count > MAX_ENTRIES => {
                let message = format!("{name} in body should have at most {MAX_ENTRIES} items");
                return Err(Failure::Schema { code: 611, message });
            }
            _ => {}
        }
    }
    if counts.iter().filter_map(|(_, count)| *count).sum::<usize>() > MAX_ENTRIES {
        let message = format!("more than max allowed {MAX_ENTRIES} entries in request");
        return Err(Failure::Schema { code: 422, message });
    }
    Ok(())
}
