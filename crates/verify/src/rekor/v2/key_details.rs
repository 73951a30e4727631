//! Signature algorithms of keys: `PublicKeyDetails` of `sigstore_common.proto`.

use crate::HashAlgorithm;
use crate::key::KeyKind;

/// The names of the enum, indexed by number.
const NAMES: [&str; 24] = [
    "PUBLIC_KEY_DETAILS_UNSPECIFIED",
    "PKCS1_RSA_PKCS1V5",
    "PKCS1_RSA_PSS",
    "PKIX_RSA_PKCS1V5",
    "PKIX_RSA_PSS",
    "PKIX_ECDSA_P256_SHA_256",
    "PKIX_ECDSA_P256_HMAC_SHA_256",
    "PKIX_ED25519",
    "PKIX_ED25519_PH",
    "PKIX_RSA_PKCS1V15_2048_SHA256",
    "PKIX_RSA_PKCS1V15_3072_SHA256",
    "PKIX_RSA_PKCS1V15_4096_SHA256",
    "PKIX_ECDSA_P384_SHA_384",
    "PKIX_ECDSA_P521_SHA_512",
    "LMS_SHA256",
    "LMOTS_SHA256",
    "PKIX_RSA_PSS_2048_SHA256",
    "PKIX_RSA_PSS_3072_SHA256",
    "PKIX_RSA_PSS_4096_SHA256",
    "PKIX_ECDSA_P384_SHA_256",
    "PKIX_ECDSA_P521_SHA_256",
    "ML_DSA_65",
    "ML_DSA_87",
    "ML_DSA_44",
];

/// A signature algorithm that can be logged: rekor-tiles' list, and pure Ed25519, which is only for envelopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDetails {
    number: i32,
    kind: KeyKind,
}

impl KeyDetails {
    const fn new(number: i32, kind: KeyKind) -> Self {
        Self { number, kind }
    }

    /// Ed25519 over the message itself.
    const PURE_ED25519: i32 = 7;

    const ALL: [Self; 8] = [
        Self::new(5, KeyKind::P256),
        Self::new(Self::PURE_ED25519, KeyKind::Ed25519),
        Self::new(8, KeyKind::Ed25519),
        Self::new(9, KeyKind::Rsa(2048)),
        Self::new(10, KeyKind::Rsa(3072)),
        Self::new(11, KeyKind::Rsa(4096)),
        Self::new(12, KeyKind::P384),
        Self::new(13, KeyKind::P521),
    ];

    /// The enum's number of a name, whether or not it can be logged.
    #[must_use]
    pub fn number_of(name: &str) -> Option<i32> {
        let position = NAMES.iter().position(|known| *known == name)?;
        i32::try_from(position).ok()
    }

    /// The enum's name of a number, whether or not it can be logged.
    pub(crate) fn name_of(number: usize) -> Option<&'static str> {
        NAMES.get(number).copied()
    }

    /// The algorithm with this number, if it can be logged.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|details| details.number == number)
    }

    /// The algorithm of keys of this kind: over a digest, or over the message itself if the kind supports it.
    #[must_use]
    pub fn of(kind: KeyKind, over_digest: bool) -> Option<Self> {
        Self::ALL.into_iter().find(|details| details.kind == kind && details.prehash().is_some() == over_digest)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.number
    }

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        usize::try_from(self.number).ok().and_then(Self::name_of).unwrap_or_default()
    }

    /// The kind of key.
    #[must_use]
    pub const fn kind(self) -> KeyKind {
        self.kind
    }

    /// The hash that is signed. `None` if the message itself is signed.
    #[must_use]
    pub const fn prehash(self) -> Option<HashAlgorithm> {
        if self.number == Self::PURE_ED25519 { None } else { Some(self.kind.hash()) }
    }
}

/// The name of a hash in the `HashAlgorithm` enum of the same file.
pub(super) const fn hash_name(hash: HashAlgorithm) -> &'static str {
    match hash {
        HashAlgorithm::Sha256 => "SHA2_256",
        HashAlgorithm::Sha384 => "SHA2_384",
        HashAlgorithm::Sha512 => "SHA2_512",
    }
}
