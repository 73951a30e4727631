//! Certificate signing requests (PKCS#10, RFC 2986). Only the key is used, and the proof that the caller holds it.
//!
//! Subject, attributes and requested extensions are parsed, because the whole request must be DER, and then ignored.
//! The token alone decides the identity in the certificate.

use super::{SignatureAlgorithm, tbs};
use crate::{PublicKey, Rejection};
use const_oid::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use x509_cert::request::CertReq;

/// A parsed signing request. Its signature is not checked yet.
#[derive(Debug, Clone)]
pub struct Request {
    unverified: CertReq,
    signed: Vec<u8>,
    public_key: PublicKey,
}

impl Request {
    /// Parses exactly one request.
    ///
    /// # Errors
    /// [`Rejection::CertificateMalformed`], or an error of [`PublicKey::from_spki_der`].
    pub fn from_der(der: &[u8]) -> Result<Self, Rejection> {
        let unverified = CertReq::from_der(der).map_err(|_| Rejection::CertificateMalformed)?;
        let spki = unverified.info.public_key.to_der().map_err(|_| Rejection::KeyMalformed)?;
        let public_key = PublicKey::from_spki_der(&spki)?;
        Ok(Self { unverified, signed: tbs::signed_part(der)?.to_vec(), public_key })
    }

    /// The key for the certificate.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The request's signature algorithm, supported or not.
    #[must_use]
    pub const fn signature_oid(&self) -> ObjectIdentifier {
        self.unverified.algorithm.oid
    }

    /// The request's signature algorithm.
    ///
    /// # Errors
    /// [`Rejection::AlgorithmNotAllowed`] if it is not supported.
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm, Rejection> {
        SignatureAlgorithm::from_identifier(&self.unverified.algorithm)
    }

    /// Checks that the holder of the key made the request.
    pub fn verify(&self) -> Result<(), Rejection> {
        let signature = self.unverified.signature.as_bytes().ok_or(Rejection::SignatureInvalid)?;
        self.signature_algorithm()?.verify(&self.public_key, &self.signed, signature)
    }
}
