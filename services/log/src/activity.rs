//! The activity of a log, for its metrics and for readiness: its sequencer's batches, its database, its caches.

use chancery_daemon::metrics::{Distributions, Durations};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A batch takes milliseconds. One that takes longer than this waits for something that may not happen: a commit that no
/// standby confirms, a disk that does not answer.
const LONG: Duration = Duration::from_secs(5);

/// The metrics that a log observes itself, because a total at each scrape would not be enough.
#[derive(Debug, Clone)]
pub struct Measures {
    /// How long a batch takes from when it leaves the pool until its checkpoint is published. The labels are the log's name, and
    /// `integrated` or `failed`.
    pub batches: Durations,
    /// The entries of a batch. The label is the log's name.
    pub batch_entries: Distributions,
    /// How long a read or write of the database takes. The labels are the operation, and `ok` or `failed`.
    pub database: Durations,
}

/// Counted since the log was opened.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    conflicts: AtomicU64,
    /// Leaves of the newest checkpoint that this process has stored in the database.
    checkpointed: AtomicU64,
    measures: OnceLock<Measures>,
    progress: Mutex<Progress>,
}

/// How it goes with the entries.
#[derive(Debug, Default)]
struct Progress {
    /// When the batch began that is under way.
    begun: Option<Instant>,
    /// Why the last attempt to write an entry has failed.
    failure: Option<String>,
}

impl Activity {
    /// The head was another one than it was left at.
    pub(crate) fn conflict(&self) {
        self.conflicts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn conflicts(&self) -> u64 {
        self.conflicts.load(Ordering::Relaxed)
    }

    /// The checkpoint of a tree of `size` leaves is in the database.
    pub(crate) fn checkpointed(&self, size: u64) {
        self.checkpointed.fetch_max(size, Ordering::Relaxed);
    }

    pub(crate) fn checkpointed_size(&self) -> u64 {
        self.checkpointed.load(Ordering::Relaxed)
    }

    /// Observes everything from now on, unless it already does.
    pub(crate) fn measure(&self, measures: Measures) {
        let _ = self.measures.set(measures);
    }

    /// For the durations of database operations; `None` while nothing is measured.
    pub(crate) fn database(&self) -> Option<&Durations> {
        self.measures.get().map(|measures| &measures.database)
    }

    /// A batch begins.
    pub(crate) fn begin(&self) {
        self.progress().begun = Some(Instant::now());
    }

    /// A batch of the log `name` had this many entries and took this long.
    pub(crate) fn batch(&self, name: &str, entries: usize, integrated: bool, took: Duration) {
        self.progress().begun = None;
        if let Some(measures) = self.measures.get() {
            measures.batches.observe(&[name, if integrated { "integrated" } else { "failed" }], took);
            measures.batch_entries.observe(&[name], u32::try_from(entries).unwrap_or(u32::MAX));
        }
    }

    /// An entry could not be written or acknowledged, although it was as it should be.
    pub(crate) fn fail(&self, reason: String) {
        self.progress().failure = Some(reason);
    }

    /// Entries are written again.
    pub(crate) fn recover(&self) {
        self.progress().failure = None;
    }

    /// Whether the last attempt to write an entry has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.progress().failure.is_some()
    }

    /// Why entries are not written now, as far as that is known.
    pub(crate) fn trouble(&self) -> Option<String> {
        let progress = self.progress();
        let long = progress.begun.map(|begun| begun.elapsed()).filter(|took| *took > LONG);
        let unfinished = long.map(|took| format!("a batch that began {} s ago is not done", took.as_secs()));
        unfinished.or_else(|| progress.failure.clone())
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads of what a cache may hold, since it was made.
#[derive(Debug, Default)]
pub(crate) struct CacheCount {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl CacheCount {
    pub(crate) fn add(&self, hits: usize, misses: usize) {
        let as_u64 = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.hits.fetch_add(as_u64(hits), Ordering::Relaxed);
        self.misses.fetch_add(as_u64(misses), Ordering::Relaxed);
    }

    /// Hits and misses.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_lasts_until_an_entry_is_written() {
        let activity = Activity::default();
        assert_eq!(activity.trouble(), None);
        activity.begin();
        assert_eq!(activity.trouble(), None, "it takes no long time yet");
        activity.batch("rekor", 1, false, Duration::ZERO);
        activity.fail("the disk is full".to_owned());
        assert_eq!((activity.has_failed(), activity.trouble()), (true, Some("the disk is full".to_owned())));
        activity.recover();
        assert_eq!((activity.has_failed(), activity.trouble()), (false, None));
        activity.progress().begun = Instant::now().checked_sub(LONG + Duration::from_secs(1));
        assert_eq!(activity.trouble().unwrap(), "a batch that began 6 s ago is not done");
    }
}
