//! A signature with its accompanying files or annotations: cosign's forms without a bundle.

use super::document::open;
use super::legacy::{entry_annotation, timestamp_annotation};
use super::limits::MAX_SIGNATURE_BYTES;
use super::signer::{Root, certificate_or_key, leaf_of};
use super::{Bundle, Content, Envelope, Form, Material};
use crate::certificate::Certificate;
use crate::protojson::decode_canonical;
use crate::{Refusal, Rejection, Step};

/// The encoding of a detached signature. The caller must name it: with guessing, one file could mean two signatures.
#[derive(Debug, Clone, Copy)]
pub enum SignatureText<'a> {
    /// The bytes themselves.
    Raw(&'a [u8]),
    /// Base64, with white space at the end.
    Base64(&'a [u8]),
}

/// The encoding of the signer's certificate.
#[derive(Debug, Clone, Copy)]
pub enum CertificateText<'a> {
    /// One PEM block.
    Pem(&'a [u8]),
    /// DER.
    Der(&'a [u8]),
    /// Base64 of one PEM block, as in cosign's files.
    Base64(&'a [u8]),
}

/// A detached signature and its accompanying files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Detached<'a> {
    /// The signature. `None` if `envelope` contains it.
    pub signature: Option<SignatureText<'a>>,
    /// The JSON of an envelope (DSSE): an attestation.
    pub envelope: Option<&'a [u8]>,
    /// The signer's certificate. `None` if a bare key signed.
    pub certificate: Option<CertificateText<'a>>,
    /// Its issuers in PEM. Their form is checked, but they are not used.
    pub chain: Option<&'a [u8]>,
    /// `{"SignedEntryTimestamp","Payload"}`: the log's promise.
    pub entry: Option<&'a [u8]>,
    /// `{"SignedRFC3161Timestamp"}`: over the raw signature, or over the envelope's JSON.
    pub timestamp: Option<&'a [u8]>,
}

impl Detached<'_> {
    /// Converts to a bundle of [`Form::Detached`].
    ///
    /// # Errors
    /// As [`Bundle::parse`]. [`Rejection::BundleAmbiguous`] if both a signature and an envelope are given,
    /// [`Rejection::BundleMissing`] if neither is.
    pub fn into_bundle(self) -> Result<Bundle, Refusal> {
        let content = match (self.signature, self.envelope) {
            (Some(signature), None) => Content::Message { digest: None, signature: signature.decode()? },
            (None, Some(envelope)) => Content::Envelope(Envelope::read(open(envelope)?)?),
            (Some(_), Some(_)) => {
                return Err(refuse(Rejection::BundleAmbiguous, "envelope", "only a signature", "an envelope, too"));
            }
            (None, None) => {
                return Err(refuse(Rejection::BundleMissing, "signature", "a signature or an envelope", "neither"));
            }
        };
        let timestamps = self.timestamp.map(timestamp_annotation).transpose()?;
        Ok(Bundle {
            form: Form::Detached,
            material: self.material()?,
            content,
            entries: self.entry.map(entry_annotation).transpose()?.into_iter().collect(),
            timestamps: timestamps.into_iter().collect(),
            timestamped: self.envelope.map(<[u8]>::to_vec),
        })
    }

    fn material(&self) -> Result<Material, Refusal> {
        let material = match self.certificate {
            Some(text) => text.decode()?,
            None => Material::PublicKey { hint: None },
        };
        let Some(chain) = self.chain else { return Ok(material) };
        let Material::Certificate(leaf) = material else {
            return Err(refuse(Rejection::BundleMissing, "certificate", "a certificate below the chain", "none"));
        };
        let issuers = Certificate::chain_from_pem(chain).map_err(|rejection| at(rejection, "chain"))?;
        let chain = std::iter::once(*leaf).chain(issuers).collect();
        Ok(Material::Certificate(Box::new(leaf_of(chain, Root::Tolerated, "chain")?)))
    }
}

impl SignatureText<'_> {
    fn decode(self) -> Result<Vec<u8>, Refusal> {
        let bytes = match self {
            Self::Raw(bytes) if bytes.len() <= MAX_SIGNATURE_BYTES => bytes.to_vec(),
            Self::Base64(text) if text.len() <= 2 * MAX_SIGNATURE_BYTES => decode_lines(text)
                .ok_or_else(|| refuse(Rejection::BundleMalformed, "signature", "base64", "text that is not base64"))?,
            Self::Raw(bytes) | Self::Base64(bytes) => {
                let limit = format!("at most {MAX_SIGNATURE_BYTES} bytes");
                return Err(refuse(Rejection::BundleMalformed, "signature", &limit, &bytes.len().to_string()));
            }
        };
        if bytes.is_empty() {
            return Err(refuse(Rejection::BundleMissing, "signature", "a signature", "nothing"));
        }
        Ok(bytes)
    }
}

impl CertificateText<'_> {
    fn decode(self) -> Result<Material, Refusal> {
        let malformed = || refuse(Rejection::BundleMalformed, "certificate", "base64", "text that is not base64");
        match self {
            Self::Pem(text) => certificate_or_key(text, "certificate"),
            Self::Der(der) => {
                let certificate = Certificate::from_der(der).map_err(|rejection| at(rejection, "certificate"))?;
                Ok(Material::Certificate(Box::new(certificate)))
            }
            Self::Base64(text) => certificate_or_key(&decode_lines(text).ok_or_else(malformed)?, "certificate"),
        }
    }
}

/// Decodes a file as `base64` writes it, which ends a line after 76 characters. So does cosign: Go's decoder leaves line ends out.
fn decode_lines(text: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(text).ok()?.trim_ascii_end();
    decode_canonical(&text.replace(['\r', '\n'], ""))
}

fn at(rejection: Rejection, path: &str) -> Refusal {
    Refusal::new(rejection, Step::Formats).at(path)
}

fn refuse(rejection: Rejection, path: &str, expected: &str, found: &str) -> Refusal {
    at(rejection, path).expected(expected, found)
}
