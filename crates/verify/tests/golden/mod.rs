//! Real Sigstore data for tests: bundles of the public instance and its trusted root.
//!
//! They come from pinned modules with checksums, which `tests/clients/install` unpacks (`tests/run` calls it). Without
//! them the tests fail; they are not skipped. Entries of Rekor v2 are beside this file, because no such module has
//! them.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that fails here has found something")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::path::PathBuf;

/// The directory where `tests/clients/install` puts the data.
#[allow(dead_code, reason = "each test binary uses what it needs")]
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment where its data is")]
pub(crate) fn directory() -> PathBuf {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty()).map(PathBuf::from);
    let clients = variable("CHANCERY_CLIENTS").unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        cache.expect("HOME is set").join("chancery-clients")
    });
    clients.join("golden")
}

/// A file among the golden data.
#[allow(dead_code, reason = "each test binary uses what it needs")]
pub(crate) fn file(name: &str) -> Vec<u8> {
    let path = directory().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run tests/clients/install", path.display()))
}

/// A JSON document among the golden data.
#[allow(dead_code, reason = "each test binary uses what it needs")]
pub(crate) fn json(name: &str) -> Value {
    serde_json::from_slice(&file(name)).expect("JSON")
}

/// The bytes of the base64 string at `pointer`.
#[allow(dead_code, reason = "each test binary uses what it needs")]
pub(crate) fn bytes(document: &Value, pointer: &str) -> Vec<u8> {
    STANDARD.decode(text(document, pointer)).unwrap_or_else(|_| panic!("{pointer} is base64"))
}

/// The string at `pointer`.
#[allow(dead_code, reason = "each test binary uses what it needs")]
pub(crate) fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} is a string"))
}

/// The number at `pointer`, which protobuf's JSON writes as a string.
#[allow(dead_code, reason = "each test binary uses what it needs")]
pub(crate) fn number(document: &Value, pointer: &str) -> u64 {
    text(document, pointer).parse().unwrap_or_else(|_| panic!("{pointer} is a number"))
}
