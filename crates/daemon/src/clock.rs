//! The only module that reads the clock, and the checks of whether the clock is right.

mod fault;
mod guard;
mod sources;

pub use fault::ClockFault;
pub use guard::{ClockGuard, Moment};
pub use sources::{SourceReport, SourceSettings, Sources};

use chancery_verify::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// The clock may go back this far without an error (NTP slews it). Returned times stand still until it has caught up.
const TOLERATED_STEP_BACK_SECONDS: u64 = 1;

/// Returns whether a clock that shows `now` must be wrong, because it is too far behind `dated`, a time known to have
/// passed.
#[must_use]
pub fn is_before(now: Timestamp, dated: Timestamp) -> bool {
    now.plus_seconds(TOLERATED_STEP_BACK_SECONDS) < dated
}

/// Returns the time. Roles hold it as `Arc<dyn Clock>` and pass `now` on. A time that is signed comes from a
/// [`ClockGuard`].
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "all other modules read the clock through this one")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as the epoch: every certificate and token is then refused, which is the safe side.
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::try_from(since_epoch).unwrap_or(Timestamp::from_millis(u64::MAX))
    }
}

/// Measures elapsed time. It never jumps and cannot be set.
pub trait Uptime: Send + Sync {
    /// The time since a fixed moment in the past.
    fn elapsed(&self) -> Duration;
}

/// The machine's uptime, including suspended time, which a monotonic clock leaves out.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemUptime;

impl Uptime for SystemUptime {
    fn elapsed(&self) -> Duration {
        // Never negative: it counts from the machine's boot.
        Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
    }
}

/// A clock that tests set by hand.
#[derive(Debug)]
pub struct FixedClock(AtomicU64);

impl FixedClock {
    /// A clock that shows `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.millis()))
    }

    /// Moves the clock, in either direction.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.millis(), Ordering::SeqCst);
    }

    /// Makes a guard whose uptime moves with this clock, so moving the clock is not a jump.
    #[must_use]
    pub fn guard(self: &Arc<Self>) -> Arc<ClockGuard> {
        Arc::new(ClockGuard::new(self.clone(), self.clone(), Timestamp::from_millis(0)))
    }
}

impl Uptime for FixedClock {
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// An uptime that tests set by hand.
#[derive(Debug, Default)]
pub struct FixedUptime(AtomicU64);

impl FixedUptime {
    /// Moves it.
    pub fn set(&self, elapsed: Duration) {
        self.0.store(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl Uptime for FixedUptime {
    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}
