//! `intoto` 0.0.2: the envelope as an object, with a key beside each signature. All of it is logged except the payload.
//! A hash of the envelope is logged, too, but it is only the client's claim: each client computes it over its own
//! spelling.
//!
//! `payload` and `sig` are base64 of the envelope's values, which are base64 already. sigstore-js makes these entries
//! for its command `attest`, rekor-cli with `--type intoto`.

use super::present;
use crate::rekor::dsse::{
    CanonicalHash, LoggedHash, MAX_SIGNATURES, decode_either, logged_hash, parse_verifier, pre_authentication_encoding,
};
use crate::rekor::signed::Signed;
use crate::rekor::{Admission, Body, EntryKind, base64_decode, parse_spec};
use crate::{HashAlgorithm, Rejection};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Paths as upstream's generated code names them: with the parents again at each level.
const PAYLOAD_TYPE: &str = "content.content.envelope.content.envelope.payloadType";
const SIGNATURES: &str = "content.content.envelope.content.envelope.signatures";

#[derive(Deserialize)]
struct Spec<'a> {
    #[serde(borrow)]
    content: Option<Content<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    #[serde(borrow)]
    envelope: Option<Envelope<'a>>,
    #[serde(borrow)]
    hash: Option<LoggedHash<'a>>,
    /// Ignored in a proposal: it is computed from the payload.
    #[serde(borrow)]
    payload_hash: Option<LoggedHash<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    payload: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signatures: Option<Vec<Option<ProposedSignature<'a>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProposedSignature<'a> {
    #[serde(borrow)]
    keyid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    public_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sig: Option<Cow<'a, str>>,
}

/// The spec, as logged. Its fields are in lexical order, so plain JSON is canonical.
#[derive(Serialize)]
struct CanonicalSpec<'a> {
    content: CanonicalContent<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalContent<'a> {
    envelope: CanonicalEnvelope<'a>,
    hash: CanonicalHash<'a>,
    payload_hash: CanonicalHash<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalEnvelope<'a> {
    payload_type: &'a str,
    signatures: Vec<CanonicalSignature<'a>>,
}

/// A signature with its key, in the order and with the base64 text of the proposal. The base64 has no other spelling.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalSignature<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    keyid: Option<&'a str>,
    public_key: &'a str,
    sig: &'a str,
}

impl<'a> CanonicalSignature<'a> {
    fn of(signature: &'a ProposedSignature<'_>) -> Result<Self, Rejection> {
        Ok(Self {
            keyid: signature.keyid.as_deref().filter(|keyid| !keyid.is_empty()),
            public_key: present(signature.public_key.as_deref(), "publicKey content")?,
            sig: present(signature.sig.as_deref(), "signature content")?,
        })
    }

    /// Checks that the key beside the signature made it.
    fn verify(&self, signed: &mut Signed<'_>) -> Result<(), Rejection> {
        let verifier = parse_verifier(self.public_key)?;
        let signature = base64_decode(self.sig)?;
        let signature = decode_either(str::from_utf8(&signature).map_err(|_| Rejection::Base64)?)?;
        // SHA-256 for every curve, as in `dsse`.
        let checks = signed.by(&verifier.key, HashAlgorithm::Sha256, 1)?;
        if checks.holds(&signature) { Ok(()) } else { Err(Rejection::DsseSignature) }
    }
}

impl Envelope<'_> {
    /// Its logged form.
    fn canonical(&self) -> Result<CanonicalEnvelope<'_>, Rejection> {
        let payload_type = self.payload_type.as_deref().ok_or(Rejection::EntryRequired { path: PAYLOAD_TYPE })?;
        let payload_type = present(Some(payload_type), "payloadType content")?;
        let signatures = self.signatures.as_deref().ok_or(Rejection::EntryRequired { path: SIGNATURES })?;
        if signatures.is_empty() {
            return Err(Rejection::EntryEmpty { path: SIGNATURES });
        }
        if signatures.len() > MAX_SIGNATURES {
            return Err(Rejection::EntryTooMany { what: "signatures", limit: MAX_SIGNATURES });
        }
        let signatures = signatures.iter().map(|signature| {
            CanonicalSignature::of(signature.as_ref().ok_or(Rejection::EntryMissing { field: "signature entry" })?)
        });
        Ok(CanonicalEnvelope { payload_type, signatures: signatures.collect::<Result<_, _>>()? })
    }
}

impl CanonicalContent<'_> {
    fn body(self) -> Result<Body, Rejection> {
        EntryKind::IntotoV002.body(&CanonicalSpec { content: self })
    }
}

/// Checks a proposal: (1) no field is missing, (2) the client's hash has the form of one, (3) the
/// payload is base64 of base64, (4) each signature was made by its key.
pub(in crate::rekor) fn admit(spec: &str) -> Result<Admission, Rejection> {
    let spec: Spec<'_> = parse_spec(spec)?;
    // (1). Upstream reads missing objects as empty ones.
    let content = spec.content.unwrap_or_default();
    let proposed = content.envelope.unwrap_or_default();
    let envelope = proposed.canonical()?;
    let payload = proposed.payload.as_deref().filter(|payload| !payload.is_empty());
    let payload = payload.ok_or(Rejection::EntryNotInsertable { field: "envelope content" })?;
    // (2)
    let hash = envelope_hash(content.hash.ok_or(Rejection::EntryMissing { field: "envelope digest" })?)?;
    // (3)
    let payload = base64_decode(payload)?;
    let payload = base64_decode(str::from_utf8(&payload).map_err(|_| Rejection::Base64)?)?;
    // (4)
    let signed = pre_authentication_encoding(envelope.payload_type, &payload);
    let mut signed = Signed::new(&signed);
    envelope.signatures.iter().try_for_each(|signature| signature.verify(&mut signed))?;
    let body = CanonicalContent { envelope, hash, payload_hash: CanonicalHash::of(&payload) }.body()?;
    Ok(Admission { body, attestation: Some(payload) })
}

/// Reads the client's hash of its envelope. Only its form is checked: the envelope's text is not known. Its letter case
/// is kept.
fn envelope_hash(hash: LoggedHash<'_>) -> Result<CanonicalHash<'_>, Rejection> {
    let algorithm = HashAlgorithm::Sha256;
    let is_hash = hash.algorithm == algorithm.name()
        && hex::decode(&*hash.value).is_ok_and(|digest| digest.len() == algorithm.size_bytes());
    if is_hash { logged_hash(hash) } else { Err(Rejection::EntryHash) }
}

/// As [`admit`], and also accepts the logged form, which has no payload to verify.
pub(in crate::rekor) fn canonicalize(text: &str) -> Result<Body, Rejection> {
    let spec: Spec<'_> = parse_spec(text)?;
    let content = spec.content.unwrap_or_default();
    let envelope = content.envelope.unwrap_or_default();
    if envelope.payload.as_deref().is_some_and(|payload| !payload.is_empty()) {
        return admit(text).map(|admission| admission.body);
    }
    let envelope = envelope.canonical()?;
    for signature in &envelope.signatures {
        base64_decode(signature.public_key)?;
        base64_decode(signature.sig)?;
    }
    let hash = content.hash.ok_or(Rejection::EntryMissing { field: "envelope digest" })?;
    let payload_hash = content.payload_hash.ok_or(Rejection::EntryMissing { field: "payload digest" })?;
    CanonicalContent { envelope, hash: logged_hash(hash)?, payload_hash: logged_hash(payload_hash)? }.body()
}
