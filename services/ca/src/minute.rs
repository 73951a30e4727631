//! A count that begins anew each minute. Not a token bucket: those of the rate limits refill continuously.

use chancery_verify::Timestamp;

/// The minute in which `now` lies, counted from the epoch.
pub(crate) const fn minute(now: Timestamp) -> u64 {
    now.seconds() / 60
}

/// A count in one minute.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MinuteCount {
    minute: u64,
    count: u32,
}

impl MinuteCount {
    /// The count in the minute of `now`.
    pub(crate) const fn at(self, now: Timestamp) -> u32 {
        if self.minute == minute(now) { self.count } else { 0 }
    }

    /// Adds one in the minute of `now`.
    pub(crate) const fn add(&mut self, now: Timestamp) {
        *self = Self { minute: minute(now), count: self.at(now).saturating_add(1) };
    }

    /// Adds one, if that makes at most `most`. Returns whether it does.
    pub(crate) const fn take(&mut self, now: Timestamp, most: u32) -> bool {
        let fits = self.at(now) < most;
        if fits {
            self.add(now);
        }
        fits
    }
}
