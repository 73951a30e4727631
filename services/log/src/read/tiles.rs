//! A log as files: checkpoint, hash tiles, entry bundles (C2SP tlog-tiles; static-ct-api for CT).
//!
//! Everything but the checkpoint is immutable, so full tiles and bundles are kept in memory ([`crate::cache`]). The
//! personality decides the form of an entry in a bundle.

pub(crate) mod http;

use crate::cache::{Coding, Tile, trees};
use crate::store::StoredEntry;
use crate::{Corrupt, Error, Log};
use bytes::Bytes;
use chancery_verify::tile::{self, FULL_WIDTH, TileId, TilePath, Tiles, Trees};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::sync::Arc;

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
        self.cache().keep_bundle(index, Coding::Gzip, bytes.clone());
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
            self.cache().keep_bundle(path.index, Coding::Identity, bytes.clone());
        }
        Ok(bytes)
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish().map(Bytes::from)
}
