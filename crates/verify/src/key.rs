//! Public keys and the signatures they make.
//!
//! A [`PublicKey`] can only be made from a strictly encoded `SubjectPublicKeyInfo` of a supported kind: P-256, P-384,
//! P-521, RSA 2048/3072/4096 and Ed25519. Compressed points, points that are not on the curve, other RSA sizes and
//! small exponents are refused. Private keys are in `chancery-daemon`, never here.

mod components;
mod ed25519ph;
#[cfg(feature = "rekor-kinds")]
pub(crate) mod rsa;

use crate::{Hash, HashAlgorithm, Rejection, hash, pem};
use aws_lc_rs::signature::{self, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use der::{Decode as _, Encode as _, asn1::UintRef};
use spki::SubjectPublicKeyInfoRef;
use std::fmt;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const SECP521R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The kind of a key. It decides how the key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// ECDSA on NIST P-256.
    P256,
    /// ECDSA on NIST P-384.
    P384,
    /// ECDSA on NIST P-521.
    P521,
    /// RSA with a modulus of this many bits: 2048, 3072 or 4096.
    Rsa(u16),
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    /// The hash of this kind, for protocols that do not name one (Fulcio's proof of possession, X.509).
    #[must_use]
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::P256 | Self::Rsa(_) => HashAlgorithm::Sha256,
            Self::P384 => HashAlgorithm::Sha384,
            Self::P521 | Self::Ed25519 => HashAlgorithm::Sha512,
        }
    }

    /// Bytes of one coordinate. `None` for kinds without ECDSA.
    const fn ecdsa_field_bytes(self) -> Option<usize> {
        match self {
            Self::P256 => Some(32),
            Self::P384 => Some(48),
            Self::P521 => Some(66),
            Self::Rsa(_) | Self::Ed25519 => None,
        }
    }

    fn backend(self, hash: HashAlgorithm) -> &'static dyn VerificationAlgorithm {
        use HashAlgorithm::{Sha256, Sha384, Sha512};
        match (self, hash) {
            (Self::P256, Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Self::P256, Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
            (Self::P256, Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
            (Self::P384, Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
            (Self::P384, Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Self::P384, Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
            (Self::P521, Sha256) => &signature::ECDSA_P521_SHA256_ASN1,
            (Self::P521, Sha384) => &signature::ECDSA_P521_SHA384_ASN1,
            (Self::P521, Sha512) => &signature::ECDSA_P521_SHA512_ASN1,
            (Self::Rsa(_), Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Self::Rsa(_), Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Self::Rsa(_), Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (Self::Ed25519, _) => &signature::ED25519,
        }
    }
}

/// A checked public key. Put it in an `Arc` where it is cloned often.
#[derive(Clone)]
pub struct PublicKey {
    kind: KeyKind,
    spki_der: Vec<u8>,
    parsed: ParsedPublicKey,
}

impl PublicKey {
    /// Parses a `SubjectPublicKeyInfo`, strictly: DER only, no trailing bytes, and the algorithm parameters that RFC
    /// 5280 requires.
    pub fn from_spki_der(spki_der: &[u8]) -> Result<Self, Rejection> {
        let spki = SubjectPublicKeyInfoRef::from_der(spki_der).map_err(|_| Rejection::KeyMalformed)?;
        let key = spki.subject_public_key.as_bytes().ok_or(Rejection::KeyMalformed)?;
        let parameters = spki.algorithm.parameters;
        let kind = match spki.algorithm.oid {
            EC_PUBLIC_KEY => {
                let curve =
                    parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok()).ok_or(Rejection::KeyMalformed)?;
                ec_kind(curve, key)?
            }
            RSA_ENCRYPTION => {
                if !parameters.is_some_and(der::AnyRef::is_null) {
                    return Err(Rejection::KeyMalformed);
                }
                rsa_kind(key)?
            }
            ED25519 if parameters.is_some() => return Err(Rejection::KeyMalformed),
            ED25519 => ed25519_kind(key)?,
            _ => return Err(Rejection::KeyUnsupported),
        };
        // aws-lc also accepts the bare key of RSA and Ed25519. The whole SPKI is used so that all kinds take the same path.
        let parsed = ParsedPublicKey::new(kind.backend(kind.hash()), spki_der).map_err(|_| Rejection::KeyWeak)?;
        Ok(Self { kind, spki_der: spki_der.to_vec(), parsed })
    }

    /// Parses the first `PUBLIC KEY` block of a PEM text.
    pub fn from_pem(text: &[u8]) -> Result<Self, Rejection> {
        let block = pem::decode(text)?;
        if block.label == pem::PUBLIC_KEY { Self::from_spki_der(&block.der) } else { Err(Rejection::Pem) }
    }

    /// The kind of key.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// SHA-256 of the SPKI. It is RFC 6962's log id, Rekor's log id, and the fingerprint that an operator pins.
    #[must_use]
    pub fn fingerprint(&self) -> Hash {
        hash::sha256(&self.spki_der)
    }

    /// The key as a `PUBLIC KEY` block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode(pem::PUBLIC_KEY, &self.spki_der)
    }

    /// Checks a signature over `message`, hashed with the kind's own hash. ECDSA signatures are ASN.1 DER, RSA is
    /// PKCS#1 v1.5, Ed25519 is pure.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        self.parsed.verify_sig(message, signature).map_err(|_| Rejection::SignatureInvalid)
    }

    /// As [`Self::verify`], with the hash that a protocol names. Ed25519 ignores the hash and stays pure.
    pub fn verify_with(&self, hash: HashAlgorithm, message: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        if hash == self.kind.hash() {
            return self.verify(message, signature);
        }
        UnparsedPublicKey::new(self.kind.backend(hash), &self.spki_der)
            .verify(message, signature)
            .map_err(|_| Rejection::SignatureInvalid)
    }

    /// Checks a signature over a given digest, as a hashedrekord has it. For an Ed25519 key this is Ed25519ph, and the
    /// digest must be SHA-512.
    pub fn verify_digest(&self, hash: HashAlgorithm, digest: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        let imported = hash.import(digest)?;
        if self.kind == KeyKind::Ed25519 {
            return self.verify_ed25519ph(hash, digest, signature);
        }
        let verdict = if hash == self.kind.hash() {
            self.parsed.verify_digest_sig(&imported, signature)
        } else {
            UnparsedPublicKey::new(self.kind.backend(hash), &self.spki_der).verify_digest(&imported, signature)
        };
        verdict.map_err(|_| Rejection::SignatureInvalid)
    }

    fn verify_ed25519ph(&self, hash: HashAlgorithm, digest: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        if hash != HashAlgorithm::Sha512 {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        let (_, point) = self.spki_der.split_last_chunk::<32>().ok_or(Rejection::KeyMalformed)?;
        ed25519ph::verify(point, digest, signature)
    }

    /// Runs `check` on an ECDSA signature in either form that clients send: ASN.1 DER, or IEEE P1363 `r‖s` converted to
    /// DER. Both are tried, because the first bytes do not distinguish them: one in 65 536 `r‖s` signatures looks like
    /// DER.
    pub fn either_encoding(
        &self,
        signature: &[u8],
        check: impl Fn(&[u8]) -> Result<(), Rejection>,
    ) -> Result<(), Rejection> {
        check(signature).or_else(|rejection| match self.fixed_to_der(signature) {
            Some(converted) => check(&converted).map_err(|_| rejection),
            None => Err(rejection),
        })
    }

    /// Converts an ECDSA signature from `r‖s` (IEEE P1363) to ASN.1 DER. `None` if the length is wrong for this key.
    #[must_use]
    pub fn fixed_to_der(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let field = self.kind.ecdsa_field_bytes().filter(|field| 2 * field == signature.len())?;
        let (r, s) = signature.split_at(field);
        ecdsa_der(r, s).ok()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki_der == other.spki_der
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, {})", self.kind, hex::encode(self.fingerprint()))
    }
}

fn ec_kind(curve: ObjectIdentifier, point: &[u8]) -> Result<KeyKind, Rejection> {
    let kind = match curve {
        SECP256R1 => KeyKind::P256,
        SECP384R1 => KeyKind::P384,
        SECP521R1 => KeyKind::P521,
        _ => return Err(Rejection::KeyWeak),
    };
    let field = kind.ecdsa_field_bytes().unwrap_or_default();
    // Uncompressed only: the point at infinity and compressed points have other lengths. aws-lc checks that the point is
    // on the curve.
    if point.len() == 2 * field + 1 && point.first() == Some(&4) { Ok(kind) } else { Err(Rejection::KeyWeak) }
}

#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

fn rsa_kind(key: &[u8]) -> Result<KeyKind, Rejection> {
    let key = RsaPublicKey::from_der(key).map_err(|_| Rejection::KeyMalformed)?;
    let bits = match key.modulus.as_bytes() {
        [first, rest @ ..] if *first >= 0x80 => (rest.len() + 1) * 8,
        _ => return Err(Rejection::KeyWeak),
    };
    let exponent = key.exponent.as_bytes();
    let exponent_ok = (3..=4).contains(&exponent.len()) && exponent.last().is_some_and(|low| low % 2 == 1);
    match bits {
        2048 | 3072 | 4096 if exponent_ok => u16::try_from(bits).map(KeyKind::Rsa).map_err(|_| Rejection::KeyWeak),
        _ => Err(Rejection::KeyWeak),
    }
}

fn ed25519_kind(key: &[u8]) -> Result<KeyKind, Rejection> {
    let bytes = <&[u8; 32]>::try_from(key).map_err(|_| Rejection::KeyMalformed)?;
    match ed25519_dalek::VerifyingKey::from_bytes(bytes) {
        Ok(point) if !point.is_weak() => Ok(KeyKind::Ed25519),
        _ => Err(Rejection::KeyWeak),
    }
}

pub(crate) fn ecdsa_der(r: &[u8], s: &[u8]) -> der::Result<Vec<u8>> {
    #[derive(der::Sequence)]
    struct EcdsaSignature<'a> {
        r: UintRef<'a>,
        s: UintRef<'a>,
    }
    EcdsaSignature { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der()
}
