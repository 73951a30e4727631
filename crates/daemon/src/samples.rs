//! Chooses a sample: which of the signatures a role makes are verified before the answer is sent.
//!
//! Verifying one's own signature can cost as much as all other work on it. A fault of a key or an encoder affects every
//! signature, so verifying one signature in each period is enough to find it. A role that signs at most once in a
//! period verifies every signature. After one that fails, every signature is verified until one passes.

use chancery_verify::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Length of a period, in milliseconds.
const PERIOD_MS: u64 = 100;

/// Signatures of this process that were not in a sample.
static SKIPPED: AtomicU64 = AtomicU64::new(0);
/// Signatures of this process that were verified, and were right.
static PASSED: AtomicU64 = AtomicU64::new(0);
/// Signatures of this process that were verified, and were not right.
static FAILED: AtomicU64 = AtomicU64::new(0);

/// The signatures of all roles of this process so far, by result of their verification.
#[must_use]
pub fn results() -> [(&'static str, u64); 3] {
    [("skipped", &SKIPPED), ("passed", &PASSED), ("failed", &FAILED)]
        .map(|(result, count)| (result, count.load(Ordering::Relaxed)))
}

/// The samples taken so far.
#[derive(Debug, Default)]
pub struct Samples {
    /// Number of the newest period that has been sampled, counted from 1970.
    taken: AtomicU64,
    failed: AtomicBool,
}

impl Samples {
    /// Returns whether a signature made at `now` is verified: the first in each period is.
    #[must_use]
    pub fn take(&self, now: Timestamp) -> bool {
        let period = now.millis() / PERIOD_MS;
        let is_taken = self.taken.fetch_max(period, Ordering::Relaxed) < period || self.failed.load(Ordering::Relaxed);
        if !is_taken {
            SKIPPED.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }

    /// Verifies a signature made at `now`, if it is in the sample.
    pub fn check<E>(&self, now: Timestamp, verify: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if !self.take(now) {
            return Ok(());
        }
        let verdict = verify();
        self.record(verdict.is_ok());
        verdict
    }

    /// Records the result of a verification.
    pub fn record(&self, passed: bool) {
        let count = if passed { &PASSED } else { &FAILED };
        count.fetch_add(1, Ordering::Relaxed);
        self.failed.store(!passed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_period_and_every_one_after_a_failure() {
        let samples = Samples::default();
        let at = Timestamp::from_millis;
        assert!(samples.take(at(1000)));
        assert!(!samples.take(at(1000)) && !samples.take(at(1099)));
        assert!(samples.take(at(1100)));
        assert!(!samples.take(at(1001)), "its period is over");
        samples.record(false);
        assert!(samples.take(at(1100)) && samples.take(at(1100)));
        samples.record(true);
        assert!(!samples.take(at(1100)));
        // Other tests may count at the same time.
        let [(_, skipped), (_, passed), (_, failed)] = results();
        assert!(skipped >= 4 && passed >= 1 && failed >= 1, "{skipped} {passed} {failed}");
    }
}
