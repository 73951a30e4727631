//! Certificates of which only the key counts: those that people log signatures with.
//!
//! Rekor takes the key out of a certificate and believes nothing else in it, so it takes any that Go's `crypto/x509` reads: of
//! version 1, with a serial number of any length, signed with an algorithm that nobody trusts any more. They are still strict
//! DER, because an entry is read again for ever. [`Certificate`](super::Certificate) is for certificates that are to be believed.

use super::{MAX_CERTIFICATE_BYTES, SignatureAlgorithm, has_an_extension_twice, tbs};
use crate::{PublicKey, Rejection};
use der::{Decode as _, Encode as _};
use x509_cert::certificate::{CertificateInner, Profile, Version};
use x509_cert::serial_number::SerialNumber;

/// Parses certificates with serial numbers of any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct AnySerialNumber;

impl Profile for AnySerialNumber {
    fn check_serial_number(_: &SerialNumber<Self>) -> der::Result<()> {
        Ok(())
    }
}

/// A certificate about which nothing is verified.
pub(crate) struct Foreign {
    unverified: CertificateInner<AnySerialNumber>,
    signed: Vec<u8>,
    public_key: PublicKey,
}

impl Foreign {
    /// Parses exactly one certificate.
    ///
    /// # Errors
    /// [`Rejection::CertificateMalformed`] also for what Go refuses: two different signature algorithms, an extension twice,
    /// extensions before version 3; or what [`PublicKey::from_spki_der`] refuses.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, Rejection> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(Rejection::CertificateMalformed);
        }
        let unverified = CertificateInner::from_der(der).map_err(|_| Rejection::CertificateMalformed)?;
        let tbs = unverified.tbs_certificate();
        let extensions = tbs.extensions().map_or(&[][..], Vec::as_slice);
        let has_its_version = extensions.is_empty() || tbs.version() == Version::V3;
        let has_one_algorithm = tbs.signature() == unverified.signature_algorithm();
        if !has_its_version || !has_one_algorithm || has_an_extension_twice(extensions) {
            return Err(Rejection::CertificateMalformed);
        }
        let spki = tbs.subject_public_key_info().to_der().map_err(|_| Rejection::KeyMalformed)?;
        let public_key = PublicKey::from_spki_der(&spki)?;
        let signed = tbs::signed_part(der)?.to_vec();
        Ok(Self { unverified, signed, public_key })
    }

    /// The subject's key.
    pub(crate) fn into_public_key(self) -> PublicKey {
        self.public_key
    }

    /// Checks that `issuer` has signed this certificate and bears the name it gives its issuer.
    ///
    /// # Errors
    /// [`Rejection::ChainName`], [`Rejection::AlgorithmNotAllowed`] for an algorithm that is not in the list, or
    /// [`Rejection::ChainSignature`].
    pub(crate) fn verify_issued_by(&self, issuer: &Self) -> Result<(), Rejection> {
        let (name, subject) =
            (self.unverified.tbs_certificate().issuer(), issuer.unverified.tbs_certificate().subject());
        if name != subject || subject.is_empty() {
            return Err(Rejection::ChainName);
        }
        let algorithm = SignatureAlgorithm::from_identifier(self.unverified.signature_algorithm())?;
        let signature = self.unverified.signature().as_bytes().ok_or(Rejection::ChainSignature)?;
        algorithm.verify(&issuer.public_key, &self.signed, signature).map_err(|_| Rejection::ChainSignature)
    }
}
