//! The status of the events of each log in this process: for readiness and metrics. In memory; asking never waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The events of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// Number of the log.
    pub log_id: i64,
    /// Its name.
    pub name: String,
    /// Entries of which the receiver has been told, or which it is not to be told of, by whichever server.
    pub done: u64,
    /// Entries that are indexed.
    pub indexed: u64,
    /// Events that the receiver has confirmed to this process.
    pub delivered: u64,
    /// Rounds of this process that failed.
    pub failures: u64,
    /// Since when there are entries of which the receiver has not been told.
    pub behind_for: Option<Duration>,
    /// Why the last round of this process failed, if it did.
    pub failing: Option<String>,
}

impl DeliveryStatus {
    /// Entries of which the receiver has not been told.
    #[must_use]
    pub const fn lag(&self) -> u64 {
        self.indexed.saturating_sub(self.done)
    }
}

#[derive(Debug, Default)]
struct Known {
    status: DeliveryStatus,
    behind_since: Option<Instant>,
}

/// Shared by those who deliver and those who ask.
#[derive(Debug, Clone, Default)]
pub(super) struct Deliveries(Arc<Mutex<BTreeMap<i64, Known>>>);

impl Deliveries {
    /// What is known now.
    pub(super) fn all(&self) -> Vec<DeliveryStatus> {
        let status = |known: &Known| DeliveryStatus {
            behind_for: known.behind_since.map(|since| since.elapsed()),
            ..known.status.clone()
        };
        self.known().values().map(status).collect()
    }

    /// A log has this name.
    pub(super) fn name(&self, log_id: i64, name: &str) {
        self.change(log_id, |status| name.clone_into(&mut status.name));
    }

    /// The receiver is here in a log.
    pub(super) fn place(&self, log_id: i64, done: u64, indexed: u64) {
        self.change(log_id, |status| (status.done, status.indexed) = (done, indexed));
    }

    /// The receiver has confirmed so many events, and is here in the log.
    pub(super) fn delivered(&self, log_id: i64, events: u64, done: u64) {
        self.change(log_id, |status| {
            (status.delivered, status.done) = (status.delivered.saturating_add(events), done);
        });
    }

    /// A round did what there was to do. Returns whether the one before had failed.
    pub(super) fn went_well(&self, log_id: i64) -> bool {
        let mut had_failed = false;
        self.change(log_id, |status| had_failed = status.failing.take().is_some());
        had_failed
    }

    /// A round failed. Returns whether it is the first one.
    pub(super) fn failed(&self, log_id: i64, reason: &str) -> bool {
        let mut is_first = false;
        self.change(log_id, |status| {
            is_first = status.failing.replace(reason.to_owned()).is_none();
            status.failures = status.failures.saturating_add(1);
        });
        is_first
    }

    fn change(&self, log_id: i64, change: impl FnOnce(&mut DeliveryStatus)) {
        let mut all = self.known();
        let known = all.entry(log_id).or_default();
        known.status.log_id = log_id;
        change(&mut known.status);
        let is_behind = known.status.lag() > 0;
        known.behind_since = known.behind_since.filter(|_| is_behind).or_else(|| is_behind.then(Instant::now));
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<i64, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_behind_until_it_has_been_told_of_everything() {
        let statuses = Deliveries::default();
        let status = || statuses.all().remove(0);
        statuses.name(1, "rekor");
        statuses.place(1, 4, 10);
        assert!(status().behind_for.is_some());
        assert!(statuses.failed(1, "away") && !statuses.failed(1, "still away"));
        assert_eq!((status().lag(), status().failures, status().failing), (6, 2, Some("still away".to_owned())));
        statuses.delivered(1, 5, 10);
        assert_eq!((status().lag(), status().delivered, status().behind_for), (0, 5, None));
        assert!(statuses.went_well(1) && !statuses.went_well(1));
        assert_eq!(status().failing, None);
    }
}
