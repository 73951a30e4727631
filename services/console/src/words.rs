//! How numbers, ages and fingerprints are written.

use chancery_verify::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// With a comma after every three digits.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration, rounded by less than a tenth: `59 seconds`, `1 minute 30 seconds`, `47 minutes`, `6 days 23 hours`, `40 days`.
///
/// With one unit, rounded down, everything from 24 to 48 hours would be «1 day».
fn duration(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second")];
    // From ten of a unit on, that unit alone. Below, the next smaller unit, too.
    let precision = match seconds {
        0..600 => 1,
        600..36_000 => MINUTE,
        36_000..864_000 => HOUR,
        _ => DAY,
    };
    let mut rest = (seconds + precision / 2) / precision * precision;
    let mut words = Vec::new();
    for (length, unit) in UNITS {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            words.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    words.join(" ")
}

/// How long before `now` something was.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    match now.seconds().saturating_sub(then.seconds()) {
        0 => "just now".to_owned(),
        seconds => format!("{} ago", duration(seconds)),
    }
}

/// How long after `now` something will be.
pub(crate) fn ahead(then: Timestamp, now: Timestamp) -> String {
    match then.seconds().saturating_sub(now.seconds()) {
        0 => "expired".to_owned(),
        seconds => format!("in {}", duration(seconds)),
    }
}

/// Hexadecimal in groups of eight digits, which can be compared by eye and read aloud.
pub(crate) fn groups(hexadecimal: &str) -> Vec<&str> {
    let mut rest = hexadecimal;
    let mut groups = Vec::new();
    while let Some((group, others)) = rest.split_at_checked(8) {
        groups.push(group);
        rest = others;
    }
    if !rest.is_empty() {
        groups.push(rest);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn durations_are_right_to_a_tenth() {
        let now = Timestamp::from_seconds(1_000_000);
        for (seconds, text) in [
            (0, "just now"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (119, "1 minute 59 seconds ago"),
            (599, "9 minutes 59 seconds ago"),
            (600, "10 minutes ago"),
            (3_599, "1 hour ago"),
            (7_140, "1 hour 59 minutes ago"),
            (7200, "2 hours ago"),
            (35_999, "10 hours ago"),
            (86_399, "1 day ago"),
            (90_000, "1 day 1 hour ago"),
            (200_000, "2 days 8 hours ago"),
            (863_999, "10 days ago"),
        ] {
            assert_eq!(ago(now.minus_seconds(seconds), now), text);
        }
        assert_eq!(ago(now.plus_seconds(5), now), "just now", "another replica's clock may be ahead");
        assert_eq!(ahead(now.plus_seconds(169_200), now), "in 1 day 23 hours");
        assert_eq!(ahead(now.plus_seconds(365 * DAY - 1), now), "in 365 days", "what was made a second ago");
        assert_eq!(ahead(now, now), "expired");
    }

    #[test]
    fn fingerprints_keep_every_digit() {
        let text = "0123456789abcdef012";
        assert_eq!(groups(text), ["01234567", "89abcdef", "012"]);
        assert!(groups("").is_empty());
    }
}
