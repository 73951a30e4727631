//! Attestations: what entries have only a hash of, kept beside the logs.
//!
//! They belong to no log. Nothing in a tree depends on them, so one may be deleted, e.g. because somebody has a right to
//! that: its entry is proven as before.

use super::Answer;
use bytes::Bytes;
use chancery_verify::Hash;

/// What a store keeps beside entries.
pub trait Attestations: Send + Sync {
    /// Keeps data by its SHA-256; what there is already is left alone. MUST have it durable on stable storage when it returns.
    fn put_attestation(&self, digest: Hash, data: Bytes) -> Answer<'_, ()>;

    /// The data with this SHA-256, as it is stored: the caller verifies it.
    fn attestation(&self, digest: Hash) -> Answer<'_, Option<Bytes>>;

    /// Up to `count` of them after `after`, in the order of their hashes.
    fn attestations(&self, after: Option<Hash>, count: u32) -> Answer<'_, Vec<(Hash, Bytes)>>;
}
