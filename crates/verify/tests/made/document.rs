//! Changes to documents, and signed statements.

use super::ARTIFACT;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::HashAlgorithm;
use serde_json::{Value, json};

/// A bundle with the value at `pointer` replaced. Its parents must exist.
pub(crate) fn with(bundle: &Value, pointer: &str, value: impl Into<Value>) -> Value {
    let mut changed = bundle.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = changed.pointer_mut(parent).unwrap();
    match parent {
        Value::Object(members) => drop(members.insert(name.to_owned(), value.into())),
        parent => parent[name.parse::<usize>().unwrap()] = value.into(),
    }
    changed
}

pub(crate) fn without(bundle: &Value, pointer: &str) -> Value {
    let mut changed = bundle.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    changed
}

pub(crate) fn bytes(bundle: &Value, pointer: &str) -> Vec<u8> {
    STANDARD.decode(bundle.pointer(pointer).unwrap().as_str().unwrap()).unwrap()
}

/// A signed statement about the artifact. `change` is applied before signing.
#[expect(clippy::unnecessary_wraps, reason = "it is what a specification takes")]
pub(crate) fn envelope(change: impl FnOnce(&mut Value)) -> Option<(&'static str, Vec<u8>)> {
    let mut statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "app", "digest": { "sha256": hex::encode(HashAlgorithm::Sha256.digest(ARTIFACT)) } }],
        "predicateType": "https://example.test/predicate", "predicate": { "a": 1 },
    });
    change(&mut statement);
    Some(("application/vnd.in-toto+json", statement.to_string().into_bytes()))
}
