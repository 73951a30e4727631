//! An entry as a search shows it: its bytes, its inclusion proof, and the promise and the payload beside it if the log has
//! given them.
//!
//! The entry says its kind, and the checkpoint says its log. What remains is [`Verifier::verify_logged`].

use super::{OpenedHead, VerifiedLogged, Verifier};
use crate::bundle::{InclusionProof, TransparencyLogEntry};
use crate::checkpoint::{KNOWN_LOG, by_origin};
use crate::rekor::kind_and_version;
use crate::{Hash, Refusal, Rejection, Step, Timestamp};

/// An entry of a log of signatures, with the evidence that the log has it. Not verified yet.
#[derive(Debug, Clone, Copy)]
pub struct FoundEntry<'a> {
    /// The canonical body.
    pub leaf: &'a [u8],
    /// Index in the tree.
    pub index: u64,
    /// Hashes of the inclusion proof, leaf first.
    pub hashes: &'a [Hash],
    /// Leaves of the tree that the proof leads to.
    pub tree_size: u64,
    /// Root hash of that tree.
    pub root_hash: Hash,
    /// A signed note with this tree head.
    pub checkpoint: &'a str,
    /// When the log took it, by the log's record. It proves nothing.
    pub recorded: Option<Timestamp>,
    /// The promise of Rekor v1.
    pub promise: Option<FoundPromise<'a>>,
    /// The payload that the log keeps beside it, of which the body has the hash.
    pub attestation: Option<&'a [u8]>,
}

/// A promise of Rekor v1, and what it is about.
#[derive(Debug, Clone, Copy)]
pub struct FoundPromise<'a> {
    /// Index over all shards of the log.
    pub log_index: u64,
    /// When the log took the entry, in whole seconds.
    pub integrated_time: Timestamp,
    /// The signed entry timestamp.
    pub signature: &'a [u8],
}

impl Verifier {
    /// Checks what an entry proves by itself, with the steps of [`Self::verify_logged`]. Its log is the one that signed
    /// the checkpoint. Without a promise, certificates are checked at the recorded time, if one is recorded, and a signature
    /// with one is [undated](crate::verifier::Attribution::undated). With the payload of an envelope, the signatures over
    /// it are checked.
    ///
    /// # Errors
    /// [`Rejection::LogUnknown`] if no log of the trust root signed the checkpoint, the errors of
    /// [`verify_readable`](crate::rekor::verify_readable), and those of [`Self::verify_logged`].
    pub fn verify_found(&self, entry: &FoundEntry<'_>, now: Timestamp) -> Result<VerifiedLogged, Refusal> {
        self.verify_found_in(None, entry, now)
    }

    /// As [`Self::verify_found`]. Entries that are proven in the tree of one checkpoint need its signature verified once: open it
    /// with [`Self::open_head`] before. Any other checkpoint than that of `head` is opened here.
    ///
    /// # Errors
    /// As [`Self::verify_found`].
    pub fn verify_found_in(
        &self,
        head: Option<&OpenedHead<'_>>,
        entry: &FoundEntry<'_>,
        now: Timestamp,
    ) -> Result<VerifiedLogged, Refusal> {
        let refuse = |rejection| Refusal::new(rejection, Step::LogEntry);
        let (kind, version) = kind_and_version(entry.leaf).map_err(refuse)?;
        let opened;
        let head = if let Some(head) = head.filter(|head| head.is(entry.checkpoint)) {
            head
        } else {
            opened = self
                .open_head(entry.checkpoint)
                .ok_or_else(|| refuse(Rejection::LogUnknown).expected(KNOWN_LOG, by_origin(entry.checkpoint)))?;
            &opened
        };
        let proof = InclusionProof {
            log_index: entry.index,
            tree_size: entry.tree_size,
            root_hash: entry.root_hash,
            hashes: entry.hashes.to_vec(),
            checkpoint: Some(entry.checkpoint.to_owned()),
        };
        let (log_index, integrated_time) = match &entry.promise {
            Some(promise) => (promise.log_index, Some(promise.integrated_time)),
            None => (entry.index, entry.recorded),
        };
        let attestation = entry.attestation;
        let entry = TransparencyLogEntry {
            log_index,
            log_id: *head.log().log_id(),
            kind,
            version,
            integrated_time,
            promise: entry.promise.map(|promise| promise.signature.to_vec()),
            proof: Some(proof),
            body: Some(entry.leaf.to_vec()),
        };
        self.verify_logged_with(&entry, Some(head), attestation, now)
    }
}
