//! A strict parser for requests in protobuf's JSON form, with Go's error texts.
//!
//! Names are in lowerCamelCase or as in the `.proto`. `null` means absent. An unknown field is an error, and so is a
//! field given twice in any spelling. Bytes are base64 of either alphabet. An enum is its name or its number. Each
//! message defines its fields, see `Message`. This module only parses: answers are plain structures.
//!
//! It is for requests. Evidence, which other verifiers read, too, is parsed by `strict`.
//!
//! Specification: protobuf.dev, «`ProtoJSON` Format»; Go's `encoding/protojson` for points that the format leaves open.

pub(crate) mod strict;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use std::fmt::{self, Display as _};
use std::marker::PhantomData;

/// Padding is optional and left-over bits are ignored, as in Go.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// Decodes a field of type `bytes`. `None` if the text is not base64 of either alphabet. Line ends do not count, as in Go:
/// `base64` writes them unless it is told not to.
#[must_use]
pub fn decode_bytes(text: &str) -> Option<Vec<u8>> {
    const LINE_ENDS: [char; 2] = ['\r', '\n'];
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let engine = GeneralPurpose::new(alphabet, LENIENT);
    if text.contains(LINE_ENDS) { engine.decode(text.replace(LINE_ENDS, "")).ok() } else { engine.decode(text).ok() }
}

/// Decodes a field of type `bytes` in evidence, where one value has only four spellings. The alphabet is one of the
/// two, padding is complete or absent, left-over bits are zero, and there are no line breaks. `None` for any other
/// text.
#[must_use]
pub(crate) fn decode_canonical(text: &str) -> Option<Vec<u8>> {
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let padding =
        if text.ends_with('=') { DecodePaddingMode::RequireCanonical } else { DecodePaddingMode::RequireNone };
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding).with_decode_allow_trailing_bits(false);
    GeneralPurpose::new(alphabet, config).decode(text).ok()
}

/// A parse error, with Go's text, which names line and column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// Start of the text for an unexpected token. Go treats it as a syntax error.
const UNEXPECTED: &str = "unexpected token";

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
        // For a value of another type, the visitor's «expected» text is the whole reason.
        let mistyped = reason.strip_prefix("invalid type: ").and_then(|reason| reason.rsplit_once(", expected "));
        let reason = mistyped.map_or(reason, |(_, reason)| reason);
        let syntax = error.classify() != Category::Data || reason.starts_with(UNEXPECTED);
        let kind = if syntax { "syntax error " } else { "" };
        // serde reports errors about a name at its end, Go at its beginning.
        let name = ["unknown field \"", "duplicate field \""].iter().find_map(|kind| reason.strip_prefix(kind));
        let column = error.column() - name.map_or(0, str::len).min(error.column().saturating_sub(1));
        Self(format!("proto: {kind}(line {}:{column}): {reason}", error.line()))
    }
}

/// Maximum characters of an unknown name in an error.
const MAX_NAME_ECHOED: usize = 64;

/// Maximum elements of a list: more than any message may have, and few enough that parsing a body cannot take many
/// times its size in memory.
const MAX_ELEMENTS: usize = 100;

/// A message: both names of its fields, and how to parse each.
pub(crate) trait Message: Default {
    /// Names in lowerCamelCase and as in the `.proto`. At most 32 fields.
    const FIELDS: &'static [(&'static str, &'static str)];

    /// Parses the value of the field at `position` in [`Self::FIELDS`].
    fn read<'de, A: MapAccess<'de>>(&mut self, position: usize, value: Value<'_, A>) -> Result<(), A::Error>;
}

/// Parses exactly one message. Only white space is an empty message, as in grpc-gateway.
pub(crate) fn from_slice<M: Message>(json: &[u8]) -> Result<M, Malformed> {
    if json.iter().all(u8::is_ascii_whitespace) {
        return Ok(M::default());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let message = Nested { name: "", message: PhantomData }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    message.ok_or_else(|| Malformed(format!("proto: syntax error (line 1:1): {UNEXPECTED} null")))
}

/// The value of a field, not parsed yet.
pub(crate) struct Value<'a, A> {
    name: &'static str,
    map: &'a mut A,
}

impl<'de, A: MapAccess<'de>> Value<'_, A> {
    /// Parses `bytes`. Absent is empty.
    pub(crate) fn bytes(self) -> Result<Vec<u8>, A::Error> {
        self.map.next_value_seed(Scalar { name: self.name, kind: "bytes", read: |text| decode_bytes(text), number: no })
    }

    /// Parses `string`. Absent is empty.
    pub(crate) fn string(self) -> Result<String, A::Error> {
        self.map.next_value_seed(Scalar {
            name: self.name,
            kind: "string",
            read: |text| Some(text.to_owned()),
            number: no,
        })
    }

    /// Parses an enum. `read` knows its names. Absent is zero. A number without a name is allowed.
    pub(crate) fn enumeration(self, read: fn(&str) -> Option<i32>) -> Result<i32, A::Error> {
        self.map.next_value_seed(Scalar { name: self.name, kind: "enum", read, number: Some })
    }

    /// Parses a message.
    pub(crate) fn message<M: Message>(self) -> Result<Option<M>, A::Error> {
        self.map.next_value_seed(Nested { name: self.name, message: PhantomData })
    }

    /// Parses a list of messages.
    pub(crate) fn messages<M: Message>(self) -> Result<Vec<M>, A::Error> {
        self.map.next_value_seed(Repeated { name: self.name, message: PhantomData })
    }

    /// Parses a message of a `oneof`. `given` says whether another member is already set.
    pub(crate) fn one_of<M: Message>(self, oneof: &str, given: bool) -> Result<Option<M>, A::Error> {
        let name = self.name;
        match self.message()? {
            Some(_) if given => {
                Err(A::Error::custom(format_args!("error parsing \"{name}\", oneof {oneof} is already set")))
            }
            message => Ok(message),
        }
    }
}

fn no<T>(_: i32) -> Option<T> {
    None
}

/// Parses the name of a field to its position. Refuses a repeated field.
struct Name<'a> {
    fields: &'static [(&'static str, &'static str)],
    seen: &'a mut u32,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        let position = self.fields.iter().position(|(camel, snake)| *camel == name || *snake == name);
        let Some(position) = position else {
            let name: String = name.chars().take(MAX_NAME_ECHOED).collect();
            return Err(E::custom(format_args!("unknown field \"{}\"", name.escape_debug())));
        };
        let bit = 1 << position;
        if *self.seen & bit != 0 {
            return Err(E::custom(format_args!("duplicate field \"{name}\"")));
        }
        *self.seen |= bit;
        Ok(position)
    }
}

/// A message or `null`.
struct Nested<M> {
    name: &'static str,
    message: PhantomData<M>,
}

impl<'de, M: Message> DeserializeSeed<'de> for Nested<M> {
    type Value = Option<M>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, M: Message> Visitor<'de> for Nested<M> {
    type Value = Option<M>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unexpected(self.name).fmt(f)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut message, mut seen) = (M::default(), 0);
        while let Some(position) = map.next_key_seed(Name { fields: M::FIELDS, seen: &mut seen })? {
            let name = M::FIELDS.get(position).map_or("", |(camel, _)| camel);
            message.read(position, Value { name, map: &mut map })?;
        }
        Ok(Some(message))
    }
}

/// The error for a token that cannot be the value of the field.
fn unexpected(name: &str) -> String {
    if name.is_empty() { UNEXPECTED.to_owned() } else { format!("{UNEXPECTED} for field {name}") }
}

/// A list of messages, or `null`.
struct Repeated<M> {
    name: &'static str,
    message: PhantomData<M>,
}

impl<'de, M: Message> DeserializeSeed<'de> for Repeated<M> {
    type Value = Vec<M>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, M: Message> Visitor<'de> for Repeated<M> {
    type Value = Vec<M>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unexpected(self.name).fmt(f)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut messages = Vec::new();
        while let Some(message) = sequence.next_element_seed(Nested { name: self.name, message: PhantomData })? {
            messages.push(message.ok_or_else(|| A::Error::custom(unexpected(self.name)))?);
            if messages.len() > MAX_ELEMENTS {
                return Err(A::Error::custom(format_args!("more than {MAX_ELEMENTS} elements in field {}", self.name)));
            }
        }
        Ok(messages)
    }
}

/// A string in the format of the field, a number for an enum, or `null`.
struct Scalar<T> {
    name: &'static str,
    kind: &'static str,
    read: fn(&str) -> Option<T>,
    number: fn(i32) -> Option<T>,
}

impl<T> Scalar<T> {
    /// The error for a token that cannot be the value of the field.
    fn invalid(&self) -> String {
        format!("invalid value for {} field {}", self.kind, self.name)
    }
}

impl<'de, T: Default> DeserializeSeed<'de> for Scalar<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T: Default> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.invalid().fmt(f)
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::custom(self.invalid()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        i32::try_from(number).ok().and_then(self.number).ok_or_else(|| E::custom(self.invalid()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        i32::try_from(number).ok().and_then(self.number).ok_or_else(|| E::custom(self.invalid()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_go_reads_them_and_evidence_is_not() {
        for text in ["aGVsbG8_", "aGVsbG8/", "aGVs\nbG8/\n", "aGVs\r\nbG8_"] {
            assert_eq!(decode_bytes(text).as_deref(), Some(b"hello?".as_slice()), "{text:?}");
        }
        for text in ["aGVs bG8/", "aGVsbG8\t", "aGVs\\nbG8/"] {
            assert_eq!(decode_bytes(text), None, "{text:?}");
        }
        assert_eq!(decode_canonical("aGVs\nbG8/"), None);
    }
}
