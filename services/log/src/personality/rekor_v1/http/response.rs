//! Success bodies: the objects of Rekor's OpenAPI document.

use crate::personality::rekor_v1::ProvenEntry;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// JSON as Go's encoder writes it: without escapes for HTML, and with a line break at the end. sigstore-rs cuts off the
/// last two bytes of an entry. In upstream only the answers of handlers end like this, not those of its framework.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(mut body) => {
                body.push(b'\n');
                ([(header::CONTENT_TYPE, "application/json")], body).into_response()
            }
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written as JSON");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// A map of exactly one entry id to its entry.
pub(super) type LogEntry = BTreeMap<String, LogEntryBody>;

/// An entry of a Rekor v1 log, with what proves it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogEntryBody {
    /// What the entry has only a hash of. Missing where nothing is kept, and in the answer to a new entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    attestation: Option<Attestation>,
    /// The canonical bytes, in base64.
    body: String,
    /// Seconds since 1970.
    integrated_time: u64,
    /// SHA-256 of the key of its shard, in hexadecimal.
    #[serde(rename = "logID")]
    log_id: String,
    /// Counts over all shards.
    log_index: u64,
    verification: Verification,
}

/// The payload of an envelope, or a whole COSE message.
#[derive(Debug, Serialize, JsonSchema)]
struct Attestation {
    /// In base64.
    data: String,
}

/// What proves an entry.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Verification {
    inclusion_proof: InclusionProof,
    /// The log's promise, in base64. Missing while the log is quarantined.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_entry_timestamp: Option<String>,
}

/// That an entry is in the tree of a checkpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RekorV1InclusionProof")]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    /// A signed note.
    checkpoint: String,
    /// In hexadecimal, leaf first.
    hashes: Vec<String>,
    /// Counts in its shard.
    log_index: u64,
    /// In hexadecimal.
    root_hash: String,
    tree_size: u64,
}

/// The head of a Rekor v1 log.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogInfo {
    /// Closed shards, oldest first; `null` where there are none, as upstream.
    pub(super) inactive_shards: Option<Vec<InactiveShard>>,
    /// In hexadecimal.
    pub(super) root_hash: String,
    /// The checkpoint, a signed note.
    pub(super) signed_tree_head: String,
    /// A string: the number does not fit a JavaScript integer.
    #[serde(rename = "treeID")]
    pub(super) tree_id: String,
    pub(super) tree_size: u64,
}

/// A shard that takes no more entries.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InactiveShard {
    /// In hexadecimal.
    pub(super) root_hash: String,
    /// Its last checkpoint, a signed note.
    pub(super) signed_tree_head: String,
    #[serde(rename = "treeID")]
    pub(super) tree_id: String,
    pub(super) tree_size: u64,
}

/// That one tree of a Rekor v1 log extends another.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsistencyProof {
    /// In hexadecimal.
    pub(super) hashes: Vec<String>,
    /// Of the current tree, whatever `lastSize` is, as upstream.
    pub(super) root_hash: String,
}

/// What a server runs, as servers of Rekor before 0.12 told it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RekorVersion {
    pub(super) version: &'static str,
    /// Not recorded in a build.
    pub(super) commit: &'static str,
    /// Not recorded in a build.
    pub(super) treestate: &'static str,
    /// Not recorded in a build.
    pub(super) builddate: &'static str,
}

/// The entry as clients read it.
pub(super) fn log_entry(entry: &ProvenEntry) -> LogEntry {
    let receipt = &entry.receipt;
    let published = &receipt.published;
    let body = LogEntryBody {
        attestation: entry.attestation.as_ref().map(|data| Attestation { data: STANDARD.encode(data) }),
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
