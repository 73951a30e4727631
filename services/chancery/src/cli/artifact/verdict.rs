//! What an entry proves about a digest. Pure: everything that it needs was gathered before.

use super::evidence::Entry;
use chancery_verify::{
    HashAlgorithm, Refusal, Rejection, Step, Timestamp,
    rekor::logged::{DigestOf, LoggedEntry},
    verifier::{FoundEntry, FoundPromise, VerifiedLogged, Verifier},
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
    let is_about = logged.digest.0 == algorithm && logged.digest.1 == digest;
    if !is_about {
        // It may be a subject of the entry's statement, which is not in the entry.
        let field = match logged.digest_of {
            DigestOf::Signed => "hash",
            DigestOf::Payload => "payloadHash",
        };
        return Err(refuse(Rejection::EntryMismatch { field }));
    }
    let promise = entry.promise.as_ref().map(|promise| FoundPromise {
        log_index: promise.log_index,
        integrated_time: promise.integrated_time,
        signature: &promise.signature,
    });
    let found = FoundEntry {
        leaf: &entry.leaf,
        index: entry.index,
        hashes: &entry.hashes,
        tree_size: entry.tree_size,
        root_hash: entry.root_hash,
        checkpoint: &entry.checkpoint,
        recorded: entry.recorded,
        promise,
    };
    verifier.verify_found(&found, now)
}
