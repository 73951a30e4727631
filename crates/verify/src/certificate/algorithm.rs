//! The signature algorithms of certificates and signing requests.
//!
//! A closed list, with the parameters that RFC 3279, RFC 4055, RFC 5758 and RFC 8410 require. SHA-1, MD5 and RSASSA-PSS
//! are not in it, because no Sigstore client verifies them.

use crate::key::KeyKind;
use crate::{HashAlgorithm, PublicKey, Rejection};
use const_oid::ObjectIdentifier;
use der::asn1::{Any, Null};
use spki::AlgorithmIdentifierOwned;

/// The algorithm of an issuer's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// ECDSA over this hash.
    Ecdsa(HashAlgorithm),
    /// RSASSA-PKCS1-v1_5 over this hash.
    RsaPkcs1(HashAlgorithm),
    /// Pure Ed25519.
    Ed25519,
}

const TABLE: [(SignatureAlgorithm, ObjectIdentifier); 7] = {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    use SignatureAlgorithm::{Ecdsa, Ed25519, RsaPkcs1};
    [
        (Ecdsa(Sha256), ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2")),
        (Ecdsa(Sha384), ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3")),
        (Ecdsa(Sha512), ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4")),
        (RsaPkcs1(Sha256), ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11")),
        (RsaPkcs1(Sha384), ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12")),
        (RsaPkcs1(Sha512), ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13")),
        (Ed25519, ObjectIdentifier::new_unwrap("1.3.101.112")),
    ]
};

impl SignatureAlgorithm {
    /// The default algorithm of a kind of key.
    #[must_use]
    pub const fn for_key(kind: KeyKind) -> Self {
        match kind {
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => Self::Ecdsa(kind.hash()),
            KeyKind::Rsa(_) => Self::RsaPkcs1(kind.hash()),
            KeyKind::Ed25519 => Self::Ed25519,
        }
    }

    /// Parses an `AlgorithmIdentifier`. Its parameters must be NULL for RSA and absent for the others.
    pub fn from_identifier(identifier: &AlgorithmIdentifierOwned) -> Result<Self, Rejection> {
        let algorithm = Self::from_oid(identifier.oid).ok_or(Rejection::AlgorithmNotAllowed)?;
        if identifier.parameters == algorithm.parameters() {
            Ok(algorithm)
        } else {
            Err(Rejection::AlgorithmNotAllowed)
        }
    }

    /// The algorithm with this identifier, whatever its parameters.
    pub(super) fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        TABLE.into_iter().find(|(_, known)| *known == oid).map(|(algorithm, _)| algorithm)
    }

    /// The `AlgorithmIdentifier` to write.
    #[cfg(feature = "issue")]
    #[must_use]
    pub fn identifier(self) -> AlgorithmIdentifierOwned {
        let position = TABLE.into_iter().find(|(algorithm, _)| *algorithm == self);
        // Always found: the table has every value of the type.
        let oid = position.map_or(TABLE[0].1, |(_, oid)| oid);
        AlgorithmIdentifierOwned { oid, parameters: self.parameters() }
    }

    fn parameters(self) -> Option<Any> {
        matches!(self, Self::RsaPkcs1(_)).then(|| Any::from(Null))
    }

    /// The hash. `None` for Ed25519, which signs the message itself.
    #[must_use]
    pub const fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::Ecdsa(hash) | Self::RsaPkcs1(hash) => Some(hash),
            Self::Ed25519 => None,
        }
    }

    /// Checks a signature over `message`. The key must be of the algorithm's family.
    pub fn verify(self, key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        match (self, key.kind()) {
            (Self::Ecdsa(hash), KeyKind::P256 | KeyKind::P384 | KeyKind::P521)
            | (Self::RsaPkcs1(hash), KeyKind::Rsa(_)) => key.verify_with(hash, message, signature),
            (Self::Ed25519, KeyKind::Ed25519) => key.verify(message, signature),
            _ => Err(Rejection::SignatureInvalid),
        }
    }
}
