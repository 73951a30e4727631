//! Merkle tree hashes and proofs (RFC 6962 §2.1; verification after RFC 9162 §2.1.3.2 and §2.1.4.2).
//!
//! Making a proof needs hashes of complete subtrees. This module does not read them. The same pure function runs twice:
//! over a recorder ([`Plan`]), which lists the needed nodes, and then over the nodes that the caller has read (see
//! [`crate::tile`]). Verifying needs only the proof. Proofs that are too long are refused.

mod compact_range;

pub use compact_range::{CompactRange, earlier_inclusion_proof};

use crate::{Hash, Rejection, hash};
use std::convert::Infallible;

/// Hash of a leaf: `SHA-256(0x00 ‖ leaf)`.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    hash::sha256_parts(&[&[0], leaf])
}

/// Hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut node = [1; 65];
    let (left_half, right_half) = node[1..].split_at_mut(32);
    left_half.copy_from_slice(left);
    right_half.copy_from_slice(right);
    hash::sha256(&node)
}

/// Root hash of the tree without leaves: `SHA-256("")`.
#[must_use]
pub fn empty_root() -> Hash {
    hash::sha256(&[])
}

/// A complete subtree: `2^level` leaves beginning at leaf `index << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Height above the leaves.
    pub level: u8,
    /// Position among the nodes of this level, from the left.
    pub index: u64,
}

/// A source of hashes of complete subtrees.
pub trait Nodes {
    /// The error for a node that cannot be read.
    type Error;

    /// The hash of `node`.
    fn node(&mut self, node: Node) -> Result<Hash, Self::Error>;
}

/// Records the nodes that a computation needs. Its hashes are all zero and have no meaning.
#[derive(Debug, Default)]
pub struct Plan {
    /// The requested nodes, in order.
    pub nodes: Vec<Node>,
}

impl Nodes for Plan {
    type Error = Infallible;

    fn node(&mut self, node: Node) -> Result<Hash, Infallible> {
        self.nodes.push(node);
        Ok([0; 32])
    }
}

/// The complete subtrees that together cover leaves `start..end`, left to right. `start` must be a multiple of the
/// largest power of two not above `end - start`. This is true for every range of RFC 6962's proofs.
fn complete_subtrees(mut start: u64, end: u64) -> impl Iterator<Item = Node> {
    std::iter::from_fn(move || {
        let width = end.checked_sub(start).filter(|width| *width > 0)?;
        let level = width.ilog2();
        let node = Node { level: u8::try_from(level).ok()?, index: start >> level };
        start += 1 << level;
        Some(node)
    })
}

/// Hash of the (possibly incomplete) subtree over leaves `start..end`, which must not be empty.
fn range_hash<N: Nodes>(start: u64, end: u64, nodes: &mut N) -> Result<Hash, N::Error> {
    let mut hashes = complete_subtrees(start, end).map(|node| nodes.node(node)).collect::<Result<Vec<_>, _>>()?;
    let mut root = hashes.pop().unwrap_or_else(empty_root);
    while let Some(left) = hashes.pop() {
        root = node_hash(&left, &root);
    }
    Ok(root)
}

/// Root hash of the tree with `size` leaves.
pub fn root_hash<N: Nodes>(size: u64, nodes: &mut N) -> Result<Hash, N::Error> {
    range_hash(0, size, nodes)
}

/// Largest power of two strictly below `width`, for `width` ≥ 2.
const fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

/// Makes the inclusion proof for leaf `index` in the tree of `size` leaves, from the leaf's sibling up to the root's
/// child. Empty if `index` is not below `size`: there is no such proof, and [`verify_inclusion`] refuses it.
pub fn inclusion_proof<N: Nodes>(index: u64, size: u64, nodes: &mut N) -> Result<Vec<Hash>, N::Error> {
    if index >= size {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, size);
    let mut siblings = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            siblings.push((middle, end));
            end = middle;
        } else {
            siblings.push((start, middle));
            start = middle;
        }
    }
    siblings.into_iter().rev().map(|(start, end)| range_hash(start, end, nodes)).collect()
}

/// Makes the consistency proof that the tree of `old` leaves is a prefix of the tree of `new` leaves. Empty if `old` is
/// 0 or equal to `new`, which needs no proof. Also empty if `old` is above `new`: there is no such proof, and
/// [`verify_consistency`] refuses it.
pub fn consistency_proof<N: Nodes>(old: u64, new: u64, nodes: &mut N) -> Result<Vec<Hash>, N::Error> {
    if old == 0 || old >= new {
        return Ok(Vec::new());
    }
    let (mut start, mut end) = (0, new);
    let mut ranges = Vec::new();
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    // The verifier knows the old tree's root, so it is left out if it is a complete subtree from leaf 0.
    if start != 0 {
        ranges.push((start, end));
    }
    ranges.into_iter().rev().map(|(start, end)| range_hash(start, end, nodes)).collect()
}

/// Checks that `leaf` is at `index` of the tree with `size` leaves and root hash `root` (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> Result<(), Rejection> {
    if index >= size {
        return Err(Rejection::IndexBeyondTree { index, size });
    }
    let (mut position, mut last) = (index, size - 1);
    let mut computed = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(Rejection::ProofLength);
        }
        if position & 1 == 1 || position == last {
            computed = node_hash(sibling, &computed);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            computed = node_hash(&computed, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    match (last, computed == *root) {
        (0, true) => Ok(()),
        (0, false) => Err(Rejection::RootMismatch),
        _ => Err(Rejection::ProofLength),
    }
}

/// A tree head without its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// Root hash. [`empty_root`] for size 0.
    pub root: Hash,
}

/// Checks that the tree `old` is a prefix of the tree `new` (RFC 9162 §2.1.4.2).
pub fn verify_consistency(old: &TreeHead, new: &TreeHead, proof: &[Hash]) -> Result<(), Rejection> {
    if old.size > new.size {
        return Err(Rejection::TreeShrinks { old: old.size, new: new.size });
    }
    if old.size == new.size || old.size == 0 {
        let known = if old.size == new.size { new.root } else { empty_root() };
        return match (proof.is_empty(), old.root == known) {
            (true, true) => Ok(()),
            (true, false) => Err(Rejection::RootMismatch),
            (false, _) => Err(Rejection::ProofLength),
        };
    }
    let mut path = proof.iter();
    let first = if old.size.is_power_of_two() { &old.root } else { path.next().ok_or(Rejection::ProofLength)? };
    let (mut position, mut last) = (old.size - 1, new.size - 1);
    while position & 1 == 1 {
        position >>= 1;
        last >>= 1;
    }
    let (mut old_root, mut new_root) = (*first, *first);
    for sibling in path {
        if last == 0 {
            return Err(Rejection::ProofLength);
        }
        if position & 1 == 1 || position == last {
            old_root = node_hash(sibling, &old_root);
            new_root = node_hash(sibling, &new_root);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            new_root = node_hash(&new_root, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    match (last, old_root == old.root && new_root == new.root) {
        (0, true) => Ok(()),
        (0, false) => Err(Rejection::RootMismatch),
        _ => Err(Rejection::ProofLength),
    }
}
