//! `hashedrekord` 0.0.1: a signature over a digest, with the key or certificate that made it.

use super::verifier::Verifier;
use super::{Body, base64_decode_lines, parse_spec};
use crate::key::KeyKind;
use crate::{HashAlgorithm, Rejection};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Paths as upstream's generated code names them: with the parents again at each level.
const ALGORITHM: &str = "data.data.hash.data.hash.algorithm";
const ALGORITHMS: &str = "data.data.hash.data.hash.algorithm in body should be one of [sha256 sha384 sha512]";
const VALUE: &str = "data.data.hash.data.hash.value";

#[derive(Deserialize)]
struct Spec<'a> {
    #[serde(borrow)]
    signature: Option<ProposedSignature<'a>>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProposedSignature<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    public_key: Option<ProposedKey<'a>>,
}

#[derive(Deserialize)]
struct ProposedKey<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    hash: Option<ProposedHash<'a>>,
}

#[derive(Deserialize)]
struct ProposedHash<'a> {
    #[serde(borrow)]
    algorithm: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
}

/// The spec, as logged. Its fields are in lexical order, so plain JSON is canonical.
#[derive(Serialize)]
struct CanonicalSpec<'a> {
    data: CanonicalData<'a>,
    signature: CanonicalSignature,
}

#[derive(Serialize)]
struct CanonicalData<'a> {
    hash: super::dsse::CanonicalHash<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalSignature {
    content: String,
    public_key: CanonicalKey,
}

#[derive(Serialize)]
struct CanonicalKey {
    content: String,
}

/// Checks a proposal and returns its body: (1) no field is missing, (2) the hash is valid, (3) the key parses, (4) the
/// signature verifies over the digest, (5) the log allows this pair of key and hash.
pub(super) fn admit(spec: &str) -> Result<Body, Rejection> {
    let spec: Spec<'_> = parse_spec(spec)?;
    // (1). Upstream reads `data` without `hash` as missing.
    let hash = spec.data.and_then(|data| data.hash).ok_or(Rejection::EntryRequired { path: "data" })?;
    let algorithm = hash.algorithm.as_deref().ok_or(Rejection::EntryRequired { path: ALGORITHM })?;
    let unknown = Rejection::EntryValue { rule: ALGORITHMS };
    let algorithm = HashAlgorithm::from_name(algorithm).ok_or(unknown)?;
    let value = hash.value.as_deref().ok_or(Rejection::EntryRequired { path: VALUE })?;
    let signature = spec.signature.ok_or(Rejection::EntryRequired { path: "signature" })?;
    let key = signature.public_key.ok_or(Rejection::EntryMissing { field: "public key" })?;
    let content = present(signature.content.as_deref(), "signature content")?;
    let key_text = present(key.content.as_deref(), "public key content")?;
    // (2)
    let digest = hex::decode(value).map_err(|_| Rejection::EntryHash)?;
    if digest.len() != algorithm.size_bytes() {
        return Err(Rejection::EntryHash);
    }
    // (3)
    let verifier = Verifier::parse(&base64_decode_lines(key_text)?)?;
    // (4)
    let signature = base64_decode_lines(content)?;
    let key = &verifier.key;
    key.either_encoding(&signature, |signature| key.verify_digest(algorithm, &digest, signature))
        .map_err(|_| Rejection::EntrySignature)?;
    // (5)
    if !allowed(verifier.key.kind(), algorithm) {
        return Err(Rejection::AlgorithmNotAllowed);
    }
    super::EntryKind::HashedRekord.body(&CanonicalSpec {
        // The value keeps the client's letter case: clients compare the body with their request.
        data: CanonicalData { hash: super::dsse::CanonicalHash { algorithm: algorithm.name(), value: value.into() } },
        signature: CanonicalSignature {
            content: STANDARD.encode(signature),
            public_key: CanonicalKey { content: STANDARD.encode(verifier.canonical_pem) },
        },
    })
}

fn present<'a>(field: Option<&'a str>, name: &'static str) -> Result<&'a str, Rejection> {
    field.filter(|text| !text.is_empty()).ok_or(Rejection::EntryMissing { field: name })
}

/// Rekor's default `--client-signing-algorithms`: each key kind with its own hash only.
fn allowed(kind: KeyKind, hash: HashAlgorithm) -> bool {
    kind.hash() == hash
}
