//! What a log does, for its metrics: its sequencer's batches, its database, its caches.

use chancery_daemon::metrics::{Distributions, Durations};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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

    /// A batch of the log `name` had this many entries and took this long.
    pub(crate) fn batch(&self, name: &str, entries: usize, integrated: bool, took: Duration) {
        if let Some(measures) = self.measures.get() {
            measures.batches.observe(&[name, if integrated { "integrated" } else { "failed" }], took);
            measures.batch_entries.observe(&[name], u32::try_from(entries).unwrap_or(u32::MAX));
        }
    }

    /// For the durations of database operations; `None` while nothing is measured.
    pub(crate) fn database(&self) -> Option<&Durations> {
        self.measures.get().map(|measures| &measures.database)
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
