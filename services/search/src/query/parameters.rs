//! The parameters of a URL, each read by its name once.
//!
//! A parameter that is left over at the end is refused: a filter that is misspelt and ignored would answer another question.

use chancery_verify::{Timestamp, shown};
use std::collections::BTreeMap;
use url::form_urlencoded;

/// Parameters of one request.
const MAX_PARAMETERS: usize = 64;
/// Bytes of one value. The longest are cursors over as many logs as a cursor may have.
const MAX_VALUE_BYTES: usize = 12 * 1024;
/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A parameter that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {reason}")]
pub struct Unusable {
    /// Its name, made safe to show.
    pub parameter: String,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl Unusable {
    pub(crate) fn new(parameter: &str, reason: impl Into<String>) -> Self {
        Self { parameter: shown(parameter), reason: reason.into() }
    }
}

/// The parameters that have not been read yet, with their values in their order.
#[derive(Debug)]
pub(crate) struct Parameters(BTreeMap<String, Vec<String>>);

impl Parameters {
    /// Reads the query of a URL, without its question mark.
    pub(crate) fn parse(query: &str) -> Result<Self, Unusable> {
        let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, (name, value)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
            if number == MAX_PARAMETERS {
                return Err(Unusable::new(&name, format!("a request has at most {MAX_PARAMETERS} parameters")));
            }
            if value.len() > MAX_VALUE_BYTES {
                return Err(Unusable::new(&name, format!("a value has at most {MAX_VALUE_BYTES} bytes")));
            }
            parameters.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Ok(Self(parameters))
    }

    /// Every value of a parameter, none of them empty.
    pub(crate) fn all(&mut self, name: &str) -> Result<Vec<String>, Unusable> {
        let values = self.0.remove(name).unwrap_or_default();
        if values.iter().any(String::is_empty) {
            return Err(Unusable::new(name, "it has no value; leave it out to ask without it"));
        }
        Ok(values)
    }

    /// The value of a parameter that is given once.
    pub(crate) fn one(&mut self, name: &str) -> Result<Option<String>, Unusable> {
        let mut values = self.all(name)?;
        if values.len() > 1 {
            return Err(Unusable::new(name, "it is given more than once"));
        }
        Ok(values.pop())
    }

    /// A switch: on with `1` or `true`, off with `0` or `false` or where it is not given.
    pub(crate) fn switch(&mut self, name: &str) -> Result<bool, Unusable> {
        match self.one(name)?.as_deref() {
            Some("1" | "true") => Ok(true),
            None | Some("0" | "false") => Ok(false),
            Some(_) => Err(Unusable::new(name, "write 1 or 0")),
        }
    }

    /// A number from `least` to `most`.
    pub(crate) fn number(&mut self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Unusable> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let number = text.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(Unusable::new(name, format!("write a number from {least} to {most}"))),
        }
    }

    /// The beginning of a period: a moment, or the beginning of a day.
    pub(crate) fn beginning(&mut self, name: &str) -> Result<Option<Timestamp>, Unusable> {
        self.moment(name, 0)
    }

    /// The end of a period, which is no part of it: a moment, or the end of a day.
    pub(crate) fn end(&mut self, name: &str) -> Result<Option<Timestamp>, Unusable> {
        self.moment(name, DAY_MS)
    }

    fn moment(&mut self, name: &str, of_a_day_ms: u64) -> Result<Option<Timestamp>, Unusable> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        // No entry is between two milliseconds.
        let moment = Timestamp::bounds_rfc3339(&text).map(|(_, first_at_or_after)| first_at_or_after);
        let day = || {
            let midnight = Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"))?;
            Some(Timestamp::from_millis(midnight.millis().saturating_add(of_a_day_ms)))
        };
        let wrong = || Unusable::new(name, "write a time as 2026-11-21T07:00:00Z, or a day as 2026-11-21 (UTC)");
        moment.or_else(day).map(Some).ok_or_else(wrong)
    }

    /// Refuses what was not read.
    pub(crate) fn finish(self) -> Result<(), Unusable> {
        let unread = self.0.keys().next();
        unread.map_or(Ok(()), |name| Err(Unusable::new(name, "there is no such parameter; see /openapi.json")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Parameters {
        Parameters::parse(query).unwrap()
    }

    #[test]
    fn values_are_decoded_and_read_once() {
        let mut parameters = parse("a=one+two&a=%C3%BC&b=1");
        assert_eq!(parameters.all("a").unwrap(), ["one two", "ü"]);
        assert_eq!(parameters.all("a").unwrap(), [""; 0]);
        assert_eq!(parameters.one("b").unwrap().as_deref(), Some("1"));
        assert_eq!(parameters.finish(), Ok(()));
        assert_eq!(parse("identitty=x").finish().unwrap_err().parameter, "identitty");
        assert!(parse("a=").all("a").is_err() && parse("a=1&a=2").one("a").is_err());
        assert!(Parameters::parse(&"a=1&".repeat(MAX_PARAMETERS + 1)).is_err());
        assert!(Parameters::parse(&format!("a={}", "x".repeat(MAX_VALUE_BYTES + 1))).is_err());
    }

    #[test]
    fn switches_and_numbers_have_few_spellings() {
        for (query, read) in [("", Some(false)), ("s=1", Some(true)), ("s=false", Some(false)), ("s=yes", None)] {
            assert_eq!(parse(query).switch("s").ok(), read, "{query}");
        }
        for (query, read) in [("n=1", Some(1)), ("n=10", Some(10)), ("n=0", None), ("n=11", None), ("n=-1", None)] {
            assert_eq!(parse(query).number("n", 1, 10).ok().flatten(), read, "{query}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_and_ends_at_the_next_one() {
        let moment = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let beginning = |text: &str| parse(&format!("t={text}")).beginning("t").ok().flatten();
        let end = |text: &str| parse(&format!("t={text}")).end("t").ok().flatten();
        assert_eq!(beginning("2026-11-21"), Some(moment("2026-11-21T00:00:00Z")));
        assert_eq!(end("2026-11-21"), Some(moment("2026-11-22T00:00:00Z")));
        let either: [fn(&str) -> Option<Timestamp>; 2] = [beginning, end];
        for both in either {
            assert_eq!(both("2026-11-21T07:00:00%2B01:00"), Some(moment("2026-11-21T06:00:00Z")));
            let millis = moment("2026-11-21T06:00:00Z").millis() + 2;
            assert_eq!(both("2026-11-21T06:00:00.0015Z"), Some(Timestamp::from_millis(millis)));
            assert_eq!(both("yesterday"), None);
            assert_eq!(both("2026-11-31"), None);
        }
    }
}
