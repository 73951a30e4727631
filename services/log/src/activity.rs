//! What a log's sequencer does, for who measures it.

use chancery_daemon::metrics::Durations;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counted since the log was opened.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    conflicts: AtomicU64,
    batches: OnceLock<Durations>,
}

impl Activity {
    /// The head was another one than it was left at.
    pub(crate) fn conflict(&self) {
        self.conflicts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn conflicts(&self) -> u64 {
        self.conflicts.load(Ordering::Relaxed)
    }

    /// Has every batch timed from now on, unless it is already.
    pub(crate) fn time(&self, batches: Durations) {
        let _ = self.batches.set(batches);
    }

    /// A batch of the log `name` took this long.
    pub(crate) fn batch(&self, name: &str, integrated: bool, took: Duration) {
        if let Some(batches) = self.batches.get() {
            batches.observe(&[name, if integrated { "integrated" } else { "failed" }], took);
        }
    }
}
