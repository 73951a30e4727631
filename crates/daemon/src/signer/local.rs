//! A key in this process, held by aws-lc.

use super::{SignerError, Use, usable};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use chancery_verify::PublicKey;
use chancery_verify::key::KeyKind;
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP521R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// A key pair of a kind that [`super::Signer`] signs with.
pub(super) enum LocalKey {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl LocalKey {
    /// Takes a key and its public half from PKCS#8 in DER.
    pub(super) fn from_pkcs8(purpose: Use, der: &[u8]) -> Result<(Self, PublicKey), SignerError> {
        // Checked first, so that the error names the kind.
        if let Some(kind) = special_kind(der) {
            usable(purpose, kind)?;
        }
        let ecdsa = [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING]
            .into_iter()
            .find_map(|algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der).ok());
        let (key, spki) = if let Some(pair) = ecdsa {
            let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| SignerError::Malformed)?;
            let spki = spki.as_ref().to_vec();
            (Self::Ecdsa(pair), spki)
        } else if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| SignerError::Malformed)?;
            let spki = spki.as_ref().to_vec();
            (Self::Ed25519(pair), spki)
        } else {
            let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| SignerError::Malformed)?;
            let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| SignerError::Malformed)?;
            let spki = spki.as_ref().to_vec();
            (Self::Rsa(pair), spki)
        };
        Ok((key, PublicKey::from_spki_der(&spki)?))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(pair) => pair
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignerError::Failed),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| SignerError::Failed)?;
                Ok(signature)
            }
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// Returns the kind named by a PKCS#8 key, if it is one that is not allowed for every purpose.
fn special_kind(der: &[u8]) -> Option<KeyKind> {
    let algorithm = PrivateKeyInfoRef::try_from(der).ok()?.algorithm;
    match algorithm.oid {
        ED25519 => Some(KeyKind::Ed25519),
        EC_PUBLIC_KEY if algorithm.parameters_oid() == Ok(SECP521R1) => Some(KeyKind::P521),
        _ => None,
    }
}

/// Makes a new key and returns it as PKCS#8 in DER. The caller has checked that the kind is allowed.
pub(super) fn generate(kind: KeyKind) -> Result<Vec<u8>, SignerError> {
    match kind {
        KeyKind::P256 => ecdsa_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyKind::P384 => ecdsa_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING),
        KeyKind::Rsa(2048) => rsa_pkcs8(KeySize::Rsa2048),
        KeyKind::Rsa(3072) => rsa_pkcs8(KeySize::Rsa3072),
        KeyKind::Rsa(4096) => rsa_pkcs8(KeySize::Rsa4096),
        KeyKind::Ed25519 => {
            let pair = Ed25519KeyPair::generate().map_err(|_| SignerError::Failed)?;
            Ok(pair.to_pkcs8v1().map_err(|_| SignerError::Failed)?.as_ref().to_vec())
        }
        KeyKind::Rsa(_) | KeyKind::P521 => Err(SignerError::Malformed),
    }
}

fn ecdsa_pkcs8(algorithm: &'static EcdsaSigningAlgorithm) -> Result<Vec<u8>, SignerError> {
    let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| SignerError::Failed)?;
    Ok(pair.to_pkcs8v1().map_err(|_| SignerError::Failed)?.as_ref().to_vec())
}

fn rsa_pkcs8(size: KeySize) -> Result<Vec<u8>, SignerError> {
    let pair = RsaKeyPair::generate(size).map_err(|_| SignerError::Failed)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| SignerError::Failed)?;
    Ok(der.as_ref().to_vec())
}
