//! Decides whether the clock can be trusted for a time that is signed.
//!
//! [`ClockGuard`] compares the clock with the machine's uptime, which cannot be set. It remembers the latest time it
//! has returned, and asks [`Sources`] if any are configured. A clock it has refused is accepted again once it is right.
//! If the jump was a correction, restart the process to confirm it.

use super::{Clock, Sources, Uptime, is_before};
use chancery_verify::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How far the clock may get ahead of the uptime. Slewing changes both alike, so a difference means that the clock was
/// set. Time daemons correct a second or two after a start.
const TOLERATED_STEP_AHEAD: Duration = Duration::from_secs(10);

/// The clock cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockFault {
    /// The clock shows an earlier time than it has shown before.
    #[error("the clock is {seconds} s behind a time it has shown before: correct it")]
    Behind {
        /// Seconds it is behind.
        seconds: u64,
    },
    /// The clock has been set forward since the process started.
    #[error("the clock was set forward by {seconds} s: correct it or, if it is right now, start again")]
    Ahead {
        /// Seconds it was set forward.
        seconds: u64,
    },
    /// Time servers show another time.
    #[error("the clock is {offset_ms} ms behind its time servers (ahead, if negative): correct it")]
    Wrong {
        /// Least offset, in milliseconds.
        offset_ms: i64,
    },
    /// Time servers have not confirmed the clock since the start.
    #[error("too few time servers have confirmed the clock since the start: check that they can be reached")]
    Unconfirmed,
    /// Time servers have confirmed the clock, but too long ago.
    #[error("too few time servers have confirmed the clock for {seconds} s: check that they can be reached")]
    Stale {
        /// Seconds since the last confirmation.
        seconds: u64,
    },
}

impl ClockFault {
    /// Stable, dotted, lower-case name of this reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Behind { .. } => "clock.behind",
            Self::Ahead { .. } => "clock.ahead",
            Self::Wrong { .. } => "clock.wrong",
            Self::Unconfirmed => "clock.unconfirmed",
            Self::Stale { .. } => "clock.stale",
        }
    }
}

/// A clock that is checked before each use.
pub struct ClockGuard {
    clock: Arc<dyn Clock>,
    uptime: Arc<dyn Uptime>,
    /// Clock and uptime at the start.
    began: (Timestamp, Duration),
    sources: Option<Arc<Sources>>,
    /// The latest time that was returned, in milliseconds.
    latest: AtomicU64,
}

impl ClockGuard {
    /// Watches `clock` from now on. `known` is a time that has passed, for example the time of the last signature made
    /// before the process started.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, uptime: Arc<dyn Uptime>, known: Timestamp) -> Self {
        let began = (clock.now(), uptime.elapsed());
        Self { clock, uptime, began, sources: None, latest: AtomicU64::new(known.millis()) }
    }

    /// As [`Self::new`], for a clock that `sources` must confirm. The caller runs the rounds that ask them.
    #[must_use]
    pub fn confirmed_by(self, sources: Arc<Sources>) -> Self {
        Self { sources: Some(sources), ..self }
    }

    /// Returns the time if the clock can be trusted. It is never earlier than a time returned before.
    pub fn now(&self) -> Result<Timestamp, ClockFault> {
        let now = self.clock.now();
        let latest = Timestamp::from_millis(self.latest.load(Ordering::Relaxed));
        if is_before(now, latest) {
            return Err(ClockFault::Behind { seconds: latest.seconds().saturating_sub(now.seconds()) });
        }
        let (then, started) = self.began;
        let uptime = self.uptime.elapsed();
        let passed = uptime.saturating_sub(started);
        let wall = Duration::from_millis(now.millis().saturating_sub(then.millis()));
        let ahead = wall.saturating_sub(passed);
        if ahead > TOLERATED_STEP_AHEAD {
            return Err(ClockFault::Ahead { seconds: ahead.as_secs() });
        }
        if let Some(fault) = self.sources.as_ref().and_then(|sources| sources.fault(uptime)) {
            return Err(fault);
        }
        let before = self.latest.fetch_max(now.millis(), Ordering::Relaxed);
        Ok(Timestamp::from_millis(before.max(now.millis())))
    }
}

impl std::fmt::Debug for ClockGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClockGuard({:?})", self.latest)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FixedClock, FixedUptime};
    use super::*;

    const START: u64 = 1_795_244_400;

    struct World {
        clock: Arc<FixedClock>,
        uptime: Arc<FixedUptime>,
        guard: ClockGuard,
    }

    fn world(known: u64) -> World {
        let clock = Arc::new(FixedClock::new(Timestamp::from_seconds(START)));
        let uptime = Arc::new(FixedUptime::default());
        let guard = ClockGuard::new(clock.clone(), uptime.clone(), Timestamp::from_seconds(known));
        World { clock, uptime, guard }
    }

    impl World {
        fn at(&self, clock: i64, uptime: u64) -> Result<u64, ClockFault> {
            self.clock.set(Timestamp::from_seconds(START.saturating_add_signed(clock)));
            self.uptime.set(Duration::from_secs(uptime));
            self.guard.now().map(Timestamp::seconds)
        }
    }

    #[test]
    fn time_that_passes_is_believed() {
        let world = world(0);
        for passed in [0, 1, 60, 86_400, 400 * 86_400] {
            assert_eq!(world.at(passed, passed.unsigned_abs()), Ok(START + passed.unsigned_abs()));
        }
    }

    #[test]
    fn a_clock_set_back_is_refused_until_it_has_caught_up() {
        let world = world(0);
        assert_eq!(world.at(10, 10), Ok(START + 10));
        assert_eq!(world.at(9, 11), Ok(START + 10), "a second back is no fault, and time stands still");
        assert_eq!(world.at(-3590, 12), Err(ClockFault::Behind { seconds: 3600 }));
        assert_eq!(world.at(13, 13), Ok(START + 13));
    }

    #[test]
    fn a_clock_set_forward_is_refused_and_leaves_no_trace() {
        let world = world(0);
        assert_eq!(world.at(10, 1), Ok(START + 10));
        assert_eq!(world.at(365 * 86_400, 12), Err(ClockFault::Ahead { seconds: 365 * 86_400 - 12 }));
        assert_eq!(world.at(13, 13), Ok(START + 13), "right again");
    }

    #[test]
    fn what_was_signed_before_the_start_counts() {
        let world = world(START + 3600);
        assert_eq!(world.at(0, 0), Err(ClockFault::Behind { seconds: 3600 }));
        assert_eq!(world.at(3599, 3599), Ok(START + 3600));
    }
}
