//! RSA keys of any size from 2048 to 8192 bits, and their PKCS#1 v1.5 signatures over SHA-2 and SHA-1.
//!
//! Signers of `OpenPGP`, SSH, JAR and Alpine choose the size of their keys, and Alpine signs SHA-1 to this day. A
//! [`super::PublicKey`] has one of the sizes that Sigstore's clients make.

use super::{RSA_ENCRYPTION, RsaPublicKey};
use crate::hash::Function;
use crate::{HashAlgorithm, Rejection};
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::asn1::{AnyRef, BitStringRef, Null, UintRef};
use der::{Decode as _, Encode as _};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use std::ops::RangeInclusive;

/// Sizes that aws-lc verifies.
const BITS: RangeInclusive<usize> = 2048..=8192;

/// An RSA key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RsaKey {
    spki_der: Vec<u8>,
    size_bytes: usize,
}

impl RsaKey {
    /// Makes a key from modulus and exponent, big endian.
    ///
    /// # Errors
    /// [`Rejection::KeyWeak`] for another size, or an exponent that is even or below 3.
    pub(crate) fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, Rejection> {
        let malformed = |_| Rejection::KeyMalformed;
        let key = RsaPublicKey {
            modulus: UintRef::new(modulus).map_err(malformed)?,
            exponent: UintRef::new(exponent).map_err(malformed)?,
        };
        let size_bytes = check(&key)?;
        let key = key.to_der().map_err(malformed)?;
        let subject_public_key = BitStringRef::from_bytes(&key).map_err(malformed)?;
        let algorithm = AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::from(Null)) };
        let spki_der = SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().map_err(malformed)?;
        Ok(Self { spki_der, size_bytes })
    }

    /// Parses a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`Rejection::KeyUnsupported`] for another kind of key, and those of [`Self::new`].
    pub(crate) fn from_spki_der(spki_der: &[u8]) -> Result<Self, Rejection> {
        let spki = SubjectPublicKeyInfoRef::from_der(spki_der).map_err(|_| Rejection::KeyMalformed)?;
        if spki.algorithm.oid != RSA_ENCRYPTION {
            return Err(Rejection::KeyUnsupported);
        }
        let key = spki.subject_public_key.as_bytes().ok_or(Rejection::KeyMalformed)?;
        let key = RsaPublicKey::from_der(key).map_err(|_| Rejection::KeyMalformed)?;
        Self::new(key.modulus.as_bytes(), key.exponent.as_bytes())
    }

    /// Checks a signature over a digest. Its leading zeros may be missing, as `OpenPGP` and some SSH signers leave them
    /// out.
    pub(crate) fn verify(&self, function: Function, digest: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        let algorithm: &'static dyn VerificationAlgorithm = match function {
            Function::Sha1 => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Function::Sha2(HashAlgorithm::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            Function::Sha2(HashAlgorithm::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            Function::Sha2(HashAlgorithm::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
        };
        let missing = self.size_bytes.checked_sub(signature.len()).ok_or(Rejection::SignatureInvalid)?;
        let signature = [vec![0; missing].as_slice(), signature].concat();
        UnparsedPublicKey::new(algorithm, &self.spki_der)
            .verify_digest(&function.import(digest)?, &signature)
            .map_err(|_| Rejection::SignatureInvalid)
    }
}

/// Returns the size of the modulus in bytes.
fn check(key: &RsaPublicKey<'_>) -> Result<usize, Rejection> {
    let (modulus, exponent) = (key.modulus.as_bytes(), key.exponent.as_bytes());
    let unused_bits = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    let is_odd = |number: &[u8]| number.last().is_some_and(|low| low % 2 == 1);
    let exponent_ok = exponent.len() <= 4 && exponent != [1] && is_odd(exponent);
    if BITS.contains(&(modulus.len() * 8 - unused_bits)) && is_odd(modulus) && exponent_ok {
        Ok(modulus.len())
    } else {
        Err(Rejection::KeyWeak)
    }
}
