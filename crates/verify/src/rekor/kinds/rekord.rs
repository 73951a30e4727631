//! `rekord` 0.0.1: an artifact with a signature in one of four formats. Its hash is logged, with signature and key.

use super::{Artifact, CanonicalArtifact, CanonicalContent, Content, DATA, required};
use crate::Rejection;
use crate::rekor::pki::PublicKey;
use crate::rekor::{Body, EntryKind, KeyFormat, base64_decode, parse_spec};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

#[derive(Deserialize)]
struct Spec<'a> {
    #[serde(borrow)]
    signature: Option<Signature<'a>>,
    #[serde(borrow)]
    data: Option<Artifact<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signature<'a> {
    #[serde(borrow)]
    format: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    public_key: Option<Content<'a>>,
}

/// The spec, as logged. Its fields are in lexical order, so plain JSON is canonical.
#[derive(Serialize)]
struct CanonicalSpec {
    data: CanonicalArtifact,
    signature: CanonicalSignature,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalSignature {
    content: String,
    format: &'static str,
    public_key: CanonicalContent,
}

/// Checks a proposal and returns its body: (1) no field is missing, (2) the artifact has the given hash, (3) the key
/// parses, (4) it made the signature.
pub(super) fn admit(spec: &str) -> Result<Body, Rejection> {
    let spec: Spec<'_> = parse_spec(spec)?;
    // (1)
    let data = Artifact::required(spec.data.as_ref(), &DATA)?;
    let signature = spec.signature.ok_or(Rejection::EntryRequired { path: "signature" })?;
    let content = base64_decode(required(signature.content.as_deref(), "signature.signature.content")?)?;
    let format = format_of(signature.format.as_deref())?;
    let path = "signature.signature.publicKey";
    let content_path = "signature.signature.publicKey.signature.publicKey.content";
    let key = Content::required(signature.public_key.as_ref(), path, content_path)?;
    // (2)
    let (artifact, hash) = data.read(&DATA)?;
    // (3)
    let key = PublicKey::parse(format, &key)?;
    // (4)
    let content = key.verify(&content, &artifact)?;
    EntryKind::Rekord.body(&CanonicalSpec {
        data: CanonicalArtifact { hash },
        signature: CanonicalSignature {
            content: STANDARD.encode(content),
            format: format.name(),
            public_key: CanonicalContent::of(&key.canonical()),
        },
    })
}

fn format_of(name: Option<&str>) -> Result<KeyFormat, Rejection> {
    const RULE: &str = "signature.signature.format in body should be one of [pgp minisign x509 ssh]";
    let name = name.ok_or(Rejection::EntryRequired { path: "signature.signature.format" })?;
    // Root metadata of TUF signs no artifact.
    let format = KeyFormat::from_name(name).filter(|format| *format != KeyFormat::Tuf);
    format.ok_or(Rejection::EntryValue { rule: RULE })
}
