//! Success bodies: protobuf's JSON form of `TransparencyLogEntry` (`sigstore_rekor.proto`) with every field written, also
//! those that say nothing: sigstore-rust reads no entry without `integratedTime`. 64-bit numbers are strings.

use crate::rekor_v2::ProvenEntry;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::rekor::v2::VERSION;
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransparencyLogEntry {
    log_index: String,
    log_id: LogId,
    kind_version: KindVersion,
    integrated_time: &'static str,
    inclusion_promise: (),
    inclusion_proof: InclusionProof,
    canonicalized_body: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Debug, Serialize)]
struct KindVersion {
    kind: &'static str,
    version: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    log_index: String,
    root_hash: String,
    tree_size: String,
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

#[derive(Debug, Serialize)]
struct Checkpoint {
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
