//! The verdict on an entry: how much it proves about a digest. Pure: everything that it needs was gathered before.

use super::evidence::Entry;
use chancery_verify::{
    HashAlgorithm, Refusal, Rejection, Step, Timestamp,
    hash::sha256,
    rekor::attestation_hash,
    statement::Statement,
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
    // Entries are found by less than what a statement must have to prove anything.
    if let (DigestRole::Subject, Some(payload)) = (role, &entry.attestation) {
        Statement::parse(payload)?.matched_subject(&[(algorithm, digest)])?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_verify::{statement::PAYLOAD_TYPE, trust_root::TrustRoot, verifier::Options};
    use serde_json::{Value, json};

    const DIGEST: [u8; 32] = [7; 32];

    /// What comes of an entry with this payload beside it, for somebody who trusts no log.
    fn told(payload_type: &str, payload: &Value) -> &'static str {
        let attestation = payload.to_string().into_bytes();
        let hash = json!({ "algorithm": "sha256", "value": hex::encode(sha256(&attestation)) });
        let envelope = json!({ "payloadType": payload_type, "signatures": [] });
        let spec = json!({ "content": { "envelope": envelope, "payloadHash": hash } });
        let leaf = json!({ "apiVersion": "0.0.2", "kind": "intoto", "spec": spec }).to_string().into_bytes();
        let entry = Entry {
            log: "rekor".to_owned(),
            index: 0,
            leaf,
            hashes: Vec::new(),
            tree_size: 1,
            root_hash: [0; 32],
            checkpoint: String::new(),
            recorded: None,
            promise: None,
            attestation: Some(attestation),
        };
        let verifier = Verifier::new(TrustRoot::default(), Options::default());
        let verdict = of(&verifier, &entry, (HashAlgorithm::Sha256, &DIGEST), Timestamp::from_seconds(1));
        verdict.map_or_else(|refusal| refusal.code(), |_| "established")
    }

    #[test]
    fn only_a_statement_names_its_subjects() {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "app", "digest": { "sha256": hex::encode(DIGEST) } }],
            "predicateType": "https://example.test/predicate",
        });
        assert_eq!(told(PAYLOAD_TYPE, &statement), "log.unknown", "nothing is wrong with the statement");
        // A signature over another type, of bytes that look like a statement.
        assert_eq!(told("application/json", &statement), "entry.mismatch");
        let without = |name: &str| {
            let mut other = statement.clone();
            other.as_object_mut().unwrap().remove(name);
            told(PAYLOAD_TYPE, &other)
        };
        assert_eq!(without("_type"), "statement.type");
        assert_eq!(without("predicateType"), "statement.predicate_type");
        assert_eq!(without("subject"), "entry.mismatch");
    }
}
