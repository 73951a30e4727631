//! Rekor v2: the rules for its two kinds of request, and the leaf that is logged for each.
//!
//! A request arrives in protobuf's JSON form ([`json`]) or as protobuf, and is converted to one of these types. The
//! leaf is RFC 8785 of protobuf's JSON form of an `Entry`. Clients rebuild it. Keys and certificates are logged as
//! received. Chain and validity of a certificate are not checked here: that is the task of verifiers. Specification:
//! rekor-tiles' protobuf files.

mod dsse;
mod hashedrekord;
pub mod json;
mod key_details;

pub use dsse::{DsseRequest, Envelope};
pub use hashedrekord::HashedRekordRequest;
pub use key_details::KeyDetails;

use super::Body;
use crate::certificate::Foreign;
use crate::key::KeyKind;
use crate::{HashAlgorithm, PublicKey, Rejection};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

/// The version of every kind.
pub const VERSION: &str = "0.0.2";

/// A type of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A signature over a digest. For a DSSE envelope it is the digest of its pre-authentication encoding.
    HashedRekord,
    /// A signed DSSE envelope. Upstream refuses it since version 2.3, but some clients send it.
    Dsse,
}

impl Kind {
    /// The kind's name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HashedRekord => "hashedrekord",
            Self::Dsse => "dsse",
        }
    }

    fn body(self, spec: &impl Serialize) -> Result<Body, Rejection> {
        Body::of(self.name(), VERSION, spec)
    }
}

/// A request to log an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateEntry {
    /// `HashedRekordRequestV002`
    HashedRekord(HashedRekordRequest),
    /// `DSSERequestV002`
    Dsse(DsseRequest),
}

impl CreateEntry {
    /// The kind of the requested entry.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::HashedRekord(_) => Kind::HashedRekord,
            Self::Dsse(_) => Kind::Dsse,
        }
    }

    /// Checks the request, every signature included, and returns the leaf.
    pub fn admit(&self) -> Result<Body, Rejection> {
        match self {
            Self::HashedRekord(request) => request.admit(),
            Self::Dsse(request) => request.admit(),
        }
    }
}

/// A signature and its signer. Missing members are empty or `None`: the checks report them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// The signature's bytes.
    pub content: Vec<u8>,
    /// The signer.
    pub verifier: Option<Verifier>,
}

/// A public key, alone or in a certificate, and its signature algorithm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verifier {
    /// The key.
    pub key: Option<VerifierKey>,
    /// Number of the `PublicKeyDetails`.
    pub key_details: i32,
}

/// The leaf of a `hashedrekord` with this signature. The signature is not checked.
///
/// # Errors
/// [`Rejection::AlgorithmNotAllowed`] for a kind of key that Rekor v2 does not accept.
pub(super) fn unverified_hashedrekord(
    hash: HashAlgorithm,
    digest: &[u8],
    signature: &[u8],
    (key, kind): (VerifierKey, KeyKind),
) -> Result<Body, Rejection> {
    let details = KeyDetails::of(kind, true).filter(|details| details.prehash() == Some(hash));
    let details = details.ok_or(Rejection::AlgorithmNotAllowed)?;
    let verifier = Verifier { key: Some(key), key_details: details.number() };
    hashedrekord::body(hash, digest, signature, &verifier, details)
}

/// The leaf of a `dsse` whose envelope has this one signature. The signature is not checked.
///
/// # Errors
/// [`Rejection::AlgorithmNotAllowed`] if keys of this kind do not sign this way.
pub(super) fn unverified_dsse(
    payload: &[u8],
    signature: &[u8],
    (key, kind): (VerifierKey, KeyKind),
    over_digest: bool,
) -> Result<Body, Rejection> {
    let details = KeyDetails::of(kind, over_digest).ok_or(Rejection::AlgorithmNotAllowed)?;
    let verifier = Verifier { key: Some(key), key_details: details.number() };
    dsse::body_of_one(payload, signature, &verifier, details)
}

/// The key of a verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifierKey {
    /// A `SubjectPublicKeyInfo` in DER.
    PublicKey(Vec<u8>),
    /// A certificate in DER.
    Certificate(Vec<u8>),
}

impl Verifier {
    /// Parses the key and its signature algorithm. They must be of the same kind.
    fn open(&self) -> Result<(PublicKey, KeyDetails), Rejection> {
        let key = match &self.key {
            None => return Err(Rejection::EntryMissing { field: "public key or X.509 certificate" }),
            Some(VerifierKey::PublicKey(der)) if der.is_empty() => {
                return Err(Rejection::EntryMissing { field: "public key raw bytes" });
            }
            Some(VerifierKey::Certificate(der)) if der.is_empty() => {
                return Err(Rejection::EntryMissing { field: "X.509 certificate raw bytes" });
            }
            Some(VerifierKey::PublicKey(der)) => PublicKey::from_spki_der(der)?,
            Some(VerifierKey::Certificate(der)) => Foreign::from_der(der)?.into_public_key()?,
        };
        let details =
            KeyDetails::from_number(self.key_details).ok_or(Rejection::EntryKeyDetails { number: self.key_details })?;
        if details.kind() == key.kind() { Ok((key, details)) } else { Err(Rejection::EntryKeyMismatch) }
    }

    /// The logged form. Call [`Self::open`] first.
    fn canonical(&self, details: KeyDetails) -> CanonicalVerifier {
        let raw_bytes = |der: &[u8]| RawBytes { raw_bytes: STANDARD.encode(der) };
        let (public_key, x509_certificate) = match &self.key {
            Some(VerifierKey::PublicKey(der)) => (Some(raw_bytes(der)), None),
            Some(VerifierKey::Certificate(der)) => (None, Some(raw_bytes(der))),
            None => (None, None),
        };
        CanonicalVerifier { key_details: details.name(), public_key, x509_certificate }
    }
}

// The parts of the leaf. Their fields are in lexical order, so plain JSON is canonical.

/// `HashOutput`
#[derive(Serialize)]
struct CanonicalHash {
    algorithm: &'static str,
    digest: String,
}

/// `Signature`
#[derive(Serialize)]
struct CanonicalSignature {
    content: String,
    verifier: CanonicalVerifier,
}

/// `Verifier`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalVerifier {
    key_details: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<RawBytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x509_certificate: Option<RawBytes>,
}

/// `PublicKey`, `X509Certificate`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}
