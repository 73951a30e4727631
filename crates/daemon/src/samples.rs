//! Which of the things a role signs have their signatures verified before they are answered.
//!
//! Verifying what one has signed oneself can cost as much as all other work on it. What goes wrong with a key or an encoder
//! goes wrong for everything, so one thing in a period stands for the others of it: a role that signs fewer than that
//! verifies every one. After one that fails, every one is verified until one passes.

use chancery_verify::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Milliseconds for which a sample stands where nothing else is said.
const PERIOD_MS: u64 = 10;

/// The samples taken so far.
#[derive(Debug)]
pub struct Samples {
    period_ms: u64,
    /// Number of the newest period that has its sample, counted from 1970.
    taken: AtomicU64,
    failed: AtomicBool,
}

impl Default for Samples {
    fn default() -> Self {
        Self::every(PERIOD_MS)
    }
}

impl Samples {
    /// One in each period of so many milliseconds.
    #[must_use]
    pub const fn every(period_ms: u64) -> Self {
        Self { period_ms, taken: AtomicU64::new(0), failed: AtomicBool::new(false) }
    }

    /// Whether what is signed at `now` is verified: the first that asks in each period is.
    #[must_use]
    pub fn take(&self, now: Timestamp) -> bool {
        let period = now.millis() / self.period_ms.max(1);
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
        assert!(!samples.take(at(1000)) && !samples.take(at(1009)));
        assert!(samples.take(at(1010)));
        assert!(!samples.take(at(1001)), "its period is over");
        samples.record(false);
        assert!(samples.take(at(1010)) && samples.take(at(1010)));
        samples.record(true);
        assert!(!samples.take(at(1010)));
    }
}
