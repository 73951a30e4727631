//! An entry on its way into a tree: admitted, without an index; and what it becomes.

use crate::Corrupt;
use bytes::Bytes;
use chancery_verify::{Hash, Timestamp};

/// An admitted entry without an index.
///
/// A CT leaf contains its own time and index, so the bytes of a leaf exist only once it is sequenced: `seal` makes them.
pub struct Pending {
    /// Deduplication key: SHA-256 of what makes two submissions the same.
    pub identity_hash: Hash,
    /// Makes the leaf from its index and time. Must be pure: after a failed commit an equal entry may be sealed elsewhere.
    pub seal: Box<dyn Fn(u64, Timestamp) -> Result<Sealed, Corrupt> + Send + Sync>,
    /// Whether it is to be the first entry or none. In a tree that has an entry, that entry stands for it: the answer is
    /// that it was logged before, at index 0. What decides is the head on which the batch is committed.
    pub only_first: bool,
}

impl Pending {
    /// An entry that is nothing but its leaf: equal leaves are equal entries, so the leaf hash is the identity.
    pub(crate) fn of_leaf(leaf: impl Into<Bytes>, leaf_hash: Hash) -> Self {
        let leaf = leaf.into();
        let seal = Box::new(move |_, _| Ok(Sealed { leaf: leaf.clone(), extra: Bytes::new() }));
        Self { identity_hash: leaf_hash, seal, only_first: false }
    }

    /// The same, to be the first entry or none.
    pub(crate) fn only_first(self) -> Self {
        Self { only_first: true, ..self }
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pending({})", hex::encode(self.identity_hash))
    }
}

/// The bytes of an entry, final.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// What is hashed into the tree.
    pub leaf: Bytes,
    /// What is kept beside it.
    pub extra: Bytes,
}
