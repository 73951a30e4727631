//! How long an authority can still sign, and when to warn of the end.
//!
//! A signature must not outlive the certificates it is signed under. So certificates issued near the end get shorter,
//! and after it none are issued. Replacing an authority takes weeks, because clients must have the new one first.

use chancery_verify::Timestamp;

const DAY_SECONDS: u64 = 86_400;
/// Days before expiry at which a warning is due, the last one first.
const WARNINGS_DAYS: [u64; 4] = [0, 7, 14, 30];

/// Watches one expiry, and warns once at each step towards it.
#[derive(Debug, Clone)]
pub struct ExpiryWatch {
    expires: Timestamp,
    warned: Option<u64>,
}

/// How near the end of a validity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// More than a month away.
    Far,
    /// This many days away, at most a month.
    Near {
        /// Whole days until then.
        days_left: u64,
    },
    /// Reached.
    Passed,
}

impl End {
    /// How near `expires` is at `now`.
    #[must_use]
    pub fn of(expires: Timestamp, now: Timestamp) -> Self {
        let left = expires.seconds().saturating_sub(now.seconds());
        match left {
            0 => Self::Passed,
            _ if left <= 30 * DAY_SECONDS => Self::Near { days_left: left / DAY_SECONDS },
            _ => Self::Far,
        }
    }
}

impl ExpiryWatch {
    /// Watches for this expiry.
    #[must_use]
    pub const fn new(expires: Timestamp) -> Self {
        Self { expires, warned: None }
    }

    /// Switches to this expiry, if it differs.
    pub fn follow(&mut self, expires: Timestamp) {
        if expires != self.expires {
            *self = Self::new(expires);
        }
    }

    /// Seconds until expiry, for a metric.
    #[must_use]
    pub const fn seconds_left(&self, now: Timestamp) -> u64 {
        self.expires.seconds().saturating_sub(now.seconds())
    }

    /// Returns the days left when a new step has been reached: 30, 14, 7 or 0. The first call warns of a step that was
    /// passed earlier.
    pub fn warning(&mut self, now: Timestamp) -> Option<u64> {
        let left = self.seconds_left(now);
        let step = WARNINGS_DAYS.into_iter().find(|days| left <= days * DAY_SECONDS)?;
        let is_new = self.warned.is_none_or(|warned| step < warned);
        self.warned = Some(step);
        is_new.then_some(left / DAY_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_far_near_or_passed() {
        let end = Timestamp::from_seconds(1_000 * DAY_SECONDS);
        let days_before = |days: u64| End::of(end, Timestamp::from_seconds((1_000 - days) * DAY_SECONDS));
        let found = [days_before(31), days_before(30), days_before(1), days_before(0)];
        assert_eq!(found, [End::Far, End::Near { days_left: 30 }, End::Near { days_left: 1 }, End::Passed]);
        assert_eq!(End::of(end, end.plus_seconds(5)), End::Passed);
    }

    #[test]
    fn each_step_warns_once_and_a_late_start_warns_at_once() {
        let end = Timestamp::from_seconds(1_000 * DAY_SECONDS);
        let before = |days: u64| Timestamp::from_seconds((1_000 - days) * DAY_SECONDS);
        let mut watch = ExpiryWatch::new(end);
        let warned: Vec<u64> = (0..=100).rev().filter_map(|days| watch.warning(before(days))).collect();
        assert_eq!(warned, [30, 14, 7, 0]);
        assert_eq!(watch.warning(end.plus_seconds(5)), None);
        let mut late = ExpiryWatch::new(end);
        assert_eq!(
            (late.warning(before(10)), late.warning(before(9)), late.warning(before(7))),
            (Some(10), None, Some(7))
        );
        assert_eq!(late.seconds_left(before(2)), 2 * DAY_SECONDS);
        assert_eq!(late.seconds_left(end.plus_seconds(5)), 0);
        late.follow(end);
        assert_eq!(late.warning(before(7)), None, "the same end");
        late.follow(end.plus_seconds(365 * DAY_SECONDS));
        assert_eq!(late.warning(before(0)), None);
    }
}
