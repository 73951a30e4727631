//! The timeline of a `PostgreSQL` server: another one than before means that a standby was promoted, or that the database was
//! restored to a point in time.
//!
//! Commits may be lost then. Each process knows only of some of them: a replica for which nothing is missing could add to what is
//! left, while another one has published what is lost. So nothing is to be added for [`SETTLING`] after a connection has found
//! another timeline. In that time every replica that knows more looks, and says so in the database.
//!
//! Each connection that writes is asked before it is used first. A server changes its timeline only when it starts or is
//! promoted: one that was a primary when the connection was made stays on its timeline as long as the connection lasts.
//!
//! A process that starts has not seen a change. It counts one from a time that its caller has written down, or from its own
//! start.
//!
//! What this cannot see: a process that knows more, and does not run or does not reach the database in that time.

use sqlx::{PgConnection, PgExecutor};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Replicas look every two seconds, also while a batch waits. Each of their twelve resting connections to a server that vanished
/// takes half a second to be given up.
const SETTLING: Duration = Duration::from_secs(20);
/// What a connection to a standby finds: it could outlast the promotion.
const STANDBY: &str = "standby";
/// The first eight digits of a segment's name are its timeline.
const QUESTION: &str = "/* timeline */ SELECT CASE WHEN pg_is_in_recovery() THEN 'standby'
    ELSE substring(pg_walfile_name(pg_current_wal_lsn()) FROM 1 FOR 8) END";

/// What the connections of a process have found; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Timeline(Arc<Mutex<Found>>);

#[derive(Debug)]
struct Found {
    /// Since when this process watches.
    begun: Instant,
    /// By the newest connection that was told.
    newest: Option<String>,
    /// When it was another one than before.
    changed: Option<Instant>,
}

/// What a server says. `None` where it does not answer this to our role.
async fn told(executor: impl PgExecutor<'_>) -> Result<Option<String>, sqlx::Error> {
    match sqlx::query_scalar(QUESTION).fetch_one(executor).await {
        Ok(timeline) => Ok(Some(timeline)),
        Err(sqlx::Error::Database(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The number of the server's timeline. `None` where it does not say, or is a standby.
pub(super) async fn current(executor: impl PgExecutor<'_>) -> Result<Option<u32>, sqlx::Error> {
    Ok(told(executor).await?.and_then(|digits| u32::from_str_radix(&digits, 16).ok()))
}

impl Timeline {
    /// Watches from now on.
    pub(super) fn watch(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Found { begun: now, newest: None, changed: None })))
    }

    /// Asks a new connection. A server that does not answer this to our role is not known to have changed.
    pub(super) async fn ask(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if let Some(timeline) = told(connection).await? {
            self.found(timeline, Instant::now());
        }
        Ok(())
    }

    /// Notes that the timeline may have changed `ago` before this process began to watch.
    pub(super) fn has_changed(&self, ago: Duration) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = found.begun.checked_sub(ago).unwrap_or(found.begun);
        found.changed = found.changed.max(Some(changed));
    }

    fn found(&self, timeline: String, now: Instant) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.newest.as_ref().is_some_and(|newest| *newest != timeline) {
            found.changed = Some(now);
            tracing::warn!(database.timeline = %timeline, "the database is on another timeline: a standby was promoted, or it was restored to a point in time");
        }
        found.newest = Some(timeline);
    }

    /// Whether every process that knows of something that is missing has had the time to say so.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |changed| now.saturating_duration_since(changed) >= SETTLING;
        found.newest.as_deref() != Some(STANDBY) && found.changed.is_none_or(is_over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_added_for_a_while_after_the_timeline_has_changed() {
        let begun = Instant::now();
        let timeline = Timeline::watch(begun);
        let after = |seconds| begun + Duration::from_secs(seconds);
        // A server that does not say is not known to have changed.
        assert!(timeline.is_settled(begun));
        for seconds in [0, 1] {
            timeline.found("00000001".to_owned(), after(seconds));
            assert!(timeline.is_settled(after(seconds)));
        }
        timeline.found("00000002".to_owned(), after(100));
        timeline.found("00000002".to_owned(), after(105));
        assert!(!timeline.is_settled(after(119)) && timeline.is_settled(after(120)));
        // Two servers that both take themselves for the primary.
        for seconds in 200..230 {
            let which = if seconds % 2 == 0 { "00000002" } else { "00000003" };
            timeline.found(which.to_owned(), after(seconds));
            assert_eq!(timeline.is_settled(after(seconds)), seconds == 200);
        }
    }

    #[test]
    fn a_connection_to_a_standby_never_settles() {
        let begun = Instant::now();
        let timeline = Timeline::watch(begun);
        timeline.found(STANDBY.to_owned(), begun);
        assert!(!timeline.is_settled(begun + 100 * SETTLING));
        timeline.found("00000002".to_owned(), begun + 100 * SETTLING);
        assert!(!timeline.is_settled(begun + 100 * SETTLING) && timeline.is_settled(begun + 101 * SETTLING));
    }

    #[test]
    fn a_change_before_the_process_began_counts_from_when_it_was() {
        for (ago, settled) in [(0, 20), (15, 5), (20, 0), (1000, 0)] {
            let begun = Instant::now();
            let timeline = Timeline::watch(begun);
            timeline.found("00000002".to_owned(), begun);
            assert!(timeline.is_settled(begun), "it has always been this one, as far as is known");
            timeline.has_changed(Duration::from_secs(ago));
            // An earlier change takes nothing of a later one away.
            timeline.has_changed(Duration::from_secs(ago + 7));
            let after = |seconds| begun + Duration::from_secs(seconds);
            assert!(timeline.is_settled(after(settled)), "{ago}");
            assert!(settled == 0 || !timeline.is_settled(after(settled - 1)), "{ago}");
        }
    }
}
