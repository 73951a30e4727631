//! Which certificates have their signatures verified before they are answered.
//!
//! Verifying what the authority has signed itself costs as much as all other work on a certificate. What goes wrong with a
//! key or an encoder goes wrong for every certificate, so one in each [`PERIOD_MS`] stands for the others of it: an
//! authority that issues fewer than that verifies every one. After one that fails, every certificate is verified until one
//! passes. What can be seen without a signature is looked at in every certificate.

use chancery_verify::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Milliseconds for which a sample stands.
const PERIOD_MS: u64 = 10;

/// The samples taken so far.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// Number of the newest period that has its sample, counted from 1970.
    taken: AtomicU64,
    failed: AtomicBool,
}

impl Samples {
    /// Whether a certificate issued at `now` is verified in full: the first that asks in each period is.
    pub(super) fn take(&self, now: Timestamp) -> bool {
        let period = now.millis() / PERIOD_MS;
        self.taken.fetch_max(period, Ordering::Relaxed) < period || self.failed.load(Ordering::Relaxed)
    }

    /// Notes what came of a full verification.
    pub(super) fn record(&self, passed: bool) {
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
