//! Decides whether the clock can be trusted for a time that is signed. Every role that signs times uses this guard.
//!
//! [`ClockGuard`] compares the clock with
//! 1. the latest time that the guard has returned: no later time is earlier,
//! 2. [`Sources`] (time servers), if any are configured,
//! 3. times that have passed, such as the time of a log's newest entry ([`ClockGuard::has_passed`]),
//! 4. the machine's uptime, which cannot be set: a clock that runs ahead of it was set forward,
//! 5. the times of entries by other servers of a log ([`ClockGuard::other_server`]).
//!
//! Time servers that agree with the clock override 3 and 5, and confirm a jump that 4 has noticed. Without time servers
//! a jump forward is refused for as long as it lasts, because after it a right clock cannot be distinguished from a
//! wrong one. A restart confirms the jump. A refused time is not stored: a clock that was ahead is accepted as soon as
//! it is right again.

use super::{Clock, ClockFault, Sources, Uptime, is_before};
use chancery_verify::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Limit for the clock's lead over the uptime, in milliseconds. Slewing changes both alike, so a difference means that
/// the clock was set. Time daemons correct a second or two after a start.
const TOLERATED_STEP_AHEAD_MS: i64 = 10_000;
/// The clock must keep its distance from the uptime this long before jumps are measured from there. Otherwise small
/// corrections would add up to a jump over the months that a server runs.
const SETTLED: Duration = Duration::from_hours(1);
/// Limit for the clock's lead over another server's clock, in milliseconds. A batch gets its time before its
/// transaction begins, so a slow database makes other clocks look behind.
const TOLERATED_DISPUTE_MS: i64 = 60_000;
/// Time between two checks of the clock.
const LOOK: Duration = Duration::from_secs(1);

/// A moment by the uptime, for [`ClockGuard::other_server`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(Duration);

/// A clock that is checked before each use.
///
/// As a [`Clock`] it returns the time of its inner clock, unchecked. Use that only for times that are shown, counted or
/// compared, and not signed.
pub struct ClockGuard {
    clock: Arc<dyn Clock>,
    uptime: Arc<dyn Uptime>,
    sources: Option<Arc<Sources>>,
    state: Mutex<State>,
}

/// The guard's state. Clocks are compared by their distance from the uptime, in milliseconds. This distance stays the
/// same while time passes.
#[derive(Debug)]
struct State {
    /// The latest returned time.
    given: Timestamp,
    /// The latest time that is known to have passed from another source.
    passed: Timestamp,
    /// The distance from which jumps are measured.
    base: i64,
    /// The clock's current distance, and since when it has kept it.
    settling: (i64, Duration),
    /// Since when the clock has been ahead.
    jumped: Option<Duration>,
    /// The last observed clock of another server.
    other: Option<i64>,
    /// The same, after two observations in a row in which this clock was ahead.
    disputed: Option<i64>,
}

impl ClockGuard {
    /// Watches `clock` from now on. `known` is a time that has passed, for example the time of the last signature made
    /// before the process started.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, uptime: Arc<dyn Uptime>, known: Timestamp) -> Self {
        let (now, began) = (clock.now(), uptime.elapsed());
        let base = distance(now, began);
        let state = State {
            given: Timestamp::from_millis(0),
            passed: known,
            base,
            settling: (base, began),
            jumped: None,
            other: None,
            disputed: None,
        };
        Self { clock, uptime, sources: None, state: Mutex::new(state) }
    }

    /// As [`Self::new`], for a clock that `sources` must confirm. The caller runs the rounds that ask them.
    #[must_use]
    pub fn confirmed_by(self, sources: Arc<Sources>) -> Self {
        Self { sources: Some(sources), ..self }
    }

    /// From now on a clock that shows a time before `time` is wrong, because `time` has passed.
    pub fn has_passed(&self, time: Timestamp) {
        let mut state = self.state();
        state.passed = state.passed.max(time);
    }

    /// Now, by the uptime.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment(self.uptime.elapsed())
    }

    /// The time since a fixed moment in the past, which does not jump with the clock.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.uptime.elapsed()
    }

    /// Reports that another server has written an entry with the time `dated`, after the moment `since`. One report
    /// alone does not make the clock doubtful: a server that was suspended may finish an old transaction.
    pub fn other_server(&self, dated: Timestamp, since: Moment) {
        let ours = distance(self.clock.now(), self.uptime.elapsed());
        let seen = distance(dated, since.0);
        let mut state = self.state();
        let is_ahead = |other: i64| ours.saturating_sub(other) > TOLERATED_DISPUTE_MS;
        state.disputed =
            state.other.filter(|before| is_ahead(*before) && is_ahead(seen)).map(|before| before.max(seen));
        state.other = Some(seen);
    }

    /// Returns the time to put under a signature, if the clock can be trusted. It is never earlier than a time returned
    /// before.
    pub fn signing_time(&self) -> Result<Timestamp, ClockFault> {
        let mut state = self.state();
        let now = self.judge(&mut state)?;
        state.given = state.given.max(now);
        Ok(state.given)
    }

    /// Returns the time if the clock can be trusted now. Do not sign it: a time returned later may be earlier.
    pub fn check(&self) -> Result<Timestamp, ClockFault> {
        self.judge(&mut self.state())
    }

    /// Checks the clock regularly as long as it is polled. Logs once when the clock is no longer trusted, and once when
    /// it is trusted again.
    pub async fn watch(self: Arc<Self>) {
        let mut told = None;
        loop {
            let fault = self.check().err();
            match (fault, told) {
                (Some(fault), before) if before != Some(fault.code()) => {
                    tracing::error!(code = fault.code(), %fault, "the clock is not trusted; no time is signed until it is");
                }
                (None, Some(_)) => tracing::info!("the clock is trusted again"),
                _ => {}
            }
            told = fault.map(|fault| fault.code());
            tokio::time::sleep(LOOK).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time now, if it can be trusted. The numbers are those of the module's list.
    fn judge(&self, state: &mut State) -> Result<Timestamp, ClockFault> {
        let (now, uptime) = (self.clock.now(), self.uptime.elapsed());
        // (1)
        if is_before(now, state.given) {
            return Err(ClockFault::behind(now, state.given));
        }
        // (2)
        let confirmed = match &self.sources {
            Some(sources) => Some(sources.confirmed(uptime)?),
            None => None,
        };
        // (3)
        if confirmed.is_none() && is_before(now, state.passed) {
            return Err(ClockFault::behind(now, state.passed));
        }
        // (4)
        let here = distance(now, uptime);
        if confirmed.is_none() && is_before(at(state.base, uptime), state.passed) {
            // So far, jumps were measured from a clock that was behind.
            state.base = here;
        }
        let ahead = here.saturating_sub(state.base);
        if ahead > TOLERATED_STEP_AHEAD_MS {
            let since = *state.jumped.get_or_insert(uptime);
            if confirmed.is_none_or(|confirmed| confirmed <= since) {
                return Err(ClockFault::Ahead { seconds: ahead.unsigned_abs() / 1000 });
            }
            state.base = here;
        }
        state.jumped = None;
        state.settle(here, uptime);
        // (5)
        if let (None, Some(other)) = (confirmed, state.disputed) {
            let ahead = here.saturating_sub(other);
            if ahead > TOLERATED_DISPUTE_MS {
                return Err(ClockFault::Disputed { seconds: ahead.unsigned_abs() / 1000 });
            }
        }
        // Within the tolerance of 3, time stands still.
        Ok(if confirmed.is_none() { now.max(state.passed) } else { now })
    }
}

impl State {
    /// Measures jumps from the clock's current distance, once the clock has kept it long enough.
    fn settle(&mut self, here: i64, uptime: Duration) {
        let (there, since) = self.settling;
        if here.abs_diff(there) > TOLERATED_STEP_AHEAD_MS.unsigned_abs() {
            self.settling = (here, uptime);
        } else if uptime.saturating_sub(since) >= SETTLED {
            self.base = here;
            self.settling = (here, uptime);
        }
    }
}

/// Milliseconds that a clock showing `time` is ahead of the uptime.
fn distance(time: Timestamp, uptime: Duration) -> i64 {
    let milliseconds = |value: u128| i64::try_from(value).unwrap_or(i64::MAX);
    milliseconds(time.millis().into()).saturating_sub(milliseconds(uptime.as_millis()))
}

/// The time that a clock at this distance shows.
fn at(distance: i64, uptime: Duration) -> Timestamp {
    let uptime = i64::try_from(uptime.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(u64::try_from(distance.saturating_add(uptime)).unwrap_or(0))
}

impl Clock for ClockGuard {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl std::fmt::Debug for ClockGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClockGuard({:?})", self.state())
    }
}

#[cfg(test)]
mod tests;
