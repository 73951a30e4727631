//! Derives the tree from its leaves: root hashes at any size on the way, and every tile. Each node is hashed once.
//!
//! It does not share code with [`chancery_verify::tile::Edge`], which the sequencer uses: two implementations must
//! agree.

use chancery_verify::tile::{FULL_WIDTH, TileId, Tiles};
use chancery_verify::{Hash, merkle};
use std::mem;

/// Tree levels in one tile.
const TILE_HEIGHT: u32 = 8;
/// Maximum tile levels of a tree with fewer than 2^64 leaves.
const TILE_LEVELS: u8 = 8;

#[derive(Default)]
pub(super) struct Tree {
    size: u64,
    /// Roots of the complete subtrees that cover the leaves, from the left: one for each set bit of `size`.
    spine: Vec<Hash>,
    /// For each tile level, the hashes of its right-most tile.
    partial: Vec<Vec<Hash>>,
    /// Full tiles that were not returned yet.
    full: Tiles,
}

impl Tree {
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn append(&mut self, leaf: Hash) {
        let (mut carried, mut position, mut height) = (leaf, self.size, 0);
        self.store(0, position, carried);
        while position & 1 == 1 {
            let Some(left) = self.spine.pop() else { break };
            carried = merkle::node_hash(&left, &carried);
            position >>= 1;
            height += 1;
            if height % TILE_HEIGHT == 0 {
                self.store(height / TILE_HEIGHT, position, carried);
            }
        }
        self.spine.push(carried);
        self.size += 1;
    }

    fn store(&mut self, level: u32, position: u64, hash: Hash) {
        let Ok(level) = u8::try_from(level) else { return };
        let slot = usize::from(level);
        if self.partial.len() <= slot {
            self.partial.push(Vec::with_capacity(FULL_WIDTH as usize));
        }
        let Some(tile) = self.partial.get_mut(slot) else { return };
        tile.push(hash);
        if tile.len() == FULL_WIDTH as usize {
            let hashes = mem::replace(tile, Vec::with_capacity(FULL_WIDTH as usize));
            self.full.0.insert(TileId { level, index: position / u64::from(FULL_WIDTH) }, hashes);
        }
    }

    pub(super) fn root(&self) -> Hash {
        let below = self.spine.iter().rev().copied();
        below.reduce(|right, left| merkle::node_hash(&left, &right)).unwrap_or_else(merkle::empty_root)
    }

    /// Returns the tiles that became full since the last call. With `all`, also those at the right edge.
    pub(super) fn take_tiles(&mut self, all: bool) -> Tiles {
        let mut tiles = mem::take(&mut self.full);
        if all {
            for (level, hashes) in (0..TILE_LEVELS).zip(&self.partial).filter(|(_, hashes)| !hashes.is_empty()) {
                let index = (self.size >> (TILE_HEIGHT * u32::from(level))) / u64::from(FULL_WIDTH);
                tiles.0.insert(TileId { level, index }, hashes.clone());
            }
        }
        tiles
    }

    /// The ids of the tiles that [`Self::take_tiles`] returns after the tree has grown from `start` to `end` leaves.
    pub(super) fn tile_ids(start: u64, end: u64, all: bool) -> Vec<TileId> {
        let width = u64::from(FULL_WIDTH);
        let mut ids = Vec::new();
        for level in 0..TILE_LEVELS {
            let hashes = |size: u64| size >> (TILE_HEIGHT * u32::from(level));
            let (first, after) = (hashes(start) / width, hashes(end) / width);
            ids.extend((first..after).map(|index| TileId { level, index }));
            if all && hashes(end) % width != 0 {
                ids.push(TileId { level, index: after });
            }
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_verify::tile::Edge;

    #[test]
    fn agrees_with_the_sequencers_derivation_at_every_size() {
        let (mut tree, mut edge, mut touched) = (Tree::default(), Edge::default(), Tiles::default());
        let mut taken = 0;
        let mut seen = Tiles::default();
        for number in 0..70_000_u32 {
            assert_eq!(tree.size(), edge.size());
            if number < 600 || number % 997 == 0 {
                assert_eq!(tree.root(), edge.root(), "{number}");
                let tiles = tree.take_tiles(false);
                let ids = Tree::tile_ids(taken, tree.size(), false);
                assert_eq!(tiles.0.keys().copied().collect::<Vec<_>>(), sorted(ids));
                seen.0.extend(tiles.0);
                taken = tree.size();
            }
            let leaf = merkle::leaf_hash(&number.to_be_bytes());
            tree.append(leaf);
            edge.append(leaf, &mut touched);
        }
        let rest = tree.take_tiles(true);
        assert_eq!(rest.0.keys().copied().collect::<Vec<_>>(), sorted(Tree::tile_ids(taken, 70_000, true)));
        seen.0.extend(rest.0);
        assert_eq!(seen, touched);
    }

    fn sorted(mut ids: Vec<TileId>) -> Vec<TileId> {
        ids.sort_unstable();
        ids
    }
}
