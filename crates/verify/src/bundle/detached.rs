//! A signature with the files or annotations that lie beside it: cosign's forms without a bundle.

use super::Bundle;
use crate::Refusal;

/// How a detached signature is written. The caller knows; guessing would make one file mean two signatures.
#[derive(Debug, Clone, Copy)]
pub enum SignatureText<'a> {
    /// The bytes themselves.
    Raw(&'a [u8]),
    /// Base64, with white space at the end.
    Base64(&'a [u8]),
}

/// How the signer's certificate is written.
#[derive(Debug, Clone, Copy)]
pub enum CertificateText<'a> {
    /// One PEM block.
    Pem(&'a [u8]),
    /// DER.
    Der(&'a [u8]),
    /// Base64 of one PEM block, as cosign writes files.
    Base64(&'a [u8]),
}

/// A detached signature and what lies beside it.
#[derive(Debug, Clone, Copy)]
pub struct Detached<'a> {
    /// The signature. `None` where `envelope` carries it.
    pub signature: Option<SignatureText<'a>>,
    /// The JSON of an envelope (DSSE): an attestation.
    pub envelope: Option<&'a [u8]>,
    /// The signer's certificate; without it a key signed.
    pub certificate: Option<CertificateText<'a>>,
    /// Its issuers in PEM. They are checked for their form and not used.
    pub chain: Option<&'a [u8]>,
    /// `{"SignedEntryTimestamp","Payload"}`: the log's promise.
    pub entry: Option<&'a [u8]>,
    /// `{"SignedRFC3161Timestamp"}`: over the raw signature, or over the envelope's JSON.
    pub timestamp: Option<&'a [u8]>,
}

impl Detached<'_> {
    /// Converts to a bundle of [`super::Form::Detached`].
    ///
    /// # Errors
    /// As [`Bundle::parse`].
    pub fn into_bundle(self) -> Result<Bundle, Refusal> {
        Err(Refusal::new(crate::Rejection::BundleMalformed, crate::Step::Formats))
    }
}
