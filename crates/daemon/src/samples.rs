//! Chooses a sample: which of the signatures a role makes are verified before the answer is sent.
//!
//! Verifying one's own signature can cost as much as all other work on it. A fault of a key or an encoder affects every
//! signature, so verifying one signature in each period is enough to find it. A role that signs at most once in a
//! period verifies every signature. After one that fails, every signature is verified until one passes.

use chancery_verify::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Length of a period, in milliseconds.
const PERIOD_MS: u64 = 100;

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
        self.taken.fetch_max(period, Ordering::Relaxed) < period || self.failed.load(Ordering::Relaxed)
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
    }
}
