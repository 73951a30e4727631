//! Tiles with all their inner nodes, for making many proofs from the same tiles.
//!
//! [`Tiles`] have the stored form: one row of hashes per tile. Every node above the row is computed again on each use.
//! A [`TileTree`] holds every node of its tile and hashes each only once, even while the tile grows.

use super::{FULL_WIDTH, HEIGHT, MissingNode, TileId, Tiles};
use crate::Hash;
use crate::merkle::{self, Node, Nodes};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A tile with all nodes of its complete subtrees. At most 511 hashes, 16 KiB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TileTree {
    /// Number of hashes in the tile's row.
    width: usize,
    /// Every node in the order of completion: each hash of the row, followed by the subtrees that it completes.
    nodes: Vec<Hash>,
}

impl TileTree {
    /// Makes a tile from its row of at most 256 hashes.
    #[must_use]
    pub fn new(hashes: &[Hash]) -> Self {
        let mut tree = Self { width: 0, nodes: Vec::with_capacity(2 * hashes.len()) };
        for hash in hashes {
            tree.push(*hash);
        }
        tree
    }

    /// Number of hashes in its row: 0 to 256.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Its row.
    pub fn hashes(&self) -> impl Iterator<Item = Hash> {
        (0..self.width).filter_map(|index| self.node(0, index))
    }

    pub(super) fn push(&mut self, hash: Hash) {
        let (mut subtree, mut index, mut level) = (hash, self.width, 0);
        self.nodes.push(subtree);
        self.width += 1;
        while index & 1 == 1 {
            let Some(left) = self.node(level, index - 1) else { return };
            subtree = merkle::node_hash(&left, &subtree);
            self.nodes.push(subtree);
            index >>= 1;
            level += 1;
        }
    }

    /// The node above the `index`-th group of `2^level` hashes of the row, if it is complete.
    pub(super) fn node(&self, level: u8, index: usize) -> Option<Hash> {
        let after = (index + 1).checked_shl(u32::from(level)).filter(|after| *after <= self.width)?;
        // The node comes after the last hash that it covers, `level` places later. The number of nodes before that hash
        // is twice the number of hashes, minus the subtrees that are not complete there.
        let last = after - 1;
        self.nodes.get(2 * last - last.count_ones() as usize + usize::from(level)).copied()
    }
}

/// Tiles by id, each with its nodes. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trees(pub BTreeMap<TileId, Arc<TileTree>>);

impl From<&Tiles> for Trees {
    fn from(tiles: &Tiles) -> Self {
        Self(tiles.0.iter().map(|(id, hashes)| (*id, Arc::new(TileTree::new(hashes)))).collect())
    }
}

impl Nodes for &Trees {
    type Error = MissingNode;

    fn node(&mut self, node: Node) -> Result<Hash, MissingNode> {
        let per_tile = u64::from(FULL_WIDTH) >> (node.level % HEIGHT);
        let index = usize::try_from(node.index % per_tile).map_err(|_| MissingNode(node))?;
        let tree = self.0.get(&TileId::containing(node)).ok_or(MissingNode(node))?;
        tree.node(node.level % HEIGHT, index).ok_or(MissingNode(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{inclusion_proof, leaf_hash, root_hash};
    use crate::tile::Edge;

    /// A tree that grows, and one made at once, has the same nodes as the row, at every width.
    #[test]
    fn every_node_is_the_one_the_row_gives() {
        let row: Vec<Hash> = (0..FULL_WIDTH).map(|number| leaf_hash(&number.to_be_bytes())).collect();
        let mut grown = TileTree::default();
        for width in 1..=row.len() {
            grown.push(row[width - 1]);
            assert_eq!(grown, TileTree::new(&row[..width]));
            assert!(grown.hashes().eq(row[..width].iter().copied()));
            let tiles = Tiles(BTreeMap::from([(TileId { level: 0, index: 3 }, row[..width].to_vec())]));
            let trees = Trees::from(&tiles);
            for level in 0..HEIGHT {
                let per_tile = u64::from(FULL_WIDTH) >> level;
                for index in 3 * per_tile..4 * per_tile {
                    let node = Node { level, index };
                    assert_eq!((&trees).node(node), (&tiles).node(node), "{node:?} at width {width}");
                }
            }
        }
        assert_eq!(
            (&Trees::default()).node(Node { level: 0, index: 0 }),
            Err(MissingNode(Node { level: 0, index: 0 }))
        );
    }

    #[test]
    fn proofs_from_edge_and_completed_tiles_are_those_of_all_tiles() {
        let (mut edge, mut tiles) = (Edge::default(), Tiles::default());
        for number in 0..70_001_u64 {
            edge.append(leaf_hash(&number.to_be_bytes()), &mut tiles);
            if number < 600 || number % 4999 == 0 {
                let size = number + 1;
                let mut trees = edge.trees();
                let full = tiles.0.iter().filter(|(_, hashes)| hashes.len() == FULL_WIDTH as usize);
                trees.0.extend(full.map(|(id, hashes)| (*id, Arc::new(TileTree::new(hashes)))));
                assert_eq!(root_hash(size, &mut &trees).unwrap(), edge.root());
                for index in [0, number / 2, number] {
                    let proof = inclusion_proof(index, size, &mut &trees).unwrap();
                    assert_eq!(proof, inclusion_proof(index, size, &mut &tiles).unwrap(), "{index} in {size}");
                }
            }
        }
    }
}
