//! The index of several logs over one database, as the rest of the program uses it.

use crate::check::{self, Finding, Report};
use crate::derive::Problem;
use crate::error::Error;
use crate::follower::{Follower, PERIOD, read};
use crate::lookup::{self, Part, Wanted};
use crate::source::{Source, Sources};
use crate::status::{Status, Statuses};
use crate::store::{Order, RunState, Store};
use chancery_daemon::random::Random;
use chancery_verify::terms::Term;
use std::ops::Range;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Entries that are counted at once.
const COUNTED: usize = 1 << 16;

/// How far the index of a log has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The first so many entries are indexed.
    pub size: u64,
    /// The signed note of a tree that was proven to begin with these entries; `None` where there are none. Its own size is `size`,
    /// or more while the index catches up: it is the tree that proofs are made to.
    pub checkpoint: Option<String>,
}

/// The index of several logs. Clones are the same.
#[derive(Clone)]
pub struct Index {
    store: Arc<dyn Store>,
    sources: Sources,
    statuses: Statuses,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Index").field(&self.statuses).finish()
    }
}

impl Index {
    /// The index in `store` of the logs that `sources` returns.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, sources: Sources) -> Self {
        Self { store, sources, statuses: Statuses::default() }
    }

    /// The logs.
    #[must_use]
    pub fn sources(&self) -> Vec<Arc<dyn Source>> {
        (self.sources)()
    }

    /// The log with this number.
    #[must_use]
    pub fn source(&self, log_id: i64) -> Option<Arc<dyn Source>> {
        self.sources().into_iter().find(|source| source.log_id() == log_id)
    }

    /// How far the index of a log has come, by whichever server.
    pub async fn complete_to(&self, log_id: i64) -> Result<Coverage, Error> {
        let progress = self.store.progress(log_id).await?;
        Ok(progress.map_or_else(Coverage::default, |progress| Coverage {
            size: progress.size,
            checkpoint: progress.checkpoint,
        }))
    }

    /// Waits until the index of a log covers `size` entries, whichever server indexes them. Returns without that where it does not
    /// come to that soon, and waits for as long as it takes elsewhere: the caller bounds it.
    pub(crate) async fn covers(&self, log_id: i64, size: u64) {
        // In memory, and most often already covered.
        if !self.statuses.is_near(log_id, size) {
            return;
        }
        // The answer itself says what it is that cannot be read.
        let covered = self.complete_to(log_id).await;
        if covered.is_ok_and(|covered| covered.size < size) {
            self.statuses.covers(log_id, size).await;
        }
    }

    /// Entries of `range` with this term, in order, at most `limit`.
    ///
    /// # Errors
    /// [`Error::NotCovered`] where the index does not cover all of `range`: cut it to [`Self::complete_to`] first.
    pub async fn postings(
        &self,
        log_id: i64,
        term: &Term,
        range: Range<u64>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<u64>, Error> {
        lookup::ask(&*self.store, log_id, Wanted::Term(term.as_bytes()), Part { range, order, limit }).await
    }

    /// For each of `terms`, in their order, the first entries of `range` with it, at most `limit` each. Far cheaper than one
    /// question each.
    ///
    /// # Errors
    /// As [`Self::postings`].
    pub async fn postings_of_each(
        &self,
        log_id: i64,
        terms: &[Term],
        range: Range<u64>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Vec<u64>>, Error> {
        let terms: Vec<&[u8]> = terms.iter().map(Term::as_bytes).collect();
        lookup::ask_each(&*self.store, log_id, &terms, &Part { range, order, limit }).await
    }

    /// Entries of `range` with a term of the kind of `prefix` whose value begins with the value of `prefix`: each once, in order, at
    /// most `limit`.
    ///
    /// # Errors
    /// As [`Self::postings`]. [`Error::PrefixTooWide`] where a run that is read has more than [`crate::MAX_VALUES`] of such values.
    pub async fn prefix(
        &self,
        log_id: i64,
        prefix: &Term,
        range: Range<u64>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<u64>, Error> {
        lookup::ask(&*self.store, log_id, Wanted::Prefix(prefix.as_bytes()), Part { range, order, limit }).await
    }

    /// How many entries of `range` have the term. Counting ends at `at_most`.
    ///
    /// # Errors
    /// As [`Self::postings`].
    pub async fn count(&self, log_id: i64, term: &Term, range: Range<u64>, at_most: u64) -> Result<u64, Error> {
        let (mut counted, mut left) = (0, range);
        loop {
            let limit = COUNTED.min(usize::try_from(at_most - counted).unwrap_or(COUNTED));
            let found = self.postings(log_id, term, left.clone(), Order::Oldest, limit).await?;
            counted += u64::try_from(found.len()).unwrap_or(u64::MAX);
            match found.last() {
                Some(last) if found.len() == COUNTED && counted < at_most => left.start = last + 1,
                _ => return Ok(counted),
            }
        }
    }

    /// The indices between which every indexed entry is whose time is at or after `from_ms` and before `until_ms`. Exact where the
    /// log tells times, and they do not go back.
    pub async fn between(&self, log_id: i64, from_ms: Option<i64>, until_ms: Option<i64>) -> Result<Range<u64>, Error> {
        let source = self.source(log_id).ok_or(Error::UnknownLog { log_id })?;
        let mut runs = self.store.runs(log_id).await?;
        runs.retain(|run| run.state == RunState::Live);
        let size = runs.last().map_or(0, |run| run.span.end);
        // Where a time is unknown, it may be within the bounds.
        let mut bounds = [(from_ms, false, 0), (until_ms, true, size)];
        for (time, unknown_is_before, index) in &mut bounds {
            let Some(time) = *time else { continue };
            let is_before = |at: Option<i64>| at.map_or(*unknown_is_before, |at| at < time);
            let place = runs.iter().take_while(|run| is_before(run.times.0.map(|(_, newest)| newest))).count();
            *index = match runs.get(place) {
                Some(run) => first_not_before(&*source, run.span.range(), is_before).await?,
                None => size,
            };
        }
        let [(_, _, start), (_, _, end)] = bounds;
        Ok(start..end.max(start))
    }

    /// Problems of entries of `range`, in order, at most `limit`: entries that may have terms by which they are not found.
    pub async fn problems(&self, log_id: i64, range: Range<u64>, limit: u32) -> Result<Vec<Problem>, Error> {
        Ok(self.store.problems(log_id, &range, limit).await?)
    }

    /// What is known of the index of each log that this process follows. In memory: it never waits.
    #[must_use]
    pub fn status(&self) -> Vec<Status> {
        self.statuses.all()
    }

    /// Follows the logs until the task is aborted, which may be at any moment.
    #[must_use]
    pub fn follow(&self) -> JoinHandle<()> {
        let follower = Follower::new(Arc::clone(&self.store), self.statuses.clone());
        tokio::spawn(follower.follow(Arc::clone(&self.sources)))
    }

    /// Indexes what the logs show now and is not indexed yet. Servers may follow them meanwhile. Calls `progress` with a log's name,
    /// and how many of how many entries are indexed.
    pub async fn catch_up(&self, mut progress: impl FnMut(&str, u64, u64) + Send) -> Result<(), Error> {
        let mut follower = Follower::new(Arc::clone(&self.store), self.statuses.clone());
        for source in self.sources() {
            let (name, size) = (source.name(), source.head().await?.size);
            loop {
                let round = follower.round(&*source).await?;
                progress(&name, round.indexed.min(size), size);
                match (round.is_busy, round.indexed >= size) {
                    (true, _) => {}
                    (false, true) => break,
                    // Another server does it.
                    (false, false) => tokio::time::sleep(PERIOD).await,
                }
            }
        }
        Ok(())
    }

    /// Drops the indexes of the logs and builds them again, as [`Self::catch_up`]. Servers may go on to write and to ask meanwhile;
    /// they find what is indexed again already.
    pub async fn rebuild(&self, progress: impl FnMut(&str, u64, u64) + Send) -> Result<(), Error> {
        for source in self.sources() {
            self.store.begin(source.log_id(), &source.name()).await?;
            self.store.reset(source.log_id()).await?;
        }
        // None, unless someone has deleted the rows of runs.
        self.store.delete_strays().await?;
        self.catch_up(progress).await
    }

    /// Derives the indexes again from the entries of the logs, and compares them with what is stored. Only reads; servers may run.
    /// Calls `progress` with a log's name, and how many of how many entries are checked.
    ///
    /// # Errors
    /// The first difference.
    pub async fn check(
        &self,
        random: &dyn Random,
        progress: impl FnMut(&str, u64, u64) + Send,
    ) -> Result<Vec<Report>, Finding> {
        check::check(&*self.store, &self.sources(), random, progress).await
    }
}

/// The first entry of `range` whose time is not before a bound, by halves.
async fn first_not_before(
    source: &dyn Source,
    range: Range<u64>,
    is_before: impl Fn(Option<i64>) -> bool + Send,
) -> Result<u64, Error> {
    let Range { mut start, mut end } = range;
    while start < end {
        let middle = start + (end - start) / 2;
        let entries = read(source, middle, middle + 1).await?;
        if is_before(entries.first().and_then(|entry| entry.timestamp_ms)) { start = middle + 1 } else { end = middle }
    }
    Ok(start)
}
