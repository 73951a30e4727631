//! Entries of transparency logs, as bundles carry them.

use crate::{Hash, Timestamp};

/// A log entry and what the log said of it. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransparencyLogEntry {
    /// Index in the log; of Rekor v1 over all its shards, where only the promise vouches for it. Below 2^63.
    pub log_index: u64,
    /// Which log.
    pub log_id: Hash,
    /// Kind of the entry, e.g. `hashedrekord`.
    pub kind: String,
    /// Version of the kind, e.g. `0.0.1`.
    pub version: String,
    /// When the log says it took the entry, whole seconds. Only a promise makes it a time. Never in entries of Rekor v2.
    pub integrated_time: Option<Timestamp>,
    /// The signed entry timestamp (SET): a signature of Rekor v1.
    pub promise: Option<Vec<u8>>,
    /// Proof that the entry is in the log.
    pub proof: Option<InclusionProof>,
    /// The entry's canonical body; a verifier of Rekor v2 entries can do without.
    pub body: Option<Vec<u8>>,
}

/// An inclusion proof (RFC 6962 §2.1.1) with the tree head it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Index in this tree, below its size.
    pub log_index: u64,
    /// Leaves of the tree, below 2^63.
    pub tree_size: u64,
    /// The root hash, which only the checkpoint vouches for.
    pub root_hash: Hash,
    /// From leaf to root, at most 63.
    pub hashes: Vec<Hash>,
    /// A signed note with the tree head.
    pub checkpoint: Option<String>,
}

/// Versions of Rekor entries that only Rekor v2 has.
const REKOR_V2: [(&str, &str); 2] = [("hashedrekord", "0.0.2"), ("dsse", "0.0.2")];

impl TransparencyLogEntry {
    /// Whether this is an entry of a kind that only Rekor v2 has: no promise, no time.
    #[must_use]
    pub fn is_rekor_v2(&self) -> bool {
        REKOR_V2.contains(&(&self.kind, &self.version))
    }
}
