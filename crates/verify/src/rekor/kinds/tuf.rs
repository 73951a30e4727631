//! `tuf` 0.0.1: metadata of a TUF repository, with the root whose keys have signed it. Both are logged.

use super::CanonicalContent;
use super::signed::Signed;
use crate::Rejection;
use crate::rekor::pki::tuf::{Metadata, Root};
use crate::rekor::{Body, EntryKind, base64_decode, parse_spec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize)]
struct Spec {
    metadata: Option<File>,
    root: Option<File>,
}

/// A file: JSON, or base64 of it.
#[derive(Deserialize)]
struct File {
    content: Option<Value>,
}

impl File {
    /// The content of a file. Both are required, and have a path in Rekor's schema.
    fn content(this: Option<Self>, path: &'static str, content: &'static str) -> Result<Value, Rejection> {
        let this = this.ok_or(Rejection::EntryRequired { path })?;
        this.content.ok_or(Rejection::EntryRequired { path: content })
    }
}

fn read(content: Value) -> Result<Metadata, Rejection> {
    match content {
        Value::String(text) => Metadata::parse(&base64_decode(&text)?),
        content => Metadata::of(content),
    }
}

/// The spec, as logged. Its fields are in lexical order, so plain JSON is canonical.
#[derive(Serialize)]
struct CanonicalSpec<'a> {
    metadata: CanonicalContent,
    root: CanonicalContent,
    #[serde(skip_serializing_if = "str::is_empty")]
    spec_version: &'a str,
}

/// Checks a proposal and returns its body: (1) no field is missing and both files parse, (2) the root is signed by its
/// own keys, (3) the metadata is signed by the keys of its role in this root.
pub(super) fn admit(spec: &str) -> Result<Body, Rejection> {
    // (1), (2)
    let (metadata, root) = files(spec)?;
    // (3)
    root.signers(&metadata)?;
    EntryKind::Tuf.body(&CanonicalSpec {
        metadata: CanonicalContent::of(metadata.canonical().as_bytes()),
        root: CanonicalContent::of(root.canonical().as_bytes()),
        spec_version: root.spec_version(),
    })
}

/// The files of a proposal or of an entry, the root of which is signed by its own keys.
fn files(spec: &str) -> Result<(Metadata, Root), Rejection> {
    let spec: Spec = parse_spec(spec)?;
    let metadata = File::content(spec.metadata, "metadata", "metadata.metadata.content")?;
    let root = File::content(spec.root, "root", "root.root.content")?;
    let (metadata, root) = (read(metadata)?, read(root)?);
    Ok((metadata, Root::of(root)?))
}

/// The keys of the root that have signed the metadata of an entry.
pub(super) fn signers(spec: &str) -> Result<Signed, Rejection> {
    let (metadata, root) = files(spec)?;
    let keys = root.signers(&metadata)?;
    Ok(Signed::new(metadata.message(), keys))
}
