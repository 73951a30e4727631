//! Bundles: a signature with the evidence that a verifier needs, in every form in which it travels.
//!
//! [`Bundle::parse`] reads Sigstore's bundle (versions 0.1, 0.2 and 0.3). The older forms have constructors of their own,
//! because a document is never tried as one form after the other: cosign's legacy bundle ([`Bundle::parse_legacy`]), and a
//! detached signature with what lies beside it ([`Detached`]). All become the same evidence.
//!
//! A parsed bundle keeps every structural rule: nothing is doubled, missing, of another version or over its limit. Nothing
//! in it is *true* yet: no signature over the artifact, entry or time has been checked, and no authority is trusted.
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

/// In which form a bundle came. Verifiers demand a minimum with it, and say what a form cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// A detached signature with a certificate or key beside it.
    Detached,
    /// Cosign's bundle before Sigstore had one.
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

/// A bundle that is well formed. What it says is not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    form: Form,
    material: Material,
    content: Content,
    entries: Vec<TransparencyLogEntry>,
    timestamps: Vec<Vec<u8>>,
    /// What the timestamps are over, where it is not the signature: an attestation in a registry has the envelope's JSON.
    timestamped: Option<Vec<u8>>,
}

impl Bundle {
    /// Reads a bundle of version 0.1, 0.2 or 0.3.
    ///
    /// # Errors
    /// The first rule that does not hold, with its place: `bundle.*`, `certificate.*`, `dsse.signatures`, `proof.missing`,
    /// `proof.index`, `checkpoint.missing`, `promise.missing`, `log.duplicate`, `algorithm.not_allowed`.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        document::parse(json, false)
    }

    /// As [`Self::parse`], and takes a certificate chain in version 0.3, as cosign does with `--allow-certificate-chain`.
    pub fn parse_allowing_chain(json: &[u8]) -> Result<Self, Refusal> {
        document::parse(json, true)
    }

    /// Reads cosign's bundle of `sign-blob --bundle` before version 3: `{"base64Signature", "cert", "rekorBundle"}`.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_legacy(json: &[u8]) -> Result<Self, Refusal> {
        legacy::parse(json)
    }

    /// The form it came in.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// The signer's certificate, or a hint which key signed.
    #[must_use]
    pub const fn material(&self) -> &Material {
        &self.material
    }

    /// The signature, with the envelope if it is over one.
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
