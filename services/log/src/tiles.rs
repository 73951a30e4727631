//! A log as files: checkpoint, hash tiles, entry bundles (C2SP tlog-tiles; static-ct-api for CT).
//!
//! Everything but the checkpoint is immutable, so full tiles and bundles are kept in a bounded cache and reads of an old
//! log cost no database. What an entry looks like inside a bundle is the personality's.

pub(crate) mod http;

use crate::store::StoredEntry;
use crate::{Corrupt, Error, Log};
use bytes::Bytes;
use chancery_verify::tile::{FULL_WIDTH, TileId, TilePath, TileTree, Trees};
use moka::sync::Cache;
use std::sync::Arc;

/// Bytes of full tiles kept in memory, per log, and as many of bundles: 1,000 tiles, which cover a quarter of a million
/// entries.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// How a personality writes one entry into a bundle; `None` for an entry that does not fit.
pub(crate) type EncodeEntry = fn(&StoredEntry) -> Option<Vec<u8>>;
/// The certificates in DER an entry's bundle names by their hash; `None` for an entry that cannot be read.
pub(crate) type IssuersOfEntry = fn(&StoredEntry) -> Option<Vec<Vec<u8>>>;

/// A log with what its personality knows about its files.
#[derive(Clone)]
pub struct Files {
    pub(crate) log: Log,
    /// Directory of the entry bundles below `tile/`: `entries`, or `data` in static-ct-api.
    pub(crate) entries: &'static str,
    pub(crate) encode: EncodeEntry,
    pub(crate) issuers: IssuersOfEntry,
}

/// Full tiles and bundles, by path.
#[derive(Clone)]
pub(crate) struct TileCache {
    tiles: Cache<TileId, Arc<TileTree>>,
    bundles: Cache<u64, Bytes>,
}

impl TileCache {
    pub(crate) fn new() -> Self {
        let tiles = Cache::builder().weigher(|_, tree: &Arc<TileTree>| weight(64 * tree.width()));
        let bundles = Cache::builder().weigher(|_, bytes: &Bytes| weight(bytes.len()));
        Self { tiles: tiles.max_capacity(CACHE_BYTES).build(), bundles: bundles.max_capacity(CACHE_BYTES).build() }
    }
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Files {
    /// The log underneath.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }
}

impl Log {
    /// The tiles among `ids` that exist, full ones from memory where they have been read before.
    pub(crate) async fn trees(&self, ids: impl IntoIterator<Item = TileId>) -> Result<Trees, Error> {
        let mut trees = Trees::default();
        let mut missing = Vec::new();
        for id in ids {
            match self.cache().tiles.get(&id) {
                Some(tree) => drop(trees.0.insert(id, tree)),
                None => missing.push(id),
            }
        }
        if missing.is_empty() {
            return Ok(trees);
        }
        let read = self.store().tiles(self.record().log_id, missing).await?;
        for (id, tree) in Trees::from(&read).0 {
            if tree.width() == FULL_WIDTH as usize {
                self.cache().tiles.insert(id, tree.clone());
            }
            trees.0.insert(id, tree);
        }
        Ok(trees)
    }

    /// The bytes at `path`, or `None` where the published tree has no such tile.
    pub(crate) async fn tile_bytes(&self, path: &TilePath, encode: EncodeEntry) -> Result<Option<Bytes>, Error> {
        let id = TileId { level: path.level.unwrap_or(0), index: path.index };
        if path.width > id.width(self.readable(id.size_for(path.width)).await?) {
            return Ok(None);
        }
        if path.level.is_none() {
            return self.bundle(path, encode).await.map(Some);
        }
        let trees = self.trees([id]).await?;
        let tree = trees.0.get(&id).filter(|tree| tree.width() >= path.width as usize);
        let tree = tree.ok_or(Corrupt::new("tiles below the head are stored"))?;
        Ok(Some(tree.hashes().take(path.width as usize).flatten().collect()))
    }

    async fn bundle(&self, path: &TilePath, encode: EncodeEntry) -> Result<Bytes, Error> {
        let full = path.width == FULL_WIDTH;
        if let Some(bytes) = self.cache().bundles.get(&path.index).filter(|_| full) {
            return Ok(bytes);
        }
        let first = path.index * u64::from(FULL_WIDTH);
        let entries = self.store().entries(self.record().log_id, first, path.width).await?;
        if entries.len() != path.width as usize {
            return Err(Corrupt::new("every index below the head has an entry").into());
        }
        let encoded = entries.iter().map(encode).collect::<Option<Vec<_>>>();
        let bytes = Bytes::from(encoded.ok_or(Corrupt::new("a logged entry can be encoded"))?.concat());
        if full {
            self.cache().bundles.insert(path.index, bytes.clone());
        }
        Ok(bytes)
    }
}
