//! `dsse` 0.0.1: a signed DSSE envelope. Hashes, signatures and keys are logged, but never the payload. A log may keep
//! the payload beside it.
//!
//! Envelope and pre-authentication encoding: the DSSE protocol v1.0.

use super::signed::Signed;
use super::verifier::Verifier;
use super::{Admission, Body, base64_decode, parse_spec};
use crate::{HashAlgorithm, PublicKey, Rejection, hash};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Maximum signatures, and maximum verifiers, in a proposal. Each pair may cost a signature check.
pub(super) const MAX_SIGNATURES: usize = 16;
/// Paths as upstream's generated code names them: with the parent again.
const ENVELOPE: &str = "proposedContent.proposedContent.envelope";
const VERIFIERS: &str = "proposedContent.proposedContent.verifiers";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    proposed_content: Option<ProposedContent>,
    #[serde(borrow)]
    envelope_hash: Option<LoggedHash<'a>>,
    #[serde(borrow)]
    payload_hash: Option<LoggedHash<'a>>,
    signatures: Option<Vec<LoggedSignature>>,
}

#[derive(Deserialize)]
struct ProposedContent {
    envelope: Option<String>,
    verifiers: Option<Vec<Option<String>>>,
}

/// What a spec holds.
enum Form<'a> {
    /// An envelope that is proposed.
    Proposed(ProposedContent),
    /// What was logged of an envelope.
    Logged { envelope_hash: LoggedHash<'a>, payload_hash: LoggedHash<'a>, signatures: Vec<LoggedSignature> },
}

impl<'a> Spec<'a> {
    /// Its form. A spec that mixes the two is refused, because the client cannot know the hashes that are logged.
    fn form(self) -> Result<Form<'a>, Rejection> {
        let signatures = self.signatures.filter(|signatures| !signatures.is_empty());
        match (self.proposed_content, self.envelope_hash, self.payload_hash, signatures) {
            (Some(proposed), None, None, None) => Ok(Form::Proposed(proposed)),
            (Some(_), ..) => Err(Rejection::DsseBoth),
            (None, Some(envelope_hash), Some(payload_hash), Some(signatures)) => {
                Ok(Form::Logged { envelope_hash, payload_hash, signatures })
            }
            (None, ..) => Err(Rejection::DsseContent),
        }
    }
}

/// An envelope, parsed from the signer's text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope {
    pub(super) payload: String,
    pub(super) payload_type: String,
    signatures: Option<Vec<EnvelopeSignature>>,
}

#[derive(Deserialize)]
pub(super) struct EnvelopeSignature {
    pub(super) sig: String,
}

impl Envelope {
    /// Parses an envelope with at least one signature.
    pub(super) fn parse(text: &str) -> Result<(Self, Vec<EnvelopeSignature>), Rejection> {
        let mut envelope: Self =
            serde_json::from_str(text).map_err(|_| Rejection::EntryMalformed { field: "envelope" })?;
        let signatures = envelope.signatures.take().filter(|list| !list.is_empty()).ok_or(Rejection::DsseUnsigned)?;
        Ok((envelope, signatures))
    }
}

/// `{algorithm, value}`, as received.
#[derive(Deserialize)]
pub(super) struct LoggedHash<'a> {
    #[serde(borrow)]
    pub(super) algorithm: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) value: Cow<'a, str>,
}

/// A signature with its key, as logged.
#[derive(Serialize, Deserialize, Clone)]
struct LoggedSignature {
    signature: String,
    verifier: String,
}

/// `{algorithm, value}`, in lexical order.
#[derive(Serialize)]
pub(super) struct CanonicalHash<'a> {
    pub(super) algorithm: &'static str,
    pub(super) value: Cow<'a, str>,
}

impl CanonicalHash<'static> {
    pub(super) fn of(data: &[u8]) -> Self {
        Self { algorithm: HashAlgorithm::Sha256.name(), value: hex::encode(hash::sha256(data)).into() }
    }
}

/// The spec, as logged. Its fields are in lexical order, so plain JSON is canonical.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalSpec<'a> {
    envelope_hash: CanonicalHash<'a>,
    payload_hash: CanonicalHash<'a>,
    signatures: Vec<LoggedSignature>,
}

impl CanonicalSpec<'_> {
    fn body(&self) -> Result<Body, Rejection> {
        super::EntryKind::Dsse.body(self)
    }
}

/// DSSE's pre-authentication encoding: the bytes that an envelope's signatures sign. Lengths are in bytes of UTF-8.
#[must_use]
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = pre_authentication_header(payload_type, payload.len()).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

/// The part of [`pre_authentication_encoding`] before the payload. The length is in bytes.
pub(crate) fn pre_authentication_header(payload_type: &str, payload_length: usize) -> String {
    format!("DSSEv1 {} {payload_type} {payload_length} ", payload_type.len())
}

/// Checks a proposal.
pub(super) fn admit(spec: &str) -> Result<Admission, Rejection> {
    match parse_spec::<Spec<'_>>(spec)?.form()? {
        Form::Proposed(proposed) => verify_proposed(&proposed),
        Form::Logged { .. } => Err(Rejection::EntryNotInsertable { field: "proposed content" }),
    }
}

/// As [`admit`], and also accepts the logged form, which has no envelope to verify.
pub(super) fn canonicalize(spec: &str) -> Result<Body, Rejection> {
    match parse_spec::<Spec<'_>>(spec)?.form()? {
        Form::Proposed(proposed) => verify_proposed(&proposed).map(|admission| admission.body),
        Form::Logged { envelope_hash, payload_hash, mut signatures } => {
            signatures.sort_by(|a, b| a.signature.cmp(&b.signature));
            let (envelope_hash, payload_hash) = (logged_hash(envelope_hash)?, logged_hash(payload_hash)?);
            CanonicalSpec { envelope_hash, payload_hash, signatures }.body()
        }
    }
}

/// Reads a hash from an entry's logged form. The value is not checked.
pub(super) fn logged_hash(hash: LoggedHash<'_>) -> Result<CanonicalHash<'_>, Rejection> {
    let algorithm = HashAlgorithm::from_name(&hash.algorithm).ok_or(Rejection::EntryHash)?;
    Ok(CanonicalHash { algorithm: algorithm.name(), value: hash.value })
}

/// Checks an envelope: (1) nothing is missing, it parses and is signed, (2) every verifier parses, (3) each verifier
/// verifies a signature, until every signature has its key.
fn verify_proposed(proposed: &ProposedContent) -> Result<Admission, Rejection> {
    // (1)
    let text = proposed.envelope.as_deref().ok_or(Rejection::EntryRequired { path: ENVELOPE })?;
    let keys = proposed.verifiers.as_deref().ok_or(Rejection::EntryRequired { path: VERIFIERS })?;
    if keys.is_empty() {
        return Err(Rejection::EntryEmpty { path: VERIFIERS });
    }
    let (envelope, signatures) = Envelope::parse(text)?;
    if signatures.len() > MAX_SIGNATURES || keys.len() > MAX_SIGNATURES {
        return Err(Rejection::EntryMalformed { field: "too many signatures" });
    }
    let payload = decode_either(&envelope.payload)?;
    let signed = pre_authentication_encoding(&envelope.payload_type, &payload);
    // (2) and (3). The key is the signature's text, so identical signatures are logged once, in the order of their text.
    let mut texts = BTreeMap::new();
    for signature in signatures {
        texts.insert(decode_either(&signature.sig)?, signature.sig);
    }
    let mut logged = BTreeMap::new();
    let verifiers = keys.iter().map(|key| parse_verifier(key.as_deref().ok_or(Rejection::DsseNullVerifier)?));
    let log = |verifier: &Verifier, signature: &[u8]| {
        if let Some(text) = texts.get(signature) {
            logged.insert(text.clone(), STANDARD.encode(&verifier.canonical_pem));
        }
    };
    let unverified = texts.keys().cloned().collect();
    // SHA-256 for every curve, as Sigstore's DSSE signers use it.
    verify_signatures(&signed, unverified, verifiers, |verifier| (&verifier.key, HashAlgorithm::Sha256), log)?;
    let signatures = logged.into_iter().map(|(signature, verifier)| LoggedSignature { signature, verifier }).collect();
    let spec = CanonicalSpec {
        envelope_hash: CanonicalHash::of(text.as_bytes()),
        payload_hash: CanonicalHash::of(&payload),
        signatures,
    };
    Ok(Admission { body: spec.body()?, attestation: Some(payload) })
}

/// Parses the verifier of an envelope's signature.
pub(super) fn parse_verifier(text: &str) -> Result<Verifier, Rejection> {
    Verifier::parse(&base64_decode(text)?).map_err(|rejection| match rejection {
        Rejection::EntryKey => Rejection::DsseKey,
        other => other,
    })
}

/// Finds for each of `signatures` over `signed` the first verifier whose key made it, and passes the pair to `found`.
/// Every verifier must have made a signature. Verifiers after the last signature has been found are not checked.
pub(super) fn verify_signatures<V>(
    signed: &[u8],
    signatures: BTreeSet<Vec<u8>>,
    verifiers: impl IntoIterator<Item = Result<V, Rejection>>,
    key: impl Fn(&V) -> (&PublicKey, HashAlgorithm),
    mut found: impl FnMut(&V, &[u8]),
) -> Result<(), Rejection> {
    let mut unverified = signatures;
    let mut signed = Signed::new(signed);
    for verifier in verifiers {
        if unverified.is_empty() {
            break;
        }
        let verifier = verifier?;
        let (key, hash) = key(&verifier);
        let before = unverified.len();
        let checks = signed.by(key, hash, before)?;
        unverified.retain(|signature| {
            let holds = checks.holds(signature);
            if holds {
                found(&verifier, signature);
            }
            !holds
        });
        if unverified.len() == before {
            return Err(Rejection::DsseSignature);
        }
    }
    if unverified.is_empty() { Ok(()) } else { Err(Rejection::DsseUncovered) }
}

/// Decodes standard base64, or URL-safe base64, which some signers put in envelopes.
pub(super) fn decode_either(text: &str) -> Result<Vec<u8>, Rejection> {
    base64_decode(text).or_else(|fault| URL_SAFE.decode(text).map_err(|_| fault))
}
