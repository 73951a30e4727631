//! Signature checks over one message, with a limit to what they cost.
//!
//! A message has up to tens of megabytes, and an entry up to sixteen signatures and keys. The message is hashed once for
//! each hash function. Only Ed25519 hashes it again in each check, so these checks have a limit of their own. The number of
//! checks is limited by the number of signatures and keys that an entry may have.

use crate::key::KeyKind;
use crate::{HashAlgorithm, PublicKey, Rejection};

/// Maximum bytes that Ed25519 keys hash for one proposal: a third of a second.
const MAX_REHASHED_BYTES: usize = 256 << 20;

/// A message, with what was computed of it.
pub(super) struct Signed<'a> {
    message: &'a [u8],
    digests: Vec<(HashAlgorithm, Vec<u8>)>,
    /// Bytes that Ed25519 checks have hashed.
    rehashed_bytes: usize,
}

impl<'a> Signed<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { message, digests: Vec::new(), rehashed_bytes: 0 }
    }

    /// Prepares checks of up to `signatures` signatures by `key`. `hash` is not for Ed25519.
    ///
    /// # Errors
    /// [`Rejection::EntryTooMany`] if the checks could cost too much.
    pub(super) fn by<'s>(
        &'s mut self,
        key: &'s PublicKey,
        hash: HashAlgorithm,
        signatures: usize,
    ) -> Result<Checks<'s>, Rejection> {
        if key.kind() == KeyKind::Ed25519 {
            self.rehash(signatures)?;
            return Ok(Checks { key, over: Over::Message(self.message) });
        }
        let position = self.digests.iter().position(|(known, _)| *known == hash).unwrap_or_else(|| {
            self.digests.push((hash, hash.digest(self.message)));
            self.digests.len() - 1
        });
        let digest = self.digests.get(position).map(|(_, digest)| digest.as_slice()).unwrap_or_default();
        Ok(Checks { key, over: Over::Digest(hash, digest) })
    }

    /// Counts as many checks as there may be.
    fn rehash(&mut self, signatures: usize) -> Result<(), Rejection> {
        let bytes = signatures.saturating_mul(self.message.len());
        self.rehashed_bytes = self.rehashed_bytes.saturating_add(bytes);
        if self.rehashed_bytes <= MAX_REHASHED_BYTES {
            return Ok(());
        }
        let what = "pairs of Ed25519 keys and signatures for a payload of this size";
        Err(Rejection::EntryTooMany { what, limit: MAX_REHASHED_BYTES / self.message.len().max(1) })
    }
}

/// Checks of signatures over a message by one key.
pub(super) struct Checks<'s> {
    key: &'s PublicKey,
    over: Over<'s>,
}

/// What is compared with a signature.
enum Over<'s> {
    Message(&'s [u8]),
    Digest(HashAlgorithm, &'s [u8]),
}

impl Checks<'_> {
    /// Returns whether the key made this signature.
    pub(super) fn holds(&self, signature: &[u8]) -> bool {
        let check = |signature: &[u8]| match self.over {
            Over::Message(message) => self.key.verify(message, signature),
            Over::Digest(hash, digest) => self.key.verify_digest(hash, digest, signature),
        };
        self.key.either_encoding(signature, check).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn key(spki: &str) -> PublicKey {
        PublicKey::from_spki_der(&hex::decode(spki).unwrap()).unwrap()
    }

    /// A key of RFC 8032, §7.1.
    fn ed25519() -> PublicKey {
        key("302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    }

    /// The base point of P-256.
    fn p256() -> PublicKey {
        key("3059301306072a8648ce3d020106082a8648ce3d03010703420004\
             6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
             4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
    }

    #[test]
    fn a_message_is_hashed_once_for_each_hash_function() {
        let (message, key) = (vec![0; MIB], p256());
        let mut signed = Signed::new(&message);
        for _ in 0..16 {
            for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
                assert!(!signed.by(&key, hash, 16).unwrap().holds(b"no signature"));
            }
        }
        let hashes: Vec<_> = signed.digests.iter().map(|(hash, _)| *hash).collect();
        assert_eq!((hashes, signed.rehashed_bytes), (vec![HashAlgorithm::Sha256, HashAlgorithm::Sha384], 0));
        assert!(signed.digests.iter().all(|(hash, digest)| *digest == hash.digest(&message)));
    }

    #[test]
    fn ed25519_hashes_a_limited_number_of_bytes() {
        let (message, key) = (vec![0; 22 * MIB], ed25519());
        // Sixteen signatures by one key, at once and one after another.
        let refused = Signed::new(&message).by(&key, HashAlgorithm::Sha256, 16).err();
        let Some(Rejection::EntryTooMany { limit, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(limit, 11);
        let mut signed = Signed::new(&message);
        let checks = (0..16).take_while(|_| signed.by(&key, HashAlgorithm::Sha256, 1).is_ok()).count();
        assert_eq!(checks, limit);
        assert!(Signed::new(&[]).by(&key, HashAlgorithm::Sha256, usize::MAX).is_ok());
    }
}
