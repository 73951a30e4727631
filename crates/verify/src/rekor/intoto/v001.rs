//! `intoto` 0.0.1: the envelope as text, and the one key that must have signed it. The hashes of envelope and payload
//! are logged, and the key.
//!
//! cosign looks up entries of this type to find attestations in the log. cosign 2 makes them with `--rekor-entry-type
//! intoto`.

use super::present;
use crate::rekor::dsse::{
    CanonicalHash, Envelope, LoggedHash, MAX_SIGNATURES, decode_either, logged_hash, pre_authentication_encoding,
};
use crate::rekor::signed::Signed;
use crate::rekor::verifier::Verifier;
use crate::rekor::{Admission, Body, EntryKind, base64_decode, parse_spec};
use crate::{HashAlgorithm, Rejection};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    content: Option<Content<'a>>,
    #[serde(borrow)]
    public_key: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    #[serde(borrow)]
    envelope: Option<Cow<'a, str>>,
    /// Ignored in a proposal: the hashes are computed from the envelope.
    #[serde(borrow)]
    hash: Option<LoggedHash<'a>>,
    #[serde(borrow)]
    payload_hash: Option<LoggedHash<'a>>,
}

/// The spec, as logged. Its fields are in lexical order, so plain JSON is canonical.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalSpec<'a> {
    content: CanonicalContent<'a>,
    public_key: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalContent<'a> {
    hash: CanonicalHash<'a>,
    /// Missing in the oldest entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_hash: Option<CanonicalHash<'a>>,
}

impl CanonicalContent<'_> {
    fn body(self, verifier: &Verifier) -> Result<Body, Rejection> {
        EntryKind::IntotoV001
            .body(&CanonicalSpec { content: self, public_key: STANDARD.encode(&verifier.canonical_pem) })
    }
}

/// Checks a proposal: (1) no field is missing, (2) the key parses, (3) the envelope parses and is
/// signed, (4) the key made one of its signatures.
pub(in crate::rekor) fn admit(spec: &str) -> Result<Admission, Rejection> {
    let spec: Spec<'_> = parse_spec(spec)?;
    // (1)
    let content = spec.content.ok_or(Rejection::EntryRequired { path: "content" })?;
    let key = required_key(spec.public_key.as_deref())?;
    let text = content.envelope.as_deref().filter(|text| !text.is_empty());
    let text = text.ok_or(match content.hash {
        Some(_) => Rejection::EntryNotInsertable { field: "envelope content" },
        None => Rejection::EntryMissing { field: "hash value for envelope" },
    })?;
    // (2)
    let verifier = Verifier::parse(&base64_decode(key)?)?;
    // (3)
    let (envelope, signatures) = Envelope::parse(text)?;
    if signatures.len() > MAX_SIGNATURES {
        return Err(Rejection::EntryTooMany { what: "signatures", limit: MAX_SIGNATURES });
    }
    let payload = base64_decode(present(Some(&envelope.payload), "payload content")?)?;
    let payload_type = present(Some(&envelope.payload_type), "payloadType content")?;
    // (4)
    let signed = pre_authentication_encoding(payload_type, &payload);
    let signatures = signatures.iter().map(|signature| decode_either(&signature.sig)).collect::<Result<Vec<_>, _>>()?;
    let mut signed = Signed::new(&signed);
    let checks = signed.by(&verifier.key, HashAlgorithm::Sha256, signatures.len())?;
    if !signatures.iter().any(|signature| checks.holds(signature)) {
        return Err(Rejection::DsseThreshold);
    }
    let payload_hash = Some(CanonicalHash::of(&payload));
    let body = CanonicalContent { hash: CanonicalHash::of(text.as_bytes()), payload_hash }.body(&verifier)?;
    Ok(Admission { body, attestation: Some(payload) })
}

/// The text of the key. Upstream reads an empty one as missing.
fn required_key(text: Option<&str>) -> Result<&str, Rejection> {
    text.filter(|text| !text.is_empty()).ok_or(Rejection::EntryRequired { path: "publicKey" })
}

/// As [`admit`], and also accepts the logged form, which has no envelope to verify.
pub(in crate::rekor) fn canonicalize(text: &str) -> Result<Body, Rejection> {
    let spec: Spec<'_> = parse_spec(text)?;
    let Some(Content { envelope: None, hash: Some(hash), payload_hash }) = spec.content else {
        return admit(text).map(|admission| admission.body);
    };
    let verifier = Verifier::parse(&base64_decode(required_key(spec.public_key.as_deref())?)?)?;
    let payload_hash = payload_hash.map(logged_hash).transpose()?;
    CanonicalContent { hash: logged_hash(hash)?, payload_hash }.body(&verifier)
}
