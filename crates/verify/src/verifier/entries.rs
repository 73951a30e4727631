//! Step 6: checks that logs hold an entry about this signature.

use super::algorithm::SignedData;
use super::times::{entry_place, known_log};
use super::{Case, Material, TimeSource, VerifiedTime};
use crate::bundle::{Content, InclusionProof, TransparencyLogEntry};
use crate::checkpoint::{Naming, by_origin, open_trusted};
use crate::note::{KeyName, Note};
use crate::rekor::logged;
use crate::trust_root::TransparencyLog;
use crate::{Hash, Refusal, Rejection, Step, Timestamp, counted, leaves, merkle};
use serde::Serialize;
use std::collections::BTreeSet;

/// An entry about this signature that a trusted log holds, or has promised to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifiedEntry {
    /// The log's URL in the trust root.
    pub url: String,
    /// The log's operator.
    pub operator: String,
    /// The log's id.
    #[serde(serialize_with = "super::verified::hexadecimal")]
    pub log_id: Hash,
    /// The entry's type.
    pub kind: String,
    /// The type's version.
    pub version: String,
    /// Index in the log, over all its shards. `None` if it is not signed: Rekor v1 signs it only in promises.
    pub log_index: Option<u64>,
    /// The tree that holds the entry, as its inclusion proof shows. `None` if there is only the log's promise.
    pub inclusion: Option<Inclusion>,
    /// Whether the log's promise was checked.
    pub promised: bool,
}

/// A tree of a log that holds an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Inclusion {
    /// The first line of the checkpoint.
    pub origin: String,
    /// Index in the tree.
    pub index: u64,
    /// Leaves of the tree.
    pub tree_size: u64,
    /// Root hash of the tree.
    #[serde(serialize_with = "super::verified::hexadecimal")]
    pub root_hash: Hash,
    /// Witnesses of the caller's policy that have cosigned the checkpoint, with the time of each.
    pub cosigners: Vec<Cosigner>,
}

/// A witness that has cosigned a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cosigner {
    /// Its name.
    pub name: String,
    /// Time of the cosignature.
    #[serde(serialize_with = "super::verified::rfc3339")]
    pub time: Timestamp,
}

/// Verifies every entry, and counts the operators of their logs.
pub(super) fn verify(
    case: &mut Case<'_>,
    material: &Material<'_>,
    signed: &SignedData<'_>,
    times: &[VerifiedTime],
) -> Result<Vec<VerifiedEntry>, Refusal> {
    let bundle = case.bundle;
    let envelope = match bundle.content() {
        Content::Message { .. } => None,
        Content::Envelope(envelope) => Some((envelope.payload_type.as_str(), envelope.payload.as_slice())),
    };
    let signer = match material {
        Material::Certificate(certificate) => logged::Signer::Certificate(certificate),
        Material::Key(key) => logged::Signer::PublicKey(key.key()),
    };
    let about = logged::Signed { digest: signed.digest(), envelope, signature: bundle.signature(), signer };
    let mut verified = Vec::new();
    for (index, entry) in bundle.entries().iter().enumerate() {
        verified.extend(verify_entry(case, index, entry, &about, times)?);
    }
    let required = case.required.log_entries;
    let found = verified.iter().map(|entry| entry.operator.as_str()).collect::<BTreeSet<_>>().len();
    if found < required {
        return Err(Refusal::new(Rejection::LogTooFew { found, required }, Step::LogEntry)
            .at("verificationMaterial.tlogEntries")
            .expected(
                format!("entries of {}", counted(required, "log operator", "log operators")),
                found.to_string(),
            ));
    }
    Ok(verified)
}

/// Verifies one entry: (1) its body is about this signature, (2) the log is known, (3) the log was trusted at every
/// time, (4) a tree of the log holds it. An entry is checked even if none is required, because its promise may have
/// established a time.
fn verify_entry(
    case: &mut Case<'_>,
    index: usize,
    entry: &TransparencyLogEntry,
    about: &logged::Signed<'_>,
    times: &[VerifiedTime],
) -> Result<Option<VerifiedEntry>, Refusal> {
    let place = entry_place(index);
    let refuse = |rejection| Refusal::new(rejection, Step::LogEntry);
    // (1)
    let body = logged::bind(&entry.kind, &entry.version, entry.body.as_deref(), about).map_err(|rejection| {
        let refusal = refuse(rejection).at(format!("{place}.canonicalizedBody"));
        match rejection {
            Rejection::EntryMismatch { field } => refusal.expected(format!("this bundle's {field}"), "another one"),
            _ => refusal,
        }
    })?;
    // (2)
    let Some(log) = known_log(case, index, entry)? else { return Ok(None) };
    let promised =
        times.iter().any(|time| matches!(time.source(), TimeSource::LogPromise { entry, .. } if *entry == index));
    // (3); step 2 has checked it for an entry with a promise.
    if !promised {
        trusted_at(case, log, times, &place)?;
    }
    // (4)
    held(case, index, entry, log, &body, promised).map(Some)
}

/// Checks that a tree of `log` holds an entry with this body. `promised` is whether the log's promise was checked.
pub(super) fn held(
    case: &mut Case<'_>,
    index: usize,
    entry: &TransparencyLogEntry,
    log: &TransparencyLog,
    body: &[u8],
    promised: bool,
) -> Result<VerifiedEntry, Refusal> {
    let place = entry_place(index);
    let naming = if entry.is_rekor_v2() { Naming::Name } else { Naming::NameAndTree };
    let inclusion = match &entry.proof {
        Some(proof) => Some(included(case, entry, proof, &merkle::leaf_hash(body), naming, &place)?),
        // A bundle of version 0.1, or an older form, has only the promise.
        None if promised && case.required.witnesses == 0 => {
            case.warnings.push(format!("{place} has no inclusion proof; only the log's promise was checked"));
            None
        }
        None => {
            let place = format!("{place}.inclusionProof");
            return Err(Refusal::new(Rejection::ProofMissing, Step::LogEntry).at(place));
        }
    };
    let log_index = (promised || naming == Naming::Name).then_some(entry.log_index);
    Ok(VerifiedEntry {
        url: log.url().to_owned(),
        operator: log.operator().to_owned(),
        log_id: entry.log_id,
        kind: entry.kind.clone(),
        version: entry.version.clone(),
        log_index,
        inclusion,
        promised,
    })
}

/// Checks that the log was trusted at every time. If no time is established, it must be trusted now.
fn trusted_at(case: &Case<'_>, log: &TransparencyLog, times: &[VerifiedTime], place: &str) -> Result<(), Refusal> {
    let mut times: Vec<Timestamp> = times.iter().map(VerifiedTime::time).collect();
    if times.is_empty() {
        times.push(case.now);
    }
    match times.into_iter().find(|time| !log.window().contains(*time)) {
        None => Ok(()),
        Some(time) => Err(Refusal::new(Rejection::LogWindow, Step::LogEntry)
            .at(format!("{place}.logId"))
            .expected(format!("a time in the log's window, {}", log.window()), time.rfc3339_millis())),
    }
}

/// Verifies an inclusion proof: (1) the log signed the checkpoint, (2) proof and checkpoint have the same tree, and in
/// Rekor v2 proof and entry have the same index, (3) the leaf is in that tree, (4) enough witnesses have cosigned.
fn included(
    case: &Case<'_>,
    entry: &TransparencyLogEntry,
    proof: &InclusionProof,
    leaf: &Hash,
    naming: Naming,
    place: &str,
) -> Result<Inclusion, Refusal> {
    let place = format!("{place}.inclusionProof");
    let refuse = |rejection, field: &str| Refusal::new(rejection, Step::LogEntry).at(format!("{place}{field}"));
    let (log, names): (&TransparencyLog, &[KeyName]) =
        case.verifier.trusted.log(&entry.log_id).ok_or_else(|| refuse(Rejection::LogUnknown, ""))?;
    // (1)
    let text = proof.checkpoint.as_deref().ok_or_else(|| refuse(Rejection::CheckpointMissing, ".checkpoint"))?;
    let parsed;
    let (note, checkpoint) = if let Some(opened) = case.head.and_then(|head| head.of(text, log, naming)) {
        opened
    } else {
        let note = Note::parse(text).map_err(|rejection| refuse(rejection, ".checkpoint"))?;
        let opened = open_trusted(&note, names, log.checkpoint_key_id(), log.key(), naming);
        let opened = opened.map_err(|rejection| {
            refuse(rejection, ".checkpoint").expected(format!("a checkpoint by {}", log.url()), by_origin(&note.text))
        })?;
        parsed = (note, opened);
        (&parsed.0, &parsed.1)
    };
    // (2)
    let head = checkpoint.head;
    if head.size != proof.tree_size || head.root != proof.root_hash {
        return Err(refuse(Rejection::CheckpointMismatch, "").expected(
            format!("the checkpoint's tree, {}, {}", leaves(head.size), hex::encode(head.root)),
            format!("{}, {}", leaves(proof.tree_size), hex::encode(proof.root_hash)),
        ));
    }
    if naming == Naming::Name && proof.log_index != entry.log_index {
        return Err(refuse(Rejection::EntryMismatch { field: "logIndex" }, ".logIndex")
            .expected(entry.log_index.to_string(), proof.log_index.to_string()));
    }
    // (3)
    merkle::verify_inclusion(proof.log_index, head.size, leaf, &proof.hashes, &head.root)
        .map_err(|rejection| refuse(rejection, ".hashes"))?;
    // (4)
    let cosigners = case.verifier.options.thresholds.witnesses.as_ref().map(|policy| policy.cosigners(note));
    let cosigners = cosigners.unwrap_or_default();
    let (found, quorum) = (cosigners.len(), case.required.witnesses);
    if found < quorum {
        return Err(refuse(Rejection::CosignaturesTooFew { found, quorum }, ".checkpoint")
            .expected(format!("cosignatures of {}", counted(quorum, "witness", "witnesses")), found.to_string()));
    }
    let cosigners = cosigners.into_iter().map(|(name, time)| Cosigner { name: name.to_string(), time }).collect();
    Ok(Inclusion {
        origin: checkpoint.origin.clone(),
        index: proof.log_index,
        tree_size: head.size,
        root_hash: head.root,
        cosigners,
    })
}
