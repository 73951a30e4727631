//! Success bodies: the objects of Rekor's OpenAPI document.

use crate::rekor_v1::ProvenEntry;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use std::collections::BTreeMap;

/// A map of exactly one entry id to its entry.
pub(super) type LogEntry = BTreeMap<String, LogEntryBody>;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogEntryBody {
    body: String,
    integrated_time: u64,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: u64,
    verification: Verification,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    inclusion_proof: InclusionProof,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_entry_timestamp: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    checkpoint: String,
    hashes: Vec<String>,
    log_index: u64,
    root_hash: String,
    tree_size: u64,
}

/// `GET /api/v1/log`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogInfo {
    /// Closed shards, oldest first; `null` where there are none, as upstream.
    pub(super) inactive_shards: Option<Vec<InactiveShard>>,
    pub(super) root_hash: String,
    pub(super) signed_tree_head: String,
    /// A string: the number does not fit a JavaScript integer.
    #[serde(rename = "treeID")]
    pub(super) tree_id: String,
    pub(super) tree_size: u64,
}

/// A shard that takes no more entries.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InactiveShard {
    pub(super) root_hash: String,
    pub(super) signed_tree_head: String,
    #[serde(rename = "treeID")]
    pub(super) tree_id: String,
    pub(super) tree_size: u64,
}

/// `GET /api/v1/log/proof`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsistencyProof {
    pub(super) hashes: Vec<String>,
    pub(super) root_hash: String,
}

/// The entry as clients read it.
pub(super) fn log_entry(entry: &ProvenEntry) -> LogEntry {
    let receipt = &entry.receipt;
    let published = &receipt.published;
    let body = LogEntryBody {
        body: STANDARD.encode(&receipt.leaf),
        integrated_time: receipt.timestamp.seconds(),
        log_id: hex::encode(entry.log_id),
        log_index: entry.index,
        verification: Verification {
            inclusion_proof: InclusionProof {
                checkpoint: published.note.clone(),
                hashes: receipt.proof.iter().map(hex::encode).collect(),
                log_index: receipt.index,
                root_hash: hex::encode(published.tree.root),
                tree_size: published.tree.size,
            },
            signed_entry_timestamp: entry.promise.as_ref().map(|promise| STANDARD.encode(promise)),
        },
    };
    BTreeMap::from([(entry.id.to_string(), body)])
}
