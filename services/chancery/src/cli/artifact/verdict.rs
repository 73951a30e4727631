//! What an entry proves about a digest. Pure: everything that it needs was gathered before.

use super::evidence::Entry;
use chancery_verify::{
    HashAlgorithm, Refusal, Rejection, Step, Timestamp,
    hash::sha256,
    rekor::attestation_hash,
    terms::{self, DigestRole},
    verifier::{FoundEntry, FoundPromise, VerifiedLogged, Verifier},
};

/// What was established about an entry.
pub(super) struct Established {
    /// What the digest is for it.
    pub(super) role: DigestRole,
    /// Type of the statement that names the digest.
    pub(super) predicate_type: Option<String>,
    pub(super) verified: VerifiedLogged,
}

/// Verifies an entry, and that it is about this digest: by itself, or by the statement whose hash it has.
pub(super) fn of(
    verifier: &Verifier,
    entry: &Entry,
    (algorithm, digest): (HashAlgorithm, &[u8]),
    now: Timestamp,
) -> Result<Established, Refusal> {
    let refuse = |rejection| Refusal::new(rejection, Step::LogEntry);
    let stated = attestation_hash(&entry.leaf);
    let field = if stated.is_some() { "payloadHash" } else { "hash" };
    let mismatch = refuse(Rejection::EntryMismatch { field });
    if entry.attestation.as_ref().is_some_and(|payload| stated != Some(sha256(payload))) {
        return Err(mismatch);
    }
    let read = terms::Entry::of_rekor(&entry.leaf).map_err(refuse)?;
    // A payload that is no statement has no subjects.
    let attested = entry.attestation.as_ref().and_then(|payload| read.clone().attested(payload).ok());
    let read = attested.unwrap_or(read);
    let role = read.role_of(algorithm.name(), digest).ok_or(mismatch)?;
    let verified = verifier.verify_found(&found(entry), now)?;
    Ok(Established { role, predicate_type: read.predicate_type().map(str::to_owned), verified })
}

fn found(entry: &Entry) -> FoundEntry<'_> {
    let promise = entry.promise.as_ref().map(|promise| FoundPromise {
        log_index: promise.log_index,
        integrated_time: promise.integrated_time,
        signature: &promise.signature,
    });
    FoundEntry {
        leaf: &entry.leaf,
        index: entry.index,
        hashes: &entry.hashes,
        tree_size: entry.tree_size,
        root_hash: entry.root_hash,
        checkpoint: &entry.checkpoint,
        recorded: entry.recorded,
        promise,
        attestation: entry.attestation.as_deref(),
    }
}
