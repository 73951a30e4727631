//! A tree as small as it can be: the hashes of the complete subtrees that together cover its leaves, left to right (RFC 6962
//! §2.1). One per bit of the size. Enough to add leaves, and for the root hash.

use super::{TreeHead, empty_root, node_hash};
use crate::{Hash, Rejection};

/// The complete subtrees of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    hashes: Vec<Hash>,
}

impl CompactRange {
    /// The tree of `size` leaves whose complete subtrees have these hashes, one after the other. `None` if their number is
    /// another than `size` requires.
    #[must_use]
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && size.count_ones() as usize == hashes.len();
        fits.then(|| Self { size, hashes: hashes.to_vec() })
    }

    /// The tree `old`, from the proof that it is a prefix of a tree of `new` leaves: so leaves can be added to a tree whose
    /// own leaves were never read.
    ///
    /// # Errors
    /// [`Rejection::TreeShrinks`] if `new` is not larger, [`Rejection::ProofLength`] if the proof has too few
    /// hashes, [`Rejection::RootMismatch`] if they do not make the root of `old`.
    pub fn of_consistency(old: &TreeHead, new: u64, proof: &[Hash]) -> Result<Self, Rejection> {
        if old.size >= new {
            return Err(Rejection::TreeShrinks { old: old.size, new });
        }
        let hashes = match old.size {
            0 => Vec::new(),
            size if size.is_power_of_two() => vec![old.root],
            size => complete_subtrees(size, new, proof)?.into_iter().rev().collect(),
        };
        let range = Self { size: old.size, hashes };
        if range.head() == *old { Ok(range) } else { Err(Rejection::RootMismatch) }
    }

    /// The hashes of its complete subtrees, one after the other.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hashes.concat()
    }

    /// Leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf_hash: Hash) {
        let mut hash = leaf_hash;
        // Each subtree that is now complete is the right half of one twice as large.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// Size and root hash.
    #[must_use]
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: right_to_left(self.hashes.iter().rev()).unwrap_or_else(empty_root) }
    }
}

/// The hash over complete subtrees that are given from the right to the left.
fn right_to_left<'a>(mut hashes: impl Iterator<Item = &'a Hash>) -> Option<Hash> {
    let last = hashes.next()?;
    Some(hashes.fold(*last, |right, left| node_hash(left, &right)))
}

/// Makes the inclusion proof of leaf `index` in the tree of `size` leaves from the one in a later tree of the same log, of
/// `later` leaves, and the consistency proof between the two. For logs that prove inclusion only in their newest tree.
///
/// Nothing is verified: [`super::verify_inclusion`] refuses a proof that was made of wrong ones.
///
/// # Errors
/// [`Rejection::IndexBeyondTree`] if the smaller tree does not have the leaf, [`Rejection::TreeShrinks`] if the later one is
/// smaller, [`Rejection::ProofLength`] if a proof has too few hashes.
pub fn earlier_inclusion_proof(
    (index, size): (u64, u64),
    later: u64,
    inclusion: &[Hash],
    consistency: &[Hash],
) -> Result<Vec<Hash>, Rejection> {
    if index >= size {
        return Err(Rejection::IndexBeyondTree { index, size });
    }
    if size > later {
        return Err(Rejection::TreeShrinks { old: size, new: later });
    }
    if size == later {
        return Ok(inclusion.to_vec());
    }
    // The smaller tree is covered by complete subtrees, one for each bit of its size. The leaf is in one of them. Complete
    // subtrees are those of the later tree, too, so the proof begins as there, up to the root of that subtree.
    let (level, on_the_right) = containing(index, size);
    let mut proof = inclusion.get(..level as usize).ok_or(Rejection::ProofLength)?.to_vec();
    if size.is_power_of_two() {
        return Ok(proof);
    }
    // Then come those on its right, as one hash, and then each on its left.
    let subtrees = complete_subtrees(size, later, consistency)?;
    let (right, rest) = subtrees.split_at_checked(on_the_right as usize).ok_or(Rejection::ProofLength)?;
    proof.extend(right_to_left(right.iter()));
    proof.extend(rest.iter().skip(1));
    Ok(proof)
}

/// The level of the complete subtree that covers leaf `index` of the tree of `size` leaves, and how many are on its right.
fn containing(index: u64, size: u64) -> (u32, u32) {
    let mut start = 0;
    for level in (0..u64::BITS).rev().filter(|level| (size >> level) & 1 == 1) {
        let end = start + (1 << level);
        if index < end {
            let below = size & ((1 << level) - 1);
            return (level, below.count_ones());
        }
        start = end;
    }
    (0, 0)
}

/// The complete subtrees of the tree of `old` leaves, from the right to the left: those that the old root hash is computed
/// from when the proof is verified (RFC 9162 §2.1.4.2). `old` is no power of two, and smaller than `new`.
fn complete_subtrees(old: u64, new: u64, consistency: &[Hash]) -> Result<Vec<Hash>, Rejection> {
    let (first, path) = consistency.split_first().ok_or(Rejection::ProofLength)?;
    let mut subtrees = vec![*first];
    let zeros = old.trailing_zeros();
    let (mut position, mut last) = ((old - 1) >> zeros, (new - 1) >> zeros);
    for sibling in path {
        if position & 1 == 1 || position == last {
            subtrees.push(*sibling);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        }
        position >>= 1;
        last >>= 1;
    }
    if subtrees.len() == old.count_ones() as usize { Ok(subtrees) } else { Err(Rejection::ProofLength) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{consistency_proof, inclusion_proof, leaf_hash, verify_inclusion};
    use crate::tile::{Edge, Tiles};

    #[test]
    fn the_root_is_that_of_the_tiles() {
        let (mut range, mut edge, mut tiles) = (CompactRange::default(), Edge::default(), Tiles::default());
        assert_eq!(range.head(), TreeHead { size: 0, root: empty_root() });
        for number in 0..700_u32 {
            let leaf = leaf_hash(&number.to_be_bytes());
            range.push(leaf);
            edge.append(leaf, &mut tiles);
            assert_eq!(range.head(), TreeHead { size: edge.size(), root: edge.root() });
            assert_eq!(CompactRange::from_bytes(range.size(), &range.to_bytes()), Some(range.clone()));
        }
    }

    #[test]
    fn a_proof_shows_the_smaller_tree_so_that_leaves_can_be_added_to_it() {
        const LEAVES: u64 = 67;
        let (mut edge, mut tiles, mut ranges) = (Edge::default(), Tiles::default(), vec![CompactRange::default()]);
        for number in 0..LEAVES {
            let (leaf, mut range) = (leaf_hash(&number.to_be_bytes()), ranges[ranges.len() - 1].clone());
            edge.append(leaf, &mut tiles);
            range.push(leaf);
            ranges.push(range);
        }
        for range in &ranges[..ranges.len() - 1] {
            for new in range.size() + 1..=LEAVES {
                let proof = consistency_proof(range.size(), new, &mut &tiles).unwrap();
                let of = |proof: &[Hash]| CompactRange::of_consistency(&range.head(), new, proof);
                assert_eq!(of(&proof), Ok(range.clone()), "{} {new}", range.size());
                if !range.size().is_power_of_two() && range.size() > 0 {
                    let mut wrong = proof.clone();
                    wrong[0][0] ^= 1;
                    assert_eq!(of(&wrong), Err(Rejection::RootMismatch));
                    assert_eq!(of(&[]), Err(Rejection::ProofLength));
                }
            }
            let shrinks = Rejection::TreeShrinks { old: range.size(), new: range.size() };
            assert_eq!(CompactRange::of_consistency(&range.head(), range.size(), &[]), Err(shrinks));
        }
    }

    #[test]
    fn bytes_of_another_size_are_refused() {
        for (size, bytes) in [(1, 0), (0, 32), (3, 32), (1, 33), (2, 64)] {
            assert!(CompactRange::from_bytes(size, &vec![0; bytes]).is_none(), "{size}, {bytes}");
        }
    }

    #[test]
    fn a_proof_in_an_earlier_tree_is_the_one_that_is_made_of_its_hashes() {
        const LEAVES: u64 = 67;
        let (mut edge, mut tiles, mut range) = (Edge::default(), Tiles::default(), CompactRange::default());
        let leaves: Vec<Hash> = (0..LEAVES).map(|number| leaf_hash(&number.to_be_bytes())).collect();
        for leaf in &leaves {
            edge.append(*leaf, &mut tiles);
        }
        for (size, newest) in (1..).zip(&leaves) {
            range.push(*newest);
            for later in size..=LEAVES {
                let consistency = consistency_proof(size, later, &mut &tiles).unwrap();
                for (index, leaf) in (0..size).zip(&leaves) {
                    let inclusion = inclusion_proof(index, later, &mut &tiles).unwrap();
                    let made = earlier_inclusion_proof((index, size), later, &inclusion, &consistency).unwrap();
                    assert_eq!(made, inclusion_proof(index, size, &mut &tiles).unwrap(), "{index} {size} {later}");
                    assert_eq!(verify_inclusion(index, size, leaf, &made, &range.head().root), Ok(()));
                }
            }
        }
    }

    #[test]
    fn an_earlier_proof_needs_both_proofs_whole() {
        let hashes = vec![[7; 32]; 70];
        let made = |leaf, later, inclusion: usize, consistency: usize| {
            earlier_inclusion_proof(leaf, later, &hashes[..inclusion], &hashes[..consistency])
        };
        assert_eq!(made((6, 6), 9, 4, 4), Err(Rejection::IndexBeyondTree { index: 6, size: 6 }));
        assert_eq!(made((1, 6), 5, 4, 4), Err(Rejection::TreeShrinks { old: 6, new: 5 }));
        assert_eq!(made((1, 6), 9, 1, 4), Err(Rejection::ProofLength));
        for consistency in [0, 1] {
            assert_eq!(made((1, 6), 9, 4, consistency), Err(Rejection::ProofLength), "{consistency}");
        }
        // Whatever a log answers: no more hashes than there are subtrees are ever taken.
        assert!(made((1, 6), 9, 70, 70).is_err());
        assert!(made((u64::MAX - 1, u64::MAX - 1), u64::MAX, 70, 70).is_err());
    }
}
