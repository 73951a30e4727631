//! The status of the index of each log in this process: for readiness, metrics, and answers that wait for the index. In memory;
//! asking never waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Entries that an index may be behind if it is worth waiting for: what it catches up with in a second.
const NEAR: u64 = 10_000;

/// How the following of a log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    Following,
    /// It could not go on for this reason the last time, and is tried again.
    Failing(String),
    /// It has ended for this reason. It begins again when the index is built again.
    Stopped(String),
}

/// The index of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Number of the log.
    pub log_id: i64,
    /// Its name.
    pub name: String,
    /// Entries that are indexed.
    pub indexed: u64,
    /// Of these, how many may have terms by which they are not found.
    pub problems: u64,
    /// Leaves of the newest head that was seen.
    pub published: u64,
    /// For how long the index has been behind the log without a break.
    pub behind_for: Option<Duration>,
    /// How it goes.
    pub state: State,
}

impl Status {
    /// Entries that are published and not indexed.
    #[must_use]
    pub const fn lag(&self) -> u64 {
        self.published.saturating_sub(self.indexed)
    }
}

#[derive(Debug)]
struct Known {
    status: Status,
    behind_since: Option<Instant>,
}

/// Shared by the follower and those who ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statuses(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    logs: Mutex<BTreeMap<i64, Known>>,
    /// Whether this process follows logs. The first round of its follower may be yet to come.
    is_following: AtomicBool,
    /// Something is known that was not known before.
    changed: Notify,
}

impl Statuses {
    /// What is known now.
    pub(crate) fn all(&self) -> Vec<Status> {
        let status = |known: &Known| Status {
            behind_for: known.behind_since.map(|since| since.elapsed()),
            ..known.status.clone()
        };
        self.known().values().map(status).collect()
    }

    /// A follower of this process begins.
    pub(crate) fn begin(&self) {
        self.0.is_following.store(true, Ordering::Relaxed);
    }

    /// The index of a log covers this much.
    pub(crate) fn progress(&self, log_id: i64, name: &str, indexed: u64, problems: u64) {
        self.change(log_id, name, |status| (status.indexed, status.problems) = (indexed, problems));
    }

    /// The log shows so many leaves.
    pub(crate) fn published(&self, log_id: i64, name: &str, size: u64) {
        self.change(log_id, name, |status| status.published = size);
    }

    /// How it goes.
    pub(crate) fn state(&self, log_id: i64, name: &str, state: State) {
        self.change(log_id, name, |status| status.state = state);
    }

    /// Waits until the index of a log covers `size` entries. Returns at once where it does not come to that soon: where nobody in
    /// this process follows the log, where following has ended or fails, and where the index is far behind.
    pub(crate) async fn covers(&self, log_id: i64, size: u64) {
        loop {
            // Made before the look, so that a change between the two is not missed.
            let changed = self.0.changed.notified();
            if !self.is_near(log_id, size) {
                return;
            }
            changed.await;
        }
    }

    /// Whether `size` entries are not covered yet, and will be soon.
    pub(crate) fn is_near(&self, log_id: i64, size: u64) -> bool {
        let all = self.known();
        let Some(Known { status, .. }) = all.get(&log_id) else {
            return size > 0 && self.0.is_following.load(Ordering::Relaxed);
        };
        status.state == State::Following && (1..=NEAR).contains(&size.saturating_sub(status.indexed))
    }

    fn change(&self, log_id: i64, name: &str, change: impl FnOnce(&mut Status)) {
        let mut all = self.known();
        let known = all.entry(log_id).or_insert_with(|| Known {
            status: Status {
                log_id,
                name: name.to_owned(),
                indexed: 0,
                problems: 0,
                published: 0,
                behind_for: None,
                state: State::Following,
            },
            behind_since: None,
        });
        change(&mut known.status);
        let is_behind = known.status.lag() > 0;
        known.behind_since = known.behind_since.filter(|_| is_behind).or_else(|| is_behind.then(Instant::now));
        self.0.changed.notify_waiters();
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<i64, Known>> {
        self.0.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_behind_from_when_it_falls_behind_until_it_has_caught_up() {
        let statuses = Statuses::default();
        assert_eq!(statuses.all(), []);
        let behind = || statuses.all().first().unwrap().behind_for.is_some();
        statuses.published(1, "rekor", 10);
        assert!(behind());
        statuses.progress(1, "rekor", 10, 1);
        assert!(!behind());
        statuses.published(1, "rekor", 12);
        statuses.progress(1, "rekor", 11, 1);
        assert!(behind());
        statuses.state(1, "rekor", State::Stopped("damaged".to_owned()));
        let status = statuses.all().remove(0);
        assert_eq!((status.lag(), status.problems, status.state), (1, 1, State::Stopped("damaged".to_owned())));
    }

    #[tokio::test]
    async fn an_answer_waits_for_an_index_that_comes_and_for_no_other() {
        let statuses = Statuses::default();
        // Nobody follows the log.
        statuses.covers(1, 5).await;
        statuses.progress(1, "rekor", 4, 0);
        statuses.covers(1, 4).await;
        statuses.covers(1, 4 + NEAR + 1).await;
        let waiting = tokio::spawn({
            let statuses = statuses.clone();
            async move { statuses.covers(1, 6).await }
        });
        for indexed in [5, 6] {
            tokio::task::yield_now().await;
            assert!(!waiting.is_finished(), "{indexed}");
            statuses.progress(1, "rekor", indexed, 0);
        }
        waiting.await.unwrap();
        let waiting = tokio::spawn({
            let statuses = statuses.clone();
            async move { statuses.covers(1, 7).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        statuses.state(1, "rekor", State::Failing("away".to_owned()));
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_waits_for_the_first_round_of_a_follower() {
        let statuses = Statuses::default();
        statuses.begin();
        let waiting = tokio::spawn({
            let statuses = statuses.clone();
            async move { statuses.covers(1, 2).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        statuses.progress(1, "rekor", 2, 0);
        waiting.await.unwrap();
    }
}
