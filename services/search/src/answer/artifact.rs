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
use crate::source::{LogKind, SourceEntry, Standing};
use chancery_verify::rekor::logged::{DigestOf, LoggedEntry};
use chancery_verify::verifier::{FoundEntry, FoundPromise, OpenedHead, VerifiedLogged, Verifier};
use chancery_verify::{Refusal, Rejection, Step, Timestamp};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Promises that are asked for at the same time.
const PROMISES_AT_ONCE: usize = 8;

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
    let standings = if verifier.is_some() { standings(&proven).await } else { Vec::new() };
    let judge = move || judged(verifier.as_deref(), proven, &standings, &digest, now);
    // Each entry costs several signature checks.
    let evidence = aside(judge).await?;
    Ok(Signatures { evidence, cursor, logs })
}

/// What the log of each entry says about it. `None` where it says nothing: it is followed from elsewhere, or cannot sign now. Such
/// a log is not asked again in this answer: each question may wait seconds for a key service that does not answer.
async fn standings(proven: &[Proven]) -> Vec<Option<Standing>> {
    let mut all = Vec::with_capacity(proven.len());
    let mut silent = BTreeSet::new();
    for some in proven.chunks(PROMISES_AT_ONCE) {
        let asked: Vec<_> =
            some.iter().map(|Proven { found, .. }| standing(found, silent.contains(&found.log.log_id))).collect();
        let standings = join_all(asked).await;
        let unanswered = some.iter().zip(&standings).filter(|(_, standing)| standing.is_none());
        silent.extend(unanswered.map(|(proven, _)| proven.found.log.log_id));
        all.extend(standings);
    }
    all
}

async fn standing(found: &Found, is_silent: bool) -> Option<Standing> {
    if is_silent {
        return None;
    }
    let timestamp_ms = found.time.and_then(|time| i64::try_from(time.millis()).ok());
    let entry = SourceEntry { leaf: found.leaf.clone(), extra: found.extra.clone(), timestamp_ms };
    found.log.source.standing(found.index, &entry).await.ok()
}

fn judged(
    verifier: Option<&Verifier>,
    proven: Vec<Proven>,
    standings: &[Option<Standing>],
    digest: &Digest,
    now: Timestamp,
) -> Vec<Evidence> {
    // The entries of a log are proven in one tree. Its checkpoint is verified once.
    let mut heads: BTreeMap<i64, Option<OpenedHead<'_>>> = BTreeMap::new();
    let judge = |(number, proven): (usize, Proven)| {
        let logged = LoggedEntry::read(&proven.found.leaf);
        let promise = standings.get(number).and_then(Option::as_ref).and_then(promise);
        let verdict = verifier.map(|verifier| {
            let log = &proven.found.log;
            let open = || verifier.open_head(&log.head.as_ref()?.note);
            let head = heads.entry(log.log_id).or_insert_with(open);
            verdict(verifier, head.as_ref(), &proven, promise, now)
        });
        let role = logged.as_ref().map_or(Role::Named, |logged| role(logged, digest));
        Evidence { proven, logged, role, verdict }
    };
    proven.into_iter().enumerate().map(judge).collect()
}

/// The promise of Rekor v1, if the log has given one.
fn promise(standing: &Standing) -> Option<FoundPromise<'_>> {
    let integrated_time = standing.integrated_time.map(Timestamp::from_seconds)?;
    let signature = standing.promise.as_deref()?;
    Some(FoundPromise { log_index: standing.log_index, integrated_time, signature })
}

/// Verifies an entry, with the statement beside it if it was found by that. Without a promise its time is what the log states.
fn verdict(
    verifier: &Verifier,
    opened: Option<&OpenedHead<'_>>,
    Proven { found, hashes }: &Proven,
    promise: Option<FoundPromise<'_>>,
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
        promise,
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
