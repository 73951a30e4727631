//! TUF metadata in entries: what upstream indexes of it, and the ids of a root's keys. Nothing is verified.
//!
//! Specification: The Update Framework, §4.2.1 and §4.3.

use super::MAX_NAMES;
use super::key_names::KeyNames;
use serde_json::Value;

/// The ids of the keys in a root.
pub(super) fn key_names(root: &[u8]) -> Option<KeyNames> {
    let root: Value = serde_json::from_slice(root).ok()?;
    let keys = root.pointer("/signed/keys")?.as_object()?;
    // One more than are kept, so that it is noticed.
    Some(KeyNames { ids: keys.keys().take(MAX_NAMES + 1).cloned().collect(), emails: Vec::new() })
}

/// Role and version of metadata.
pub(super) fn role_and_version(metadata: &[u8]) -> Option<[String; 2]> {
    let metadata: Value = serde_json::from_slice(metadata).ok()?;
    let role = metadata.pointer("/signed/_type").and_then(Value::as_str)?;
    let version = metadata.pointer("/signed/version").and_then(Value::as_u64)?;
    Some([role.to_owned(), version.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_from_metadata_and_keys_from_a_root() {
        let root = br#"{"signatures":[],"signed":{"_type":"root","version":3,"keys":{"ab":{},"cd":{}}}}"#;
        assert_eq!(role_and_version(root), Some(["root".to_owned(), "3".to_owned()]));
        assert_eq!(key_names(root).unwrap().ids, ["ab", "cd"]);
        for text in ["", "[]", r#"{"signed":{"_type":"root","version":-1}}"#, r#"{"signed":{"keys":[]}}"#] {
            assert_eq!((role_and_version(text.as_bytes()), key_names(text.as_bytes())), (None, None), "{text}");
        }
    }
}
