//! Keys in other forms than `SubjectPublicKeyInfo`: JSON Web Keys (RFC 7518 §6, RFC 8037) and PKCS#1. Also the
//! signature checks that only tokens and certificates need.
//!
//! Every constructor builds the SPKI and passes it to [`PublicKey::from_spki_der`], so every form of a key gets the
//! same checks.

use super::{
    EC_PUBLIC_KEY, ED25519, KeyKind, PublicKey, RSA_ENCRYPTION, RsaPublicKey, SECP256R1, SECP384R1, SECP521R1,
};
use crate::{HashAlgorithm, Rejection};
use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, Null, UintRef};
use der::{Decode as _, Encode as _};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

impl PublicKey {
    /// Makes an RSA key from modulus and exponent, big endian, as in a JWK's `n` and `e`.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, Rejection> {
        let (modulus, exponent) = (UintRef::new(modulus), UintRef::new(exponent));
        let key = RsaPublicKey {
            modulus: modulus.map_err(|_| Rejection::KeyMalformed)?,
            exponent: exponent.map_err(|_| Rejection::KeyMalformed)?,
        };
        let key = key.to_der().map_err(|_| Rejection::KeyMalformed)?;
        from_parts(RSA_ENCRYPTION, Some(AnyRef::from(Null)), &key)
    }

    /// Parses the `RSAPublicKey` structure of PKCS#1, in DER (PEM label `RSA PUBLIC KEY`).
    pub fn from_pkcs1_der(key: &[u8]) -> Result<Self, Rejection> {
        RsaPublicKey::from_der(key).map_err(|_| Rejection::KeyMalformed)?;
        from_parts(RSA_ENCRYPTION, Some(AnyRef::from(Null)), key)
    }

    /// Makes a key from the affine coordinates of an elliptic-curve point, each exactly as long as the field (RFC 7518
    /// §6.2.1.2).
    pub fn from_ec(kind: KeyKind, x: &[u8], y: &[u8]) -> Result<Self, Rejection> {
        let curve = match kind {
            KeyKind::P256 => SECP256R1,
            KeyKind::P384 => SECP384R1,
            KeyKind::P521 => SECP521R1,
            KeyKind::Rsa(_) | KeyKind::Ed25519 => return Err(Rejection::KeyUnsupported),
        };
        if kind.ecdsa_field_bytes() != Some(x.len()) || x.len() != y.len() {
            return Err(Rejection::KeyMalformed);
        }
        from_parts(EC_PUBLIC_KEY, Some(AnyRef::from(&curve)), &[&[4], x, y].concat())
    }

    /// Makes a key from the 32 bytes of an Ed25519 point, a JWK's `x` (RFC 8037 §2).
    pub fn from_ed25519(point: &[u8]) -> Result<Self, Rejection> {
        from_parts(ED25519, None, point)
    }

    /// Checks an RSASSA-PSS signature whose salt is as long as the hash, the only salt length JWS allows (RFC 7518 §3.5).
    pub fn verify_pss(&self, hash: HashAlgorithm, message: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        UnparsedPublicKey::new(self.pss(hash)?, &self.spki_der)
            .verify(message, signature)
            .map_err(|_| Rejection::SignatureInvalid)
    }

    /// As [`Self::verify_pss`], over a given digest.
    pub fn verify_pss_digest(&self, hash: HashAlgorithm, digest: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        let imported = hash.import(digest)?;
        UnparsedPublicKey::new(self.pss(hash)?, &self.spki_der)
            .verify_digest(&imported, signature)
            .map_err(|_| Rejection::SignatureInvalid)
    }

    /// RSASSA-PSS with this hash, for an RSA key.
    fn pss(&self, hash: HashAlgorithm) -> Result<&'static dyn VerificationAlgorithm, Rejection> {
        if !matches!(self.kind, KeyKind::Rsa(_)) {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        Ok(match hash {
            HashAlgorithm::Sha256 => &signature::RSA_PSS_2048_8192_SHA256,
            HashAlgorithm::Sha384 => &signature::RSA_PSS_2048_8192_SHA384,
            HashAlgorithm::Sha512 => &signature::RSA_PSS_2048_8192_SHA512,
        })
    }

    /// Checks an ECDSA signature in the form `r‖s` (IEEE P1363), each half as long as the field, over `message` hashed
    /// with the kind's own hash. JWS has only this form (RFC 7518 §3.4).
    pub fn verify_fixed(&self, message: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        let algorithm = match self.kind {
            KeyKind::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            KeyKind::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            KeyKind::P521 => &signature::ECDSA_P521_SHA512_FIXED,
            KeyKind::Rsa(_) | KeyKind::Ed25519 => return Err(Rejection::AlgorithmNotAllowed),
        };
        if self.kind.ecdsa_field_bytes().map(|field| 2 * field) != Some(signature.len()) {
            return Err(Rejection::SignatureInvalid);
        }
        UnparsedPublicKey::new(algorithm, &self.spki_der)
            .verify(message, signature)
            .map_err(|_| Rejection::SignatureInvalid)
    }

    /// As [`Self::verify`], and also accepts an ECDSA signature in the form `r‖s`.
    pub fn verify_either(&self, message: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        self.either_encoding(signature, |signature| self.verify(message, signature))
    }

    /// Modulus and exponent of an RSA key, big endian, as in a JWK's `n` and `e`. `None` for other kinds.
    #[must_use]
    pub fn rsa_components(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let spki = SubjectPublicKeyInfoRef::from_der(&self.spki_der).ok()?;
        let key = RsaPublicKey::from_der(spki.subject_public_key.as_bytes()?).ok()?;
        matches!(self.kind, KeyKind::Rsa(_))
            .then(|| (key.modulus.as_bytes().to_vec(), key.exponent.as_bytes().to_vec()))
    }

    /// RFC 5280 §4.2.1.2 method 1: SHA-1 over the contents of the key's BIT STRING. It only names the key. No check
    /// relies on it, so SHA-1, which all CAs write here, is no risk.
    #[must_use]
    pub fn key_identifier(&self) -> [u8; 20] {
        let bits = SubjectPublicKeyInfoRef::from_der(&self.spki_der)
            .ok()
            .and_then(|spki| spki.subject_public_key.as_bytes())
            // Unreachable: the constructor has parsed the same bytes in the same way.
            .unwrap_or(&self.spki_der);
        let mut identifier = [0; 20];
        identifier.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bits).as_ref());
        identifier
    }
}

fn from_parts(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<PublicKey, Rejection> {
    let subject_public_key = BitStringRef::from_bytes(key).map_err(|_| Rejection::KeyMalformed)?;
    let spki = SubjectPublicKeyInfoRef { algorithm: AlgorithmIdentifierRef { oid, parameters }, subject_public_key };
    PublicKey::from_spki_der(&spki.to_der().map_err(|_| Rejection::KeyMalformed)?)
}
