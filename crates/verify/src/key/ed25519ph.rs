//! Ed25519ph (RFC 8032 §5.1) over a given digest.
//!
//! aws-lc-rs has no Ed25519ph, and Rekor requires it for every Ed25519 `hashedrekord`. ed25519-dalek takes a hasher,
//! but only its output is known here. So [`Prehashed`] is a hasher that has already finished.

use crate::Rejection;
use sha2::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update, consts::U64};

#[derive(Clone)]
struct Prehashed([u8; 64]);

impl Default for Prehashed {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl OutputSizeUser for Prehashed {
    type OutputSize = U64;
}

impl Update for Prehashed {
    /// A finished hash takes no more data. ed25519-dalek never adds any to the message digest.
    fn update(&mut self, _data: &[u8]) {}
}

impl FixedOutput for Prehashed {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0);
    }
}

impl HashMarker for Prehashed {}

/// Checks an Ed25519ph `signature` (64 bytes) by the key `point` over the SHA-512 digest `digest`.
pub(super) fn verify(point: &[u8; 32], digest: &[u8], signature: &[u8]) -> Result<(), Rejection> {
    let digest = digest.try_into().map_err(|_| Rejection::DigestLength)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(point).map_err(|_| Rejection::KeyWeak)?;
    let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| Rejection::SignatureInvalid)?;
    key.verify_prehashed_strict(Prehashed(digest), None, &signature).map_err(|_| Rejection::SignatureInvalid)
}
