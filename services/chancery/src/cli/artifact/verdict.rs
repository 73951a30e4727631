//! What an entry proves about a digest. Pure: everything that it needs was gathered before.

use super::evidence::Entry;
use chancery_verify::{
    HashAlgorithm, Refusal, Rejection, Step, Timestamp,
    bundle::{InclusionProof, TransparencyLogEntry},
    rekor::logged::{DigestOf, LoggedEntry},
    verifier::{VerifiedLogged, Verifier},
};

/// Verifies an entry, and that it is about this digest.
pub(super) fn of(
    verifier: &Verifier,
    entry: &Entry,
    (algorithm, digest): (HashAlgorithm, &[u8]),
    now: Timestamp,
) -> Result<VerifiedLogged, Refusal> {
    let refuse = |rejection| Refusal::new(rejection, Step::LogEntry);
    let logged = LoggedEntry::read(&entry.leaf).map_err(refuse)?;
    let log = verifier.log_of_checkpoint(&entry.checkpoint).ok_or_else(|| {
        refuse(Rejection::LogUnknown).expected("a checkpoint by a log of the trust root", &entry.checkpoint)
    })?;
    let is_about = logged.digest.0 == algorithm && logged.digest.1 == digest;
    if !is_about {
        // It may be a subject of the entry's statement, which is not in the entry.
        let field = match logged.digest_of {
            DigestOf::Signed => "hash",
            DigestOf::Payload => "payloadHash",
        };
        return Err(refuse(Rejection::EntryMismatch { field }));
    }
    let proof = InclusionProof {
        log_index: entry.index,
        tree_size: entry.tree_size,
        root_hash: entry.root_hash,
        hashes: entry.hashes.clone(),
        checkpoint: Some(entry.checkpoint.clone()),
    };
    let (log_index, integrated_time) = match &entry.promise {
        Some(promise) => (promise.log_index, Some(promise.integrated_time)),
        None => (entry.index, entry.recorded),
    };
    let entry = TransparencyLogEntry {
        log_index,
        log_id: *log.log_id(),
        kind: logged.kind,
        version: logged.version,
        integrated_time,
        promise: entry.promise.as_ref().map(|promise| promise.signature.clone()),
        proof: Some(proof),
        body: Some(entry.leaf.clone()),
    };
    verifier.verify_logged(&entry, now)
}
