//! Parameters of queries. An empty one is a missing one, and of several with one name the last one counts, as in
//! go-openapi.

use super::error::Failure;
use std::collections::HashMap;

/// A query, by its names.
pub(super) type Parameters = HashMap<String, String>;

/// The text of a parameter.
pub(super) fn text<'a>(query: &'a Parameters, name: &str) -> Option<&'a str> {
    query.get(name).map(String::as_str).filter(|text| !text.is_empty())
}

/// A number of at least `minimum`, an `int64` as upstream.
pub(super) fn number(query: &Parameters, name: &str, minimum: u64) -> Result<Option<u64>, Failure> {
    let Some(text) = text(query, name) else { return Ok(None) };
    let number = text.parse::<i64>().map_err(|_| Failure::Schema {
        code: 601,
        message: format!("{name} in query must be of type int64: {text:?}"),
    })?;
    let number = u64::try_from(number).ok().filter(|number| *number >= minimum);
    let message = format!("{name} in query should be greater than or equal to {minimum}");
    number.map(Some).ok_or(Failure::Schema { code: 609, message })
}

/// The same, where it must be there.
pub(super) fn required_number(query: &Parameters, name: &str, minimum: u64) -> Result<u64, Failure> {
    number(query, name, minimum)?.ok_or_else(|| Failure::required(name, "query"))
}

/// The decimal number of a tree. It may be too large for one.
pub(super) fn tree_id(query: &Parameters) -> Result<Option<&str>, Failure> {
    let Some(text) = text(query, "treeID") else { return Ok(None) };
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Some(text));
    }
    Err(Failure::Schema { code: 605, message: "treeID in query should match '^[0-9]+$'".into() })
}
