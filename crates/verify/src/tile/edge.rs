//! The right edge of a tree, which is enough to append to it.

use super::{FULL_WIDTH, HEIGHT, LEVELS, MissingNode, TileId, TileTree, Tiles, Trees};
use crate::Hash;
use crate::merkle::{self, Node};
use std::sync::Arc;

/// The right edge of a tree: its size and the right-most tile of each level. If a level's last tile is full, its
/// right-most tile is an empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    levels: Vec<TileTree>,
}

impl Edge {
    /// The ids of the tiles that [`Self::from_tiles`] needs for a tree with `size` leaves.
    #[must_use]
    pub fn tile_ids(size: u64) -> Vec<TileId> {
        (0..LEVELS)
            .map_while(|level| {
                let hashes = size >> (u32::from(HEIGHT) * u32::from(level));
                (hashes > 0).then_some((level, hashes))
            })
            .filter(|(_, hashes)| hashes % u64::from(FULL_WIDTH) != 0)
            .map(|(level, hashes)| TileId { level, index: hashes / u64::from(FULL_WIDTH) })
            .collect()
    }

    /// Rebuilds the edge of a tree with `size` leaves. Stored tiles may be wider than this size needs.
    pub fn from_tiles(size: u64, tiles: &Tiles) -> Result<Self, MissingNode> {
        let mut levels = Vec::new();
        for level in 0..LEVELS {
            let hashes = size >> (u32::from(HEIGHT) * u32::from(level));
            if hashes == 0 {
                break;
            }
            let id = TileId { level, index: hashes / u64::from(FULL_WIDTH) };
            let width = id.width(size) as usize;
            let stored = tiles.0.get(&id).map_or(&[][..], Vec::as_slice);
            let missing = MissingNode(Node { level: level * HEIGHT, index: hashes.saturating_sub(1) });
            levels.push(TileTree::new(stored.get(..width).ok_or(missing)?));
        }
        Ok(Self { size, levels })
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf hash. Records every changed tile in `touched`, with its new hashes.
    pub fn append(&mut self, leaf: Hash, touched: &mut Tiles) {
        let mut carried = leaf;
        let mut position = self.size;
        // No log has 2^64 leaves. An edge read from tiles that claim so must not crash the process.
        self.size = self.size.saturating_add(1);
        for level in 0..LEVELS {
            let slot = usize::from(level);
            if self.levels.len() == slot {
                self.levels.push(TileTree::default());
            }
            let Some(tile) = self.levels.get_mut(slot) else { return };
            let id = TileId { level, index: position / u64::from(FULL_WIDTH) };
            touched.0.entry(id).or_insert_with(|| tile.hashes().collect()).push(carried);
            tile.push(carried);
            let Some(root) = tile.node(HEIGHT, 0) else { return };
            carried = root;
            *tile = TileTree::default();
            position /= u64::from(FULL_WIDTH);
        }
    }

    /// Root hash, computed only from the edge: the root of a full tile is already in the level above.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for tile in &self.levels {
            // Right to left within the level: complete subtrees of increasing height, the lowest first.
            for level in (0..HEIGHT).filter(|level| tile.width() >> level & 1 == 1) {
                let Some(subtree) = tile.node(level, (tile.width() >> level) - 1) else { continue };
                root = Some(root.map_or(subtree, |below| merkle::node_hash(&subtree, &below)));
            }
        }
        root.unwrap_or_else(merkle::empty_root)
    }

    /// The trees of the right edge.
    #[must_use]
    pub fn trees(&self) -> Trees {
        let ids = self.levels.iter().zip(0..).map(|(tree, level)| {
            let hashes = self.size >> (u32::from(HEIGHT) * u32::from(level));
            (TileId { level, index: hashes / u64::from(FULL_WIDTH) }, tree)
        });
        Trees(ids.filter(|(_, tree)| tree.width() > 0).map(|(id, tree)| (id, Arc::new(tree.clone()))).collect())
    }
}
