//! A log that is followed: the questions of the monitor to it. An implementation knows where the log is:
//! [`crate::RemoteSource`] for a log elsewhere, the instance for its own.
//!
//! Nothing that it answers is believed but that the log's key has signed a head.

pub use chancery_verify::terms::LogKind;

use bytes::Bytes;
use chancery_verify::merkle::TreeHead;
use chancery_verify::{Hash, Rejection};
use std::pin::Pin;

/// A source's answer, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;

/// Why a log cannot be read. It is asked again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SourceError {
    /// The log's own words.
    pub reason: String,
    /// Whether the log has answered, but not with what it was asked for. If not, it may be away or busy.
    pub is_refusal: bool,
}

/// The newest tree head that a log shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceHead {
    /// Size and root hash.
    pub tree: TreeHead,
    /// The signed note that states both.
    pub checkpoint: String,
    /// When it was signed, in ms since the epoch, where the signature covers that.
    pub timestamp_ms: Option<i64>,
    /// The first line of the checkpoints of another tree, if entries are added to that one now and no longer to this one: Rekor v1
    /// ends a tree by beginning another one below the same URL.
    pub successor: Option<String>,
}

/// An entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// What is hashed into the tree.
    pub leaf: Bytes,
    /// What is beside it; empty where there is nothing.
    pub extra: Bytes,
    /// When it was logged, in ms since the epoch, where the log tells.
    pub timestamp_ms: Option<i64>,
}

/// A log that is followed.
pub trait Source: Send + Sync {
    /// What its entries are.
    fn kind(&self) -> LogKind;

    /// The newest tree head that it shows. The source MUST have verified the signature.
    fn head(&self) -> Answer<'_, SourceHead>;

    /// The tree head that a checkpoint of this log states. The signature MUST be verified; the age is not.
    fn open_checkpoint(&self, checkpoint: &str) -> Result<TreeHead, Rejection>;

    /// Entries from `first` on, up to `end`, which is not above the head: perhaps fewer than asked for, never none.
    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>>;

    /// The proof that the tree of `old` leaves is a prefix of the tree of `new` leaves, both above 0.
    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>>;

    /// Forgets what was read of proofs: one does not verify. The next one MUST be read anew.
    fn forget(&self) {}
}
