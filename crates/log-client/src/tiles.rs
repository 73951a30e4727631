//! Logs that are files: checkpoint, hash tiles, entry bundles (C2SP tlog-tiles), data tiles and issuers (C2SP static-ct-api).
//!
//! A partial tile of an earlier tree may be deleted once a later one is there, and the full one begins with the same hashes. So
//! tiles are asked for as wide as the newest tree has them, and then in full.

use crate::answer::RemoteEntry;
use crate::error::ReadError;
use crate::fetch::Fetcher;
use crate::identity::Protocol;
use bytes::Bytes;
use chancery_verify::merkle::{self, Plan};
use chancery_verify::sct::{self, ExtraData, LogEntry, TileLeaf};
use chancery_verify::tile::{self, FULL_TILE_BYTES, FULL_WIDTH, MissingNode, TileId, TilePath, Tiles};
use chancery_verify::{Hash, hash};
use moka::sync::Cache;
use std::collections::BTreeSet;
use std::ops::Range;

/// A checkpoint: a few lines, and signatures of witnesses.
const MAX_CHECKPOINT_BYTES: usize = 64 << 10;
/// A certificate of an authority. The largest known have a few kilobytes.
const MAX_ISSUER_BYTES: usize = 64 << 10;
/// Issuers of one entry. Chains that logs accept are shorter.
const MAX_CHAIN: usize = 16;
/// Different issuers in the entries that are read at once. Logs accept hundreds of authorities in all.
const MAX_ISSUERS: usize = 1024;
/// Bytes of entries from which on no more are read at once.
const ENOUGH_BYTES: usize = 32 << 20;
/// Issuers that are remembered.
const REMEMBERED_ISSUERS: u64 = 1024;
/// Bytes of hash tiles that are remembered: 2048 tiles. The proofs of entries that are near each other need the same ones.
const REMEMBERED_BYTES: u64 = 16 << 20;

/// A log that is files.
#[derive(Debug)]
pub(crate) struct Tiled {
    base: String,
    protocol: Protocol,
    fetcher: Fetcher,
    /// Certificates by their SHA-256, which was checked.
    issuers: Cache<Hash, Bytes>,
    /// Hash tiles by their URL. They do not change, and nothing says that they are right: see [`Self::forget`].
    hashes: Cache<String, Bytes>,
}

impl Tiled {
    /// A log with entry bundles.
    pub(crate) fn entries(base: String, fetcher: Fetcher) -> Self {
        Self { base, protocol: Protocol::RekorV2, fetcher, issuers: Cache::new(0), hashes: remembered_tiles() }
    }

    /// A certificate log.
    pub(crate) fn certificates(base: String, fetcher: Fetcher) -> Self {
        let issuers = Cache::new(REMEMBERED_ISSUERS);
        Self { base, protocol: Protocol::StaticCt, fetcher, issuers, hashes: remembered_tiles() }
    }

    /// Forgets hash tiles: a proof that was made of them does not verify.
    pub(crate) fn forget(&self) {
        self.hashes.invalidate_all();
    }

    /// The checkpoint, and where it is. Not verified.
    pub(crate) async fn checkpoint(&self) -> Result<(String, String), ReadError> {
        let url = format!("{}/checkpoint", self.base);
        let note = self.fetcher.limited(MAX_CHECKPOINT_BYTES).get(&url).await?;
        let note = note.ok_or_else(|| self.missing(&url))?;
        match String::from_utf8(note.to_vec()) {
            Ok(note) => Ok((url, note)),
            Err(_) => Err(ReadError::Malformed { url, reason: "the checkpoint is not UTF-8" }),
        }
    }

    /// Entries from `first` on, up to `end`, from a few bundles. `known` is the size of a tree that is not smaller.
    pub(crate) async fn entries_of(&self, first: u64, end: u64, known: u64) -> Result<Vec<RemoteEntry>, ReadError> {
        let width = u64::from(FULL_WIDTH);
        let start = first / width;
        let after = end.div_ceil(width).min(start.saturating_add(self.at_once()));
        let paths = (start..after).map(|index| path(TileId { level: 0, index }, None, known)).collect::<Vec<_>>();
        let bundles = self.read(&self.fetcher, &paths).await?;
        let mut entries: Vec<RemoteEntry> = Vec::new();
        let mut bytes = 0;
        for (path, bundle) in paths.iter().zip(&bundles) {
            let begin = path.index * width;
            let wanted = usize::try_from(end.saturating_sub(begin).min(width)).unwrap_or(usize::MAX);
            let skipped = usize::try_from(first.saturating_sub(begin)).unwrap_or(usize::MAX);
            let read = match self.protocol {
                Protocol::StaticCt => self.certificate_entries(path, bundle, skipped..wanted, ENOUGH_BYTES).await?,
                _ => self.bodies(path, bundle, skipped..wanted)?,
            };
            let is_whole = read.len() == wanted.saturating_sub(skipped);
            bytes += read.iter().map(|entry| entry.leaf.len() + entry.extra.len()).sum::<usize>();
            entries.extend(read);
            if !is_whole || bytes >= ENOUGH_BYTES {
                break;
            }
        }
        Ok(entries)
    }

    /// The entries of a bundle that are in `range`.
    fn bodies(&self, path: &TilePath, bundle: &Bytes, range: Range<usize>) -> Result<Vec<RemoteEntry>, ReadError> {
        let leaves = tile::leaves_from_bundle(bundle).map_err(|_| self.malformed(path, "it is not an entry bundle"))?;
        let leaves = leaves.get(range).ok_or_else(|| self.malformed(path, "it has too few entries"))?;
        let entry =
            |leaf: &&[u8]| RemoteEntry { leaf: bundle.slice_ref(leaf), extra: Bytes::new(), timestamp_ms: None };
        Ok(leaves.iter().map(entry).collect())
    }

    /// The entries of a data tile that are in `range`, with their chains: at least one, and no more than make `enough` bytes.
    async fn certificate_entries(
        &self,
        path: &TilePath,
        bundle: &Bytes,
        range: Range<usize>,
        enough: usize,
    ) -> Result<Vec<RemoteEntry>, ReadError> {
        let leaves = sct::tile_leaves(bundle).map_err(|_| self.malformed(path, "it is not a data tile"))?;
        let leaves = leaves.get(range).ok_or_else(|| self.malformed(path, "it has too few entries"))?;
        if leaves.iter().any(|leaf| leaf.chain.len() > MAX_CHAIN) {
            return Err(self.malformed(path, "the chain of an entry is too long"));
        }
        self.learn_issuers(path, leaves).await?;
        let mut entries: Vec<RemoteEntry> = Vec::new();
        let mut bytes = 0;
        for leaf in leaves {
            if bytes >= enough {
                break;
            }
            let entry = self.with_chain(path, leaf).await?;
            bytes += entry.leaf.len() + entry.extra.len();
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Fetches the issuers that are not known yet, so that [`Self::with_chain`] finds most of them.
    async fn learn_issuers(&self, path: &TilePath, leaves: &[TileLeaf]) -> Result<(), ReadError> {
        let named: BTreeSet<Hash> = leaves.iter().flat_map(|leaf| leaf.chain.iter().copied()).collect();
        if named.len() > MAX_ISSUERS {
            return Err(self.malformed(path, "its entries name too many issuers"));
        }
        let unknown: Vec<Hash> = named.into_iter().filter(|issuer| !self.issuers.contains_key(issuer)).collect();
        let urls: Vec<String> = unknown.iter().map(|issuer| self.issuer_url(issuer)).collect();
        let read = self.fetcher.limited(MAX_ISSUER_BYTES).get_all(&urls).await?;
        for ((issuer, url), certificate) in unknown.iter().zip(&urls).zip(read) {
            self.issuers.insert(*issuer, self.checked_issuer(issuer, url, certificate)?);
        }
        Ok(())
    }

    /// A certificate of an authority.
    async fn issuer(&self, issuer: &Hash) -> Result<Bytes, ReadError> {
        if let Some(certificate) = self.issuers.get(issuer) {
            return Ok(certificate);
        }
        let url = self.issuer_url(issuer);
        let read = self.fetcher.limited(MAX_ISSUER_BYTES).get(&url).await?;
        self.checked_issuer(issuer, &url, read)
    }

    fn checked_issuer(&self, issuer: &Hash, url: &str, read: Option<Bytes>) -> Result<Bytes, ReadError> {
        let certificate = read.ok_or_else(|| self.missing(url))?;
        if hash::sha256(&certificate) == *issuer {
            Ok(certificate)
        } else {
            Err(ReadError::Malformed { url: url.to_owned(), reason: "the certificate has another SHA-256" })
        }
    }

    fn issuer_url(&self, issuer: &Hash) -> String {
        format!("{}/issuer/{}", self.base, hex::encode(issuer))
    }

    /// An entry of a data tile as RFC 6962 has it.
    async fn with_chain(&self, path: &TilePath, read: &TileLeaf) -> Result<RemoteEntry, ReadError> {
        let mut chain = Vec::with_capacity(read.chain.len());
        for issuer in &read.chain {
            chain.push(self.issuer(issuer).await?.to_vec());
        }
        let extra = match (&read.leaf.entry, &read.precertificate) {
            (LogEntry::Precert { .. }, Some(precertificate)) => {
                ExtraData::Precert { precertificate: precertificate.clone(), chain }
            }
            _ => ExtraData::X509 { chain },
        };
        let too_long = |_| self.malformed(path, "a part of an entry is too long");
        Ok(RemoteEntry {
            leaf: read.leaf.to_bytes().map_err(too_long)?.into(),
            extra: extra.to_bytes().map_err(too_long)?.into(),
            timestamp_ms: i64::try_from(read.leaf.timestamp.millis()).ok(),
        })
    }

    /// The inclusion proof of an entry, from hash tiles.
    pub(crate) async fn inclusion_proof(&self, index: u64, size: u64, known: u64) -> Result<Vec<Hash>, ReadError> {
        let mut plan = Plan::default();
        let Ok(_) = merkle::inclusion_proof(index, size, &mut plan);
        let tiles = self.planned(plan, size, known).await?;
        merkle::inclusion_proof(index, size, &mut &tiles).map_err(|node| self.lacks(node, known))
    }

    /// The proof that a tree is a prefix of another, from hash tiles.
    pub(crate) async fn consistency_proof(&self, old: u64, new: u64, known: u64) -> Result<Vec<Hash>, ReadError> {
        let mut plan = Plan::default();
        let Ok(_) = merkle::consistency_proof(old, new, &mut plan);
        let tiles = self.planned(plan, new, known).await?;
        merkle::consistency_proof(old, new, &mut &tiles).map_err(|node| self.lacks(node, known))
    }

    /// The tiles that a plan needs.
    async fn planned(&self, plan: Plan, size: u64, known: u64) -> Result<Tiles, ReadError> {
        let ids: BTreeSet<TileId> = plan.nodes.into_iter().map(TileId::containing).collect();
        self.tiles(&ids, size, known).await
    }

    /// Hash tiles, each at least as wide as in the tree of `size` leaves.
    async fn tiles(&self, ids: &BTreeSet<TileId>, size: u64, known: u64) -> Result<Tiles, ReadError> {
        let paths: Vec<TilePath> = ids.iter().map(|id| path(*id, Some(id.level), known)).collect();
        let mut tiles = Tiles::default();
        for ((id, path), bytes) in ids.iter().zip(&paths).zip(self.remembered(&paths).await?) {
            let hashes = tile::hashes_from_bytes(&bytes).ok().filter(|hashes| hashes.len() >= id.width(size) as usize);
            let Some(hashes) = hashes else {
                // It may have been cut on the way: the next one is asked for.
                self.hashes.invalidate(&self.url(path));
                return Err(self.malformed(path, "the tile has the wrong length"));
            };
            tiles.0.insert(*id, hashes);
        }
        Ok(tiles)
    }

    /// Hash tiles, in order, from memory as far as they are there.
    async fn remembered(&self, paths: &[TilePath]) -> Result<Vec<Bytes>, ReadError> {
        let known: Vec<Option<Bytes>> = paths.iter().map(|path| self.hashes.get(&self.url(path))).collect();
        let unknown = paths.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(path, _)| *path);
        let unknown: Vec<TilePath> = unknown.collect();
        let read = self.read(&self.fetcher.limited(FULL_TILE_BYTES), &unknown).await?;
        for (path, tile) in unknown.iter().zip(&read) {
            self.hashes.insert(self.url(path), tile.clone());
        }
        let mut read = read.into_iter();
        // As many were read as were not known.
        Ok(known.into_iter().filter_map(|known| known.or_else(|| read.next())).collect())
    }

    /// Files that must be there, in order.
    async fn read(&self, fetcher: &Fetcher, paths: &[TilePath]) -> Result<Vec<Bytes>, ReadError> {
        let urls: Vec<String> = paths.iter().map(|path| self.url(path)).collect();
        let mut contents = Vec::with_capacity(paths.len());
        for (path, read) in paths.iter().zip(fetcher.get_all(&urls).await?) {
            let read = match read {
                Some(read) => read,
                None if path.width < FULL_WIDTH => {
                    let full = self.url(&TilePath { width: FULL_WIDTH, ..*path });
                    fetcher.get(&full).await?.ok_or_else(|| self.missing(&self.url(path)))?
                }
                None => return Err(self.missing(&self.url(path))),
            };
            contents.push(read);
        }
        Ok(contents)
    }

    /// Files that are read at once, as many as there are requests at the same time.
    fn at_once(&self) -> u64 {
        u64::try_from(self.fetcher.limits().parallel).unwrap_or(u64::MAX).max(1)
    }

    fn url(&self, path: &TilePath) -> String {
        let entries = if self.protocol == Protocol::StaticCt { "data" } else { "entries" };
        format!("{}/{}", self.base, path.with_entries_in(entries))
    }

    fn missing(&self, url: &str) -> ReadError {
        ReadError::Missing { url: url.to_owned(), protocol: self.protocol.name() }
    }

    fn malformed(&self, path: &TilePath, reason: &'static str) -> ReadError {
        ReadError::Malformed { url: self.url(path), reason }
    }

    fn lacks(&self, MissingNode(node): MissingNode, known: u64) -> ReadError {
        let id = TileId::containing(node);
        self.malformed(&path(id, Some(id.level), known), "the tile has the wrong length")
    }
}

fn remembered_tiles() -> Cache<String, Bytes> {
    let weight = |_: &String, tile: &Bytes| u32::try_from(tile.len()).unwrap_or(u32::MAX);
    Cache::builder().weigher(weight).max_capacity(REMEMBERED_BYTES).build()
}

/// The path of a tile, or with `None` of the bundle at its position, in the tree of `size` leaves.
fn path(id: TileId, level: Option<u8>, size: u64) -> TilePath {
    TilePath { level, index: id.index, width: id.width(size).max(1) }
}
