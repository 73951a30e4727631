//! Entries of transparency logs in bundles.

use super::Form;
use super::limits::{
    MAX_BUNDLE_BYTES, MAX_CHECKPOINT_BYTES, MAX_CHECKPOINT_LINES, MAX_NAME_BYTES, MAX_PROOF_HASHES, MAX_SIGNATURE_BYTES,
};
use crate::protojson::strict::{Node, Object};
use crate::{Hash, Refusal, Rejection, Timestamp};

/// A log entry with the log's evidence. Not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransparencyLogEntry {
    /// Index in the log, below 2^63. In Rekor v1 it counts over all shards, and only the promise signs it.
    pub log_index: u64,
    /// Id of the log.
    pub log_id: Hash,
    /// Kind of the entry, e.g. `hashedrekord`.
    pub kind: String,
    /// Version of the kind, e.g. `0.0.1`.
    pub version: String,
    /// The log's time for the entry, in whole seconds. It counts only with a promise. Never in entries of Rekor v2.
    pub integrated_time: Option<Timestamp>,
    /// The signed entry timestamp (SET): a signature of Rekor v1.
    pub promise: Option<Vec<u8>>,
    /// Proof that the entry is in the log.
    pub proof: Option<InclusionProof>,
    /// The entry's canonical body. May be missing in entries of Rekor v2: the verifier rebuilds it.
    pub body: Option<Vec<u8>>,
}

/// An inclusion proof (RFC 6962 §2.1.1) with the tree head it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// Index in this tree, below its size.
    pub log_index: u64,
    /// Leaves of the tree, below 2^63.
    pub tree_size: u64,
    /// The root hash. Only the checkpoint signs it.
    pub root_hash: Hash,
    /// Hashes from leaf to root, at most 63.
    pub hashes: Vec<Hash>,
    /// A signed note with the tree head. Always set in bundles from [`super::Bundle::parse`].
    pub checkpoint: Option<String>,
}

/// Kinds and versions of entries that only Rekor v2 has.
const REKOR_V2: [(&str, &str); 2] = [("hashedrekord", "0.0.2"), ("dsse", "0.0.2")];

impl TransparencyLogEntry {
    /// Returns whether this is an entry of Rekor v2, which has no promise and no time.
    #[must_use]
    pub fn is_rekor_v2(&self) -> bool {
        REKOR_V2.contains(&(self.kind.as_str(), self.version.as_str()))
    }
}

impl TransparencyLogEntry {
    /// Parses an entry of a bundle.
    ///
    /// 1. The log's id has 32 bytes, and kind and version are given.
    /// 2. An entry of Rekor v2 has no promise and no time.
    /// 3. An entry in a bundle of version 0.1 has a promise, in later versions a proof. A proof has a checkpoint:
    ///    without one, its root hash is not signed.
    pub(super) fn read(node: Node, form: Form) -> Result<Self, Refusal> {
        let path = node.path().to_owned();
        let mut object = node.object()?;
        let log_index = object.int64("logIndex")?;
        let log_id = one(object.require("logId")?, |id| id.require("keyId")?.array())?;
        let (kind, version) = one(object.require("kindVersion")?, |kind| {
            Ok((kind.text("kind", MAX_NAME_BYTES)?, kind.text("version", MAX_NAME_BYTES)?))
        })?;
        let integrated_time = match object.int64("integratedTime")? {
            0 => None,
            seconds => Some(Timestamp::from_seconds(seconds)),
        };
        let promise = |node| one(node, |promise| promise.content("signedEntryTimestamp", MAX_SIGNATURE_BYTES));
        let promise = object.take("inclusionPromise").map(promise).transpose()?;
        let proof = object.take("inclusionProof").map(InclusionProof::read).transpose()?;
        let body = object.bytes("canonicalizedBody", MAX_BUNDLE_BYTES)?;
        object.finish()?;
        let body = (!body.is_empty()).then_some(body);
        let entry = Self { log_index, log_id, kind, version, integrated_time, promise, proof, body };
        entry.check(form, &path).map(|()| entry)
    }

    fn check(&self, form: Form, path: &str) -> Result<(), Refusal> {
        let refuse =
            |rejection, member: &str| Refusal::new(rejection, crate::Step::Formats).at(format!("{path}.{member}"));
        if self.is_rekor_v2() {
            let given =
                [("inclusionPromise", self.promise.is_some()), ("integratedTime", self.integrated_time.is_some())];
            if let Some((member, _)) = given.iter().find(|(_, given)| *given) {
                let expected = format!("none in {} {}", self.kind, self.version);
                return Err(refuse(Rejection::BundleVersion, member).expected(expected, "one"));
            }
        }
        let expected = format!("one in a bundle of version {}", form.name());
        match &self.proof {
            _ if form == Form::V01 && self.promise.is_none() => {
                Err(refuse(Rejection::PromiseMissing, "inclusionPromise").expected(expected, "none"))
            }
            None if form > Form::V01 => {
                Err(refuse(Rejection::ProofMissing, "inclusionProof").expected(expected, "none"))
            }
            Some(proof) if proof.checkpoint.is_none() => {
                Err(refuse(Rejection::CheckpointMissing, "inclusionProof.checkpoint").expected(expected, "none"))
            }
            _ => Ok(()),
        }
    }
}

impl InclusionProof {
    fn read(node: Node) -> Result<Self, Refusal> {
        let mut object = node.object()?;
        let (log_index, tree_size) = (object.int64("logIndex")?, object.int64("treeSize")?);
        if log_index >= tree_size {
            let refusal = object.refuse("logIndex", Rejection::IndexBeyondTree { index: log_index, size: tree_size });
            return Err(refusal.expected(format!("an index below {tree_size}"), log_index.to_string()));
        }
        let root_hash = object.require("rootHash")?.array()?;
        let hashes = object.list("hashes", "hashes", MAX_PROOF_HASHES)?;
        let hashes = hashes.into_iter().map(Node::array).collect::<Result<_, _>>()?;
        let checkpoint = object.take("checkpoint").map(checkpoint).transpose()?.flatten();
        object.finish()?;
        Ok(Self { log_index, tree_size, root_hash, hashes, checkpoint })
    }
}

fn checkpoint(node: Node) -> Result<Option<String>, Refusal> {
    let mut object = node.object()?;
    let Some(node) = object.take("envelope") else { return object.finish().map(|()| None) };
    let too_long = node.unlike(format!("at most {MAX_CHECKPOINT_LINES} lines"));
    let text = node.string(MAX_CHECKPOINT_BYTES)?;
    object.finish()?;
    if text.lines().nth(MAX_CHECKPOINT_LINES).is_some() {
        return Err(too_long);
    }
    Ok((!text.is_empty()).then_some(text))
}

/// Parses an object with `read`, and refuses members that `read` did not take.
fn one<T>(node: Node, read: impl FnOnce(&mut Object) -> Result<T, Refusal>) -> Result<T, Refusal> {
    let mut object = node.object()?;
    let value = read(&mut object)?;
    object.finish().map(|()| value)
}
