//! Points in time, in the units of logs and certificates.

use crate::Rejection;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// 9999-12-31T23:59:59Z in seconds: the last second with a year of four digits.
const LAST_SECOND: u64 = 253_402_300_799;

/// Milliseconds since 1970-01-01T00:00:00Z, ignoring leap seconds (RFC 6962 §3.2). Certificates and Rekor use whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This time, `seconds` later.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// This time, `seconds` earlier, but not before the epoch.
    #[must_use]
    pub const fn minus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds.saturating_mul(1000)))
    }

    /// Parses RFC 3339, without a fraction of a second. `None` for other text, and for times before 1970.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(moment.unix_timestamp()).ok().map(Self::from_seconds)
    }

    /// RFC 3339 in UTC with whole seconds, e.g. `2026-11-21T07:00:00Z`. Every client accepts this form in trust files.
    #[must_use]
    pub fn rfc3339(self) -> String {
        i64::try_from(self.seconds())
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .unwrap_or_else(|| "9999-12-31T23:59:59Z".to_owned())
    }

    /// RFC 3339 in UTC, with milliseconds unless they are zero.
    #[must_use]
    pub fn rfc3339_millis(self) -> String {
        let text = self.rfc3339();
        match (self.0 % 1000, text.strip_suffix('Z')) {
            (millis @ 1.., Some(text)) => format!("{text}.{millis:03}Z"),
            _ => text,
        }
    }

    /// The form that Go calls `UnixDate`, in UTC, e.g. `Thu Jan  1 00:00:00 UTC 1970`.
    #[must_use]
    pub fn unix_date(self) -> String {
        let seconds = i64::try_from(self.seconds().min(LAST_SECOND)).unwrap_or_default();
        let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (weekday, month) = (moment.weekday().to_string(), moment.month().to_string());
        let (hour, minute, second) = moment.to_hms();
        format!("{weekday:.3} {month:.3} {:>2} {hour:02}:{minute:02}:{second:02} UTC {}", moment.day(), moment.year())
    }

    /// Parses RFC 3339 with any fraction. Returns the last millisecond at or before that moment, and the first at or
    /// after it. `None` as in [`Self::parse_rfc3339`].
    #[must_use]
    pub fn bounds_rfc3339(text: &str) -> Option<(Self, Self)> {
        let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
        let nanos = u128::try_from(nanos).ok()?;
        let millis = |nanos: u128| u64::try_from(nanos / 1_000_000).ok().map(Self);
        Some((millis(nanos)?, millis(nanos + 999_999)?))
    }

    /// Parses the output of [`Self::rfc3339`] and no other spelling. `None` before the epoch.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let moment = Self::from_seconds(u64::try_from(moment.unix_timestamp()).ok()?);
        (moment.rfc3339() == text).then_some(moment)
    }
}

impl TryFrom<std::time::Duration> for Timestamp {
    type Error = Rejection;

    fn try_from(since_epoch: std::time::Duration) -> Result<Self, Rejection> {
        u64::try_from(since_epoch.as_millis()).map(Self).map_err(|_| Rejection::ChainExpired)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn fractions_are_kept_to_the_millisecond_and_rounded_both_ways() {
        let second = Timestamp::from_seconds(1_667_260_799);
        for (fraction, floor, ceiling) in [
            ("", 0, 0),
            (".999", 999, 999),
            (".9990000", 999, 999),
            (".9985", 998, 999),
            (".000000001", 0, 1),
            (".9999", 999, 1000),
        ] {
            let text = format!("2022-10-31T23:59:59{fraction}Z");
            let expected = [floor, ceiling].map(|millis| Timestamp::from_millis(second.millis() + millis));
            assert_eq!(Timestamp::bounds_rfc3339(&text), Some(expected.into()), "{text}");
        }
        assert_eq!(Timestamp::bounds_rfc3339("1969-12-31T23:59:59.9Z"), None);
        assert_eq!(Timestamp::from_millis(second.millis() + 7).rfc3339_millis(), "2022-10-31T23:59:59.007Z");
        assert_eq!(second.rfc3339_millis(), "2022-10-31T23:59:59Z");
    }

    #[test]
    fn the_date_is_as_go_writes_it() {
        for (seconds, expected) in [
            (0, "Thu Jan  1 00:00:00 UTC 1970"),
            (1_136_239_445, "Mon Jan  2 22:04:05 UTC 2006"),
            (1_257_894_000, "Tue Nov 10 23:00:00 UTC 2009"),
            (1_709_164_800, "Thu Feb 29 00:00:00 UTC 2024"),
            (u64::MAX, "Fri Dec 31 23:59:59 UTC 9999"),
        ] {
            assert_eq!(Timestamp::from_seconds(seconds).unix_date(), expected);
        }
    }

    #[test]
    fn a_time_is_read_as_it_is_written() {
        let time = Timestamp::from_seconds(1_795_244_400);
        assert_eq!(time.rfc3339(), "2026-11-21T07:00:00Z");
        assert_eq!(Timestamp::parse_rfc3339(&time.rfc3339()), Some(time));
        assert_eq!(Timestamp::parse_rfc3339("2026-11-21T08:00:00.5+01:00"), Some(time));
        for bad in ["", "2026-11-21", "1969-12-31T23:59:59Z", "2026-11-21T07:00:00", "1795244400"] {
            assert_eq!(Timestamp::parse_rfc3339(bad), None, "{bad}");
        }
    }
}
