//! The tree of the entries that were indexed, as small as it can be: the hashes of the complete subtrees that together cover its
//! leaves, left to right (RFC 6962 §2.1). One per bit of the size. Enough to add leaves, and for the root hash.

use crate::corrupt::Corrupt;
use chancery_verify::Hash;
use chancery_verify::merkle::{self, TreeHead};

/// The complete subtrees of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subtrees {
    size: u64,
    hashes: Vec<Hash>,
}

impl Subtrees {
    /// As they are stored: the hashes one after the other.
    pub(crate) fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, Corrupt> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() && size.count_ones() as usize == hashes.len() {
            Ok(Self { size, hashes: hashes.to_vec() })
        } else {
            Err(Corrupt::new("a tree has a complete subtree for each bit of its size"))
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.hashes.concat()
    }

    /// Leaves.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub(crate) fn push(&mut self, leaf_hash: Hash) {
        let mut hash = leaf_hash;
        // Each subtree that is now complete is the right half of one twice as large.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = merkle::node_hash(&left, &hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// Size and root hash.
    pub(crate) fn head(&self) -> TreeHead {
        let mut hashes = self.hashes.iter().rev();
        let last = hashes.next().copied().unwrap_or_else(merkle::empty_root);
        TreeHead { size: self.size, root: hashes.fold(last, |right, left| merkle::node_hash(left, &right)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_verify::tile::{Edge, Tiles};

    #[test]
    fn the_root_is_that_of_the_tiles() {
        let (mut subtrees, mut edge, mut tiles) = (Subtrees::default(), Edge::default(), Tiles::default());
        assert_eq!(subtrees.head(), TreeHead { size: 0, root: merkle::empty_root() });
        for number in 0..700_u32 {
            let leaf = merkle::leaf_hash(&number.to_be_bytes());
            subtrees.push(leaf);
            edge.append(leaf, &mut tiles);
            assert_eq!(subtrees.head(), TreeHead { size: edge.size(), root: edge.root() });
            let stored = Subtrees::from_bytes(subtrees.size(), &subtrees.to_bytes());
            assert_eq!(stored, Ok(subtrees.clone()));
        }
    }

    #[test]
    fn bytes_of_another_size_are_refused() {
        for (size, bytes) in [(1, 0), (0, 32), (3, 32), (1, 33), (2, 64)] {
            assert!(Subtrees::from_bytes(size, &vec![0; bytes]).is_err(), "{size}, {bytes}");
        }
    }
}
