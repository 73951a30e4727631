//! The timeline of a `PostgreSQL` server: another one than before means that a standby was promoted, or that the database was
//! restored to a point in time.
//!
//! Commits may be lost then. Each process knows only of some of them: a replica for which nothing is missing could add to what is
//! left, while another one has published what is lost. So nothing is to be added for [`SETTLING`] after a connection has found
//! another timeline. In that time every replica that knows more looks, and says so in the database.
//!
//! Each connection is asked before it is used first. A server changes its timeline only when it starts or is promoted: one that
//! was a primary when the connection was made stays on its timeline as long as the connection lasts. So a connection whose server
//! is not on the timeline that was found last is not used again: an old primary that was not stopped would still take entries.
//!
//! Each promotion counts the timeline on. Of several servers, one that is behind the newest is therefore an old primary, and is
//! refused. Where there is one server, its files were put back.
//!
//! A process that starts has not seen a change. It counts one from a time that its caller has written down, or from its own
//! start.
//!
//! What this cannot see: a process that knows more, and does not run or does not reach the database in that time; and two
//! standbys that were promoted to timelines of the same number.

use super::DatabaseError;
use sqlx::{PgConnection, PgExecutor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Replicas look every two seconds, also while a batch waits. Each of their twelve resting connections to a server that vanished
/// takes half a second to be given up.
const SETTLING: Duration = Duration::from_secs(20);
/// The first eight digits of a segment's name are its timeline.
const QUESTION: &str = "/* timeline */ SELECT CASE WHEN pg_is_in_recovery() THEN NULL
    ELSE substring(pg_walfile_name(pg_current_wal_lsn()) FROM 1 FOR 8) END";

/// What the connections of a process have found; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Timeline(Arc<Mutex<Found>>);

#[derive(Debug)]
struct Found {
    /// Since when this process watches.
    begun: Instant,
    /// By the newest connection that was told.
    newest: Option<Told>,
    /// When it was another one than before.
    changed: Option<Instant>,
}

/// What a server says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It is a standby. A connection to it could outlast its promotion.
    Standby,
    /// It is a primary on this timeline.
    Primary(u32),
}

/// What a server says. `None` where it does not answer this to our role.
async fn told(executor: impl PgExecutor<'_>) -> Result<Option<Told>, sqlx::Error> {
    let digits: Option<String> = match sqlx::query_scalar(QUESTION).fetch_one(executor).await {
        Ok(digits) => digits,
        Err(sqlx::Error::Database(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(digits) = digits else { return Ok(Some(Told::Standby)) };
    Ok(u32::from_str_radix(&digits, 16).ok().map(Told::Primary))
}

/// The number of the server's timeline. `None` where it does not say, or is a standby.
pub(super) async fn current(executor: impl PgExecutor<'_>) -> Result<Option<u32>, sqlx::Error> {
    Ok(told(executor).await?.and_then(|told| match told {
        Told::Primary(timeline) => Some(timeline),
        Told::Standby => None,
    }))
}

impl Timeline {
    /// Watches from now on.
    pub(super) fn watch(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Found { begun: now, newest: None, changed: None })))
    }

    /// Asks a new connection. A server that does not answer this to our role is not known to have changed.
    pub(super) async fn ask(&self, connection: &mut PgConnection) -> Result<Option<Told>, sqlx::Error> {
        let told = told(connection).await?;
        if let Some(told) = told {
            self.found(told, Instant::now());
        }
        Ok(told)
    }

    /// As [`Self::ask`]. Refuses a primary that was replaced by another server.
    pub(super) async fn ask_one_of_several(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Option<Told>, DatabaseError> {
        let told = told(connection).await?;
        if let Some(told) = told {
            self.found_one_of_several(told, Instant::now())?;
        }
        Ok(told)
    }

    /// Whether a server that said this of itself is the one that was found last, as far as is known.
    pub(super) fn is_newest(&self, told: Option<Told>) -> bool {
        let found = self.lock();
        told.is_none() || found.newest.is_none() || told == found.newest
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the timeline may have changed `ago` before this process began to watch.
    pub(super) fn has_changed(&self, ago: Duration) {
        let mut found = self.lock();
        let changed = found.begun.checked_sub(ago).unwrap_or(found.begun);
        found.changed = found.changed.max(Some(changed));
    }

    fn found(&self, told: Told, now: Instant) {
        self.lock().note(told, now);
    }

    fn found_one_of_several(&self, told: Told, now: Instant) -> Result<(), DatabaseError> {
        let mut state = self.lock();
        if let (Told::Primary(found), Some(Told::Primary(newest))) = (told, state.newest)
            && found < newest
        {
            return Err(DatabaseError::Superseded { found, newest });
        }
        state.note(told, now);
        Ok(())
    }

    /// Whether every process that knows of something that is missing has had the time to say so.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        let found = self.lock();
        let is_over = |changed| now.saturating_duration_since(changed) >= SETTLING;
        found.newest != Some(Told::Standby) && found.changed.is_none_or(is_over)
    }
}

impl Found {
    fn note(&mut self, told: Told, now: Instant) {
        if self.newest.is_some_and(|newest| newest != told) {
            self.changed = Some(now);
            tracing::warn!(database.timeline = ?told, "the database is on another timeline: a standby was promoted, or it was restored to a point in time");
        }
        self.newest = Some(told);
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
            timeline.found(Told::Primary(1), after(seconds));
            assert!(timeline.is_settled(after(seconds)));
        }
        timeline.found(Told::Primary(2), after(100));
        timeline.found(Told::Primary(2), after(105));
        assert!(!timeline.is_settled(after(119)) && timeline.is_settled(after(120)));
        // One address that leads to two servers, which both take themselves for the primary.
        for seconds in 200..230 {
            timeline.found(Told::Primary(if seconds % 2 == 0 { 2 } else { 3 }), after(seconds));
            assert_eq!(timeline.is_settled(after(seconds)), seconds == 200);
        }
    }

    #[test]
    fn an_old_primary_is_not_used_again() {
        let begun = Instant::now();
        let timeline = Timeline::watch(begun);
        assert!(timeline.is_newest(Some(Told::Primary(1))), "nothing is known yet");
        timeline.found_one_of_several(Told::Primary(1), begun).unwrap();
        timeline.found_one_of_several(Told::Primary(2), begun).unwrap();
        // A connection that was made before the failover.
        assert!(!timeline.is_newest(Some(Told::Primary(1))) && timeline.is_newest(Some(Told::Primary(2))));
        assert!(timeline.is_newest(None), "a server that does not say may be the newest");
        // And a new one, which changes nothing.
        let later = begun + SETTLING;
        let refused = timeline.found_one_of_several(Told::Primary(1), later).unwrap_err();
        assert!(matches!(refused, DatabaseError::Superseded { found: 1, newest: 2 }), "{refused}");
        assert!(timeline.is_settled(later) && timeline.is_newest(Some(Told::Primary(2))));
        // A server that is alone has older files now, and connections to what it was are not used again either.
        timeline.found(Told::Primary(1), later);
        assert!(timeline.is_newest(Some(Told::Primary(1))) && !timeline.is_newest(Some(Told::Primary(2))));
        assert!(!timeline.is_settled(later));
    }

    #[test]
    fn a_connection_to_a_standby_never_settles() {
        let begun = Instant::now();
        let timeline = Timeline::watch(begun);
        timeline.found(Told::Standby, begun);
        assert!(!timeline.is_settled(begun + 100 * SETTLING));
        timeline.found(Told::Primary(2), begun + 100 * SETTLING);
        assert!(!timeline.is_settled(begun + 100 * SETTLING) && timeline.is_settled(begun + 101 * SETTLING));
    }

    #[test]
    fn a_change_before_the_process_began_counts_from_when_it_was() {
        for (ago, settled) in [(0, 20), (15, 5), (20, 0), (1000, 0)] {
            let begun = Instant::now();
            let timeline = Timeline::watch(begun);
            timeline.found(Told::Primary(2), begun);
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
