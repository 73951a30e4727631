//! A log as files: checkpoint, hash tiles, entry bundles (C2SP tlog-tiles; static-ct-api for CT).
//!
//! Everything but the checkpoint is immutable, so full tiles and bundles are kept in a bounded cache and reads of an old
//! log cost no database. What an entry looks like inside a bundle is the personality's.

pub(crate) mod http;

use crate::activity::CacheCount;
use crate::store::StoredEntry;
use crate::{Corrupt, Error, Log};
use bytes::Bytes;
use chancery_verify::Hash;
use chancery_verify::tile::{self, FULL_WIDTH, TileId, TilePath, TileTree, Tiles, Trees};
use flate2::Compression;
use flate2::write::GzEncoder;
use moka::sync::Cache;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

/// Bytes of full tiles kept in memory, per log, and as many of bundles: 680 tiles, which cover 170,000 entries.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// A hash, a node above it, and an entry's share of what keeps them.
const BYTES_PER_HASH: usize = 3 * 32;

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
struct Tile {
    row: Vec<Hash>,
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
    fn bundle(&self, index: u64, coding: Coding) -> Option<Bytes> {
        let found = self.bundles.get(&(index, coding));
        self.counts.bundles.add(usize::from(found.is_some()), usize::from(found.is_none()));
        found
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.tiles.invalidate_all();
        self.bundles.invalidate_all();
    }

    /// Those of `ids` that are here, and those that are not.
    fn among(&self, ids: impl IntoIterator<Item = TileId>) -> (Vec<(TileId, Arc<Tile>)>, Vec<TileId>) {
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
    fn read(&self, read: Tiles) -> Vec<(TileId, Arc<Tile>)> {
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

fn trees(tiles: Vec<(TileId, Arc<Tile>)>) -> Trees {
    Trees(tiles.into_iter().map(|(id, tile)| (id, tile.tree())).collect())
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl Files {
    /// A log whose bundles hold its leaves as they are.
    #[must_use]
    pub fn of_leaves(log: &Log) -> Self {
        let encode: EncodeEntry = |entry| tile::bundle_entry(&entry.leaf);
        Self { log: log.clone(), entries: "entries", encode, issuers: |_| Some(Vec::new()) }
    }

    /// The log underneath.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }
}

impl Log {
    /// The tiles among `ids` that exist, as trees; full ones from memory where they have been read before.
    pub(crate) async fn trees(&self, ids: impl IntoIterator<Item = TileId>) -> Result<Trees, Error> {
        Ok(trees(self.stored_tiles(ids).await?))
    }

    /// The tiles among `ids` that have been read before, as trees, and the others.
    pub(crate) fn trees_in_memory(&self, ids: impl IntoIterator<Item = TileId>) -> (Trees, Vec<TileId>) {
        let (tiles, missing) = self.cache().among(ids);
        (trees(tiles), missing)
    }

    /// Tiles that were read from the store, as trees.
    pub(crate) fn read_trees(&self, read: Tiles) -> Trees {
        trees(self.cache().read(read))
    }

    async fn stored_tiles(&self, ids: impl IntoIterator<Item = TileId>) -> Result<Vec<(TileId, Arc<Tile>)>, Error> {
        let (mut tiles, missing) = self.cache().among(ids);
        if !missing.is_empty() {
            tiles.extend(self.cache().read(self.store().tiles(self.record().log_id, missing).await?));
        }
        Ok(tiles)
    }

    /// The bytes at `path`, or `None` where the published tree has no such tile.
    pub(crate) async fn tile_bytes(&self, path: &TilePath, encode: EncodeEntry) -> Result<Option<Bytes>, Error> {
        self.checked(|| self.read_tile_bytes(path, encode)).await
    }

    async fn read_tile_bytes(&self, path: &TilePath, encode: EncodeEntry) -> Result<Option<Bytes>, Error> {
        let id = TileId { level: path.level.unwrap_or(0), index: path.index };
        if path.width > id.width(self.readable(id.size_for(path.width)).await?) {
            return Ok(None);
        }
        if path.level.is_none() {
            return self.bundle(path, encode).await.map(Some);
        }
        let tiles = self.stored_tiles([id]).await?;
        let row = tiles.first().and_then(|(_, tile)| tile.row.get(..path.width as usize));
        let row = row.ok_or(Corrupt::new("tiles below the head are stored"))?;
        Ok(Some(Bytes::copy_from_slice(row.as_flattened())))
    }

    /// A full bundle as gzip. It is compressed once, on a thread that other requests do not wait for.
    pub(crate) async fn compressed(&self, index: u64, bundle: Bytes) -> Result<Bytes, Error> {
        if let Some(bytes) = self.cache().bundle(index, Coding::Gzip) {
            return Ok(bytes);
        }
        let compressed = tokio::task::spawn_blocking(move || gzip(&bundle)).await;
        let compressed = compressed.ok().and_then(Result::ok);
        let bytes = compressed.ok_or(Error::Unavailable { reason: "a bundle could not be compressed" })?;
        self.cache().bundles.insert((index, Coding::Gzip), bytes.clone());
        Ok(bytes)
    }

    async fn bundle(&self, path: &TilePath, encode: EncodeEntry) -> Result<Bytes, Error> {
        let full = path.width == FULL_WIDTH;
        if full && let Some(bytes) = self.cache().bundle(path.index, Coding::Identity) {
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
            self.cache().bundles.insert((path.index, Coding::Identity), bytes.clone());
        }
        Ok(bytes)
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish().map(Bytes::from)
}
