//! SHA-2, as RFC 6962, Rekor and Fulcio use it; and SHA-1, for formats that are older.

use crate::Rejection;
use aws_lc_rs::digest;

/// A SHA-256 value: leaf hash, node, root hash, identity hash or fingerprint. 32 bytes.
pub type Hash = [u8; 32];

/// The hash functions of entries and signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl HashAlgorithm {
    /// All algorithms.
    pub(crate) const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// Rekor's name, e.g. `sha256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Inverse of [`Self::name`]; lower case only, as in Rekor's schema.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Output length in bytes.
    #[must_use]
    pub const fn size_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    const fn backend(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    /// Hashes `data`; the result has [`Self::size_bytes`] bytes.
    #[must_use]
    pub fn digest(self, data: &[u8]) -> Vec<u8> {
        digest::digest(self.backend(), data).as_ref().to_vec()
    }

    /// Converts a given digest to the form that signature checks take.
    pub(crate) fn import(self, value: &[u8]) -> Result<digest::Digest, Rejection> {
        digest::Digest::import_less_safe(value, self.backend()).map_err(|_| Rejection::DigestLength)
    }
}

/// The hash function of a format that is older than Sigstore. Each format says what it takes SHA-1 for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Sha1,
    Sha2(HashAlgorithm),
}

impl Function {
    pub(crate) const ALL: [Self; 4] = [
        Self::Sha1,
        Self::Sha2(HashAlgorithm::Sha256),
        Self::Sha2(HashAlgorithm::Sha384),
        Self::Sha2(HashAlgorithm::Sha512),
    ];

    const fn backend(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha2(function) => function.backend(),
        }
    }

    pub(crate) fn digest(self, data: &[u8]) -> Vec<u8> {
        digest::digest(self.backend(), data).as_ref().to_vec()
    }
}

#[cfg(feature = "rekor-kinds")]
impl Function {
    /// The digest of the concatenation of `parts`.
    pub(crate) fn digest_parts(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut context = digest::Context::new(self.backend());
        for part in parts {
            context.update(part);
        }
        context.finish().as_ref().to_vec()
    }

    /// Begins a digest that is computed piece by piece.
    pub(crate) fn streaming(self) -> Streaming {
        Streaming(digest::Context::new(self.backend()))
    }

    /// Converts a given digest to the form that signature checks take.
    pub(crate) fn import(self, value: &[u8]) -> Result<digest::Digest, Rejection> {
        digest::Digest::import_less_safe(value, self.backend()).map_err(|_| Rejection::DigestLength)
    }
}

/// Computes a digest piece by piece.
pub(crate) struct Streaming(digest::Context);

impl Streaming {
    pub(crate) fn new(algorithm: HashAlgorithm) -> Self {
        Self(digest::Context::new(algorithm.backend()))
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

/// SHA-256 of `data`.
#[must_use]
pub fn sha256(data: &[u8]) -> Hash {
    // One call without a context: making a context costs as much as hashing two nodes.
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// SHA-256 of the concatenation of `parts`.
#[must_use]
pub fn sha256_parts(parts: &[&[u8]]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
