//! What a log's sequencer does, for who measures it.

use chancery_daemon::metrics::Durations;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A batch takes milliseconds. One that takes longer than this waits for something that may not happen: a commit that no
/// standby confirms, a disk that does not answer.
const LONG: Duration = Duration::from_secs(5);

/// Counted since the log was opened.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    conflicts: AtomicU64,
    batches: OnceLock<Durations>,
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

    /// Has every batch timed from now on, unless it is already.
    pub(crate) fn time(&self, batches: Durations) {
        let _ = self.batches.set(batches);
    }

    /// A batch begins.
    pub(crate) fn begin(&self) {
        self.progress().begun = Some(Instant::now());
    }

    /// A batch of the log `name` took this long.
    pub(crate) fn batch(&self, name: &str, integrated: bool, took: Duration) {
        self.progress().begun = None;
        if let Some(batches) = self.batches.get() {
            batches.observe(&[name, if integrated { "integrated" } else { "failed" }], took);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_lasts_until_an_entry_is_written() {
        let activity = Activity::default();
        assert_eq!(activity.trouble(), None);
        activity.begin();
        assert_eq!(activity.trouble(), None, "it takes no long time yet");
        activity.batch("rekor", false, Duration::ZERO);
        activity.fail("the disk is full".to_owned());
        assert_eq!((activity.has_failed(), activity.trouble()), (true, Some("the disk is full".to_owned())));
        activity.recover();
        assert_eq!((activity.has_failed(), activity.trouble()), (false, None));
        activity.progress().begun = Instant::now().checked_sub(LONG + Duration::from_secs(1));
        assert_eq!(activity.trouble().unwrap(), "a batch that began 6 s ago is not done");
    }
}
