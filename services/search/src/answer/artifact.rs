//! Who signed this: every entry about a digest, with what it proves.
//!
//! An entry is verified by itself ([`Verifier::verify_logged`]) with the trust root of this process: its log's checkpoint
//! and inclusion proof, and the chain and signature of each signer. Nobody is an answer, too.

use super::entry::Found;
use super::logs::AskedLog;
use super::pages::{Page, Search};
use super::proof::{Proven, proven};
use super::{AskError, Asking, aside};
use crate::cursor::Cursor;
use crate::query::filters::of_digest;
use crate::query::{Digest, Query};
use crate::source::LogKind;
use chancery_verify::bundle::{InclusionProof, TransparencyLogEntry};
use chancery_verify::rekor::logged::{DigestOf, LoggedEntry};
use chancery_verify::verifier::{VerifiedLogged, Verifier};
use chancery_verify::{Hash, Refusal, Rejection, Step, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An entry about a digest.
pub(crate) struct Evidence {
    pub(crate) proven: Proven,
    /// The body, parsed. The error is that of a kind that cannot be verified.
    pub(crate) logged: Result<LoggedEntry, Rejection>,
    /// What the digest is for the entry.
    pub(crate) role: Role,
    /// What was established. `None` where this process has no trust root.
    pub(crate) verdict: Option<Result<VerifiedLogged, Refusal>>,
}

/// What a digest is for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It was signed.
    Signed,
    /// It is that of the signed envelope's payload.
    Payload,
    /// It is of something else that the entry names: the envelope, or a subject of its statement.
    Named,
}

/// A page of the answer.
pub(crate) struct Signatures {
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) logs: Vec<Arc<AskedLog>>,
}

/// The newest entries about `digest`, at most `limit`, after the page that `cursor` ended.
pub(crate) async fn signatures(
    asking: &Asking,
    digest: &Digest,
    limit: usize,
    cursor: Option<&str>,
) -> Result<Signatures, AskError> {
    let query = Query::of(Some(LogKind::Rekor)).with(of_digest(digest));
    let mut search = Search::begin(asking, query, cursor).await?;
    let logs: Vec<Arc<AskedLog>> = search.logs().cloned().collect();
    let Page { found, cursor } = search.page(limit).await?;
    let proven = proven(found).await?;
    let (verifier, now, digest) = (asking.verifier(), asking.now(), digest.clone());
    let judge = move || judged(verifier.as_deref(), proven, &digest, now);
    // Each entry costs several signature checks.
    let evidence = aside(judge).await?;
    Ok(Signatures { evidence, cursor, logs })
}

fn judged(verifier: Option<&Verifier>, proven: Vec<Proven>, digest: &Digest, now: Timestamp) -> Vec<Evidence> {
    let mut log_ids = BTreeMap::new();
    let judge = |proven: Proven| {
        let found = &proven.found;
        let logged = LoggedEntry::read(&found.leaf);
        let verdict = verifier.map(|verifier| {
            let log_id = *log_ids.entry(found.log.log_id).or_insert_with(|| log_id(verifier, &found.log));
            verdict(verifier, log_id, &proven, logged.as_ref(), now)
        });
        let role = logged.as_ref().map_or(Role::Named, |logged| role(logged, digest));
        Evidence { logged, role, verdict, proven }
    };
    proven.into_iter().map(judge).collect()
}

/// The id under which the trust root knows a log.
fn log_id(verifier: &Verifier, log: &AskedLog) -> Option<Hash> {
    let head = log.head.as_ref()?;
    verifier.log_of_checkpoint(&head.note).map(|log| *log.log_id())
}

fn verdict(
    verifier: &Verifier,
    log_id: Option<Hash>,
    proven: &Proven,
    logged: Result<&LoggedEntry, &Rejection>,
    now: Timestamp,
) -> Result<VerifiedLogged, Refusal> {
    let refuse = |rejection| Refusal::new(rejection, Step::LogEntry);
    let logged = logged.map_err(|rejection| refuse(*rejection))?;
    let log_id = log_id.ok_or_else(|| refuse(Rejection::LogUnknown))?;
    verifier.verify_logged(&entry(proven, logged, log_id), now)
}

/// The entry as the verifier takes it. Its time is what the log states: the log has not promised it here.
fn entry(Proven { found, hashes }: &Proven, logged: &LoggedEntry, log_id: Hash) -> TransparencyLogEntry {
    let Found { log, index, time, leaf, .. } = found;
    TransparencyLogEntry {
        log_index: *index,
        log_id,
        kind: logged.kind.clone(),
        version: logged.version.clone(),
        integrated_time: *time,
        promise: None,
        proof: log.head.as_ref().map(|head| InclusionProof {
            log_index: *index,
            tree_size: head.tree.size,
            root_hash: head.tree.root,
            hashes: hashes.clone(),
            checkpoint: Some(head.note.clone()),
        }),
        body: Some(leaf.to_vec()),
    }
}

fn role(logged: &LoggedEntry, digest: &Digest) -> Role {
    let (algorithm, bytes) = &logged.digest;
    match logged.digest_of {
        _ if algorithm.name() != digest.algorithm() || bytes != digest.bytes() => Role::Named,
        DigestOf::Signed => Role::Signed,
        DigestOf::Payload => Role::Payload,
    }
}
