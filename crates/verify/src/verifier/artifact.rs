//! The artifact, as a caller has it: its bytes, or digests of them.

use crate::hash::Streaming;
use crate::{HashAlgorithm, Rejection};
use std::borrow::Cow;

/// An artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact<'a> {
    /// All its bytes.
    Bytes(&'a [u8]),
    /// Digests of its bytes, from [`Hasher`] or from another source.
    Digests(Digests),
}

impl Artifact<'_> {
    /// Makes an artifact from one digest.
    ///
    /// # Errors
    /// [`Rejection::DigestLength`].
    pub fn from_digest(algorithm: HashAlgorithm, digest: &[u8]) -> Result<Self, Rejection> {
        Digests::default().with(algorithm, digest).map(Self::Digests)
    }

    /// The digest by this algorithm, if it is known or can be computed.
    #[must_use]
    pub fn digest(&self, algorithm: HashAlgorithm) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Bytes(bytes) => Some(Cow::Owned(algorithm.digest(bytes))),
            Self::Digests(digests) => digests.get(algorithm).map(Cow::Borrowed),
        }
    }

    /// All digests that are known or can be computed.
    #[must_use]
    pub fn digests(&self) -> Cow<'_, Digests> {
        match self {
            Self::Bytes(bytes) => {
                let made = HashAlgorithm::ALL.map(|algorithm| (algorithm, algorithm.digest(bytes)));
                Cow::Owned(Digests(made.into()))
            }
            Self::Digests(digests) => Cow::Borrowed(digests),
        }
    }
}

/// Digests of one artifact, at most one per algorithm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests(Vec<(HashAlgorithm, Vec<u8>)>);

impl Digests {
    /// Adds a digest. It replaces one by the same algorithm.
    ///
    /// # Errors
    /// [`Rejection::DigestLength`].
    pub fn with(mut self, algorithm: HashAlgorithm, digest: &[u8]) -> Result<Self, Rejection> {
        if digest.len() != algorithm.size_bytes() {
            return Err(Rejection::DigestLength);
        }
        self.0.retain(|(known, _)| *known != algorithm);
        self.0.push((algorithm, digest.to_vec()));
        Ok(self)
    }

    /// The digest by this algorithm.
    #[must_use]
    pub fn get(&self, algorithm: HashAlgorithm) -> Option<&[u8]> {
        self.iter().find(|(known, _)| *known == algorithm).map(|(_, digest)| digest)
    }

    /// Every digest with its algorithm.
    pub fn iter(&self) -> impl Iterator<Item = (HashAlgorithm, &[u8])> {
        self.0.iter().map(|(algorithm, digest)| (*algorithm, digest.as_slice()))
    }
}

/// Digests an artifact piece by piece, with several algorithms in one pass.
pub struct Hasher(Vec<(HashAlgorithm, Streaming)>);

impl Hasher {
    /// A hasher with these algorithms. [`Self::all`] is enough for every bundle, SHA-256 alone for most.
    #[must_use]
    pub fn new(algorithms: &[HashAlgorithm]) -> Self {
        Self(algorithms.iter().map(|algorithm| (*algorithm, Streaming::new(*algorithm))).collect())
    }

    /// A hasher with every algorithm that a signature may need.
    #[must_use]
    pub fn all() -> Self {
        Self::new(&HashAlgorithm::ALL)
    }

    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        for (_, context) in &mut self.0 {
            context.update(piece);
        }
    }

    /// Returns the digests of all pieces.
    #[must_use]
    pub fn finish(self) -> Digests {
        Digests(self.0.into_iter().map(|(algorithm, context)| (algorithm, context.finish())).collect())
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(algorithm, _)| algorithm)).finish()
    }
}
