//! Which of the things a role signs have their signatures verified before they are answered.
//!
//! Verifying what one has signed oneself can cost as much as all other work on it. What goes wrong with a key or an encoder
//! goes wrong for everything, so one thing in a period stands for the others of it: a role that signs fewer than that
//! verifies every one. After one that fails, every one is verified until one passes.

use chancery_verify::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Milliseconds for which a sample stands.
const PERIOD_MS: u64 = 100;

/// The samples taken so far.
#[derive(Debug, Default)]
pub struct Samples {
    /// Number of the newest period that has its sample, counted from 1970.
    taken: AtomicU64,
    failed: AtomicBool,
}

impl Samples {
    /// Whether what is signed at `now` is verified: the first that asks in each period is.
    #[must_use]
    pub fn take(&self, now: Timestamp) -> bool {
        let period = now.millis() / PERIOD_MS;
        self.taken.fetch_max(period, Ordering::Relaxed) < period || self.failed.load(Ordering::Relaxed)
    }

    /// Has what is signed at `now` verified, if it is a sample.
    pub fn check<E>(&self, now: Timestamp, verify: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if !self.take(now) {
            return Ok(());
        }
        let verdict = verify();
        self.record(verdict.is_ok());
        verdict
    }

    /// Notes what came of a verification.
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
