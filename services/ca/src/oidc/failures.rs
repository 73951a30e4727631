//! Limits failed lookups of new issuers' keys, for each host.
//!
//! Any client can write a token of an issuer that matches a pattern. Each such token makes the server send a request to
//! that issuer's host. Only failed lookups count, and only for that host. So made-up issuers do not block issuers of
//! other hosts, or issuers whose keys are known. Memory and the number of simultaneous lookups are limited.

use super::TokenRefusal;
use crate::minute::MinuteCount;
use chancery_verify::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Maximum failures of one host in a minute.
const PER_HOST: u32 = 30;
/// Maximum hosts with counted failures. The host that failed longest ago is removed first.
const MAX_HOSTS: usize = 1024;
/// Maximum simultaneous lookups of new issuers. Most fail or succeed within a fraction of a second.
const AT_ONCE: usize = 32;

/// The failures of the issuers of one pattern. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Failures {
    hosts: Arc<Mutex<HashMap<String, Failed>>>,
    lookups: Arc<Semaphore>,
}

/// Failures of one host.
#[derive(Debug, Clone, Copy)]
struct Failed {
    count: MinuteCount,
    last: Timestamp,
}

/// A host whose failures are counted.
#[derive(Debug)]
pub(super) struct Host {
    name: String,
    failures: Failures,
}

impl Default for Failures {
    fn default() -> Self {
        Self { hosts: Arc::default(), lookups: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Failures {
    /// The host with this name.
    pub(super) fn of(&self, name: &str) -> Host {
        Host { name: name.to_owned(), failures: self.clone() }
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Failed>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    /// Permits a lookup, which lasts until the permit is dropped.
    ///
    /// # Errors
    /// [`TokenRefusal::IssuerBusy`] if too many lookups of this host have failed, or too many are running.
    pub(super) fn begin(&self, now: Timestamp) -> Result<OwnedSemaphorePermit, TokenRefusal> {
        let failed = self.failures.hosts().get(&self.name).copied();
        if failed.is_some_and(|failed| failed.count.at(now) >= PER_HOST) {
            return Err(TokenRefusal::IssuerBusy);
        }
        Arc::clone(&self.failures.lookups).try_acquire_owned().map_err(|_| TokenRefusal::IssuerBusy)
    }

    /// Counts a lookup that failed.
    pub(super) fn failed(&self, now: Timestamp) {
        let mut hosts = self.failures.hosts();
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(&self.name) {
            let oldest = hosts.iter().min_by_key(|(_, failed)| failed.last).map(|(name, _)| name.clone());
            if let Some(name) = oldest {
                hosts.remove(&name);
            }
        }
        let failed = hosts.entry(self.name.clone()).or_insert(Failed { count: MinuteCount::default(), last: now });
        failed.count.add(now);
        failed.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn a_host_is_left_alone_after_failures_of_its_own_only() {
        let failures = Failures::default();
        let (busy, other) = (failures.of("a.b.test"), failures.of("c.b.test"));
        for _ in 0..PER_HOST {
            assert!(busy.begin(NOW).is_ok());
            busy.failed(NOW);
        }
        assert!(matches!(busy.begin(NOW), Err(TokenRefusal::IssuerBusy)));
        assert!(matches!(failures.of("a.b.test").begin(NOW), Err(TokenRefusal::IssuerBusy)));
        assert!(other.begin(NOW).is_ok());
        assert!(busy.begin(NOW.plus_seconds(60)).is_ok());
    }

    #[test]
    fn lookups_that_run_are_few_and_give_their_place_back() {
        let failures = Failures::default();
        let running: Vec<_> =
            (0..AT_ONCE).map(|number| failures.of(&format!("{number}.b.test")).begin(NOW).unwrap()).collect();
        assert!(matches!(failures.of("x.b.test").begin(NOW), Err(TokenRefusal::IssuerBusy)));
        drop(running);
        assert!(failures.of("x.b.test").begin(NOW).is_ok());
    }

    #[test]
    fn made_up_hosts_take_bounded_memory() {
        let failures = Failures::default();
        let kept = failures.of("kept.b.test");
        for second in 0..5000 {
            let now = NOW.plus_seconds(second / 100);
            failures.of(&format!("{second}.b.test")).failed(now);
            kept.failed(now);
        }
        assert_eq!(failures.hosts().len(), MAX_HOSTS);
        assert!(failures.hosts().contains_key("kept.b.test"));
    }
}
