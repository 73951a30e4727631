//! From entries to runs. Pure: the same entries give the same runs, byte for byte.

use crate::page::{Page, Writer};
use crate::run::{Span, cover};
use crate::source::{LogKind, SourceEntry};
use chancery_verify::terms::{self, Entry, Term};
use chancery_verify::{Hash, Rejection, merkle};
use std::ops::Range;

/// An entry that may have terms by which it is not found. One that cannot be parsed at all is found by its leaf hash alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Position in the tree.
    pub index: u64,
    /// Why they cannot be derived.
    pub reason: String,
}

/// A run that was derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedRun {
    /// The entries that it covers.
    pub span: Span,
    /// The times of the oldest and the newest of them, as far as the log tells.
    pub times: Times,
    /// Its postings.
    pub pages: Vec<Page>,
}

/// Times of the oldest and the newest of several entries, in ms since the epoch; `None` where none has one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times(pub Option<(i64, i64)>);

impl Times {
    /// Of these and of others.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some((first, last)), Some((earlier, later))) => Self(Some((first.min(earlier), last.max(later)))),
            (one, other) => Self(one.or(other)),
        }
    }
}

/// A term that an entry has; the term is a part of a common buffer.
#[derive(Debug, Clone, Copy)]
struct Posting {
    index: u64,
    start: usize,
    end: usize,
}

/// Entries that follow each other, with their terms.
#[derive(Debug, Default)]
pub(crate) struct Derived {
    first: u64,
    /// One after the other.
    terms: Vec<u8>,
    /// In order of index.
    postings: Vec<Posting>,
    times: Vec<Option<i64>>,
    leaf_hashes: Vec<Hash>,
    problems: Vec<Problem>,
}

impl Derived {
    /// No entry yet; the first one will be at `first`.
    pub(crate) fn from(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// Adds the next entry.
    pub(crate) fn push(&mut self, kind: LogKind, entry: &SourceEntry) {
        let (index, leaf_hash) = (self.end(), merkle::leaf_hash(&entry.leaf));
        match Entry::of(kind, &entry.leaf, &entry.extra) {
            Ok(read) => {
                let found = read.terms();
                found.iter().for_each(|term| self.push_term(index, term));
                self.push_problem(index, found.omissions());
            }
            Err(rejection) => {
                self.push_term(index, &terms::of_leaf_hash(&leaf_hash));
                self.push_problem(index, &[rejection]);
            }
        }
        self.times.push(entry.timestamp_ms);
        self.leaf_hashes.push(leaf_hash);
    }

    fn push_term(&mut self, index: u64, term: &Term) {
        let start = self.terms.len();
        self.terms.extend_from_slice(term.as_bytes());
        self.postings.push(Posting { index, start, end: self.terms.len() });
    }

    fn push_problem(&mut self, index: u64, reasons: &[Rejection]) {
        if !reasons.is_empty() {
            let reason = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            self.problems.push(Problem { index, reason });
        }
    }

    /// Index of the next entry.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.times.len() as u64
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.terms.len() + self.postings.len() * size_of::<Posting>()
    }

    /// Leaf hashes of the entries from `index` on.
    pub(crate) fn leaf_hashes_from(&self, index: u64) -> &[Hash] {
        let place = usize::try_from(index.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.leaf_hashes.get(place..).unwrap_or_default()
    }

    /// The entries that may have more terms.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Times of the oldest and the newest of the entries.
    pub(crate) fn times(&self) -> Times {
        self.times_of(&(self.first..self.end()))
    }

    /// Every posting: the term, and the index of the entry that has it. Ordered by index, and not by term.
    pub(crate) fn postings(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.postings.iter().map(|posting| (self.term(posting), posting.index))
    }

    /// Makes the runs that cover the entries. The first one begins a block.
    pub(crate) fn into_runs(self) -> (Vec<DerivedRun>, Vec<Problem>) {
        let spans = cover(self.first, self.end());
        let runs = spans.into_iter().map(|span| self.run(span)).collect();
        (runs, self.problems)
    }

    fn run(&self, span: Span) -> DerivedRun {
        let place = |index| self.postings.partition_point(|posting| posting.index < index);
        let range = place(span.first)..place(span.end);
        let mut postings = self.postings[range].to_vec();
        postings.sort_unstable_by(|one, other| {
            self.term(one).cmp(self.term(other)).then_with(|| one.index.cmp(&other.index))
        });
        let mut writer = Writer::new(span.first);
        for posting in &postings {
            writer.push(self.term(posting), posting.index);
        }
        DerivedRun { span, times: self.times_of(&span.range()), pages: writer.finish() }
    }

    fn term(&self, posting: &Posting) -> &[u8] {
        &self.terms[posting.start..posting.end]
    }

    fn times_of(&self, range: &Range<u64>) -> Times {
        let place = |index: u64| usize::try_from(index - self.first).unwrap_or(usize::MAX);
        let times = self.times.get(place(range.start)..place(range.end)).unwrap_or_default();
        times.iter().flatten().fold(Times::default(), |all, time| all.and(Times(Some((*time, *time)))))
    }
}
