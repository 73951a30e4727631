//! The established facts, for a caller to show and to decide on.

use super::algorithm::SignedData;
use super::{Algorithm, VerifiedAuthority, VerifiedEntry, VerifiedSct, VerifiedTime};
use crate::bundle::Content;
use crate::policy::{Evidence, Explanation};
use crate::signer::Signer;
use crate::statement::Statement;
use crate::{Hash, HashAlgorithm, JSON_VERSION, Timestamp, hash};
use serde::ser::{Serialize, SerializeMap as _, SerializeStruct as _, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// Everything that a bundle proves. Every field was checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Verified {
    /// The signer.
    pub signer: Signer,
    /// The raw signature.
    pub signature: Vec<u8>,
    /// The authority that issued the certificate. `None` for a signature by a bare key.
    pub authority: Option<VerifiedAuthority>,
    /// Times at which the signature existed, one per source. Empty only for a signature by a bare key.
    pub times: Vec<VerifiedTime>,
    /// Log entries about the signature.
    pub entries: Vec<VerifiedEntry>,
    /// SCTs of the certificate.
    pub scts: Vec<VerifiedSct>,
    /// The signature algorithm.
    pub algorithm: Algorithm,
    /// The signed content.
    pub content: SignedContent,
    /// The statement of an envelope.
    pub statement: Option<Statement>,
    /// Index of the artifact among the statement's subjects, from 0.
    pub subject: Option<usize>,
    /// Signed annotations: those of that subject. A caller adds those of a payload that it parses itself.
    pub annotations: BTreeMap<String, String>,
    /// The rules of the policy that held.
    pub policy: Option<Explanation>,
    /// Evidence that was not counted, and evidence that is weaker than usual.
    pub warnings: Vec<String>,
}

impl Verified {
    /// The evidence for a policy: everything about this signature.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        let statement = self.statement.as_ref();
        Evidence {
            signer: self.signer.clone(),
            authorities: self.authority.as_ref().map(|known| known.certificates_sha256.clone()).unwrap_or_default(),
            signature: Some(self.signature.clone()),
            times: self.times.iter().map(VerifiedTime::time).collect(),
            payload_type: match &self.content {
                SignedContent::Message { .. } => None,
                SignedContent::Envelope { payload_type, .. } => Some(payload_type.clone()),
            },
            predicate: statement.map(|read| (read.predicate_type().to_owned(), read.predicate().clone())),
            annotations: self.annotations.clone(),
        }
    }
}

/// The signed content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedContent {
    /// The artifact, by its digest if the digest was signed.
    Message {
        /// The signed digest. `None` if the bytes themselves were signed.
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

/// An envelope whose signer is verified, but that was not compared with an artifact.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UnboundEnvelope {
    /// The established facts, except those about an artifact. [`Verified::statement`] is set if the payload is a
    /// statement.
    pub verified: Verified,
    /// Media type of the payload.
    pub payload_type: String,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Serializes a time as text.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
pub(super) fn rfc3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.rfc3339_millis())
}

/// Serializes bytes as lower-case hexadecimal.
pub(super) fn hexadecimal<S: Serializer>(bytes: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

/// Serializes a list of hashes as lower-case hexadecimal.
pub(super) fn hexadecimals<S: Serializer>(hashes: &[Hash], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(hashes.iter().map(hex::encode))
}

/// Serializes a value as its text form.
pub(super) fn text<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl Serialize for Verified {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("Verified", 13)?;
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
        json.serialize_field("annotations", &self.annotations)?;
        json.serialize_field("policy", &self.policy)?;
        json.serialize_field("warnings", &self.warnings)?;
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

/// The parts of a statement that were checked, or that a policy may read.
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
