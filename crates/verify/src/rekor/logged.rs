//! Entries as they stand in a log, read back: whose signature over what an entry vouches for.
//!
//! A verifier holds a signature, a key and what was signed, and is shown a body. [`bind`] says whether that body is about exactly
//! these. Bodies of Rekor v1 are read and compared: their keys are PEM, whose text varies, and a hash of the envelope's text that
//! only the uploader could make. Bodies of Rekor v2 follow from the signature, so they are rebuilt and compared byte by byte.
//! That the log holds the body is not said here.
//!
//! | kind | version | compared |
//! |---|---|---|
//! | `hashedrekord` | 0.0.1 | digest and its algorithm, signature, key |
//! | `dsse` | 0.0.1 | payload hash, the one signature, key |
//! | `intoto` | 0.0.2 | payload hash, payload type, the one signature, key |
//! | `hashedrekord`, `dsse` | 0.0.2 | every byte |
//! | `intoto` | 0.0.1 | holds no signature: it can be read and vouches for none |

mod v1;
mod v2;

use crate::certificate::Certificate;
use crate::{HashAlgorithm, PublicKey, Rejection};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Largest body that is read. Rekor v1 states no limit; its largest entries are attestations with a certificate per signature.
const MAX_LOGGED_BYTES: usize = 1 << 20;

/// What a verifier holds, and an entry must be about.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// Digest of the bytes that the signature is over: the artifact, or an envelope's pre-authentication encoding. `None` where
    /// the signature is over those bytes themselves (pure Ed25519).
    pub digest: Option<(HashAlgorithm, &'a [u8])>,
    /// Payload type and payload, where an envelope was signed.
    pub envelope: Option<(&'a str, &'a [u8])>,
    /// The raw signature.
    pub signature: &'a [u8],
    /// Who made it.
    pub signer: Signer<'a>,
}

/// Who made a signature.
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

/// A body that was read. Nothing about its signatures is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// The entry type's name.
    pub kind: String,
    /// The entry type's version.
    pub version: String,
    /// What [`Self::digest`] is of.
    pub digest_of: DigestOf,
    /// Digest and its algorithm.
    pub digest: (HashAlgorithm, Vec<u8>),
    /// Media type of the payload, where it is logged.
    pub payload_type: Option<String>,
    /// The signatures, with their keys.
    pub signatures: Vec<LoggedSignature>,
}

/// What an entry's digest is of.
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
    /// The raw signature; `intoto` 0.0.1 has none.
    pub signature: Option<Vec<u8>>,
    /// Who made it.
    pub signer: LoggedSigner,
}

/// Who made a signature, as an entry says it. In DER; not parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggedSigner {
    /// A certificate.
    Certificate(Vec<u8>),
    /// A `SubjectPublicKeyInfo`.
    PublicKey(Vec<u8>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Outer<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    spec: &'a RawValue,
}

impl LoggedEntry {
    /// Reads a body of `hashedrekord` or `dsse` (0.0.1 and 0.0.2), or of `intoto` (0.0.1 and 0.0.2).
    ///
    /// # Errors
    /// [`Rejection::EntryTooLarge`], [`Rejection::EntryKind`] for any other type, and [`Rejection::EntryMalformed`] for what is
    /// not a body of its type.
    pub fn read(body: &[u8]) -> Result<Self, Rejection> {
        if body.len() > MAX_LOGGED_BYTES {
            return Err(Rejection::EntryTooLarge { limit: MAX_LOGGED_BYTES });
        }
        let outer: Outer<'_> =
            serde_json::from_slice(body).map_err(|_| Rejection::EntryMalformed { field: "canonicalizedBody" })?;
        let spec = outer.spec.get();
        let read = match (&*outer.kind, &*outer.api_version) {
            ("hashedrekord", "0.0.1") => v1::hashedrekord(spec),
            ("dsse", "0.0.1") => v1::dsse(spec),
            ("intoto", "0.0.1") => v1::intoto_v001(spec),
            ("intoto", "0.0.2") => v1::intoto_v002(spec),
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

    /// Checks that this entry is about `signed`, and about nothing else.
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

/// What the specs of all types have in common.
struct Parts {
    digest_of: DigestOf,
    digest: (HashAlgorithm, Vec<u8>),
    payload_type: Option<String>,
    signatures: Vec<LoggedSignature>,
}

const fn malformed<E>(field: &'static str) -> impl Fn(E) -> Rejection {
    move |_| Rejection::EntryMalformed { field }
}

/// Checks that an entry of this kind and version is about `signed`, and returns its body: of Rekor v2 the one that follows from
/// the signature, whether or not `body` is given.
///
/// # Errors
/// [`Rejection::EntryKind`] for a type that vouches for no signature, [`Rejection::EntryMissing`] for a body that cannot be
/// rebuilt, [`Rejection::EntryMismatch`] with the field that differs, and as [`LoggedEntry::read`].
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
                // What is in the place of a signature or key is at any rate not this one.
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

/// The rebuilt body; the one given, if any, must be the same.
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
    // It is refused in any case; reading it only tells which field differs.
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
