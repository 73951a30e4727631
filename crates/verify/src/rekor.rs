//! Rekor: what a proposed entry must be to enter the log, and the bytes under which it is logged. Here Rekor v1; [`v2`] is
//! its successor.
//!
//! A proposal is JSON of a client; a body is the one canonical form (RFC 8785) whose hash is the leaf hash. Clients
//! rebuild bodies from their own signature, key and digest, so every byte matters. Nothing is fetched: the only URLs an
//! entry may contain are text. Shapes and rules: Rekor's OpenAPI document and type schemas.

pub mod dsse;
pub mod hashedrekord;
pub mod intoto;
pub mod logged;
mod promise;
pub mod v2;
mod verifier;

pub use promise::Promise;

use crate::{Hash, Rejection, merkle};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Largest body: what the two length bytes of an entry bundle can say (C2SP tlog-tiles). Certificates take 4 KiB.
const MAX_BODY_BYTES: usize = 0xffff;

/// A proposed entry whose envelope parsed: its kind and version are known, its spec has not been looked at.
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
    /// Parses the envelope. Members nobody knows are ignored, as upstream does.
    pub fn parse(json: &'a [u8]) -> Result<Self, Rejection> {
        serde_json::from_slice(json).map_err(|_| Rejection::EntryMalformed { field: "JSON" })
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
    /// `dsse` 0.0.1: a signed envelope, of which only hashes are logged.
    Dsse,
    /// `intoto` 0.0.1: the same, without the signatures.
    IntotoV001,
    /// `intoto` 0.0.2: the same, with a key beside each signature.
    IntotoV002,
}

impl EntryKind {
    /// Every kind, for configuration and error texts.
    pub const ALL: [Self; 4] = [Self::HashedRekord, Self::Dsse, Self::IntotoV001, Self::IntotoV002];

    /// The kind's name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HashedRekord => "hashedrekord",
            Self::Dsse => "dsse",
            Self::IntotoV001 | Self::IntotoV002 => "intoto",
        }
    }

    /// The kind's version on the wire.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::HashedRekord | Self::Dsse | Self::IntotoV001 => "0.0.1",
            Self::IntotoV002 => "0.0.2",
        }
    }

    /// The kinds of this name, one per version; none where the name is unknown.
    pub fn named(name: &str) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |kind| kind.name() == name)
    }

    /// Checks the proposal as this kind (every signature included) and returns its body.
    pub fn admit(self, proposal: &ProposedEntry<'_>) -> Result<Body, Rejection> {
        let spec = proposal.spec_json();
        match self {
            Self::HashedRekord => hashedrekord::admit(spec),
            Self::Dsse => dsse::admit(spec),
            Self::IntotoV001 => intoto::v001::admit(spec),
            Self::IntotoV002 => intoto::v002::admit(spec),
        }
    }

    /// The body with this spec.
    fn body(self, spec: &impl Serialize) -> Result<Body, Rejection> {
        Body::of(self.name(), self.version(), spec)
    }

    /// Canonicalises a proposal in order to look it up, where it may also be in the form in which it is logged.
    pub fn canonicalize(self, proposal: &ProposedEntry<'_>) -> Result<Body, Rejection> {
        let spec = proposal.spec_json();
        match self {
            Self::HashedRekord => self.admit(proposal),
            Self::Dsse => dsse::canonicalize(spec),
            Self::IntotoV001 => intoto::v001::canonicalize(spec),
            Self::IntotoV002 => intoto::v002::canonicalize(spec),
        }
    }
}

/// The canonical bytes of an entry, as they stand in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(Vec<u8>);

impl Body {
    /// Serialises an entry. The specs that reach this function declare their fields in lexical order and hold only strings,
    /// which `serde_json` escapes as RFC 8785 does, so plain JSON is canonical (tests compare with a JCS implementation).
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

    /// Leaf hash; in hexadecimal, the UUID of an entry of Rekor v1.
    #[must_use]
    pub fn leaf_hash(&self) -> Hash {
        merkle::leaf_hash(&self.0)
    }
}

/// The envelope of a body, in lexical order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Canonical<'a, S> {
    api_version: &'static str,
    kind: &'static str,
    spec: &'a S,
}

/// Parses a spec into its type; missing members are `None`, and a type's own checks name them.
fn parse_spec<'a, T: Deserialize<'a>>(spec: &'a str) -> Result<T, Rejection> {
    serde_json::from_str(spec).map_err(|_| Rejection::EntryMalformed { field: "spec" })
}

fn base64_decode(text: &str) -> Result<Vec<u8>, Rejection> {
    STANDARD.decode(text).map_err(|_| Rejection::Base64)
}
