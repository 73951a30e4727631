//! Two canonical forms of JSON: the one that TUF signs (OLPC's), and the one that is logged (RFC 8785).
//!
//! Both are only written of integers that every reader knows exactly, so that no reader sees another number than the one
//! that was signed.

use serde_json::{Number, Value};

/// Integers up to here are exact in every implementation of JSON.
const MAX_INTEGER: u64 = 1 << 53;

/// A canonical form. They differ in the order of names and in what of a string is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Olpc,
    Jcs,
}

/// Writes a value. `None` if a number in it is no integer or too large.
pub(super) fn write(value: &Value, form: Form) -> Option<String> {
    let mut out = String::new();
    form.value(value, &mut out)?;
    Some(out)
}

impl Form {
    fn value(self, value: &Value, out: &mut String) -> Option<()> {
        match value {
            Value::Null => out.push_str("null"),
            Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Value::Number(number) => out.push_str(&integer(number)?.to_string()),
            Value::String(text) => self.string(text, out)?,
            Value::Array(items) => {
                out.push('[');
                for (position, item) in items.iter().enumerate() {
                    separate(position, out);
                    self.value(item, out)?;
                }
                out.push(']');
            }
            Value::Object(members) => {
                let mut members: Vec<(&String, &Value)> = members.iter().collect();
                match self {
                    Self::Olpc => members.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes())),
                    Self::Jcs => members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16())),
                }
                out.push('{');
                for (position, (name, member)) in members.into_iter().enumerate() {
                    separate(position, out);
                    self.string(name, out)?;
                    out.push(':');
                    self.value(member, out)?;
                }
                out.push('}');
            }
        }
        Some(())
    }

    fn string(self, text: &str, out: &mut String) -> Option<()> {
        match self {
            Self::Olpc => {
                out.push('"');
                for letter in text.chars() {
                    if ['"', '\\'].contains(&letter) {
                        out.push('\\');
                    }
                    out.push(letter);
                }
                out.push('"');
            }
            // Its escapes are those of RFC 8785.
            Self::Jcs => out.push_str(&serde_json::to_string(text).ok()?),
        }
        Some(())
    }
}

fn separate(position: usize, out: &mut String) {
    if position > 0 {
        out.push(',');
    }
}

fn integer(number: &Number) -> Option<i64> {
    number.as_i64().filter(|integer| integer.unsigned_abs() <= MAX_INTEGER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_signed_form_escapes_two_letters_and_sorts_by_bytes() {
        let value =
            serde_json::json!({"é": 1, "z": "a\n\"\\\u{2028}", "Z": [true, null, -3], "\u{10000}": {}, "\u{ffff}": []});
        let expected = "{\"Z\":[true,null,-3],\"z\":\"a\n\\\"\\\\\u{2028}\",\"é\":1,\"\u{ffff}\":[],\"\u{10000}\":{}}";
        assert_eq!(write(&value, Form::Olpc).as_deref(), Some(expected));
        for bad in [serde_json::json!(1.5), serde_json::json!([1_u64 << 54]), serde_json::json!({"a": -0.0})] {
            assert_eq!(write(&bad, Form::Olpc), None, "{bad}");
            assert_eq!(write(&bad, Form::Jcs), None, "{bad}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1_i64 << 53)..=1 << 53).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_logged_form_is_that_of_another_implementation(value in value()) {
            prop_assert_eq!(write(&value, Form::Jcs).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
        }
    }
}
