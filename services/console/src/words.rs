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

/// A number and its unit, rounded down: `1 minute`, `3 days`.
fn duration(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..MINUTE => (seconds, "second"),
        MINUTE..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        _ => (seconds / DAY, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
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
    fn ages_are_in_the_largest_unit_that_fits() {
        let now = Timestamp::from_seconds(1_000_000);
        for (seconds, text) in [
            (0, "just now"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (7200, "2 hours ago"),
            (90_000, "1 day ago"),
            (200_000, "2 days ago"),
        ] {
            assert_eq!(ago(now.minus_seconds(seconds), now), text);
        }
        assert_eq!(ago(now.plus_seconds(5), now), "just now", "another replica's clock may be ahead");
        assert_eq!(ahead(now.plus_seconds(90_000), now), "in 1 day");
        assert_eq!(ahead(now, now), "expired");
    }

    #[test]
    fn fingerprints_keep_every_digit() {
        let text = "0123456789abcdef012";
        assert_eq!(groups(text), ["01234567", "89abcdef", "012"]);
        assert!(groups("").is_empty());
    }
}
