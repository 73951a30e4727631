//! `Retry-After` (RFC 9110 §10.2.3).

use httpdate::parse_http_date;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use std::time::Duration;

/// Returns the pause that an answer asks for: seconds, or until a date. A date is counted from the date of the answer, because the
/// server's clock may differ from this machine's. Without that it is ignored.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (parse_http_date(asked).ok()?, parse_http_date(text(DATE)?).ok()?);
    // A past date asks for no pause.
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn a_pause_is_read_as_seconds_or_as_a_date() {
        let date = "Sun, 29 Nov 2026 10:00:00 GMT";
        for (asked, date, expected) in [
            ("7", None, Some(7)),
            (" 7 ", Some(date), Some(7)),
            ("0", Some(date), Some(0)),
            ("Sun, 29 Nov 2026 10:00:30 GMT", Some(date), Some(30)),
            ("Sunday, 29-Nov-26 10:01:01 GMT", Some(date), Some(61)),
            ("Sun Nov 29 10:00:02 2026", Some(date), Some(2)),
            ("Sun, 29 Nov 2026 09:59:00 GMT", Some(date), Some(0)),
            ("Sun, 29 Nov 2026 10:00:30 GMT", None, None),
            ("Sun, 29 Nov 2026 10:00:30 GMT", Some("yesterday"), None),
            ("2026-11-29T10:00:30Z", Some(date), None),
            ("-1", Some(date), None),
            ("soon", Some(date), None),
            ("", Some(date), None),
        ] {
            let values = [(RETRY_AFTER, Some(asked)), (DATE, date)];
            let value = |value| HeaderValue::from_str(value).unwrap();
            let headers: HeaderMap = values.into_iter().filter_map(|(name, text)| Some((name, value(text?)))).collect();
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{asked:?} at {date:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
