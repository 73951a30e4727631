//! A key in this process, held by aws-lc.

use super::{SignerError, Use, usable};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use chancery_verify::PublicKey;
use chancery_verify::key::KeyKind;
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef, SecretDocument};

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
    /// Makes a new key. The caller has checked that the kind is allowed.
    pub(super) fn generate(kind: KeyKind) -> Result<Self, SignerError> {
        let ecdsa = |algorithm| EcdsaKeyPair::generate(algorithm).map(Self::Ecdsa);
        let rsa = |size| RsaKeyPair::generate(size).map(Self::Rsa);
        let made = match kind {
            KeyKind::P256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyKind::P384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyKind::Rsa(2048) => rsa(KeySize::Rsa2048),
            KeyKind::Rsa(3072) => rsa(KeySize::Rsa3072),
            KeyKind::Rsa(4096) => rsa(KeySize::Rsa4096),
            KeyKind::Ed25519 => Ed25519KeyPair::generate().map(Self::Ed25519),
            KeyKind::Rsa(_) | KeyKind::P521 => return Err(SignerError::Malformed),
        };
        made.map_err(|_| SignerError::Failed)
    }

    /// Takes a key from PKCS#8 in DER.
    pub(super) fn from_pkcs8(purpose: Use, der: &[u8]) -> Result<Self, SignerError> {
        // Checked first, so that the error names the kind.
        if let Some(kind) = special_kind(der) {
            usable(purpose, kind)?;
        }
        let ecdsa = [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING]
            .into_iter()
            .find_map(|algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der).ok());
        if let Some(pair) = ecdsa {
            Ok(Self::Ecdsa(pair))
        } else if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            Ok(Self::Ed25519(pair))
        } else {
            RsaKeyPair::from_pkcs8(der).map(Self::Rsa).map_err(|_| SignerError::Malformed)
        }
    }

    /// The public half.
    pub(super) fn public_key(&self) -> Result<PublicKey, SignerError> {
        let spki: Result<PublicKeyX509Der<'_>, _> = match self {
            Self::Ecdsa(pair) => pair.public_key().as_der(),
            Self::Rsa(pair) => pair.public_key().as_der(),
            Self::Ed25519(pair) => pair.public_key().as_der(),
        };
        Ok(PublicKey::from_spki_der(spki.map_err(|_| SignerError::Malformed)?.as_ref())?)
    }

    /// The key as PKCS#8.
    pub(super) fn pkcs8(&self) -> Result<SecretDocument, SignerError> {
        let failed = |_| SignerError::Failed;
        let document = |der: &[u8]| SecretDocument::try_from(der).map_err(|_| SignerError::Failed);
        match self {
            Self::Ecdsa(pair) => document(pair.to_pkcs8v1().map_err(failed)?.as_ref()),
            Self::Ed25519(pair) => document(pair.to_pkcs8v1().map_err(failed)?.as_ref()),
            Self::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                document(der.as_ref())
            }
        }
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
