//! Logged entries: parses a body, and checks that it is about a given signature.
//!
//! A verifier has a signature, a key and the signed data, and gets a body. [`bind`] checks that the body is about
//! exactly these. Bodies of Rekor v1 are parsed and their fields compared. They cannot be rebuilt: their keys are PEM,
//! whose text varies, and `dsse` has a hash of the envelope's text that only the uploader can compute. Bodies of Rekor
//! v2 follow from the signature, so they are rebuilt and compared byte by byte. This module does not check that the log
//! holds the body.
//!
//! | kind | version | compared |
//! |---|---|---|
//! | `hashedrekord` | 0.0.1 | digest and its algorithm, signature, key |
//! | `dsse` | 0.0.1 | payload hash, the one signature, key |
//! | `intoto` | 0.0.2 | payload hash, payload type, the one signature, key |
//! | `hashedrekord`, `dsse` | 0.0.2 | every byte |
//! | `intoto` | 0.0.1 | nothing: it has no signature, so it can be parsed but not bound to one |
//! | `rekord` | 0.0.1 | nothing: no bundle has one. With a key of X.509 it can be parsed |
//!
//! An auditor has the body alone. `checkable` is about what it proves by itself, of whatever kind it is.

mod v1;
mod v2;

use crate::certificate::Certificate;
use crate::key::KeyKind;
use crate::{HashAlgorithm, PublicKey, Rejection};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Maximum body. Rekor v1 states no limit. Its largest entries are attestations with a certificate per signature.
const MAX_LOGGED_BYTES: usize = 1 << 20;

/// The signature that an entry must be about, with its key and signed data.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// Digest of the signed bytes: the artifact, or an envelope's pre-authentication encoding. `None` if the bytes
    /// themselves are signed (pure Ed25519).
    pub digest: Option<(HashAlgorithm, &'a [u8])>,
    /// Payload type and payload, if an envelope was signed.
    pub envelope: Option<(&'a str, &'a [u8])>,
    /// The raw signature.
    pub signature: &'a [u8],
    /// The signer.
    pub signer: Signer<'a>,
}

/// The signer of a signature.
#[derive(Debug, Clone, Copy)]
pub enum Signer<'a> {
    /// The holder of a certificate's key. An entry must hold the same certificate, not only the same key.
    Certificate(&'a Certificate),
    /// The holder of a key.
    PublicKey(&'a PublicKey),
}

impl Signer<'_> {
    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        match self {
            Self::Certificate(certificate) => certificate.public_key(),
            Self::PublicKey(key) => key,
        }
    }

    fn is(&self, logged: &LoggedSigner) -> bool {
        match (self, logged) {
            (Self::Certificate(certificate), LoggedSigner::Certificate(der)) => certificate.der() == der,
            (Self::PublicKey(key), LoggedSigner::PublicKey(der)) => key.spki_der() == der,
            _ => false,
        }
    }
}

/// A parsed body. Its signatures are not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// The entry type's name.
    pub kind: String,
    /// The entry type's version.
    pub version: String,
    /// The data that [`Self::digest`] is a digest of.
    pub digest_of: DigestOf,
    /// Digest and its algorithm.
    pub digest: (HashAlgorithm, Vec<u8>),
    /// Media type of the payload, if it is logged.
    pub payload_type: Option<String>,
    /// The signatures, with their keys.
    pub signatures: Vec<LoggedSignature>,
}

/// The data that an entry's digest is a digest of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestOf {
    /// The bytes that were signed.
    Signed,
    /// An envelope's payload.
    Payload,
}

/// A signature in an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedSignature {
    /// The raw signature. `None` in `intoto` 0.0.1.
    pub signature: Option<Vec<u8>>,
    /// The signer.
    pub signer: LoggedSigner,
}

/// The signer that an entry names, in DER. Not parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggedSigner {
    /// A certificate.
    Certificate(Vec<u8>),
    /// A `SubjectPublicKeyInfo`.
    PublicKey(Vec<u8>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Outer<'a> {
    #[serde(borrow)]
    pub(super) api_version: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) spec: &'a RawValue,
}

impl<'a> Outer<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Rejection> {
        if body.len() > MAX_LOGGED_BYTES {
            return Err(Rejection::EntryTooLarge { limit: MAX_LOGGED_BYTES });
        }
        serde_json::from_slice(body).map_err(|_| Rejection::EntryMalformed { field: "canonicalizedBody" })
    }
}

impl LoggedEntry {
    /// Parses a body of `hashedrekord`, `dsse` or `intoto`, each 0.0.1 or 0.0.2, or of `rekord` 0.0.1 with a key of X.509.
    ///
    /// # Errors
    /// [`Rejection::EntryTooLarge`], [`Rejection::EntryKind`] for any other type, and [`Rejection::EntryMalformed`] if
    /// the body is not one of its type.
    pub fn read(body: &[u8]) -> Result<Self, Rejection> {
        Self::of(Outer::read(body)?)
    }

    pub(super) fn of(outer: Outer<'_>) -> Result<Self, Rejection> {
        let spec = outer.spec.get();
        let read = match (&*outer.kind, &*outer.api_version) {
            ("hashedrekord", "0.0.1") => v1::hashedrekord(spec),
            ("dsse", "0.0.1") => v1::dsse(spec),
            ("intoto", "0.0.1") => v1::intoto_v001(spec),
            ("intoto", "0.0.2") => v1::intoto_v002(spec),
            ("rekord", "0.0.1") => v1::rekord(spec),
            ("hashedrekord", super::v2::VERSION) => v2::hashedrekord(spec),
            ("dsse", super::v2::VERSION) => v2::dsse(spec),
            _ => Err(Rejection::EntryKind),
        };
        read.map(|parts| Self {
            kind: outer.kind.into_owned(),
            version: outer.api_version.into_owned(),
            digest_of: parts.digest_of,
            digest: parts.digest,
            payload_type: parts.payload_type,
            signatures: parts.signatures,
        })
    }

    /// Whether a signature by this key is over the digest in the entry. In a `rekord`, Ed25519 signs the artifact itself.
    #[must_use]
    pub(crate) fn is_over_digest(&self, key: &PublicKey) -> bool {
        self.digest_of == DigestOf::Signed && (self.kind != "rekord" || key.kind() != KeyKind::Ed25519)
    }

    /// Checks that this entry is about `signed` and nothing else.
    ///
    /// # Errors
    /// [`Rejection::EntryMismatch`] with the field that differs.
    pub fn verify(&self, signed: &Signed<'_>) -> Result<(), Rejection> {
        let ensure = |holds: bool, field| if holds { Ok(()) } else { Err(Rejection::EntryMismatch { field }) };
        let [logged] = self.signatures.as_slice() else { return Err(Rejection::EntryMismatch { field: "signatures" }) };
        ensure(logged.signature.as_deref() == Some(signed.signature), "signature")?;
        ensure(signed.signer.is(&logged.signer), "publicKey")?;
        let (algorithm, digest) = &self.digest;
        match (self.digest_of, signed.envelope) {
            (DigestOf::Signed, _) => ensure(signed.digest == Some((*algorithm, digest)), "hash")?,
            (DigestOf::Payload, Some((_, payload))) => ensure(algorithm.digest(payload) == *digest, "payloadHash")?,
            (DigestOf::Payload, None) => ensure(false, "kind")?,
        }
        let payload_type = signed.envelope.map(|(payload_type, _)| payload_type);
        ensure(self.payload_type.is_none() || self.payload_type.as_deref() == payload_type, "payloadType")
    }
}

/// The common fields of the specs of all types.
struct Parts {
    digest_of: DigestOf,
    digest: (HashAlgorithm, Vec<u8>),
    payload_type: Option<String>,
    signatures: Vec<LoggedSignature>,
}

/// The signers that a body names, also of kinds that [`LoggedEntry`] does not read: `cose`, `jar`, `alpine`, and `rekord`
/// with a key of X.509.
///
/// # Errors
/// [`Rejection::EntryKind`] for a kind that names no signer, or one by a key of another format, and the errors of
/// [`LoggedEntry::read`].
pub fn signers(body: &[u8]) -> Result<Vec<LoggedSigner>, Rejection> {
    let outer = Outer::read(body)?;
    match (&*outer.kind, &*outer.api_version) {
        (kind @ ("rekord" | "jar" | "alpine" | "cose"), "0.0.1") => {
            v1::only_signer(kind, outer.spec.get()).map(|signer| vec![signer])
        }
        _ => LoggedEntry::of(outer).map(|entry| entry.signatures.into_iter().map(|logged| logged.signer).collect()),
    }
}

/// The signer of an entry of `cose`.
#[cfg(feature = "rekor-kinds")]
pub(super) fn signer_of_cose(spec: &str) -> Result<LoggedSigner, Rejection> {
    v1::only_signer("cose", spec)
}

const fn malformed<E>(field: &'static str) -> impl Fn(E) -> Rejection {
    move |_| Rejection::EntryMalformed { field }
}

/// Checks that an entry of this kind and version is about `signed`, and returns its body. The body of a Rekor v2 entry
/// is rebuilt from the signature, so `body` may be missing.
///
/// # Errors
/// [`Rejection::EntryKind`] for a type that cannot be bound to a signature, [`Rejection::EntryMissing`] if a Rekor v1
/// body is missing, [`Rejection::EntryMismatch`] with the field that differs, and the errors of [`LoggedEntry::read`].
pub fn bind<'a>(
    kind: &str,
    version: &str,
    body: Option<&'a [u8]>,
    signed: &Signed<'_>,
) -> Result<Cow<'a, [u8]>, Rejection> {
    match (kind, version) {
        ("hashedrekord", super::v2::VERSION) => same(kind, body, v2::rebuild_hashedrekord(signed)?, signed),
        ("dsse", super::v2::VERSION) => same(kind, body, v2::rebuild_dsse(signed)?, signed),
        ("hashedrekord" | "dsse", "0.0.1") | ("intoto", "0.0.2") => {
            let body = body.ok_or(Rejection::EntryMissing { field: "canonicalizedBody" })?;
            let entry = LoggedEntry::read(body).map_err(|rejection| match rejection {
                // A value that is no signature or key differs from this one in any case.
                Rejection::EntryMalformed { field: field @ ("signature" | "publicKey") } => {
                    Rejection::EntryMismatch { field }
                }
                other => other,
            })?;
            if entry.kind != kind || entry.version != version {
                return Err(Rejection::EntryMismatch { field: "kindVersion" });
            }
            entry.verify(signed)?;
            Ok(Cow::Borrowed(body))
        }
        _ => Err(Rejection::EntryKind),
    }
}

/// Returns the rebuilt body. A given body must be the same.
fn same<'a>(
    kind: &str,
    given: Option<&'a [u8]>,
    rebuilt: super::Body,
    signed: &Signed<'_>,
) -> Result<Cow<'a, [u8]>, Rejection> {
    let Some(given) = given else { return Ok(Cow::Owned(rebuilt.into_bytes())) };
    if given == rebuilt.as_bytes() {
        return Ok(Cow::Borrowed(given));
    }
    // The body is refused in any case. It is parsed only to report which field differs.
    let field = match LoggedEntry::read(given) {
        Ok(entry) if entry.kind != kind || entry.version != super::v2::VERSION => "kindVersion",
        Ok(entry) => match entry.verify(signed) {
            Err(Rejection::EntryMismatch { field }) => field,
            _ => "canonicalizedBody",
        },
        Err(_) => "canonicalizedBody",
    };
    Err(Rejection::EntryMismatch { field })
}
