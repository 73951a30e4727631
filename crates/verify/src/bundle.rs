//! Bundles: a signature with the evidence that a verifier needs, in all its file formats.
//!
//! [`Bundle::parse`] parses Sigstore's bundle (versions 0.1, 0.2 and 0.3). The older forms are cosign's legacy bundle
//! ([`Bundle::parse_legacy`]), and a detached signature with its accompanying files ([`Detached`]). They have their own
//! constructors, because a document is never tried as several forms in turn. All forms give the same evidence.
//!
//! A parsed bundle follows every structural rule: no field is repeated, missing, of another version or over its limit.
//! Its contents are *not verified* yet: no signature over the artifact, entry or time has been checked, and no
//! authority is trusted.
//!
//! Specification: `sigstore_bundle.proto`, `sigstore_rekor.proto`, `sigstore_common.proto` of protobuf-specs; DSSE's
//! `envelope.md`; cosign's signature specification.

mod content;
mod detached;
mod document;
mod entry;
mod legacy;
pub mod limits;
mod signer;

pub use content::{Content, Envelope, Material};
pub use detached::{CertificateText, Detached, SignatureText};
pub use entry::{InclusionProof, TransparencyLogEntry};

use crate::Refusal;

/// The format of a bundle. A verifier can require a minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// A detached signature with a separate certificate or key.
    Detached,
    /// Cosign's bundle, older than Sigstore's.
    Legacy,
    /// Version 0.1.
    V01,
    /// Version 0.2.
    V02,
    /// Version 0.3.
    V03,
}

impl Form {
    /// Stable name, e.g. `0.3` or `legacy`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detached => "detached",
            Self::Legacy => "legacy",
            Self::V01 => "0.1",
            Self::V02 => "0.2",
            Self::V03 => "0.3",
        }
    }
}

/// A well-formed bundle. Its contents are not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    form: Form,
    material: Material,
    content: Content,
    entries: Vec<TransparencyLogEntry>,
    timestamps: Vec<Vec<u8>>,
    /// The timestamped bytes, if they are not the signature. For an attestation in a registry they are the envelope's
    /// JSON.
    timestamped: Option<Vec<u8>>,
}

impl Bundle {
    /// Parses a bundle of version 0.1, 0.2 or 0.3.
    ///
    /// # Errors
    /// The first broken rule, with its place: `bundle.*`, `certificate.*`, `dsse.signatures`, `proof.missing`,
    /// `proof.index`, `checkpoint.missing`, `promise.missing`, `log.duplicate`, `algorithm.not_allowed`.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        document::parse(json, false)
    }

    /// As [`Self::parse`], and also accepts a certificate chain in version 0.3, as cosign does with
    /// `--allow-certificate-chain`.
    pub fn parse_allowing_chain(json: &[u8]) -> Result<Self, Refusal> {
        document::parse(json, true)
    }

    /// Parses cosign's bundle of `sign-blob --bundle` before version 3: `{"base64Signature", "cert", "rekorBundle"}`.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_legacy(json: &[u8]) -> Result<Self, Refusal> {
        legacy::parse(json)
    }

    /// Carries one log entry to the checks that read the entries of a bundle. It has no signature and no certificate.
    pub(crate) fn of_entry(entry: TransparencyLogEntry) -> Self {
        Self {
            form: Form::V03,
            material: Material::PublicKey { hint: None },
            content: Content::Message { digest: None, signature: Vec::new() },
            entries: vec![entry],
            timestamps: Vec::new(),
            timestamped: None,
        }
    }

    /// The form of the bundle.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// The signer's certificate, or a hint to the key.
    #[must_use]
    pub const fn material(&self) -> &Material {
        &self.material
    }

    /// The signature, and the envelope if one was signed.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// The raw bytes of the one signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        match &self.content {
            Content::Message { signature, .. } => signature,
            Content::Envelope(envelope) => &envelope.signature,
        }
    }

    /// The log entries, at most [`limits::MAX_ENTRIES`], no log and index twice.
    #[must_use]
    pub fn entries(&self) -> &[TransparencyLogEntry] {
        &self.entries
    }

    /// The timestamps: `TimeStampResp` in DER, at most [`limits::MAX_TIMESTAMPS`], none twice.
    #[must_use]
    pub fn timestamps(&self) -> &[Vec<u8>] {
        &self.timestamps
    }

    /// The bytes that the timestamps must be over.
    #[must_use]
    pub fn timestamped_bytes(&self) -> &[u8] {
        self.timestamped.as_deref().unwrap_or_else(|| self.signature())
    }
}
