//! Attestations: payloads of which entries have only a hash, kept beside the logs.
//!
//! They belong to no log. Nothing in a tree depends on them, so one may be deleted, e.g. because a person has a right to
//! that: its entry is proven as before.

use super::Answer;
use bytes::Bytes;
use chancery_verify::Hash;

/// What a store keeps beside entries.
pub trait Attestations: Send + Sync {
    /// Keeps data by its SHA-256, and the terms of what it is about; what there is already is left alone. MUST have all of it durable
    /// on stable storage when it returns, or nothing of it.
    fn put_attestation(&self, digest: Hash, data: Bytes, subjects: Vec<Vec<u8>>) -> Answer<'_, ()>;

    /// The data with this SHA-256, as it is stored: the caller verifies it.
    fn attestation(&self, digest: Hash) -> Answer<'_, Option<Bytes>>;

    /// Those that there are of the ones with these SHA-256, in no order, as they are stored: the caller verifies each.
    fn attestations_with(&self, digests: Vec<Hash>) -> Answer<'_, Vec<(Hash, Bytes)>>;

    /// Up to `count` of them after `after`, in the order of their hashes.
    fn attestations(&self, after: Option<Hash>, count: u32) -> Answer<'_, Vec<(Hash, Bytes)>>;

    /// Up to `count` pairs of one of these terms and the SHA-256 of what is about it, in no order.
    fn attestations_about(&self, subjects: Vec<Vec<u8>>, count: u32) -> Answer<'_, Vec<(Vec<u8>, Hash)>>;

    /// The terms of what the data with each of these SHA-256 is about, as they are stored: pairs of a term and a SHA-256, those of
    /// one SHA-256 in the order of the terms.
    fn attestation_subjects(&self, digests: Vec<Hash>) -> Answer<'_, Vec<(Vec<u8>, Hash)>>;

    /// Up to `count` of them that an earlier version kept, and of which nobody has put the terms yet.
    fn unread_attestations(&self, count: u32) -> Answer<'_, Vec<(Hash, Bytes)>>;

    /// Whether the data with this SHA-256 is one of these.
    fn is_unread(&self, digest: Hash) -> Answer<'_, bool>;

    /// Puts the terms of what one of these is about, so that it is none of them any more. Nothing changes if it is none, or
    /// was deleted. MUST have all of it durable on stable storage when it returns, or nothing of it.
    fn put_subjects(&self, digest: Hash, subjects: Vec<Vec<u8>>) -> Answer<'_, ()>;
}
