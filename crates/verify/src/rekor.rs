//! Rekor: the rules for proposed entries, and the bytes that are logged. This module is Rekor v1, [`v2`] its successor.
//!
//! A proposal is a client's JSON. A body is its one canonical form (RFC 8785), whose hash is the leaf hash. Clients
//! rebuild bodies from their own signature, key and digest, so every byte matters. URLs in entries are never fetched.
//! Specification: Rekor's OpenAPI document and type schemas.
//!
//! Entry types for packages and the formats of other tools need the feature `rekor-kinds`.

mod attestation;
mod checkable;
pub mod dsse;
pub mod hashedrekord;
pub mod intoto;
mod key_format;
#[cfg(feature = "rekor-kinds")]
mod kinds;
pub mod logged;
#[cfg(feature = "rekor-kinds")]
mod pki;
mod promise;
mod signed;
pub mod v2;
mod verifier;

pub use attestation::attestation_hash;
pub use checkable::verify_readable;
pub(crate) use checkable::{Checkable, Readable, kind_and_version};
pub use key_format::KeyFormat;
#[cfg(feature = "rekor-kinds")]
pub(crate) use kinds::Proven;
pub use promise::Promise;

use crate::{Hash, Rejection, merkle};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Maximum body: the two length bytes of an entry bundle allow no more (C2SP tlog-tiles). A certificate has about 4
/// KiB.
const MAX_BODY_BYTES: usize = 0xffff;

/// A proposed entry with parsed kind and version. Its spec is not parsed yet.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProposedEntry<'a> {
    /// The entry type's name, e.g. `hashedrekord`.
    #[serde(default)]
    pub kind: Option<String>,
    /// The entry type's version, e.g. `0.0.1`.
    #[serde(default)]
    pub api_version: Option<String>,
    /// The type's own part.
    #[serde(default, borrow)]
    pub spec: Option<&'a RawValue>,
}

impl<'a> ProposedEntry<'a> {
    /// Parses kind and version. Unknown members are ignored, as upstream does.
    pub fn parse(json: &'a [u8]) -> Result<Self, Rejection> {
        let malformed = Rejection::EntryMalformed { field: "JSON" };
        if is_object(json) { serde_json::from_slice(json).map_err(|_| malformed) } else { Err(malformed) }
    }

    fn spec_json(&self) -> &'a str {
        self.spec.map_or("null", RawValue::get)
    }
}

/// An entry type and version that can be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// `hashedrekord` 0.0.1: a signature over a digest.
    HashedRekord,
    /// `dsse` 0.0.1: a signed envelope. Hashes, signatures and keys are logged.
    Dsse,
    /// `intoto` 0.0.1: a signed envelope. Hashes and the key are logged, but no signature.
    IntotoV001,
    /// `intoto` 0.0.2: a signed envelope, with a key for each signature.
    IntotoV002,
    /// `rekord` 0.0.1: an artifact with a signature of X.509, `OpenPGP`, SSH or minisign.
    Rekord,
    /// `rfc3161` 0.0.1: a timestamp.
    Rfc3161,
    /// `cose` 0.0.1: a COSE message.
    Cose,
    /// `helm` 0.0.1: the provenance file of a Helm chart.
    Helm,
    /// `tuf` 0.0.1: metadata of a TUF repository.
    Tuf,
    /// `jar` 0.0.1: a signed JAR file.
    Jar,
    /// `rpm` 0.0.1: a signed RPM package.
    Rpm,
    /// `alpine` 0.0.1: a package of Alpine Linux.
    Alpine,
}

/// A proposal that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// What is logged.
    pub body: Body,
    /// What the body has only a hash of, and what a log may keep beside it: the payload of an envelope, or a whole COSE
    /// message. The body has its SHA-256 ([`attestation_hash`]).
    pub attestation: Option<Vec<u8>>,
}

impl EntryKind {
    /// Every kind, for configuration and error texts.
    pub const ALL: [Self; 12] = [
        Self::HashedRekord,
        Self::Dsse,
        Self::IntotoV001,
        Self::IntotoV002,
        Self::Rekord,
        Self::Rfc3161,
        Self::Cose,
        Self::Helm,
        Self::Tuf,
        Self::Jar,
        Self::Rpm,
        Self::Alpine,
    ];

    /// The kind's name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HashedRekord => "hashedrekord",
            Self::Dsse => "dsse",
            Self::IntotoV001 | Self::IntotoV002 => "intoto",
            Self::Rekord => "rekord",
            Self::Rfc3161 => "rfc3161",
            Self::Cose => "cose",
            Self::Helm => "helm",
            Self::Tuf => "tuf",
            Self::Jar => "jar",
            Self::Rpm => "rpm",
            Self::Alpine => "alpine",
        }
    }

    /// The kind's version on the wire.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::IntotoV002 => "0.0.2",
            _ => "0.0.1",
        }
    }

    /// The kinds with this name, one per version. Empty if the name is unknown.
    pub fn named(name: &str) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |kind| kind.name() == name)
    }

    /// Whether its proposals hold an archive that must be unpacked.
    #[must_use]
    pub const fn is_archive(self) -> bool {
        matches!(self, Self::Jar | Self::Rpm | Self::Alpine)
    }

    /// Checks the proposal, every signature included, and returns its body.
    pub fn admit(self, proposal: &ProposedEntry<'_>) -> Result<Body, Rejection> {
        self.admission(proposal).map(|admission| admission.body)
    }

    /// As [`Self::admit`], and also returns what may be kept beside the log.
    ///
    /// # Errors
    /// [`Rejection::EntryKind`] for a kind that needs the feature `rekor-kinds`, if this crate was built without it.
    pub fn admission(self, proposal: &ProposedEntry<'_>) -> Result<Admission, Rejection> {
        let spec = proposal.spec_json();
        match self {
            Self::HashedRekord => hashedrekord::admit(spec).map(|body| Admission { body, attestation: None }),
            Self::Dsse => dsse::admit(spec),
            Self::IntotoV001 => intoto::v001::admit(spec),
            Self::IntotoV002 => intoto::v002::admit(spec),
            _ => kinds::admission(self, spec),
        }
    }

    /// The payload in what may be kept beside an entry of this kind. `None` if there is none.
    #[cfg(feature = "rekor-kinds")]
    #[must_use]
    pub fn payload(self, attestation: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Dsse | Self::IntotoV001 | Self::IntotoV002 => Some(attestation),
            Self::Cose => kinds::cose::Message::parse(attestation).ok().map(|message| message.payload),
            _ => None,
        }
    }

    /// Makes the body with this spec.
    fn body(self, spec: &impl Serialize) -> Result<Body, Rejection> {
        Body::of(self.name(), self.version(), spec)
    }

    /// Makes the body of a proposal, for a lookup. The proposal may also be in the logged form.
    pub fn canonicalize(self, proposal: &ProposedEntry<'_>) -> Result<Body, Rejection> {
        let spec = proposal.spec_json();
        match self {
            Self::Dsse => dsse::canonicalize(spec),
            Self::IntotoV001 => intoto::v001::canonicalize(spec),
            Self::IntotoV002 => intoto::v002::canonicalize(spec),
            _ => self.admit(proposal),
        }
    }
}

/// Without the feature no proposal of these kinds can be checked.
#[cfg(not(feature = "rekor-kinds"))]
mod kinds {
    use super::{Admission, EntryKind};
    use crate::Rejection;

    pub(super) const fn admission(_: EntryKind, _: &str) -> Result<Admission, Rejection> {
        Err(Rejection::EntryKind)
    }
}

/// The canonical bytes of an entry, as the log holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(Vec<u8>);

impl Body {
    /// Serialises an entry. All specs declare their fields in lexical order and hold only strings. `serde_json` escapes
    /// strings as RFC 8785 does, so plain JSON is canonical. Tests compare with a JCS implementation.
    fn of(kind: &'static str, api_version: &'static str, spec: &impl Serialize) -> Result<Self, Rejection> {
        let entry = Canonical { api_version, kind, spec };
        let body = serde_json::to_vec(&entry).map_err(|_| Rejection::EntryMalformed { field: "spec" })?;
        if body.len() > MAX_BODY_BYTES {
            return Err(Rejection::EntryTooLarge { limit: MAX_BODY_BYTES });
        }
        Ok(Self(body))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, owned.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The leaf hash. In hexadecimal it is the UUID of a Rekor v1 entry.
    #[must_use]
    pub fn leaf_hash(&self) -> Hash {
        merkle::leaf_hash(&self.0)
    }
}

/// The outer object of a body, in lexical order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Canonical<'a, S> {
    api_version: &'static str,
    kind: &'static str,
    spec: &'a S,
}

/// The text that is logged of a key or certificate chain in PEM: every block encoded again, without surrounding text.
/// Upstream's index has its hash.
///
/// # Errors
/// [`Rejection::EntryKey`], [`Rejection::PemTooMany`], or the error of a key or certificate that cannot be logged.
pub fn canonical_key(pem: &[u8]) -> Result<String, Rejection> {
    verifier::Verifier::parse(pem).map(|verifier| verifier.canonical_pem)
}

/// As [`canonical_key`], of a key in any format.
///
/// # Errors
/// Those of [`canonical_key`] and [`Rejection::EntryKeyFormat`], and of TUF those of a root that is not signed.
#[cfg(feature = "rekor-kinds")]
pub fn canonical_key_in(format: KeyFormat, content: &[u8]) -> Result<Vec<u8>, Rejection> {
    pki::PublicKey::parse(format, content).map(|key| key.canonical())
}

/// Parses a spec into its type. Missing members are `None`: the checks of the type report them.
fn parse_spec<'a, T: Deserialize<'a>>(spec: &'a str) -> Result<T, Rejection> {
    let malformed = Rejection::EntryMalformed { field: "spec" };
    if is_object(spec.as_bytes()) { serde_json::from_str(spec).map_err(|_| malformed) } else { Err(malformed) }
}

/// Whether JSON is an object. Serde would also read a list of its members' values.
fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().starts_with(b"{")
}

fn base64_decode(text: &str) -> Result<Vec<u8>, Rejection> {
    let fault = if text.contains(LINE_ENDS) { Rejection::Base64LineEnds } else { Rejection::Base64 };
    STANDARD.decode(text).map_err(|_| fault)
}

/// As [`base64_decode`], for a field whose bytes are encoded anew in the entry. Line ends do not count, as in Rekor: Go's
/// decoder leaves them out.
fn base64_decode_lines(text: &str) -> Result<Vec<u8>, Rejection> {
    if text.contains(LINE_ENDS) { base64_decode(&text.replace(LINE_ENDS, "")) } else { base64_decode(text) }
}

/// What ends a line.
const LINE_ENDS: [char; 2] = ['\r', '\n'];
