//! Tiles and bundles in memory. Full ones never change, so that reads of an old log cost no database.

use crate::activity::CacheCount;
use bytes::Bytes;
use chancery_verify::Hash;
use chancery_verify::tile::{FULL_WIDTH, TileId, TileTree, Tiles, Trees};
use moka::sync::Cache;
use std::sync::{Arc, OnceLock};

/// Bytes of full tiles kept in memory, per log, and as many of bundles: 680 tiles, which cover 170,000 entries.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// A hash, a node above it, and an entry's share of what keeps them.
const BYTES_PER_HASH: usize = 3 * 32;

/// Full tiles and bundles, by position; bundles also as gzip.
#[derive(Clone)]
pub(crate) struct TileCache {
    tiles: Cache<TileId, Arc<Tile>>,
    bundles: Cache<(u64, Coding), Bytes>,
    counts: Arc<Counts>,
}

/// Reads that the caches could have answered, of each kind.
#[derive(Default)]
struct Counts {
    tiles: CacheCount,
    bundles: CacheCount,
}

/// A stored tile. Who sends it needs its row, who proves something the nodes above.
pub(crate) struct Tile {
    pub(crate) row: Vec<Hash>,
    tree: OnceLock<Arc<TileTree>>,
}

impl Tile {
    fn new(row: Vec<Hash>) -> Self {
        Self { row, tree: OnceLock::new() }
    }

    fn tree(&self) -> Arc<TileTree> {
        self.tree.get_or_init(|| Arc::new(TileTree::new(&self.row))).clone()
    }
}

/// How the bytes of a bundle are coded on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Coding {
    /// As they are.
    Identity,
    /// RFC 1952.
    Gzip,
}

impl TileCache {
    pub(crate) fn new() -> Self {
        let tiles = Cache::builder().weigher(|_, tile: &Arc<Tile>| weight(BYTES_PER_HASH * tile.row.len()));
        let bundles = Cache::builder().weigher(|_, bytes: &Bytes| weight(bytes.len()));
        let (tiles, bundles) = (tiles.max_capacity(CACHE_BYTES).build(), bundles.max_capacity(CACHE_BYTES).build());
        Self { tiles, bundles, counts: Arc::default() }
    }

    /// Name, hits and misses of each cache.
    pub(crate) fn reads(&self) -> [(&'static str, u64, u64); 2] {
        [("tiles", &self.counts.tiles), ("bundles", &self.counts.bundles)].map(|(name, count)| {
            let (hits, misses) = count.totals();
            (name, hits, misses)
        })
    }

    /// A full bundle, where it is here.
    pub(crate) fn bundle(&self, index: u64, coding: Coding) -> Option<Bytes> {
        let found = self.bundles.get(&(index, coding));
        self.counts.bundles.add(usize::from(found.is_some()), usize::from(found.is_none()));
        found
    }

    /// Keeps a full bundle.
    pub(crate) fn keep_bundle(&self, index: u64, coding: Coding, bytes: Bytes) {
        self.bundles.insert((index, coding), bytes);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.tiles.invalidate_all();
        self.bundles.invalidate_all();
    }

    /// Those of `ids` that are here, and those that are not.
    pub(crate) fn among(&self, ids: impl IntoIterator<Item = TileId>) -> (Vec<(TileId, Arc<Tile>)>, Vec<TileId>) {
        let (mut tiles, mut missing) = (Vec::new(), Vec::new());
        for id in ids {
            match self.tiles.get(&id) {
                Some(tile) => tiles.push((id, tile)),
                None => missing.push(id),
            }
        }
        self.counts.tiles.add(tiles.len(), missing.len());
        (tiles, missing)
    }

    /// Takes in what was read from the store: full tiles stay.
    pub(crate) fn read(&self, read: Tiles) -> Vec<(TileId, Arc<Tile>)> {
        let tile = |(id, row): (TileId, Vec<Hash>)| {
            let tile = Arc::new(Tile::new(row));
            if tile.row.len() == FULL_WIDTH as usize {
                self.tiles.insert(id, tile.clone());
            }
            (id, tile)
        };
        read.0.into_iter().map(tile).collect()
    }
}

/// Tiles as trees.
pub(crate) fn trees(tiles: Vec<(TileId, Arc<Tile>)>) -> Trees {
    Trees(tiles.into_iter().map(|(id, tile)| (id, tile.tree())).collect())
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
