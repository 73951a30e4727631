//! Canonical JSON as TUF signs it (OLPC): members sorted by name, no white space, and in strings only `"` and `\` escaped.
//!
//! Not RFC 8785: a line break in a key's PEM is not escaped, so the signed bytes are not JSON.

use super::InvalidMetadata;
use serde_json::Value;

/// Returns the bytes to sign for `value`. Numbers that are not whole have no canonical form.
pub fn encode(value: &Value) -> Result<Vec<u8>, InvalidMetadata> {
    let mut bytes = Vec::new();
    append(value, &mut bytes)?;
    Ok(bytes)
}

fn append(value: &Value, bytes: &mut Vec<u8>) -> Result<(), InvalidMetadata> {
    match value {
        Value::Null => bytes.extend(b"null"),
        Value::Bool(flag) => bytes.extend(flag.to_string().as_bytes()),
        Value::Number(number) if number.is_f64() => return Err(InvalidMetadata::NotWhole),
        Value::Number(number) => bytes.extend(number.to_string().as_bytes()),
        Value::String(text) => append_text(text, bytes),
        Value::Array(items) => {
            bytes.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    bytes.push(b',');
                }
                append(item, bytes)?;
            }
            bytes.push(b']');
        }
        Value::Object(members) => {
            // Sorted here, because the map may have another order: by the names' code points, which is the order of bytes.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| name.as_str());
            bytes.push(b'{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    bytes.push(b',');
                }
                append_text(name, bytes);
                bytes.push(b':');
                append(value, bytes)?;
            }
            bytes.push(b'}');
        }
    }
    Ok(())
}

fn append_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            bytes.push(b'\\');
        }
        bytes.push(byte);
    }
    bytes.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn writes_what_other_implementations_write() {
        // securesystemslib 1.6 `encode_canonical` of the same document.
        let document = json!({"b": [1, -2, true, null], "a": {"é": "x\ny", "z": "\"\\"}, "B": {}});
        let expected = "{\"B\":{},\"a\":{\"z\":\"\\\"\\\\\",\"é\":\"x\ny\"},\"b\":[1,-2,true,null]}";
        assert_eq!(String::from_utf8(encode(&document).unwrap()).unwrap(), expected);
    }

    #[test]
    fn has_no_form_for_fractions() {
        assert_eq!(encode(&json!({"version": 1.5})), Err(InvalidMetadata::NotWhole));
        assert_eq!(encode(&json!([1.0])), Err(InvalidMetadata::NotWhole));
    }
}
