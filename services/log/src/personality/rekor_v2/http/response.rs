//! Success bodies: protobuf's JSON form of `TransparencyLogEntry` (`sigstore_rekor.proto`) with every field written, also
//! those that say nothing: sigstore-rust reads no entry without `integratedTime`. 64-bit numbers are strings.

use crate::personality::rekor_v2::ProvenEntry;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::rekor::v2::VERSION;
use schemars::JsonSchema;
use serde::Serialize;

/// An entry of a Rekor v2 log, with what proves it. 64-bit numbers are strings.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransparencyLogEntry {
    log_index: String,
    log_id: LogId,
    kind_version: KindVersion,
    /// Always 0: a timestamp authority says when.
    integrated_time: &'static str,
    /// Always null.
    inclusion_promise: (),
    inclusion_proof: InclusionProof,
    /// What was logged, in base64.
    canonicalized_body: String,
}

/// Which log an entry is in.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LogId {
    /// C2SP's key id, in base64.
    key_id: String,
}

/// What an entry is.
#[derive(Debug, Serialize, JsonSchema)]
struct KindVersion {
    kind: &'static str,
    version: &'static str,
}

/// That an entry is in the tree of a checkpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RekorV2InclusionProof")]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    log_index: String,
    /// In base64.
    root_hash: String,
    tree_size: String,
    /// In base64, leaf first.
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

/// A checkpoint.
#[derive(Debug, Serialize, JsonSchema)]
struct Checkpoint {
    /// A signed note.
    envelope: String,
}

impl From<&ProvenEntry> for TransparencyLogEntry {
    fn from(entry: &ProvenEntry) -> Self {
        let receipt = &entry.receipt;
        let tree = &receipt.published.tree;
        Self {
            log_index: receipt.index.to_string(),
            log_id: LogId { key_id: STANDARD.encode(entry.log_id) },
            kind_version: KindVersion { kind: entry.kind.name(), version: VERSION },
            integrated_time: "0",
            inclusion_promise: (),
            inclusion_proof: InclusionProof {
                log_index: receipt.index.to_string(),
                root_hash: STANDARD.encode(tree.root),
                tree_size: tree.size.to_string(),
                hashes: receipt.proof.iter().map(|hash| STANDARD.encode(hash)).collect(),
                checkpoint: Checkpoint { envelope: receipt.published.note.clone() },
            },
            canonicalized_body: STANDARD.encode(&receipt.leaf),
        }
    }
}
