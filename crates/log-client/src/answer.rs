//! What is read of a log.

use bytes::Bytes;
use chancery_verify::Hash;

/// A tree head that the log's key has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteHead {
    /// Number of leaves.
    pub size: u64,
    /// Root hash.
    pub root: Hash,
    /// The signed note that states both. The signed tree head of an RFC 6962 log is written as static-ct-api writes it.
    pub checkpoint: String,
    /// When it was signed, in ms since the epoch, where the signature covers that: certificate logs.
    pub timestamp_ms: Option<i64>,
    /// The first line of the checkpoints of another tree, if the server says that entries are added to that one now and no longer
    /// to this one: Rekor v1.
    pub successor: Option<String>,
}

/// An entry, as the server shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteEntry {
    /// What is hashed into the tree: the canonical body of Rekor, the `MerkleTreeLeaf` of a certificate log.
    pub leaf: Bytes,
    /// The `extra_data` of a certificate log (RFC 6962 §4.6). Empty for Rekor. No hash covers it.
    pub extra: Bytes,
    /// When it was logged, in ms since the epoch, where the log tells. In a certificate log the leaf says so, in Rekor v1 the
    /// server, and in Rekor v2 nobody.
    pub timestamp_ms: Option<i64>,
}

/// One of the trees below the URL of a Rekor v1 log, as the server lists them. Not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its number. It ends the first line of its checkpoints.
    pub tree_id: i64,
    /// Number of leaves.
    pub size: u64,
    /// The index of its first entry among the entries of all shards.
    pub first_index: u64,
    /// Whether entries are still added to it.
    pub is_active: bool,
    /// Its newest checkpoint: a note whose signature is not verified.
    pub unverified_checkpoint: String,
}

impl Shard {
    /// The first line of its checkpoint. `None` if it has none.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.unverified_checkpoint.lines().next()
    }
}
