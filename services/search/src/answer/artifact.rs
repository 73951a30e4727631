//! The signers of an artifact: every entry about a digest, with its verdict.
//!
//! An entry is verified by itself ([`Verifier::verify_found_in`]) with the trust root of this process: its log's checkpoint
//! and inclusion proof, and the chain and signature of each signer. An empty list is an answer, too.

use super::entry::Found;
use super::logs::AskedLog;
use super::pages::{Page, Search};
use super::proof::{Proven, proven};
use super::{AskError, Asking, aside};
use crate::cursor::Cursor;
use crate::query::filters::of_digest;
use crate::query::{Digest, Query};
use crate::source::LogKind;
use chancery_verify::rekor::logged::{DigestOf, LoggedEntry};
use chancery_verify::verifier::{FoundEntry, OpenedHead, VerifiedLogged, Verifier};
use chancery_verify::{Refusal, Rejection, Step, Timestamp};
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
    // The entries of a log are proven in one tree. Its checkpoint is verified once.
    let mut heads: BTreeMap<i64, Option<OpenedHead<'_>>> = BTreeMap::new();
    let judge = |proven: Proven| {
        let logged = LoggedEntry::read(&proven.found.leaf);
        let verdict = verifier.map(|verifier| {
            let log = &proven.found.log;
            let open = || verifier.open_head(&log.head.as_ref()?.note);
            let head = heads.entry(log.log_id).or_insert_with(open);
            verdict(verifier, head.as_ref(), &proven, now)
        });
        let role = logged.as_ref().map_or(Role::Named, |logged| role(logged, digest));
        Evidence { proven, logged, role, verdict }
    };
    proven.into_iter().map(judge).collect()
}

/// Verifies an entry, with the statement beside it if it was found by that. Its time is what the log states: the log has not
/// promised it here.
fn verdict(
    verifier: &Verifier,
    opened: Option<&OpenedHead<'_>>,
    Proven { found, hashes }: &Proven,
    now: Timestamp,
) -> Result<VerifiedLogged, Refusal> {
    let Found { log, index, time, leaf, .. } = found;
    let head = log.head.as_ref().ok_or(Refusal::new(Rejection::CheckpointMissing, Step::LogEntry))?;
    let entry = FoundEntry {
        leaf,
        index: *index,
        hashes,
        tree_size: head.tree.size,
        root_hash: head.tree.root,
        checkpoint: &head.note,
        recorded: *time,
        promise: None,
        attestation: found.statement(),
    };
    verifier.verify_found_in(opened, &entry, now)
}

fn role(logged: &LoggedEntry, digest: &Digest) -> Role {
    let (algorithm, bytes) = &logged.digest;
    match logged.digest_of {
        _ if algorithm.name() != digest.algorithm() || bytes != digest.bytes() => Role::Named,
        DigestOf::Signed => Role::Signed,
        DigestOf::Payload => Role::Payload,
    }
}
