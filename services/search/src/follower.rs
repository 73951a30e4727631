//! Follows logs: indexes what they publish, and merges runs.
//!
//! # A step
//! 1. Read how far the index has come, and the newest head that the log shows.
//! 2. Read the entries after that, from the beginning of the last block on, and derive their terms. At most [`STEP_ENTRIES`].
//! 3. Prove that all entries so far are the first leaves of the head's tree. If they are not, following ends, and nothing of the step
//!    is written.
//! 4. Write the runs in one transaction, by compare-and-swap on the version that was read in 1. **The commit is the point from which
//!    the entries are found.** A process that is killed before has written nothing.
//!
//! Then runs are merged, a part of a run at a time, each with a compare-and-swap of its own. Only the
//! published part of a log is read, so that one that is frozen or quarantined is followed as far as it is shown.
//!
//! # Several servers over one database
//! The compare-and-swap makes it right that several follow one log. So that they do not all do the same work, one that sees that
//! another has moved the index stands by for [`STAND_BY`] rounds. No clocks are compared, and a server that ends is replaced after
//! two seconds.
//!
//! # How much of the database it takes
//! One step every [`PERIOD`] where the index has caught up, with its merges a few short transactions; larger steps, one after the
//! other, where it is behind. No lock of a log is taken. In `SQLite` the steps wait for the writer's connection between its
//! batches. What the index computes has the lowest priority ([`Worker`]), but its statements run in the database as all others do.
//! So where there is one core and a log grows, an index that is behind waits after each step for as long as the step took: the writer
//! has half of the time for itself, and the index catches up when there is less to write.

use crate::corrupt::Corrupt;
use crate::derive::{Derived, Times};
use crate::error::Error;
use crate::merge::{Merger, Position, Step};
use crate::page::{self, AFTER_ALL, Page};
use crate::run::{BLOCK, STEP_LEVEL, Span, block_of, due, width};
use crate::source::{MAX_ENTRIES, Source, SourceEntry, SourceError, SourceHead, Sources};
use crate::status::{State, Statuses};
use crate::store::{Append, Merge, Progress, Run, RunState, Store};
use crate::turn::Turn;
use crate::worker::Worker;
use chancery_verify::merkle::{self, CompactRange, TreeHead};
use futures_util::future::join;
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Time between rounds where the index has caught up. Half of what it may be behind.
pub(crate) const PERIOD: Duration = Duration::from_millis(500);
/// Rounds that a server waits after another has moved the index.
const STAND_BY: u32 = 4;
/// Entries of a step end at a multiple of this.
const STEP_ENTRIES: u64 = width(STEP_LEVEL);
/// Terms in memory from which on a step ends with the next block.
const STEP_BYTES: usize = 16 << 20;
/// Pages that a step of a merge makes: one megabyte, which is written in milliseconds.
const MERGED_PAGES: usize = 512;
/// Pages that a merge reads at once of each run.
const READ_PAGES: u32 = 96;
/// Steps of merges after each step. An entry is in a merge of each level, so that a few must go with each step.
const MERGES: u32 = 8;
/// Pages that are deleted at once.
const SWEPT_PAGES: u32 = 2048;
/// How often that is done in a round.
const SWEEPS: u32 = 4;

/// What came of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Round {
    /// Entries that are indexed.
    pub(crate) indexed: u64,
    /// Whether there is more to do at once.
    pub(crate) is_busy: bool,
    /// Whether the log shows more than in the round before: it is written to.
    has_grown: bool,
}

/// What is remembered of a log.
#[derive(Debug, Default)]
struct Memory {
    /// Whether another server follows it.
    turn: Turn,
    /// The version at which following has ended.
    stopped: Option<i64>,
    /// Whether that was logged.
    is_told: bool,
    /// Whether the last round failed.
    is_failing: bool,
    /// Leaves of the head in the last round.
    shown: Option<u64>,
}

/// Follows logs.
pub(crate) struct Follower {
    store: Arc<dyn Store>,
    worker: Worker,
    statuses: Statuses,
    memory: HashMap<i64, Memory>,
}

impl Follower {
    pub(crate) fn new(store: Arc<dyn Store>, statuses: Statuses) -> Self {
        statuses.begin();
        Self { store, worker: Worker::start(), statuses, memory: HashMap::new() }
    }

    /// Follows the sources for as long as it is polled.
    pub(crate) async fn follow(mut self, sources: Sources) {
        // As far as this process may use them.
        let has_one_core = thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
        loop {
            let begun = Instant::now();
            let (mut is_busy, mut is_written_to) = (false, false);
            for source in sources() {
                match self.round(&*source).await {
                    Ok(round) => {
                        is_busy |= round.is_busy;
                        is_written_to |= round.has_grown;
                    }
                    Err(error) => self.failed(&*source, &error),
                }
            }
            let pause = pause(is_busy, has_one_core && is_written_to, begun.elapsed());
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    fn failed(&mut self, source: &dyn Source, error: &Error) {
        let (log_id, name) = (source.log_id(), source.name());
        let memory = self.memory.entry(log_id).or_default();
        let reason = match error {
            Error::Store(error) if error.is_forbidden() => {
                format!("{error}; run migrations/postgres/roles.sql again as the owner of the database")
            }
            error => error.to_string(),
        };
        if error.is_final() {
            // Once. Without a progress that can be read there is no version to stop at, and every round ends here.
            if !memory.is_told || memory.stopped != memory.turn.seen() {
                tracing::error!(log.name = name, reason, "the index of a log is not continued");
            }
            (memory.stopped, memory.is_told) = (memory.turn.seen(), true);
            self.statuses.state(log_id, &name, State::Stopped(reason));
        } else {
            // Once, not twice a second.
            if !memory.is_failing {
                tracing::warn!(log.name = name, reason, "the index of a log cannot be continued; it is tried again");
            }
            memory.is_failing = true;
            self.statuses.state(log_id, &name, State::Failing(reason));
        }
    }

    /// Indexes the next entries of a log, and merges a few runs.
    pub(crate) async fn round(&mut self, source: &dyn Source) -> Result<Round, Error> {
        let (log_id, name) = (source.log_id(), source.name());
        let progress = self.progress(source).await?;
        self.statuses.progress(log_id, &name, progress.size, progress.problems);
        let idle = Round { indexed: progress.size, is_busy: false, has_grown: false };
        if self.memory.get(&log_id).is_some_and(|memory| memory.stopped == Some(progress.version)) {
            return Ok(idle);
        }
        let head = source.head().await?;
        self.statuses.published(log_id, &name, head.size);
        let round =
            if self.is_its_turn(log_id, progress.version) { self.work(source, &progress, &head).await? } else { idle };
        let memory = self.memory.entry(log_id).or_default();
        let has_grown = memory.shown.replace(head.size).is_some_and(|shown| shown < head.size);
        if memory.is_failing {
            tracing::info!(log.name = name, "the index of a log is continued");
        }
        (memory.is_failing, memory.stopped, memory.is_told) = (false, None, false);
        self.statuses.state(log_id, &name, State::Following);
        Ok(Round { has_grown, ..round })
    }

    async fn progress(&self, source: &dyn Source) -> Result<Progress, Error> {
        let progress = self.store.progress(source.log_id()).await?;
        // A log elsewhere may be followed under another name than before: the index takes the new one.
        if let Some(progress) = progress.filter(|progress| progress.name == source.name()) {
            return Ok(progress);
        }
        self.store.begin(source.log_id(), &source.name()).await?;
        let begun = self.store.progress(source.log_id()).await?;
        Ok(begun.ok_or(Corrupt::new("an index that was begun is there"))?)
    }

    /// Whether to work, or to leave it to another server.
    fn is_its_turn(&mut self, log_id: i64, version: i64) -> bool {
        self.memory.entry(log_id).or_default().turn.is_ours(version, STAND_BY)
    }

    /// What was written by this process is no reason to stand by.
    fn wrote(&mut self, log_id: i64, version: i64) {
        self.memory.entry(log_id).or_default().turn.wrote(version);
    }

    async fn work(&mut self, source: &dyn Source, progress: &Progress, head: &SourceHead) -> Result<Round, Error> {
        let (log_id, name, mut version) = (source.log_id(), source.name(), progress.version);
        if source.is_ended() && head.size < progress.size {
            tracing::warn!(log.name = name, "the log was ended at fewer entries than are indexed; it is indexed again");
            self.store.reset(log_id).await?;
            self.wrote(log_id, version + 1);
            return Ok(Round { indexed: 0, is_busy: true, has_grown: false });
        }
        let mut round = Round { indexed: progress.size, is_busy: false, has_grown: false };
        if head.size > progress.size {
            let Some(size) = self.advance(source, progress, head).await? else { return Ok(round) };
            version += 1;
            self.wrote(log_id, version);
            round = Round { indexed: size, is_busy: size < head.size, ..round };
        }
        for merges in 1..=MERGES {
            match self.merge(log_id, version).await? {
                Merged::Nothing => break,
                Merged::Overtaken => return Ok(round),
                Merged::Part => version += 1,
            }
            self.wrote(log_id, version);
            round.is_busy |= merges == MERGES;
        }
        for _ in 0..SWEEPS {
            if !self.store.sweep(SWEPT_PAGES).await? {
                break;
            }
        }
        if let Some(progress) = self.store.progress(log_id).await? {
            self.statuses.progress(log_id, &name, progress.size, progress.problems);
        }
        Ok(round)
    }

    /// A step. Returns how many entries are indexed afterwards; `None` where another server was faster.
    async fn advance(&self, source: &dyn Source, progress: &Progress, head: &SourceHead) -> Result<Option<u64>, Error> {
        let subtrees = CompactRange::from_bytes(progress.size, &progress.subtrees);
        let mut subtrees = subtrees.ok_or(Corrupt::new("a tree has a complete subtree for each bit of its size"))?;
        let from = block_of(progress.size);
        let derived = self.derive(source, from, head.size).await?;
        let (indexed, size) = (progress.size, derived.end());
        let computed = self.worker.run(move || {
            derived.leaf_hashes_from(indexed).iter().for_each(|hash| subtrees.push(*hash));
            (subtrees, derived.into_runs())
        });
        let (subtrees, (runs, problems)) = computed.await?;
        verify(source, &subtrees.head(), head).await?;
        let step = Append {
            log_id: source.log_id(),
            version: progress.version,
            size,
            subtrees: &subtrees.to_bytes(),
            checkpoint: &head.checkpoint,
            from,
            runs: &runs,
            problems: &problems,
        };
        Ok(self.store.append(&step).await?.then_some(size))
    }

    /// Reads entries from `from` on, up to `end` at most, and derives their terms. The log reads the next entries meanwhile.
    async fn derive(&self, source: &dyn Source, from: u64, end: u64) -> Result<Derived, Error> {
        let end = end.min(from - from % STEP_ENTRIES + STEP_ENTRIES);
        let mut derived = Derived::from(from);
        let mut ahead: Option<Vec<SourceEntry>> = None;
        while derived.end() < end && (derived.bytes() < STEP_BYTES || !derived.end().is_multiple_of(BLOCK)) {
            let (first, kind) = (derived.end(), source.kind());
            let whole = if derived.bytes() < STEP_BYTES { MAX_ENTRIES } else { BLOCK };
            let last = end.min(first - first % whole + whole);
            let mut entries = match ahead.take() {
                Some(entries) => entries,
                None => read(source, first, last).await?,
            };
            // More than the rest of a block may have been read ahead.
            entries.truncate(usize::try_from(last - first).unwrap_or(usize::MAX));
            let next = first + u64::try_from(entries.len()).unwrap_or(u64::MAX);
            let pushed = self.worker.run(move || {
                for entry in &entries {
                    derived.push(kind, entry);
                }
                derived
            });
            let (pushed, read) = join(pushed, read_ahead(source, next, end)).await;
            (derived, ahead) = (pushed?, read);
        }
        Ok(derived)
    }

    /// Merges a part of the run that is due.
    async fn merge(&self, log_id: i64, version: i64) -> Result<Merged, Error> {
        let runs = self.store.runs(log_id).await?;
        let (live, building): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.state == RunState::Live);
        let spans: Vec<Span> = live.iter().map(|run| run.span).collect();
        let Some(span) = due(&spans) else { return Ok(Merged::Nothing) };
        let inputs: Vec<&Run> = live.iter().filter(|run| span.range().contains(&run.span.first)).collect();
        let begun = building.iter().find(|run| run.span == span).map(|run| run.run_id);
        let (pages, is_done) = self.merged_pages(span, &inputs, begun).await?;
        let replaced: Vec<i64> = inputs.iter().map(|run| run.run_id).collect();
        let step = Merge {
            log_id,
            version,
            run_id: begun,
            span,
            times: inputs.iter().fold(Times::default(), |all, run| all.and(run.times)),
            pages: &pages,
            replaced: is_done.then_some(replaced.as_slice()),
        };
        Ok(if self.store.merge(&step).await? { Merged::Part } else { Merged::Overtaken })
    }

    /// The next pages of a merged run, after those that `begun` has, and whether they are the last ones.
    async fn merged_pages(&self, span: Span, inputs: &[&Run], begun: Option<i64>) -> Result<(Vec<Page>, bool), Error> {
        let spans: Vec<Span> = inputs.iter().map(|run| run.span).collect();
        let last = match begun {
            Some(run_id) => self.store.page_before(run_id, &AFTER_ALL).await?,
            None => None,
        };
        let after = last.map(|page| Position::end_of(&page.bytes, span)).transpose()?;
        let mut merger = Merger::new(&spans, after.clone());
        let mut keys = vec![Vec::new(); inputs.len()];
        if let Some(after) = after {
            let key = page::key(&after.term, after.index);
            for (number, (run, place)) in inputs.iter().zip(&mut keys).enumerate() {
                if let Some(page) = self.store.page_at(run.run_id, &key).await? {
                    place.clone_from(&page.key);
                    merger.supply(number, vec![page], false);
                }
            }
        }
        loop {
            let ran = self.worker.run(move || {
                let step = merger.run(MERGED_PAGES);
                (merger, step)
            });
            let (ran, step) = ran.await?;
            merger = ran;
            let number = match step? {
                Step::Full => return Ok((merger.full(), false)),
                Step::Done => return Ok((merger.finish(), true)),
                Step::Needs(number) => number,
            };
            let (Some(run), Some(place)) = (inputs.get(number), keys.get_mut(number)) else {
                return Err(Corrupt::new("a merge reads its own runs").into());
            };
            let pages = self.store.pages_after(run.run_id, place, READ_PAGES).await?;
            if let Some(page) = pages.last() {
                place.clone_from(&page.key);
            }
            let is_complete = pages.len() < READ_PAGES as usize;
            merger.supply(number, pages, is_complete);
        }
    }
}

/// How long to wait for the next round. `shares` says whether a writer needs the core that this one took so long.
fn pause(is_busy: bool, shares: bool, round: Duration) -> Duration {
    match (is_busy, shares) {
        (false, _) => PERIOD,
        (true, false) => Duration::ZERO,
        (true, true) => round.min(PERIOD),
    }
}

/// What came of merging.
enum Merged {
    /// No run is due.
    Nothing,
    /// A part of a run is written, perhaps the last one.
    Part,
    /// Another server was faster.
    Overtaken,
}

/// Entries of a log: at least one, and not more than were asked for.
pub(crate) async fn read(source: &dyn Source, first: u64, end: u64) -> Result<Vec<SourceEntry>, SourceError> {
    let entries = source.entries(first, end).await?;
    let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    if (1..=end.saturating_sub(first)).contains(&count) {
        Ok(entries)
    } else {
        Err(SourceError { reason: format!("it answered with {count} entries for {first} to {end}") })
    }
}

/// As [`read`], the next entries below `end`. `None` where there are none, and where they cannot be read: then they are read again,
/// which says why.
async fn read_ahead(source: &dyn Source, first: u64, end: u64) -> Option<Vec<SourceEntry>> {
    if first >= end {
        return None;
    }
    read(source, first, end.min(first - first % MAX_ENTRIES + MAX_ENTRIES)).await.ok()
}

/// Proves that a tree is the beginning of the tree of a head.
pub(crate) async fn verify(source: &dyn Source, tree: &TreeHead, head: &SourceHead) -> Result<(), Error> {
    let proof = if tree.size == head.size || tree.size == 0 {
        Vec::new()
    } else {
        source.consistency_proof(tree.size, head.size).await?
    };
    let published = TreeHead { size: head.size, root: head.root };
    let verified = merkle::verify_consistency(tree, &published, &proof);
    let (log, size, advice) = (source.name(), tree.size, source.advice());
    verified.map_err(|rejection| Error::Mismatch { log, size, rejection, advice })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_is_behind_leaves_half_of_an_only_core_to_the_writer() {
        let [short, long] = [20, 9000].map(Duration::from_millis);
        assert_eq!(pause(true, true, short), short);
        assert_eq!(pause(true, true, long), PERIOD, "and looks whether it is written to twice a second");
        assert_eq!(pause(true, false, long), Duration::ZERO, "with a core of its own, and where nobody writes");
        for shares in [false, true] {
            assert_eq!(pause(false, shares, short), PERIOD);
        }
    }
}
