//! X.509: a public key or a chain of certificates, and signatures without any format of their own.

use crate::rekor::signed::Signed;
use crate::rekor::verifier::Verifier;
use crate::{HashAlgorithm, Rejection};

/// The key, or the certificates.
pub(in crate::rekor) struct PublicKey(Verifier);

impl PublicKey {
    pub(in crate::rekor) fn parse(content: &[u8]) -> Result<Self, Rejection> {
        Verifier::parse(content).map(Self)
    }

    pub(in crate::rekor) fn canonical(&self) -> Vec<u8> {
        self.0.canonical_pem.as_bytes().to_vec()
    }

    /// Checks a signature over an artifact: over its SHA-256 whatever the curve, or pure Ed25519.
    pub(in crate::rekor) fn verify(&self, signature: &[u8], artifact: &[u8]) -> Result<(), Rejection> {
        let mut signed = Signed::new(artifact);
        let checks = signed.by(&self.0.key, HashAlgorithm::Sha256, 1)?;
        if checks.holds(signature) { Ok(()) } else { Err(Rejection::EntrySignature) }
    }
}
