//! A strict JSON parser for evidence: it refuses text that two parsers could read differently.
//!
//! [`parse`] accepts one JSON value and no trailing text. A repeated member is an error at every depth, because parsers
//! disagree on which one counts. Depth and number of values are limited before they are stored. The caller limits the
//! number of bytes. [`Node`] and [`Object`] know their place in the document, so that a refusal can name it. Member
//! names have one spelling: lowerCamelCase.
//!
//! Specification: RFC 8259; protobuf.dev, «`ProtoJSON` Format».

use super::decode_canonical;
use crate::{Refusal, Rejection, Step};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// Maximum nesting of objects and lists. No Sigstore document has more than ten levels.
const MAX_DEPTH: usize = 32;
/// Maximum characters of a text that are copied into a refusal.
const MAX_REPEATED: usize = 100;

/// Parses exactly one value. It may contain at most `max_values` values, not counting member names.
///
/// # Errors
/// The fault, with line and column.
pub(crate) fn parse(json: &[u8], max_values: usize) -> Result<Value, serde_json::Error> {
    parse_within(json, MAX_DEPTH, max_values)
}

/// As [`parse`], for documents of any shape: without a limit of values, and with `serde_json`'s limit of depth (128).
pub(crate) fn parse_foreign(json: &[u8]) -> Result<Value, serde_json::Error> {
    parse_within(json, usize::MAX, usize::MAX)
}

fn parse_within(json: &[u8], max_depth: usize, max_values: usize) -> Result<Value, serde_json::Error> {
    let left = Cell::new(max_values);
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = Seed { deeper: max_depth, left: &left }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// One value, not parsed yet.
#[derive(Clone, Copy)]
struct Seed<'a> {
    /// Allowed levels below this one.
    deeper: usize,
    left: &'a Cell<usize>,
}

impl Seed<'_> {
    /// The seed for a value inside this one.
    fn inner<E: Error>(self) -> Result<Self, E> {
        let deeper = self.deeper.checked_sub(1);
        let deeper = deeper.ok_or_else(|| E::custom(format_args!("nested deeper than {MAX_DEPTH}")))?;
        Ok(Self { deeper, left: self.left })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(value) = sequence.next_element_seed(inner)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("duplicate member \"{}\"", crate::shown(&name))));
            }
            object.insert(name, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

/// The rejections of a document format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    /// For text that is not JSON, a value of another type, an unknown member, or a number out of range.
    pub(crate) malformed: Rejection,
    /// For a missing required member.
    pub(crate) missing: Rejection,
    /// For too many elements. Gets the name of the elements and the limit.
    pub(crate) too_many: fn(&'static str, usize) -> Rejection,
}

impl Format {
    /// Parses a document and returns its outer object.
    pub(crate) fn document(&'static self, json: &[u8], max_values: usize) -> Result<Object, Refusal> {
        let value = parse(json, max_values)
            .map_err(|error| Refusal::new(self.malformed, Step::Formats).expected("strict JSON", error.to_string()))?;
        Node { value, path: String::new(), format: self }.object()
    }
}

/// A value and its place.
pub(crate) struct Node {
    value: Value,
    path: String,
    format: &'static Format,
}

impl Node {
    /// The place.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Makes a refusal of this value.
    pub(crate) fn refuse(&self, rejection: Rejection) -> Refusal {
        Refusal::new(rejection, Step::Formats).at(self.path.as_str())
    }

    /// Makes a refusal of this value as malformed: it is not `expected`.
    pub(crate) fn unlike(&self, expected: impl Into<String>) -> Refusal {
        let found = match &self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => format!("“{}”", text.chars().take(MAX_REPEATED).collect::<String>()),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        self.refuse(self.format.malformed).expected(expected, found)
    }

    /// An object.
    pub(crate) fn object(self) -> Result<Object, Refusal> {
        match self.value {
            Value::Object(members) => Ok(Object { members, path: self.path, format: self.format }),
            _ => Err(self.unlike("an object")),
        }
    }

    /// A list of at most `limit` elements, named `what` in refusals. No element is `null`.
    pub(crate) fn list(mut self, what: &'static str, limit: usize) -> Result<Vec<Self>, Refusal> {
        let Value::Array(list) = &mut self.value else { return Err(self.unlike("a list")) };
        if list.len() > limit {
            let found = list.len().to_string();
            let rejection = (self.format.too_many)(what, limit);
            return Err(self.refuse(rejection).expected(format!("at most {limit} {what}"), found));
        }
        let list = std::mem::take(list);
        let element = |(index, value)| Self { value, path: format!("{}[{index}]", self.path), format: self.format };
        let elements: Vec<Self> = list.into_iter().enumerate().map(element).collect();
        match elements.iter().find(|element| element.value.is_null()) {
            Some(null) => Err(null.unlike("a value")),
            None => Ok(elements),
        }
    }

    /// A string of at most `limit` bytes.
    pub(crate) fn string(self, limit: usize) -> Result<String, Refusal> {
        match self.value {
            Value::String(text) if text.len() <= limit => Ok(text),
            Value::String(_) => Err(self.unlike(format!("a string of at most {limit} bytes"))),
            _ => Err(self.unlike("a string")),
        }
    }

    /// Base64 of at most `limit` bytes, of either alphabet.
    pub(crate) fn bytes(self, limit: usize) -> Result<Vec<u8>, Refusal> {
        let Value::String(text) = &self.value else { return Err(self.unlike("base64")) };
        let bytes = decode_canonical(text).ok_or_else(|| self.unlike("base64"))?;
        if bytes.len() > limit {
            return Err(self.unlike(format!("at most {limit} bytes")));
        }
        Ok(bytes)
    }

    /// Base64 of exactly `N` bytes.
    pub(crate) fn array<const N: usize>(self) -> Result<[u8; N], Refusal> {
        let Value::String(text) = &self.value else { return Err(self.unlike("base64")) };
        let bytes = decode_canonical(text).and_then(|bytes| <[u8; N]>::try_from(bytes).ok());
        bytes.ok_or_else(|| self.unlike(format!("base64 of {N} bytes")))
    }

    /// An integer from 0 to 2^63 − 1, as number or as digits in a string.
    pub(crate) fn int64(self) -> Result<u64, Refusal> {
        let number = match &self.value {
            Value::Number(number) => number.as_u64(),
            Value::String(digits) => integer(digits),
            _ => None,
        };
        let number = number.filter(|number| i64::try_from(*number).is_ok());
        number.ok_or_else(|| self.unlike("an integer from 0 to 2^63 − 1"))
    }

    /// The value itself, for a caller that parses it.
    pub(crate) const fn value(&self) -> &Value {
        &self.value
    }
}

/// Parses digits, without sign and without leading zeros.
fn integer(digits: &str) -> Option<u64> {
    let canonical = digits == "0" || !digits.starts_with('0');
    (canonical && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

/// An object whose members are taken one by one.
pub(crate) struct Object {
    members: Map<String, Value>,
    path: String,
    format: &'static Format,
}

impl Object {
    /// Takes a member. `null` is absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Node> {
        let value = self.members.remove(name).filter(|value| !value.is_null())?;
        Some(Node { value, path: self.place(name), format: self.format })
    }

    /// Takes a required member.
    pub(crate) fn require(&mut self, name: &str) -> Result<Node, Refusal> {
        self.take(name).ok_or_else(|| self.refuse(name, self.format.missing))
    }

    /// Takes an integer, as [`Node::int64`]. Absent is 0.
    pub(crate) fn int64(&mut self, name: &str) -> Result<u64, Refusal> {
        self.take(name).map_or(Ok(0), Node::int64)
    }

    /// Takes a string. Absent is empty.
    pub(crate) fn string(&mut self, name: &str, limit: usize) -> Result<String, Refusal> {
        self.take(name).map_or_else(|| Ok(String::new()), |node| node.string(limit))
    }

    /// Takes bytes. Absent is empty.
    pub(crate) fn bytes(&mut self, name: &str, limit: usize) -> Result<Vec<u8>, Refusal> {
        self.take(name).map_or_else(|| Ok(Vec::new()), |node| node.bytes(limit))
    }

    /// Takes a required string that is not empty.
    pub(crate) fn text(&mut self, name: &str, limit: usize) -> Result<String, Refusal> {
        let text = self.require(name)?.string(limit)?;
        if text.is_empty() { Err(self.refuse(name, self.format.missing)) } else { Ok(text) }
    }

    /// Takes required bytes that are not empty.
    pub(crate) fn content(&mut self, name: &str, limit: usize) -> Result<Vec<u8>, Refusal> {
        let bytes = self.require(name)?.bytes(limit)?;
        if bytes.is_empty() { Err(self.refuse(name, self.format.missing)) } else { Ok(bytes) }
    }

    /// Takes a list, as [`Node::list`]. Absent is empty.
    pub(crate) fn list(&mut self, name: &str, what: &'static str, limit: usize) -> Result<Vec<Node>, Refusal> {
        self.take(name).map_or_else(|| Ok(Vec::new()), |node| node.list(what, limit))
    }

    /// Makes a refusal of the member with this name.
    pub(crate) fn refuse(&self, name: &str, rejection: Rejection) -> Refusal {
        Refusal::new(rejection, Step::Formats).at(self.place(name))
    }

    /// Ends parsing. Refuses the object if a member was not taken: it is unknown.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        match self.members.keys().next() {
            Some(name) => {
                let refusal = Refusal::new(self.format.malformed, Step::Formats).at(self.path.as_str());
                Err(refusal.expected("known fields", format!("“{name}”")))
            }
            None => Ok(()),
        }
    }

    fn place(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    static FORMAT: Format = Format {
        malformed: Rejection::BundleMalformed,
        missing: Rejection::BundleMissing,
        too_many: |what, limit| Rejection::BundleTooMany { what, limit },
    };

    #[test]
    fn a_name_given_twice_is_refused_at_every_depth() {
        for bad in [r#"{"a":1,"a":1}"#, r#"[{"a":{"b":1,"b":2}}]"#, r#"{"a":1,"\u0061":1}"#] {
            assert!(parse(bad.as_bytes(), 100).unwrap_err().to_string().starts_with("duplicate member"), "{bad}");
        }
        assert_eq!(parse(br#"{"a":{"a":1}}"#, 100).unwrap(), serde_json::json!({"a": {"a": 1}}));
    }

    #[test]
    fn depth_and_number_of_values_are_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(MAX_DEPTH).as_bytes(), 100).is_ok());
        assert!(parse(nested(MAX_DEPTH + 1).as_bytes(), 100).is_err());
        assert!(parse(b"[1,2,3]", 4).is_ok());
        assert!(parse(b"[1,2,3]", 3).is_err());
    }

    #[test]
    fn a_refusal_names_the_place() {
        let mut object = FORMAT.document(br#"{"a":{"b":[1,"x"]},"c":0}"#, 100).unwrap();
        let mut inner = object.take("a").unwrap().object().unwrap();
        let element = inner.list("b", "elements", 2).unwrap().pop().unwrap();
        let refusal = element.int64().unwrap_err();
        assert_eq!((refusal.code(), refusal.path()), ("bundle.malformed", "a.b[1]"));
        assert_eq!(refusal.comparison(), ("an integer from 0 to 2^63 − 1", "“x”"));
        assert_eq!(object.finish().unwrap_err().comparison(), ("known fields", "“c”"));
        assert_eq!(inner.text("d", 9).unwrap_err().path(), "a.d");
    }

    proptest! {
        #[test]
        fn integers_are_those_of_63_bits(number in any::<u64>()) {
            let expected = i64::try_from(number).ok().map(i64::unsigned_abs);
            for text in [format!("{number}"), format!("\"{number}\"")] {
                let mut object = FORMAT.document(format!("{{\"a\":{text}}}").as_bytes(), 9).unwrap();
                prop_assert_eq!(object.int64("a").ok(), expected);
            }
        }

        #[test]
        fn bytes_have_four_spellings_and_no_other(bytes in any::<Vec<u8>>(), at in any::<prop::sample::Index>()) {
            use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
            use base64::Engine as _;
            let spellings =
                [STANDARD.encode(&bytes), STANDARD_NO_PAD.encode(&bytes), URL_SAFE.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)];
            for text in &spellings {
                prop_assert_eq!(decode_canonical(text), Some(bytes.clone()));
                for intruder in ["\n", " ", "=", "*"] {
                    let mut text = text.clone();
                    text.insert_str(at.index(text.len() + 1), intruder);
                    prop_assert!(decode_canonical(&text).is_none_or(|_| spellings.contains(&text)), "{}", text);
                }
            }
        }
    }
}
