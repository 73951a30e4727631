//! An entry as it is read from its log: its own terms decide whether it is an answer.

use super::logs::AskedLog;
use super::{AskError, computed};
use crate::query::Logged;
use crate::source::{LogKind, Source, SourceEntry, SourceError};
use bytes::Bytes;
use chancery_verify::rekor::attestation_hash;
use chancery_verify::terms::{self, Summary, Term, TermKind};
use chancery_verify::{Hash, Rejection, Timestamp, hash, merkle};
use futures_util::future::try_join_all;
use std::ops::Range;
use std::sync::Arc;

/// Requests to one log at the same time.
const READS_AT_ONCE: usize = 8;

/// Entries that follow one another, from which on they are read as a range: what is stored of a range is read once.
const LONG_RUN: u64 = 16;

/// An entry that was read and parsed.
pub(crate) struct Found {
    pub(crate) log: Arc<AskedLog>,
    pub(crate) index: u64,
    /// When the log took it, where the log tells.
    pub(crate) time: Option<Timestamp>,
    /// What is hashed into the tree.
    pub(crate) leaf: Bytes,
    /// What is kept beside it.
    pub(crate) extra: Bytes,
    pub(crate) leaf_hash: Hash,
    /// The statement that is kept beside it, where one was needed.
    statement: Option<Bytes>,
    /// Its terms, derived again.
    pub(crate) terms: Vec<Term>,
    /// When the log took it, or what bounds that.
    pub(super) logged: Logged,
}

/// What decides whether an entry is an answer.
pub(crate) struct Traits {
    /// The terms by which it is found.
    pub(crate) terms: Vec<Term>,
    /// When the log took it, or what bounds that.
    pub(crate) logged: Logged,
}

/// Where an entry is, without what is in it: what is kept of many.
pub(crate) struct Place {
    pub(crate) log: Arc<AskedLog>,
    pub(crate) index: u64,
    pub(crate) time: Option<Timestamp>,
    leaf_hash: Hash,
}

impl Place {
    /// Its full name.
    pub(crate) fn id(&self) -> String {
        self.log.entry_id(&self.leaf_hash)
    }
}

impl Found {
    fn new(log: Arc<AskedLog>, index: u64, entry: SourceEntry) -> Self {
        let SourceEntry { leaf, extra, timestamp_ms } = entry;
        let time = timestamp_ms.and_then(|millis| u64::try_from(millis).ok()).map(Timestamp::from_millis);
        let leaf_hash = merkle::leaf_hash(&leaf);
        let Traits { terms, logged } = Traits::of(log.kind, (&leaf, &extra), &leaf_hash, time);
        Self { log, index, time, leaf, extra, leaf_hash, statement: None, terms, logged }
    }

    /// Adds the statement that is kept beside it. One with another hash than the entry says, or that is none, counts for nothing.
    pub(super) fn attest(&mut self, statement: Bytes) {
        if attestation_hash(&self.leaf) != Some(hash::sha256(&statement)) {
            return;
        }
        if let Ok(entry) = parsed(self.log.kind, &self.leaf, &self.extra, Some(statement.as_ref())) {
            self.terms = entry.terms().into_iter().collect();
            self.statement = Some(statement);
        }
    }

    /// What is shown of it. The error says why it cannot be parsed.
    pub(crate) fn summary(&self) -> Result<Summary, Rejection> {
        parsed(self.log.kind, &self.leaf, &self.extra, self.statement()).map(|entry| entry.summary())
    }

    /// The statement that is kept beside it, if it was needed. Its hash is the one in the entry.
    pub(crate) fn statement(&self) -> Option<&[u8]> {
        self.statement.as_deref()
    }

    pub(crate) fn place(&self) -> Place {
        Place { log: Arc::clone(&self.log), index: self.index, time: self.time, leaf_hash: self.leaf_hash }
    }

    /// Its full name.
    pub(crate) fn id(&self) -> String {
        self.log.entry_id(&self.leaf_hash)
    }

    /// Its terms of this kind.
    pub(crate) fn terms_of(&self, kind: TermKind) -> impl Iterator<Item = &Term> {
        self.terms.iter().filter(move |term| term.kind() == kind)
    }
}

impl Traits {
    /// Of an entry with this leaf, and what is in the log beside it, that the log took at `time`.
    pub(crate) fn of(kind: LogKind, (leaf, extra): (&[u8], &[u8]), leaf_hash: &Hash, time: Option<Timestamp>) -> Self {
        Self::of_parsed(parsed(kind, leaf, extra, None).ok().as_ref(), leaf_hash, time)
    }

    /// The same of an entry that was parsed. `None`: it cannot be.
    pub(crate) fn of_parsed(parsed: Option<&terms::Entry>, leaf_hash: &Hash, time: Option<Timestamp>) -> Self {
        let (terms, validity) = match parsed {
            Some(entry) => (entry.terms().into_iter().collect(), entry.validity()),
            // An entry that cannot be parsed is found by its hash alone.
            None => (vec![terms::of_leaf_hash(leaf_hash)], None),
        };
        Self { terms, logged: time.map_or(Logged::Untold(validity), Logged::At) }
    }
}

/// An entry, parsed by what its log holds, with the statement of its hash, if that is at hand.
pub(crate) fn parsed(
    kind: LogKind,
    leaf: &[u8],
    extra: &[u8],
    statement: Option<&[u8]>,
) -> Result<terms::Entry, Rejection> {
    let entry = terms::Entry::of(kind, leaf, extra)?;
    match statement {
        Some(statement) => entry.attested(statement),
        None => Ok(entry),
    }
}

/// Reads and parses the entries with these indices, in their order.
pub(super) async fn read(log: &Arc<AskedLog>, indices: &[u64]) -> Result<Vec<Found>, AskError> {
    let is_long = |run: &Range<u64>| run.end - run.start >= LONG_RUN;
    let (long, short): (Vec<_>, Vec<_>) = runs(indices).into_iter().partition(is_long);
    let source = log.source.as_ref();
    let mut entries = read_runs(source, &long).await?;
    entries.extend(read_scattered(source, &short).await?);
    entries.sort_unstable_by_key(|(index, _)| *index);
    let log = Arc::clone(log);
    let parse = move || entries.into_iter().map(|(index, entry)| Found::new(Arc::clone(&log), index, entry)).collect();
    let mut found: Vec<Found> = computed(indices.len(), parse).await?;
    if indices.is_sorted_by(|one, next| one > next) {
        found.reverse();
    }
    Ok(found)
}

/// Indices that follow one another, upwards, as ranges.
fn runs(indices: &[u64]) -> Vec<Range<u64>> {
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut runs: Vec<Range<u64>> = Vec::new();
    for index in sorted {
        match runs.last_mut() {
            Some(run) if run.end == index => run.end += 1,
            _ => runs.push(index..index.saturating_add(1)),
        }
    }
    runs
}

/// The entries of these runs, several at a time.
async fn read_runs(source: &dyn Source, runs: &[Range<u64>]) -> Result<Vec<(u64, SourceEntry)>, SourceError> {
    let mut entries = Vec::new();
    for runs in runs.chunks(READS_AT_ONCE) {
        let reads: Vec<_> = runs.iter().cloned().map(|run| read_run(source, run)).collect();
        entries.extend(try_join_all(reads).await?.into_iter().flatten());
    }
    Ok(entries)
}

/// The entries of many short runs, together if the log can do that.
async fn read_scattered(source: &dyn Source, runs: &[Range<u64>]) -> Result<Vec<(u64, SourceEntry)>, SourceError> {
    let indices: Vec<u64> = runs.iter().cloned().flatten().collect();
    let Some(read) = source.entries_at(&indices).filter(|_| !indices.is_empty()) else {
        return read_runs(source, runs).await;
    };
    let entries = read.await?;
    if entries.len() != indices.len() {
        return Err(SourceError { reason: format!("it shows {} of {} entries", entries.len(), indices.len()) });
    }
    Ok(indices.into_iter().zip(entries).collect())
}

async fn read_run(source: &dyn Source, run: Range<u64>) -> Result<Vec<(u64, SourceEntry)>, SourceError> {
    let mut read = Vec::new();
    let mut next = run.start;
    while next < run.end {
        let entries = source.entries(next, run.end).await?;
        if entries.is_empty() {
            return Err(SourceError { reason: format!("it does not show the entry {next}") });
        }
        for entry in entries {
            read.push((next, entry));
            next = next.saturating_add(1);
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;

    #[test]
    fn neighbours_are_read_together() {
        for (indices, expected) in [
            (&[][..], vec![]),
            (&[7, 7], iter::once(7..8).collect()),
            (&[9, 8, 7, 3, 1, 0], vec![0..2, 3..4, 7..10]),
            (&[1, 2, 2, 3, 5], vec![1..4, 5..6]),
        ] {
            assert_eq!(runs(indices), expected, "{indices:?}");
        }
    }
}
