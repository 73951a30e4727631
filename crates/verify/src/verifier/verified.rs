//! What has been established, for a caller to show and to decide on.

use super::algorithm::SignedData;
use super::{Algorithm, SignerKey, VerifiedAuthority, VerifiedEntry, VerifiedLeaf, VerifiedSct, VerifiedTime};
use crate::bundle::Content;
use crate::claims::Claims;
use crate::policy::{Evidence, Explanation};
use crate::statement::Statement;
use crate::{Hash, HashAlgorithm, JSON_VERSION, Timestamp, hash};
use serde::ser::{Serialize, SerializeMap as _, SerializeStruct as _, Serializer};
use std::fmt;

/// Everything that a bundle proves. There is nothing in it that was not checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Verified {
    /// Who signed.
    pub signer: Signer,
    /// The raw signature.
    pub signature: Vec<u8>,
    /// Who issued the certificate; `None` for a signature by a bare key.
    pub authority: Option<VerifiedAuthority>,
    /// When the signature existed, by every source. Empty only for a signature by a bare key.
    pub times: Vec<VerifiedTime>,
    /// Log entries about the signature.
    pub entries: Vec<VerifiedEntry>,
    /// SCTs of the certificate.
    pub scts: Vec<VerifiedSct>,
    /// How it was signed.
    pub algorithm: Algorithm,
    /// What was signed.
    pub content: SignedContent,
    /// The statement of an envelope.
    pub statement: Option<Statement>,
    /// Which subject of the statement the artifact is, from 0.
    pub subject: Option<usize>,
    /// Which rules of the policy held.
    pub policy: Option<Explanation>,
    /// What was seen and not counted, and what is weaker than it could be.
    pub warnings: Vec<String>,
}

impl Verified {
    /// What a policy is asked about: of this signature, everything but annotations, which only the caller knows.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        Evidence::of(self)
    }
}

/// What was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedContent {
    /// The artifact; its digest, unless it was signed as it is.
    Message {
        /// The digest that was signed.
        digest: Option<(HashAlgorithm, Vec<u8>)>,
    },
    /// An envelope.
    Envelope {
        /// Media type of the payload.
        payload_type: String,
        /// SHA-256 of the payload.
        payload_sha256: Hash,
    },
}

impl SignedContent {
    pub(super) fn of(content: &Content, signed: &SignedData<'_>) -> Self {
        match content {
            Content::Message { .. } => {
                Self::Message { digest: signed.digest().map(|(hash, digest)| (hash, digest.to_vec())) }
            }
            Content::Envelope(envelope) => Self::Envelope {
                payload_type: envelope.payload_type.clone(),
                payload_sha256: hash::sha256(&envelope.payload),
            },
        }
    }
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signer {
    /// Whom a certificate names.
    Certificate {
        /// Identity, issuer, and every claim.
        claims: Claims,
        /// SHA-256 of the certificate.
        sha256: Hash,
        /// SHA-256 of the key's SPKI.
        key_sha256: Hash,
        /// The certificate's serial number, big endian, without leading zeros.
        serial: Vec<u8>,
    },
    /// The holder of a key.
    Key {
        /// SHA-256 of the SPKI.
        sha256: Hash,
        /// The hint under which the caller knows it.
        hint: Option<String>,
    },
}

impl Signer {
    pub(super) fn of_leaf(leaf: &VerifiedLeaf<'_>, claims: Claims) -> Self {
        let certificate = leaf.certificate();
        let (sha256, key_sha256) = (hash::sha256(certificate.der()), certificate.public_key().fingerprint());
        let serial = certificate.tbs().serial_number().as_bytes();
        let zeros = serial.iter().take_while(|byte| **byte == 0).count();
        Self::Certificate { claims, sha256, key_sha256, serial: serial[zeros..].to_vec() }
    }

    pub(super) fn of_key(key: &SignerKey) -> Self {
        Self::Key { sha256: key.key().fingerprint(), hint: key.hint().map(str::to_owned) }
    }

    /// SHA-256 of the SPKI of the key that made the signature.
    #[must_use]
    pub const fn key_sha256(&self) -> Hash {
        match self {
            Self::Certificate { key_sha256, .. } => *key_sha256,
            Self::Key { sha256, .. } => *sha256,
        }
    }

    /// The claims of the certificate.
    #[must_use]
    pub const fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Certificate { claims, .. } => Some(claims),
            Self::Key { .. } => None,
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { claims, .. } => {
                let issuer = crate::shown(claims.issuer());
                write!(f, "{} (by {issuer})", crate::shown(claims.identity().as_str()))
            }
            Self::Key { sha256, .. } => write!(f, "the key {}", hex::encode(sha256)),
        }
    }
}

/// An envelope that a known signer has signed, about nobody knows what.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UnboundEnvelope {
    /// What is established beside the artifact. [`Verified::statement`] is there where the payload is one.
    pub verified: Verified,
    /// Media type of the payload.
    pub payload_type: String,
    /// The payload.
    pub payload: Vec<u8>,
}

/// A time as text.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
pub(super) fn rfc3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.rfc3339_millis())
}

/// Bytes as lower-case hexadecimal.
pub(super) fn hexadecimal<S: Serializer>(bytes: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

/// A list of hashes as lower-case hexadecimal.
pub(super) fn hexadecimals<S: Serializer>(hashes: &[Hash], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(hashes.iter().map(hex::encode))
}

/// What has a text form, as text.
pub(super) fn text<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl Serialize for Verified {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("Verified", 12)?;
        json.serialize_field("version", &JSON_VERSION)?;
        json.serialize_field("signer", &self.signer)?;
        json.serialize_field("authority", &self.authority)?;
        json.serialize_field("times", &self.times)?;
        json.serialize_field("entries", &self.entries)?;
        json.serialize_field("scts", &self.scts)?;
        json.serialize_field("algorithm", &self.algorithm)?;
        json.serialize_field("content", &self.content)?;
        json.serialize_field("statement", &self.statement.as_ref().map(StatementJson))?;
        json.serialize_field("subject", &self.subject)?;
        json.serialize_field("policy", &self.policy)?;
        json.serialize_field("warnings", &self.warnings)?;
        json.end()
    }
}

impl Serialize for Signer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_map(None)?;
        match self {
            Self::Certificate { claims, sha256, key_sha256, serial } => {
                json.serialize_entry("certificate", claims)?;
                json.serialize_entry("certificate_sha256", &hex::encode(sha256))?;
                json.serialize_entry("key_sha256", &hex::encode(key_sha256))?;
                json.serialize_entry("serial", &hex::encode(serial))?;
            }
            Self::Key { sha256, hint } => {
                json.serialize_entry("key_sha256", &hex::encode(sha256))?;
                json.serialize_entry("hint", hint)?;
            }
        }
        json.end()
    }
}

impl Serialize for SignedContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_map(None)?;
        match self {
            Self::Message { digest: None } => json.serialize_entry("kind", "message")?,
            Self::Message { digest: Some((algorithm, digest)) } => {
                json.serialize_entry("kind", "message")?;
                json.serialize_entry("digest", &format!("{}:{}", algorithm.name(), hex::encode(digest)))?;
            }
            Self::Envelope { payload_type, payload_sha256 } => {
                json.serialize_entry("kind", "envelope")?;
                json.serialize_entry("payload_type", payload_type)?;
                json.serialize_entry("payload_sha256", &hex::encode(payload_sha256))?;
            }
        }
        json.end()
    }
}

/// The parts of a statement that were checked, or that a policy may have.
struct StatementJson<'a>(&'a Statement);

impl Serialize for StatementJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_map(Some(3))?;
        json.serialize_entry("type", self.0.version().uri())?;
        json.serialize_entry("predicate_type", self.0.predicate_type())?;
        json.serialize_entry("predicate", self.0.predicate())?;
        json.end()
    }
}
