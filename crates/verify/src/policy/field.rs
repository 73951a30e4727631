//! Rules over one field of a predicate, found by a JSON pointer (RFC 6901).
//!
//! A missing field meets only `exists = false`. Numbers are compared as numbers, and only if the comparison is exact.
//! Texts and numbers are never converted to each other.

use super::decision::Explanation;
use super::parse::fault;
use super::pattern::Pattern;
use crate::Rejection;
use serde::Deserialize;
use serde_json::{Number, Value};
use std::cmp::Ordering;

/// Maximum bytes of a pointer.
const MAX_POINTER_BYTES: usize = 1024;
/// Maximum values of a `one_of`.
const MAX_VALUES: usize = 256;
/// Larger integers are not exact as floating-point numbers.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// A rule over one field. All of its tests must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "FieldTable")]
pub struct Field {
    pointer: String,
    tests: Vec<Test>,
}

#[derive(Debug, Clone)]
enum Test {
    Equals(Value),
    OneOf(Vec<Value>),
    Matches(Pattern),
    Greater(Number),
    Less(Number),
    Exists(bool),
}

/// A rule over one field of the predicate.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct FieldTable {
    /// JSON pointer into the predicate, e.g. `/runDetails/builder/id`.
    path: String,
    /// The field is this value.
    equals: Option<Value>,
    /// The field is one of these values.
    one_of: Option<Vec<Value>>,
    /// The field is a text that matches this pattern.
    matches: Option<Pattern>,
    /// The field is a number greater than this one.
    greater: Option<Number>,
    /// The field is a number less than this one.
    less: Option<Number>,
    /// `true`: the field must exist. `false`: it must not.
    exists: Option<bool>,
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Field {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Field".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        FieldTable::json_schema(generator)
    }
}

impl TryFrom<FieldTable> for Field {
    type Error = String;

    fn try_from(table: FieldTable) -> Result<Self, String> {
        let malformed = |reason: &str| Err(fault(Rejection::PolicyMalformed, reason));
        if !is_pointer(&table.path) {
            return malformed("`path` is a JSON pointer: `/` before each name, e.g. `/runDetails/builder/id`");
        }
        let values = table.equals.iter().chain(table.one_of.iter().flatten());
        if values.clone().any(is_date_time) {
            return malformed("times in a predicate are texts: write the value in quotes");
        }
        if table.one_of.as_ref().is_some_and(|values| values.is_empty() || values.len() > MAX_VALUES) {
            return malformed(&format!("`one_of` takes 1 to {MAX_VALUES} values"));
        }
        let tests: Vec<Test> = [
            table.equals.map(Test::Equals),
            table.one_of.map(Test::OneOf),
            table.matches.map(Test::Matches),
            table.greater.map(Test::Greater),
            table.less.map(Test::Less),
            table.exists.map(Test::Exists),
        ]
        .into_iter()
        .flatten()
        .collect();
        if tests.is_empty() {
            let reason = "a rule over a field needs one of `equals`, `one_of`, `matches`, `greater`, `less`, `exists`";
            return Err(fault(Rejection::PolicyEmpty, reason));
        }
        Ok(Self { pointer: table.path, tests })
    }
}

/// Returns whether a text is a JSON pointer to a value below the root.
fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    text.starts_with('/') && text.len() <= MAX_POINTER_BYTES && escapes
}

/// Returns whether a value contains a TOML date-time. serde has it as a table with a special key.
fn is_date_time(value: &Value) -> bool {
    match value {
        Value::Object(table) => table.keys().any(|key| key.starts_with("$__toml")) || table.values().any(is_date_time),
        Value::Array(list) => list.iter().any(is_date_time),
        _ => false,
    }
}

impl Field {
    /// Finds the field and runs the tests.
    pub(super) fn check(&self, predicate: Option<&Value>) -> Explanation {
        let found = predicate.and_then(|predicate| predicate.pointer(&self.pointer));
        let held = predicate.is_some() && self.tests.iter().all(|test| test.holds(found));
        let expected = self.tests.iter().map(Test::describe).collect::<Vec<_>>().join(" and ");
        let found = match (predicate, found) {
            (None, _) => "no predicate".to_owned(),
            (_, None) => "nothing".to_owned(),
            (_, Some(Value::Array(list))) => format!("a list of {}", list.len()),
            (_, Some(Value::Object(object))) => format!("an object of {}", object.len()),
            (_, Some(scalar)) => scalar.to_string(),
        };
        Explanation::comparison(format!("predicate {}", self.pointer), Rejection::PolicyPredicate, held)
            .values(expected, found)
    }
}

impl Test {
    fn holds(&self, found: Option<&Value>) -> bool {
        if let Self::Exists(expected) = self {
            return found.is_some() == *expected;
        }
        let Some(found) = found else { return false };
        let ordering = |bound| found.as_number().and_then(|number| compare(number, bound));
        match self {
            Self::Equals(value) => equal(found, value),
            Self::OneOf(values) => values.iter().any(|value| equal(found, value)),
            Self::Matches(pattern) => found.as_str().is_some_and(|text| pattern.matches(text)),
            Self::Greater(bound) => ordering(bound) == Some(Ordering::Greater),
            Self::Less(bound) => ordering(bound) == Some(Ordering::Less),
            Self::Exists(_) => false,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Equals(value) => value.to_string(),
            Self::OneOf(values) => {
                format!("one of {}", values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Matches(pattern) => pattern.to_string(),
            Self::Greater(bound) => format!("a number greater than {bound}"),
            Self::Less(bound) => format!("a number less than {bound}"),
            Self::Exists(true) => "anything".to_owned(),
            Self::Exists(false) => "nothing".to_owned(),
        }
    }
}

/// Compares values. 1 and 1.0 are equal.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare(left, right) == Some(Ordering::Equal),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| equal(left, right)))
        }
        _ => left == right,
    }
}

/// The order of two numbers. `None` if it is not exact.
fn compare(left: &Number, right: &Number) -> Option<Ordering> {
    let integer = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    if let (Some(left), Some(right)) = (integer(left), integer(right)) {
        return Some(left.cmp(&right));
    }
    let exact = |number: &Number| number.as_f64().filter(|value| value.abs() < MAX_EXACT);
    exact(left)?.partial_cmp(&exact(right)?)
}

#[cfg(test)]
mod tests {
    use super::Field;
    use serde_json::{Value, json};

    fn verdict(rule: &str, predicate: &Value) -> bool {
        toml::from_str::<Field>(rule).unwrap().check(Some(predicate)).held
    }

    #[test]
    fn a_field_is_compared_as_what_it_is() {
        let predicate = json!({
            "a": { "b/c": "text", "n": 7, "f": 7.5, "big": 9_007_199_254_740_993_u64, "list": [1, "x"], "null": null },
        });
        for (rule, expected) in [
            ("path = '/a/b~1c'\nequals = 'text'", true),
            ("path = '/a/b~1c'\nequals = 'Text'", false),
            ("path = '/a/b~1c'\nmatches = { regex = 't.*' }", true),
            ("path = '/a/b~1c'\nmatches = { regex = 'tex' }", false),
            ("path = '/a/n'\nmatches = '7'", false),
            ("path = '/a/n'\nequals = 7", true),
            ("path = '/a/n'\nequals = 7.0", true),
            ("path = '/a/n'\nequals = '7'", false),
            ("path = '/a/n'\ngreater = 6\nless = 8", true),
            ("path = '/a/n'\ngreater = 7", false),
            ("path = '/a/n'\nless = 7", false),
            ("path = '/a/f'\ngreater = 7", true),
            ("path = '/a/big'\ngreater = 9007199254740992", true),
            ("path = '/a/big'\nequals = 9007199254740992.0", false),
            ("path = '/a/b~1c'\ngreater = 0", false),
            ("path = '/a/list'\nequals = [1, 'x']", true),
            ("path = '/a/list/1'\none_of = ['y', 'x']", true),
            ("path = '/a/list/2'\nexists = true", false),
            ("path = '/a/list/2'\nexists = false", true),
            ("path = '/a/null'\nexists = true", true),
            ("path = '/a/missing'\nless = 1", false),
        ] {
            assert_eq!(verdict(rule, &predicate), expected, "{rule}");
        }
        let absent = toml::from_str::<Field>("path = '/a'\nexists = false").unwrap();
        assert!(!absent.check(None).held, "without a predicate nothing is known about it");
    }

    #[test]
    fn a_rule_that_says_nothing_or_cannot_be_met_is_refused() {
        for (rule, part) in [
            ("path = '/a'", "needs one of"),
            ("path = 'a'\nexists = true", "JSON pointer"),
            ("path = ''\nexists = true", "JSON pointer"),
            ("path = '/a~2'\nexists = true", "JSON pointer"),
            ("path = '/a'\none_of = []", "`one_of` takes"),
            ("path = '/a'\nequals = 2026-11-23T08:00:00Z", "in quotes"),
            ("path = '/a'\nequal = 1", "unknown field `equal`"),
        ] {
            let error = toml::from_str::<Field>(rule).unwrap_err().to_string();
            assert!(error.contains(part), "{rule}: {error}");
        }
    }
}
