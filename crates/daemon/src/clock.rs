//! The one place that reads the clock.

use chancery_verify::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

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
