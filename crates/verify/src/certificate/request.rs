//! Certificate signing requests (PKCS#10, RFC 2986), of which only the key and the proof that the caller holds it count.
//!
//! Subject, attributes and requested extensions are parsed, because the whole must be DER, and then ignored: who a
//! certificate names is decided by the token alone.

use super::{SignatureAlgorithm, tbs};
use crate::{PublicKey, Rejection};
use const_oid::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use x509_cert::request::CertReq;

/// A parsed signing request whose own signature is not yet checked.
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
    /// [`Rejection::CertificateMalformed`], or what [`PublicKey::from_spki_der`] refuses.
    pub fn from_der(der: &[u8]) -> Result<Self, Rejection> {
        let unverified = CertReq::from_der(der).map_err(|_| Rejection::CertificateMalformed)?;
        let spki = unverified.info.public_key.to_der().map_err(|_| Rejection::KeyMalformed)?;
        let public_key = PublicKey::from_spki_der(&spki)?;
        Ok(Self { unverified, signed: tbs::signed_part(der)?.to_vec(), public_key })
    }

    /// The key a certificate is asked for.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// What the request says it is signed with, known here or not.
    #[must_use]
    pub const fn signature_oid(&self) -> ObjectIdentifier {
        self.unverified.algorithm.oid
    }

    /// The algorithm it is signed with.
    ///
    /// # Errors
    /// [`Rejection::AlgorithmNotAllowed`] for one that is not in the list.
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm, Rejection> {
        SignatureAlgorithm::from_identifier(&self.unverified.algorithm)
    }

    /// Checks that the holder of the key made the request.
    pub fn verify(&self) -> Result<(), Rejection> {
        let signature = self.unverified.signature.as_bytes().ok_or(Rejection::SignatureInvalid)?;
        self.signature_algorithm()?.verify(&self.public_key, &self.signed, signature)
    }
}
