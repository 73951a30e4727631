//! Logs that follow one another, `rekor`, `rekor-2`, `rekor-3`: their names, and routes to those that are made while the server
//! answers. Each has a key of its own.

mod http;

pub use http::{by_host, router};

/// The name of the log with this number, from 1.
#[must_use]
pub fn name(series: &str, number: u64) -> String {
    if number > 1 { format!("{series}-{number}") } else { series.to_owned() }
}

/// The series a log of this name belongs to, and its number there: `ct` and 2 for `ct-2`.
#[must_use]
pub fn split(name: &str) -> (&str, u64) {
    let numbered = name.rsplit_once('-').and_then(|(series, number)| Some((series, number.parse().ok()?)));
    numbered.unwrap_or((name, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_series_and_its_number() {
        for (series, number, text) in [("ct", 1, "ct"), ("rekor", 2, "rekor-2"), ("rekor2", 10, "rekor2-10")] {
            assert_eq!((name(series, number).as_str(), split(text)), (text, (series, number)));
        }
        assert_eq!(split("another-log"), ("another-log", 1));
    }
}
