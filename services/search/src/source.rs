//! A log that is followed: the questions of the index to it. This crate does not know where a log is. The instance implements
//! this over its own logs.

pub use chancery_verify::terms::LogKind;

use bytes::Bytes;
use chancery_verify::merkle::TreeHead;
use chancery_verify::{Hash, Rejection};
use std::pin::Pin;
use std::sync::Arc;

/// Most entries that [`Source::entries`] answers with.
pub const MAX_ENTRIES: u64 = 256;

/// A source's answer, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;

/// The logs that are followed now. Called again and again, so that logs that are made later are followed as well.
pub type Sources = Arc<dyn Fn() -> Vec<Arc<dyn Source>> + Send + Sync>;

/// Why a log cannot be read. It is asked again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot be read: {reason}")]
pub struct SourceError {
    /// The log's own words.
    pub reason: String,
}

/// The newest tree head that a log shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceHead {
    /// Number of leaves.
    pub size: u64,
    /// Root hash.
    pub root: Hash,
    /// The signed note that states both. The source has verified it.
    pub checkpoint: String,
}

/// An entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// What is hashed into the tree.
    pub leaf: Bytes,
    /// What is kept beside it; empty where there is nothing.
    pub extra: Bytes,
    /// When it was logged, in ms since the epoch, where the log tells.
    pub timestamp_ms: Option<i64>,
}

/// What a log says about an entry beside its place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The id by which clients know the log.
    pub log_id: Hash,
    /// The index by which they know the entry. In Rekor v1 it counts over all shards.
    pub log_index: u64,
    /// The time in the entry, in seconds since the epoch. Rekor v2 has none.
    pub integrated_time: Option<u64>,
    /// The signed entry timestamp of Rekor v1. A log that is quarantined signs none.
    pub promise: Option<Vec<u8>>,
}

/// A log that is followed.
pub trait Source: Send + Sync {
    /// Its number in this database.
    fn log_id(&self) -> i64;

    /// Its name.
    fn name(&self) -> String;

    /// What its entries are.
    fn kind(&self) -> LogKind;

    /// Whether it tells when it took its entries. If not, no entry has a [`SourceEntry::timestamp_ms`].
    fn tells_times(&self) -> bool {
        true
    }

    /// What to do if its entries are not those of its checkpoint: a sentence without its full stop.
    fn advice(&self) -> &'static str {
        "Check it with chancery log check; if it is whole, build the index again: chancery search rebuild"
    }

    /// The newest tree head that it shows.
    fn head(&self) -> Answer<'_, SourceHead>;

    /// Whether it was ended: its head never grows, and may be smaller than one that it showed before.
    fn is_ended(&self) -> bool {
        false
    }

    /// The tree head that a checkpoint of this log states. Its signature is verified, and its age is not.
    fn open_checkpoint(&self, checkpoint: &str) -> Result<TreeHead, Rejection>;

    /// Entries from `first` on, up to `end`, which is not above the head: at most [`MAX_ENTRIES`], perhaps fewer than asked for,
    /// never none.
    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>>;

    /// The entries with these indices, which go up and are below the head, in order. `None` where this is no cheaper than
    /// [`Self::entries`] for each.
    fn entries_at<'a>(&'a self, indices: &'a [u64]) -> Option<Answer<'a, Vec<SourceEntry>>> {
        let _ = indices;
        None
    }

    /// The inclusion proof of the entry at `index` in the tree of `size` leaves.
    fn inclusion_proof(&self, index: u64, size: u64) -> Answer<'_, Vec<Hash>>;

    /// The same, of an entry that was read from the log and has this leaf hash.
    fn inclusion_proof_of(&self, index: u64, leaf_hash: Hash, size: u64) -> Answer<'_, Vec<Hash>> {
        let _ = leaf_hash;
        self.inclusion_proof(index, size)
    }

    /// The proof that the tree of `old` leaves is a prefix of the tree of `new` leaves.
    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>>;

    /// The index of the leaf with this hash, below the head.
    fn index_of(&self, leaf_hash: Hash) -> Answer<'_, Option<u64>>;

    /// Whether statements may be kept beside its entries.
    fn keeps_statements(&self) -> bool {
        false
    }

    /// Which statements that are kept beside entries of this log name the digests of these terms: up to `count` pairs of a term's
    /// bytes and the SHA-256 of a statement, in no order. Not believed: [`Self::statements`] decides.
    fn statements_about(&self, terms: Vec<Vec<u8>>, count: u32) -> Answer<'_, Vec<(Vec<u8>, Hash)>> {
        let (_, _) = (terms, count);
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// The statements that are kept beside entries with these leaves, in their order; `None` where none is.
    fn statements<'a>(&'a self, leaves: &'a [Bytes]) -> Answer<'a, Vec<Option<Bytes>>> {
        Box::pin(std::future::ready(Ok(vec![None; leaves.len()])))
    }

    /// What the log says about an entry of its own that was read from it. Only logs of signatures are asked.
    fn standing<'a>(&'a self, index: u64, entry: &'a SourceEntry) -> Answer<'a, Standing> {
        let (_, _) = (index, entry);
        let reason = "it says nothing about its entries".to_owned();
        Box::pin(std::future::ready(Err(SourceError { reason })))
    }
}
