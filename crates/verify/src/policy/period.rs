//! Times in a policy file: RFC 3339, as a text or a TOML date-time.

use super::parse::fault;
use crate::{Rejection, Timestamp};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::fmt;

/// A moment in a policy file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time with its offset, e.g. 2026-11-23T08:00:00Z")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
                let unread = "not a time with its offset, such as 2026-11-23T08:00:00Z";
                Timestamp::parse_rfc3339(text)
                    .map(Moment)
                    .ok_or_else(|| E::custom(fault(Rejection::PolicyMalformed, unread)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Moment, A::Error> {
                let time = toml::value::Datetime::deserialize(MapAccessDeserializer::new(map))?;
                self.visit_str(&time.to_string())
            }
        }
        deserializer.deserialize_any(Form)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "RFC 3339 with an offset.", "type": "string", "format": "date-time" })
    }
}

/// A period of time, with inclusive bounds. A missing bound means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Period {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Period {
    pub(super) fn new(start: Option<Moment>, end: Option<Moment>, names: [&str; 2]) -> Result<Self, String> {
        if start.zip(end).is_some_and(|(start, end)| end < start) {
            let [start, end] = names;
            return Err(fault(Rejection::PolicyMalformed, &format!("`{end}` is before `{start}`: exchange them")));
        }
        Ok(Self { start: start.map(|moment| moment.0), end: end.map(|moment| moment.0) })
    }

    pub(super) const fn is_unbounded(&self) -> bool {
        self.start.is_none() && self.end.is_none()
    }

    /// Returns whether all `times` are in the period. An empty list is not, unless the period has no bounds.
    pub(super) fn contains_all(&self, times: &[Timestamp]) -> bool {
        self.is_unbounded() || !times.is_empty() && times.iter().all(|time| self.contains(*time))
    }

    /// Returns whether a signature with these times may have been made in the period. That is so if any moment between
    /// the first and the last time is in it, or if there is no time.
    pub(super) fn touches(&self, times: &[Timestamp]) -> bool {
        let Some((first, last)) = times.iter().min().zip(times.iter().max()) else { return true };
        self.start.is_none_or(|start| start <= *last) && self.end.is_none_or(|end| *first <= end)
    }

    fn contains(&self, time: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time <= end)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.start, self.end) {
            (None, None) => f.write_str("any time"),
            (Some(start), None) => write!(f, "not before {}", start.rfc3339()),
            (None, Some(end)) => write!(f, "not after {}", end.rfc3339()),
            (Some(start), Some(end)) => write!(f, "{} to {}", start.rfc3339(), end.rfc3339()),
        }
    }
}
