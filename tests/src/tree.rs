//! RFC 6962 §2.1 a second time, as the recursive definitions of the text read and not as the server computes.

use crate::key::sha256;

/// A tree hash.
pub type Hash = [u8; 32];

/// The hash of a leaf.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    sha256(&[&[0], leaf].concat())
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], &left[..], &right[..]].concat())
}

/// MTH of §2.1 over leaf hashes.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha256(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len() as u64));
            node_hash(&root(left), &root(right))
        }
    }
}

/// The root that an inclusion proof leads to, after PATH of §2.1.1; `None` if the proof has a wrong length.
pub fn root_from_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    if size == 1 {
        return proof.is_empty().then_some(*leaf);
    }
    let (sibling, rest) = proof.split_last()?;
    let k = split(size) as u64;
    if index < k {
        Some(node_hash(&root_from_inclusion(index, k, leaf, rest)?, sibling))
    } else {
        Some(node_hash(sibling, &root_from_inclusion(index - k, size - k, leaf, rest)?))
    }
}

/// Whether a consistency proof leads from one root to the other, after PROOF and SUBPROOF of §2.1.2.
pub fn is_consistent(old_size: u64, old_root: &Hash, new_size: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    old_size > 0
        && old_size < new_size
        && subproof(old_size, new_size, true, old_root, proof) == Some((*old_root, *new_root))
}

/// The two roots, of the old and of the new tree, that a subproof leads to.
fn subproof(m: u64, n: u64, complete: bool, old_root: &Hash, proof: &[Hash]) -> Option<(Hash, Hash)> {
    if m == n {
        return match (complete, proof) {
            (true, []) => Some((*old_root, *old_root)),
            (false, [node]) => Some((*node, *node)),
            _ => None,
        };
    }
    let (sibling, rest) = proof.split_last()?;
    let k = split(n) as u64;
    if m <= k {
        let (old, new) = subproof(m, k, complete, old_root, rest)?;
        Some((old, node_hash(&new, sibling)))
    } else {
        let (old, new) = subproof(m - k, n - k, false, old_root, rest)?;
        Some((node_hash(sibling, &old), node_hash(sibling, &new)))
    }
}

/// The largest power of two smaller than `size`.
fn split(size: u64) -> usize {
    usize::try_from(1_u64 << (size - 1).ilog2()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_verify::merkle::{TreeHead, verify_consistency, verify_inclusion};

    /// PATH and PROOF as the text defines them.
    fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return vec![];
        }
        let (left, right) = leaves.split_at(split(leaves.len() as u64));
        let (mut path, sibling) = if index < left.len() {
            (path(index, left), root(right))
        } else {
            (path(index - left.len(), right), root(left))
        };
        path.push(sibling);
        path
    }

    fn proof(m: usize, leaves: &[Hash], complete: bool) -> Vec<Hash> {
        if m == leaves.len() {
            return if complete { vec![] } else { vec![root(leaves)] };
        }
        let (left, right) = leaves.split_at(split(leaves.len() as u64));
        let (mut nodes, sibling) = if m <= left.len() {
            (proof(m, left, complete), root(right))
        } else {
            (proof(m - left.len(), right, false), root(left))
        };
        nodes.push(sibling);
        nodes
    }

    #[test]
    fn two_implementations_agree_on_every_small_tree() {
        let leaves: Vec<Hash> = (0..20_u8).map(|number| leaf_hash(&[number])).collect();
        for size in 1..=leaves.len() {
            let (tree, new) = (&leaves[..size], size as u64);
            let new_root = root(tree);
            for index in 0..size {
                let (path, position) = (path(index, tree), index as u64);
                assert_eq!(root_from_inclusion(position, new, &tree[index], &path), Some(new_root));
                verify_inclusion(position, new, &tree[index], &path, &new_root).unwrap();
            }
            for old in 1..=size {
                let (nodes, old_root) = (proof(old, tree, true), root(&tree[..old]));
                assert!(is_consistent(old as u64, &old_root, new, &new_root, &nodes), "{old} {size}");
                let heads = (TreeHead { size: old as u64, root: old_root }, TreeHead { size: new, root: new_root });
                verify_consistency(&heads.0, &heads.1, &nodes).unwrap();
                if old < size {
                    assert!(!is_consistent(old as u64, &leaves[0], new, &[0; 32], &nodes));
                }
            }
        }
    }
}
