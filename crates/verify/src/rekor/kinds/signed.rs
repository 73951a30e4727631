//! Content that an entry has whole, with the keys that have signed it.

use crate::Hash;
use crate::hash::sha256;

/// What was signed, and the keys that did.
pub(super) struct Signed {
    pub(super) sha256: Hash,
    /// In `SubjectPublicKeyInfo`.
    pub(super) keys: Vec<Vec<u8>>,
}

impl Signed {
    pub(super) fn new<'a>(message: &[u8], keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self { sha256: sha256(message), keys: keys.into_iter().map(<[u8]>::to_vec).collect() }
    }
}
