//! Keys that are not in a `SubjectPublicKeyInfo`, and their signatures over digests.

use crate::hash::Function;
use crate::key::rsa::RsaKey;
use crate::key::{KeyKind, ecdsa_der};
use crate::{PublicKey, Rejection};

/// A key that can verify. RSA keys may have any size from 2048 to 8192 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rekor) enum Key {
    /// RSA, with PKCS#1 v1.5.
    Rsa(RsaKey),
    /// ECDSA on a NIST curve, or Ed25519.
    Other(PublicKey),
}

impl Key {
    /// Makes an RSA key from modulus and exponent, big endian.
    pub(in crate::rekor) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, Rejection> {
        RsaKey::new(modulus, exponent).map(Self::Rsa)
    }

    /// Makes a key from an uncompressed point of a NIST curve.
    pub(in crate::rekor) fn ec(kind: KeyKind, point: &[u8]) -> Result<Self, Rejection> {
        let [4, coordinates @ ..] = point else { return Err(Rejection::KeyWeak) };
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        PublicKey::from_ec(kind, x, y).map(Self::Other)
    }

    /// Makes a key from a point of Ed25519.
    pub(in crate::rekor) fn ed25519(point: &[u8]) -> Result<Self, Rejection> {
        PublicKey::from_ed25519(point).map(Self::Other)
    }

    /// Parses a `SubjectPublicKeyInfo`.
    pub(in crate::rekor) fn from_spki_der(spki_der: &[u8]) -> Result<Self, Rejection> {
        match RsaKey::from_spki_der(spki_der) {
            Err(Rejection::KeyUnsupported) => PublicKey::from_spki_der(spki_der).map(Self::Other),
            key => key.map(Self::Rsa),
        }
    }

    /// Checks a signature over a digest: PKCS#1 v1.5, or ECDSA in DER. ECDSA over SHA-1 is refused.
    pub(in crate::rekor) fn verify_digest(
        &self,
        function: Function,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Rejection> {
        match (self, function) {
            (Self::Rsa(key), _) => key.verify(function, digest, signature),
            (Self::Other(key), Function::Sha2(hash)) if key.kind() != KeyKind::Ed25519 => {
                key.verify_digest(hash, digest, signature)
            }
            _ => Err(Rejection::AlgorithmNotAllowed),
        }
    }

    /// As [`Self::verify_digest`], for an ECDSA signature that is given as two numbers, big endian.
    pub(in crate::rekor) fn verify_numbers(
        &self,
        function: Function,
        digest: &[u8],
        (r, s): (&[u8], &[u8]),
    ) -> Result<(), Rejection> {
        let signature = ecdsa_der(r, s).map_err(|_| Rejection::SignatureInvalid)?;
        self.verify_digest(function, digest, &signature)
    }

    /// Checks an Ed25519 signature over a message.
    pub(in crate::rekor) fn verify_ed25519(&self, message: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        match self {
            Self::Other(key) if key.kind() == KeyKind::Ed25519 => key.verify(message, signature),
            _ => Err(Rejection::AlgorithmNotAllowed),
        }
    }
}
