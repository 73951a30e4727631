//! Derives an index again from the entries of its logs, as an auditor does, and compares it with what is stored.
//!
//! Entries → terms → postings of each run → its pages, byte for byte → runs that cover each entry once → the tree of the entries →
//! the checkpoint. The first difference is reported. The entries are believed: `chancery log check` derives the log from them.
//!
//! A run may have 40 million postings, and they come in another order from the entries than from its pages. So of each
//! [`STRIPE`] entries two sums are compared, of hashes of the postings under a key that is drawn for each check: an attacker who
//! changed the index could not know it, and so could not choose postings with an equal sum. Where two sums differ, the postings
//! themselves are compared, to name the first one that is missing or should not be there.
//!
//! It only reads. A server may go on to index and to merge; a run that is gone meanwhile is checked as a part of the one that
//! replaced it.

mod stored;

use crate::derive::{Derived, Problem, Times};
use crate::error::Error;
use crate::follower::{read, verify};
use crate::run::{STEP_LEVEL, Span, is_made_of, width};
use crate::source::{MAX_ENTRIES, Source, SourceError, SourceHead};
use crate::store::{Progress, Run, RunState, Store, StoreError, Strays};
use crate::worker::Worker;
use chancery_daemon::random::Random;
use chancery_verify::Hash;
use chancery_verify::hash::sha256_parts;
use chancery_verify::merkle::CompactRange;
use chancery_verify::terms::Term;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use stored::Stored;

/// Entries of which the postings are added up together.
const STRIPE: u64 = width(STEP_LEVEL);
/// How often runs may be merged under the check before it gives up.
const ATTEMPTS: u32 = 64;
/// Problems that are read at once; there are at most as many as entries.
const PROBLEMS: u32 = 512;

/// The result for the index of a log without a fault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Name of the log.
    pub log: String,
    /// Entries that are indexed.
    pub indexed: u64,
    /// Terms that lead to them, each counted for each entry.
    pub postings: u64,
    /// Runs.
    pub runs: u64,
    /// Pages of the runs.
    pub pages: u64,
    /// Bytes of the pages.
    pub bytes: u64,
    /// Entries that may have terms by which they are not found.
    pub problems: u64,
}

/// The first fault.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// An entry is not found by a term, or is found by one that it has not.
    #[error("log {log}: entry {index}: {what}; build the index again: chancery search rebuild")]
    Entry {
        /// Name of the log.
        log: String,
        /// The entry's index.
        index: u64,
        /// What is wrong.
        what: String,
    },
    /// A run is not stored as it is written.
    #[error(
        "log {log}: the index of the entries {first} to {end}: {what}; build the index again: chancery search rebuild"
    )]
    Run {
        /// Name of the log.
        log: String,
        /// The first entry that it covers.
        first: u64,
        /// The first entry after these.
        end: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The index of a log as a whole is wrong.
    #[error("log {log}: {what}; build the index again: chancery search rebuild")]
    Log {
        /// Name of the log.
        log: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Pages belong to no run, or rows to no log.
    #[error(
        "{pages} pages of the index belong to no run of it, and {rows} rows to no log; build the index again: chancery search rebuild"
    )]
    Stray {
        /// How many pages.
        pages: u64,
        /// How many runs and problems.
        rows: u64,
    },
    /// Something could not be read, or is damaged.
    #[error(transparent)]
    Unreadable(#[from] Error),
}

impl From<StoreError> for Finding {
    fn from(error: StoreError) -> Self {
        Self::Unreadable(error.into())
    }
}

impl From<SourceError> for Finding {
    fn from(error: SourceError) -> Self {
        Self::Unreadable(error.into())
    }
}

/// A sum over postings, in whatever order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    count: u64,
    hashes: u128,
}

impl Sum {
    fn add(&mut self, key: &Hash, term: &[u8], index: u64) {
        let hash = sha256_parts(&[key, &index.to_be_bytes(), term]);
        let (half, _) = hash.as_chunks::<16>();
        self.and(Self { count: 1, hashes: half.first().map_or(0, |half| u128::from_be_bytes(*half)) });
    }

    fn and(&mut self, other: Self) {
        self.count = self.count.wrapping_add(other.count);
        self.hashes = self.hashes.wrapping_add(other.hashes);
    }
}

/// The sums of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sums {
    span: Span,
    stripes: Vec<Sum>,
}

impl Sums {
    fn new(span: Span) -> Self {
        let count = span.end.div_ceil(STRIPE) - span.first / STRIPE;
        Self { span, stripes: vec![Sum::default(); usize::try_from(count).unwrap_or(0)] }
    }

    fn at(&mut self, index: u64) -> Option<&mut Sum> {
        usize::try_from(index / STRIPE - self.span.first / STRIPE).ok().and_then(|place| self.stripes.get_mut(place))
    }

    /// The entries of the first stripe that has another sum in `other`.
    fn difference(&self, other: &Self) -> Option<Span> {
        let differ = self.stripes.iter().zip(&other.stripes).position(|(one, other)| one != other)?;
        let first = (self.span.first / STRIPE + differ as u64) * STRIPE;
        Some(Span { first: first.max(self.span.first), end: (first + STRIPE).min(self.span.end) })
    }
}

/// Checks the indexes of these logs. Calls `progress` with a log's name, and how many of how many entries are checked.
pub(crate) async fn check(
    store: &dyn Store,
    sources: &[Arc<dyn Source>],
    random: &dyn Random,
    mut progress: impl FnMut(&str, u64, u64) + Send,
) -> Result<Vec<Report>, Finding> {
    let mut key = [0; 32];
    random.fill(&mut key);
    let checker = Checker { store, worker: Worker::start(), key };
    let mut reports = Vec::new();
    for source in sources {
        reports.push(checker.log(&**source, &mut progress).await?);
    }
    match store.strays().await? {
        Strays { pages: 0, rows: 0 } => Ok(reports),
        Strays { pages, rows } => Err(Finding::Stray { pages, rows }),
    }
}

/// What the entries of a run give.
struct FromEntries {
    sums: Sums,
    times: Times,
    problems: Vec<u64>,
}

struct Checker<'a> {
    store: &'a dyn Store,
    worker: Worker,
    key: Hash,
}

impl Checker<'_> {
    async fn log(
        &self,
        source: &dyn Source,
        progress: &mut (impl FnMut(&str, u64, u64) + Send),
    ) -> Result<Report, Finding> {
        let log = source.name();
        let wrong = |what| Finding::Log { log: log.clone(), what };
        let mut report = Report { log: log.clone(), ..Report::default() };
        let Some(stored) = self.store.progress(source.log_id()).await? else {
            let runs = self.store.runs(source.log_id()).await?;
            return if runs.is_empty() { Ok(report) } else { Err(wrong("it has runs, and no row in search_logs")) };
        };
        if stored.name != log {
            return Err(wrong("its row in search_logs has the name of another log"));
        }
        let mut head = source.head().await?;
        if head.size < stored.size {
            // The next server that follows it indexes an ended log again.
            return if source.is_ended() {
                Ok(report)
            } else {
                Err(wrong("it covers more entries than the log shows"))
            };
        }
        let (mut tree, mut attempts) = (CompactRange::default(), 0);
        while report.indexed < stored.size {
            progress(&log, report.indexed, stored.size);
            let run = self.next_run(source, report.indexed).await?;
            if run.span.end > head.size {
                head = source.head().await?;
                if run.span.end > head.size {
                    return Err(wrong("a run covers more entries than the log shows"));
                }
            }
            match self.run(source, &run, &mut tree, report.indexed..stored.size).await? {
                Some(checked) => checked.add_to(&mut report, run.span),
                None if attempts < ATTEMPTS => attempts += 1,
                None => return Err(Error::Moved.into()),
            }
        }
        if report.problems != stored.problems {
            return Err(wrong("it counts other problems than it has"));
        }
        self.verify_tree(source, &stored, &head, &tree).await?;
        report.indexed = stored.size;
        Ok(report)
    }

    /// The live run that covers the entry at `index`.
    async fn next_run(&self, source: &dyn Source, index: u64) -> Result<Run, Finding> {
        let wrong = |what| Finding::Log { log: source.name(), what };
        let runs = self.store.runs(source.log_id()).await?;
        let (live, building): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.state == RunState::Live);
        let starts = live.first().is_none_or(|run| run.span.first == 0);
        if !(starts && live.windows(2).all(|pair| pair[0].span.end == pair[1].span.first)) {
            return Err(wrong("its runs do not cover each entry once"));
        }
        // A merge would go on with it, and believe the pages that it has already.
        let spans: Vec<Span> = live.iter().map(|run| run.span).collect();
        if building.iter().any(|run| !is_made_of(run.span, &spans)) {
            return Err(wrong("a run is being merged that is not made of its runs"));
        }
        let covering = live.into_iter().find(|run| run.span.range().contains(&index));
        covering.ok_or_else(|| wrong("its runs do not cover each entry once"))
    }

    async fn verify_tree(
        &self,
        source: &dyn Source,
        stored: &Progress,
        head: &SourceHead,
        tree: &CompactRange,
    ) -> Result<(), Finding> {
        let wrong = |what| Err(Finding::Log { log: source.name(), what });
        if tree.to_bytes() != stored.subtrees {
            return wrong("the hashes in search_logs are not those of the entries");
        }
        verify(source, &tree.head(), head).await?;
        let Some(checkpoint) = &stored.checkpoint else { return Ok(()) };
        let Ok(stated) = source.open_checkpoint(checkpoint) else {
            return wrong("its checkpoint is not one of the log");
        };
        if stated.size < stored.size {
            return wrong("its checkpoint is of a smaller tree");
        }
        // Another server may have signed a larger one than this one shows yet.
        if stated.size <= head.size {
            verify(source, &stated, head).await?;
        }
        Ok(())
    }

    /// Checks a run; `None` where it is gone. What is new in it are the entries of `range`.
    async fn run(
        &self,
        source: &dyn Source,
        run: &Run,
        tree: &mut CompactRange,
        range: Range<u64>,
    ) -> Result<Option<Checked>, Finding> {
        let mut derived = self.derive(source, run.span, tree, range.end).await?;
        let stored = self.read_stored(run, Stored::new(run.span, self.key)).await;
        if !self.store.is_live(run.run_id).await? {
            return Ok(None);
        }
        let stored = stored?;
        let Span { first, end } = run.span;
        if let Some(span) = derived.sums.difference(&stored.sums) {
            return self.name_difference(source, run, span).await.map(|()| None);
        }
        let fault =
            if run.times == derived.times { stored.fault } else { Some("its times are not those of its entries") };
        if let Some(what) = fault {
            return Err(Finding::Run { log: source.name(), first, end, what });
        }
        self.compare_problems(source, &derived.problems, run.span, range.end).await?;
        derived.problems.retain(|index| range.contains(index));
        let problems = u64::try_from(derived.problems.len()).unwrap_or(u64::MAX);
        let postings = stored.sums.stripes.iter().map(|sum| sum.count).sum();
        Ok(Some(Checked { postings, pages: stored.pages, bytes: stored.bytes, problems }))
    }

    /// Adds up what the entries of a run give, and puts those of the tree that are not in it yet into it.
    async fn derive(
        &self,
        source: &dyn Source,
        span: Span,
        tree: &mut CompactRange,
        size: u64,
    ) -> Result<FromEntries, Finding> {
        let mut found = FromEntries { sums: Sums::new(span), times: Times::default(), problems: Vec::new() };
        let mut first = span.first;
        while first < span.end {
            let last = span.end.min(first - first % MAX_ENTRIES + MAX_ENTRIES);
            let (derived, sum) = self.derive_some(source, first, last).await?;
            if let Some(stripe) = found.sums.at(first) {
                stripe.and(sum);
            }
            let end = derived.end();
            for (index, hash) in (first..end.min(size)).zip(derived.leaf_hashes_from(first)) {
                if index == tree.size() {
                    tree.push(*hash);
                }
            }
            found.times = found.times.and(derived.times());
            found.problems.extend(derived.problems().iter().map(|problem| problem.index));
            first = end;
        }
        Ok(found)
    }

    /// Entries of one stripe, and the sum of their postings.
    async fn derive_some(&self, source: &dyn Source, first: u64, end: u64) -> Result<(Derived, Sum), Finding> {
        let (entries, kind, key) = (read(source, first, end).await?, source.kind(), self.key);
        let derived = self.worker.run(move || {
            let (mut derived, mut sum) = (Derived::from(first), Sum::default());
            for entry in &entries {
                derived.push(kind, entry);
            }
            derived.postings().for_each(|(term, index)| sum.add(&key, term, index));
            (derived, sum)
        });
        Ok(derived.await?)
    }

    /// Reads the pages of a run.
    async fn read_stored(&self, run: &Run, mut stored: Stored) -> Result<Stored, Finding> {
        let mut key = Vec::new();
        loop {
            let pages = self.store.pages_after(run.run_id, &key, stored::PAGES).await?;
            let Some(last) = pages.last() else { break };
            key.clone_from(&last.key);
            stored = self.worker.run(move || stored.push(pages)).await?;
        }
        Ok(stored.finish())
    }

    /// Names the first posting of these entries that is missing in a run, or should not be there.
    async fn name_difference(&self, source: &dyn Source, run: &Run, span: Span) -> Result<(), Finding> {
        let mut derived = BTreeSet::new();
        let mut first = span.first;
        while first < span.end {
            let last = span.end.min(first - first % MAX_ENTRIES + MAX_ENTRIES);
            let (entries, _) = self.derive_some(source, first, last).await?;
            derived.extend(entries.postings().map(|(term, index)| (index, term.to_vec())));
            first = entries.end();
        }
        let stored = self.read_stored(run, Stored::keeping(run.span, self.key, span)).await?.kept;
        // Where both differ in an entry, what it lacks is named: it is the worse of the two.
        let missing = derived.difference(&stored).next();
        let added = stored.difference(&derived).next();
        let named = |(index, term): &(u64, Vec<u8>), is_missing: bool| {
            let term = Term::from_bytes(term).map_or_else(|| "of no known kind".to_owned(), |term| term.to_string());
            let what = if is_missing {
                format!("it is not found by its term {term}")
            } else {
                format!("it is found by the term {term}, which it does not have")
            };
            Finding::Entry { log: source.name(), index: *index, what }
        };
        let finding = match (missing, added) {
            (Some(missing), Some(added)) if added.0 < missing.0 => named(added, false),
            (Some(missing), _) => named(missing, true),
            (None, Some(added)) => named(added, false),
            // It was replaced between two looks.
            (None, None) => return Ok(()),
        };
        if self.store.is_live(run.run_id).await? { Err(finding) } else { Ok(()) }
    }

    async fn compare_problems(
        &self,
        source: &dyn Source,
        derived: &[u64],
        span: Span,
        size: u64,
    ) -> Result<(), Finding> {
        let mut derived = derived.iter().copied().filter(|index| *index < size);
        let mut range = span.first..span.end.min(size);
        while !range.is_empty() {
            let stored = self.store.problems(source.log_id(), &range, PROBLEMS).await?;
            let is_last = stored.len() < PROBLEMS as usize;
            range.start = stored.last().map_or(range.end, |problem| problem.index + 1);
            for Problem { index, .. } in stored {
                let expected = derived.next();
                if expected != Some(index) {
                    return Err(problem(source, expected.map_or(index, |expected| expected.min(index))));
                }
            }
            if is_last {
                break;
            }
        }
        derived.next().map_or(Ok(()), |index| Err(problem(source, index)))
    }
}

fn problem(source: &dyn Source, index: u64) -> Finding {
    let what = "its row in search_problems is missing, or should not be there".to_owned();
    Finding::Entry { log: source.name(), index, what }
}

/// What a run is made of.
struct Checked {
    postings: u64,
    pages: u64,
    bytes: u64,
    problems: u64,
}

impl Checked {
    fn add_to(&self, report: &mut Report, span: Span) {
        report.runs += 1;
        report.indexed = span.end;
        report.postings += self.postings;
        report.pages += self.pages;
        report.bytes += self.bytes;
        report.problems += self.problems;
    }
}
