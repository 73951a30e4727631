//! The one place that reads the clock, and says whether to believe it.

mod guard;
mod sources;

pub use guard::{ClockFault, ClockGuard};
pub use sources::{SourceReport, SourceSettings, Sources};

use chancery_verify::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// A clock may go back this far without anybody noticing (NTP slews); what is dated by it stands still meanwhile.
const TOLERATED_STEP_BACK_SECONDS: u64 = 1;

/// Whether a clock that shows `now` is so far behind something dated `dated` that it cannot be right.
#[must_use]
pub fn is_before(now: Timestamp, dated: Timestamp) -> bool {
    now.plus_seconds(TOLERATED_STEP_BACK_SECONDS) < dated
}

/// Tells the time. Roles hold it as `Arc<dyn Clock>` and pass `now` on.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the module everyone else asks")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as the epoch: every certificate and token is then refused, which is the safe side.
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::try_from(since_epoch).unwrap_or(Timestamp::from_millis(u64::MAX))
    }
}

/// Tells how long something has been running: it never jumps, and nobody sets it.
pub trait Uptime: Send + Sync {
    /// Since some moment in the past that stays the same.
    fn elapsed(&self) -> Duration;
}

/// How long the machine has been running, time asleep included, which a monotonic clock leaves out.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemUptime;

impl Uptime for SystemUptime {
    fn elapsed(&self) -> Duration {
        // Never negative: it counts from the start of the machine.
        Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
    }
}

/// A clock that stands where it is put, for tests.
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
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// An uptime that is set by hand, for tests.
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
