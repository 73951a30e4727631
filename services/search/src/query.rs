//! A query: conditions that an entry must meet, and the entries that are looked at.
//!
//! Pure. Parameters are read by [`parameters`], filters by [`filters`]; how a query is answered is
//! [`answer`](crate::answer)'s.

mod digest;
pub(crate) mod filters;
pub(crate) mod parameters;

pub(crate) use digest::Digest;
pub use parameters::Unusable;

use crate::cursor::Fingerprint;
use crate::source::LogKind;
use crate::store::Order;
use chancery_verify::terms::Term;
use chancery_verify::{Timestamp, hash};
use filters::Filter;
use parameters::Parameters;
use std::ops::Range;

/// Conditions of one query, and values of one condition. Every value is looked up in every log.
const MAX_VALUES: usize = 32;
/// Logs have fewer entries than 2^63.
const MAX_INDEX: u64 = u64::MAX >> 1;

/// Holds for an entry that has one of the terms, or a term that begins with one of the prefixes. Kinds must be the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) exact: Vec<Term>,
    pub(crate) prefixes: Vec<Term>,
}

impl Condition {
    /// Holds for an entry with one of these terms.
    pub(crate) fn one_of(exact: Vec<Term>) -> Self {
        Self { exact, prefixes: Vec::new() }
    }

    /// Whether an entry with these terms meets it.
    pub(crate) fn holds(&self, terms: &[Term]) -> bool {
        let begins = |prefix: &Term| terms.iter().any(|term| term.as_bytes().starts_with(prefix.as_bytes()));
        self.exact.iter().any(|term| terms.contains(term)) || self.prefixes.iter().any(begins)
    }

    /// Holds where one of the two does.
    pub(crate) fn or(mut self, other: Self) -> Self {
        self.exact.extend(other.exact);
        self.prefixes.extend(other.prefixes);
        self
    }
}

/// When a log took an entry, as far as that can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logged {
    /// By the log's record.
    At(Timestamp),
    /// The log does not tell. Bounds are the first and the last moment at which a certificate in the entry is valid; `None`
    /// without certificates.
    Untold(Option<(Timestamp, Timestamp)>),
}

/// A query. Without conditions every entry is an answer.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// All must hold.
    pub(crate) conditions: Vec<Condition>,
    /// Names of the logs that are asked. Empty for every log.
    pub(crate) logs: Vec<String>,
    /// What the logs must hold.
    pub(crate) kind: Option<LogKind>,
    /// Entries at or after this time.
    pub(crate) from: Option<Timestamp>,
    /// Entries before this time.
    pub(crate) until: Option<Timestamp>,
    /// Entries with these indices, in each log.
    pub(crate) indices: Range<u64>,
    pub(crate) order: Order,
}

impl Query {
    /// Everything that logs of this kind hold, newest first.
    pub(crate) const fn of(kind: Option<LogKind>) -> Self {
        Self {
            conditions: Vec::new(),
            logs: Vec::new(),
            kind,
            from: None,
            until: None,
            indices: 0..u64::MAX,
            order: Order::Newest,
        }
    }

    /// Adds a condition.
    pub(crate) fn with(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Reads a query about logs of this kind, and leaves the parameters of the answer's form.
    pub(crate) fn read(parameters: &mut Parameters, kind: Option<LogKind>) -> Result<Self, Unusable> {
        let mut query = Self::of(kind);
        for filter in Filter::all() {
            let name = filter.name();
            let values = parameters.all(&name)?;
            if values.len() > MAX_VALUES {
                return Err(Unusable::new(&name, format!("at most {MAX_VALUES} values are looked for at once")));
            }
            let read = |value: &String| filter.read(value).map_err(|reason| Unusable::new(&name, reason));
            let either = values.iter().map(read).reduce(|one, other| Ok(one?.or(other?))).transpose()?;
            query.conditions.extend(either);
        }
        query.logs = parameters.all("log")?;
        (query.from, query.until) = (parameters.beginning("from")?, parameters.end("to")?);
        if let (Some(from), Some(until)) = (query.from, query.until)
            && until <= from
        {
            return Err(Unusable::new("to", "it is not after from, so no time is in the period; write a later one"));
        }
        let first = parameters.number("first-index", 0, MAX_INDEX)?.unwrap_or(0);
        let end = parameters.number("end-index", 0, MAX_INDEX)?.unwrap_or(u64::MAX);
        query.indices = first..end.max(first);
        query.order = match parameters.one("order")?.as_deref() {
            None | Some("newest") => Order::Newest,
            Some("oldest") => Order::Oldest,
            Some(_) => return Err(Unusable::new("order", "write newest or oldest")),
        };
        Ok(query)
    }

    /// Whether an entry with these terms is an answer. One whose time is not told may be of any period. It is left out only if
    /// its certificates were not valid in the period: it is the signing that is asked for, and that a certificate was used
    /// within its validity is not established. The answer shows no time for it.
    pub(crate) fn is_met_by(&self, terms: &[Term], logged: Logged) -> bool {
        let is_in_time = match logged {
            Logged::At(time) => self.overlaps(time, time),
            Logged::Untold(Some((first, last))) => self.overlaps(first, last),
            Logged::Untold(None) => true,
        };
        is_in_time && self.conditions.iter().all(|condition| condition.holds(terms))
    }

    /// Whether a period, its last moment included, has a moment in common with the period that is asked for.
    fn overlaps(&self, first: Timestamp, last: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= last) && self.until.is_none_or(|until| first < until)
    }

    /// Names everything that decides which entries are answers. The order is in a cursor by itself.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut bytes = Vec::new();
        let mut put = |part: &[u8]| {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part);
        };
        for condition in &self.conditions {
            for (mark, terms) in [(b"=", &condition.exact), (b"^", &condition.prefixes)] {
                put(mark);
                for term in terms {
                    put(term.as_bytes());
                }
            }
        }
        put(b"logs");
        self.logs.iter().for_each(|log| put(log.as_bytes()));
        let kind: &[u8] = match self.kind {
            None => b"all",
            Some(LogKind::Rekor) => b"rekor",
            Some(LogKind::Certificates) => b"certificates",
        };
        put(kind);
        for time in [self.from, self.until] {
            put(&time.map_or(u64::MAX, Timestamp::millis).to_be_bytes());
        }
        for index in [self.indices.start, self.indices.end] {
            put(&index.to_be_bytes());
        }
        hash::sha256(&bytes).first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_verify::terms::TermKind;

    fn read(query: &str) -> Result<Query, Unusable> {
        let mut parameters = Parameters::parse(query)?;
        let query = Query::read(&mut parameters, None)?;
        parameters.finish().map(|()| query)
    }

    #[test]
    fn filters_combine_and_values_of_one_filter_are_alternatives() {
        let query = read("identity=A@b.c&identity=d@e.f&issuer=https://i&order=oldest&log=rekor").unwrap();
        let term = |kind, text| Term::of_text(kind, text).unwrap();
        let identities = vec![term(TermKind::Identity, "a@b.c"), term(TermKind::Identity, "d@e.f")];
        assert_eq!(query.conditions.len(), 2);
        assert!(query.conditions.contains(&Condition::one_of(identities.clone())));
        assert!(query.conditions.contains(&Condition::one_of(vec![term(TermKind::Issuer, "https://i")])));
        assert_eq!((query.order, query.logs), (Order::Oldest, vec!["rekor".to_owned()]));
        assert!(Condition::one_of(identities).holds(&[term(TermKind::Identity, "D@E.F")]));
    }

    #[test]
    fn whatever_cannot_be_used_is_named() {
        for (query, parameter) in [
            ("digest=abc", "digest"),
            ("digest=", "digest"),
            ("serial=xyz", "serial"),
            ("id=12", "id"),
            ("order=up", "order"),
            ("from=yesterday", "from"),
            ("from=2026-11-30&to=2026-11-29", "to"),
            ("from=2026-11-30T10:00:00Z&to=2026-11-30T10:00:00Z", "to"),
            ("first-index=-1", "first-index"),
            ("colour=blue", "colour"),
            ("identity_prefix=a", "identity_prefix"),
        ] {
            let refused = read(query).unwrap_err();
            assert_eq!(refused.parameter, parameter, "{query}");
        }
        let many = "ref=1&".repeat(MAX_VALUES + 1);
        assert_eq!(read(&many).unwrap_err().parameter, "ref");
    }

    #[test]
    fn a_period_may_be_a_day_or_less() {
        for query in ["from=2026-11-30&to=2026-11-30", "from=2026-11-30T10:00:00Z&to=2026-11-30T10:00:01Z"] {
            assert!(read(query).is_ok(), "{query}");
        }
    }

    #[test]
    fn an_entry_without_a_time_is_left_out_only_if_its_certificate_was_not_valid_in_the_period() {
        let day = |day: u64| Timestamp::from_seconds(1_795_219_200 + day * 86_400);
        let met = |query: &str, logged| read(query).unwrap().is_met_by(&[], logged);
        // 2026-11-21 is day 0.
        let period = "from=2026-11-22&to=2026-11-23";
        for (first, last, is_met) in [(0, 0, false), (0, 1, true), (1, 2, true), (2, 3, true), (3, 3, false)] {
            assert_eq!(met(period, Logged::Untold(Some((day(first), day(last))))), is_met, "{first} {last}");
            assert!(met("", Logged::Untold(Some((day(first), day(last))))));
        }
        assert!(met(period, Logged::Untold(None)));
        assert!(met("", Logged::Untold(None)) && met("", Logged::At(day(0))));
        assert!(met(period, Logged::At(day(1))) && met(period, Logged::At(day(2))));
        assert!(!met(period, Logged::At(day(0))) && !met(period, Logged::At(day(3))));
    }

    #[test]
    fn a_cursor_is_of_everything_that_decides_what_is_found() {
        let queries = [
            "",
            "identity=a",
            "identity=a&identity=b",
            "identity=a&issuer=b",
            "identity=ab",
            "identity-prefix=a",
            "log=rekor",
            "from=2026-11-21",
            "to=2026-11-21",
            "first-index=1",
            "end-index=1",
        ];
        let fingerprints: std::collections::BTreeSet<Fingerprint> =
            queries.iter().map(|query| read(query).unwrap().fingerprint()).collect();
        assert_eq!(fingerprints.len(), queries.len());
        assert_eq!(read("identity=A").unwrap().fingerprint(), read("identity=a").unwrap().fingerprint());
    }
}
