//! The signer's certificate in a token's signed attributes: `ESSCertID` and `ESSCertIDv2` (RFC 2634 §5.4, RFC 5035 §4).
//!
//! Version 1 names the certificate by its SHA-1 hash. Many authorities still write it, and it is OpenSSL's default. It
//! is accepted because security does not depend on this hash: it only selects one of the certificates that are trusted,
//! or that a trusted issuer has issued. The token's signature must then verify with that certificate's key. Everywhere
//! else in a timestamp SHA-1 is refused.

use super::asn1::{Element, Fields, INTEGER, Malformed, OCTET_STRING, SEQUENCE, integer};
use super::imprint::{algorithm, hash};
use crate::hash::Function;
use crate::{HashAlgorithm, Rejection};

/// Bytes of a SHA-1 hash.
const SHA1_BYTES: usize = 20;

/// A certificate: its hash, and optionally its issuer and serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CertificateIdentifier<'a> {
    /// [`Function::Sha1`] in version 1 only.
    pub(super) function: Function,
    pub(super) hash: &'a [u8],
    /// `IssuerSerial` in DER.
    pub(super) issuer_serial: Option<&'a [u8]>,
}

impl<'a> CertificateIdentifier<'a> {
    /// Reads a `SigningCertificate`.
    pub(super) fn read_v1(element: Element<'a>) -> Result<Self, Malformed> {
        Self::read(first(element)?, Function::Sha1, SHA1_BYTES)
    }

    /// Reads a `SigningCertificateV2`.
    pub(super) fn read_v2(element: Element<'a>) -> Result<Result<Self, Rejection>, Malformed> {
        let mut fields = first(element)?;
        let function = match fields.optional(SEQUENCE)? {
            None => Ok(HashAlgorithm::Sha256),
            Some(element) => hash(algorithm(element)?.0),
        };
        match function {
            Ok(function) => Self::read(fields, Function::Sha2(function), function.size_bytes()).map(Ok),
            Err(rejection) => Ok(Err(rejection)),
        }
    }

    fn read(mut fields: Fields<'a>, function: Function, size_bytes: usize) -> Result<Self, Malformed> {
        let hash = fields.take(OCTET_STRING)?.contents;
        let issuer_serial = fields.optional(SEQUENCE)?;
        fields.end()?;
        if hash.len() != size_bytes {
            return Err(Malformed);
        }
        if let Some(element) = issuer_serial {
            let mut fields = element.fields();
            fields.take(SEQUENCE)?;
            integer(fields.take(INTEGER)?.contents)?;
            fields.end()?;
        }
        Ok(Self { function, hash, issuer_serial: issuer_serial.map(|element| element.whole) })
    }

    /// Returns whether its hash is that of the certificate with this DER. Issuer and serial number are not compared.
    pub(super) fn is_of(&self, der: &[u8]) -> bool {
        self.function.digest(der) == self.hash
    }
}

/// Returns the fields of the first identifier of a `SigningCertificate`, which is the signer's (RFC 5035 §3). The
/// identifiers after it are its issuers'.
fn first(element: Element<'_>) -> Result<Fields<'_>, Malformed> {
    let mut fields = element.fields();
    let mut identifiers = fields.take(SEQUENCE)?.fields();
    // Policies of the certificates are not used.
    fields.optional(SEQUENCE)?;
    fields.end()?;
    let first = identifiers.take(SEQUENCE)?.fields();
    while !identifiers.is_finished() {
        identifiers.take(SEQUENCE)?;
    }
    Ok(first)
}
