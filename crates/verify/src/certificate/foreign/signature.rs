//! Signatures of certificates, as Go's `crypto/x509` verifies them in chains.
//!
//! RSA also with RSASSA-PSS, whose salt must be as long as the hash. Not with SHA-1 or MD5, which Go refuses, nor with
//! SHA-224, which it does not know. An issuer's key may be of any size that the backend takes, because it signs no entry; one
//! of less than 2048 bits is refused, other than in Go.

use super::{Foreign, optional, parts};
use crate::certificate::{SignatureAlgorithm, tbs};
use crate::{HashAlgorithm, Rejection};
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_MGF_1, ID_RSASSA_PSS, ID_SHA_256, ID_SHA_384, ID_SHA_512};
use der::asn1::AnyRef;
use der::{Decode as _, Tag};

/// How to verify a signature.
enum Algorithm {
    Rsa(&'static dyn VerificationAlgorithm),
    Other(SignatureAlgorithm),
}

impl Foreign {
    /// Checks that the key of `issuer` has made this certificate's signature.
    ///
    /// # Errors
    /// [`Rejection::AlgorithmNotAllowed`], [`Rejection::ChainSignature`], or why the issuer's key is not supported.
    pub(super) fn verify_signed_by(&self, issuer: &Self) -> Result<(), Rejection> {
        let verifies = match Algorithm::parse(&self.algorithm).ok_or(Rejection::AlgorithmNotAllowed)? {
            Algorithm::Rsa(backend) => {
                UnparsedPublicKey::new(backend, &issuer.spki).verify(&self.signed, &self.signature).is_ok()
            }
            Algorithm::Other(algorithm) => {
                let key = issuer.public_key.as_ref().map_err(|rejection| *rejection)?;
                algorithm.verify(key, &self.signed, &self.signature).is_ok()
            }
        };
        if verifies { Ok(()) } else { Err(Rejection::ChainSignature) }
    }
}

impl Algorithm {
    /// Parses an `AlgorithmIdentifier`. Parameters count for Ed25519, which has none, and for RSASSA-PSS.
    fn parse(identifier: &[u8]) -> Option<Self> {
        let (oid, parameters) = divide(identifier)?;
        if oid == ID_RSASSA_PSS {
            return Some(Self::Rsa(pss(pss_hash(parameters?)?)));
        }
        let algorithm = SignatureAlgorithm::from_oid(oid)?;
        Some(match algorithm {
            SignatureAlgorithm::Ed25519 if parameters.is_some() => return None,
            SignatureAlgorithm::RsaPkcs1(hash) => Self::Rsa(pkcs1(hash)),
            other => Self::Other(other),
        })
    }
}

fn pkcs1(hash: HashAlgorithm) -> &'static dyn VerificationAlgorithm {
    match hash {
        HashAlgorithm::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        HashAlgorithm::Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        HashAlgorithm::Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
    }
}

fn pss(hash: HashAlgorithm) -> &'static dyn VerificationAlgorithm {
    match hash {
        HashAlgorithm::Sha256 => &signature::RSA_PSS_2048_8192_SHA256,
        HashAlgorithm::Sha384 => &signature::RSA_PSS_2048_8192_SHA384,
        HashAlgorithm::Sha512 => &signature::RSA_PSS_2048_8192_SHA512,
    }
}

/// Divides an `AlgorithmIdentifier` into identifier and parameters.
fn divide(identifier: &[u8]) -> Option<(ObjectIdentifier, Option<&[u8]>)> {
    let parts = parts(identifier, Tag::Sequence).ok()?;
    Some((ObjectIdentifier::from_der(parts.first()?).ok()?, parts.get(1).copied()))
}

/// The hash function of `RSASSA-PSS-params` (RFC 4055 §3.1): the one of the message and of the mask, as long as the salt.
fn pss_hash(parameters: &[u8]) -> Option<HashAlgorithm> {
    let fields = parts(parameters, Tag::Sequence).ok()?;
    let field = |at: usize, number| tbs::contents(fields.get(at)?, optional(number, true)).ok();
    let hash = hash(field(0, 0)?)?;
    let (mask, mask_parameters) = divide(field(1, 1)?)?;
    let salt_bytes = u8::from_der(field(2, 2)?).ok()?;
    let trailer = if fields.len() > 3 { u8::from_der(field(3, 3)?).ok()? } else { 1 };
    let is_usual = mask == ID_MGF_1
        && self::hash(mask_parameters?)? == hash
        && usize::from(salt_bytes) == hash.size_bytes()
        && trailer == 1;
    is_usual.then_some(hash)
}

/// The hash function that an `AlgorithmIdentifier` names, with NULL or without parameters.
fn hash(identifier: &[u8]) -> Option<HashAlgorithm> {
    let (oid, parameters) = divide(identifier)?;
    if !parameters.is_none_or(|parameters| AnyRef::from_der(parameters).is_ok_and(AnyRef::is_null)) {
        return None;
    }
    match oid {
        ID_SHA_256 => Some(HashAlgorithm::Sha256),
        ID_SHA_384 => Some(HashAlgorithm::Sha384),
        ID_SHA_512 => Some(HashAlgorithm::Sha512),
        _ => None,
    }
}
