//! One push: everything a checkpoint covers, then the checkpoint. The numbers are those of [`super`].

use crate::destination::{self, Destination, Error, Fault, StoredCheckpoint};
use crate::head::Published;
use crate::read::tiles::Files;
use crate::store::StoredEntry;
use crate::{Corrupt, Log};
use bytes::Bytes;
use chancery_verify::merkle::{self, Node, Nodes as _};
use chancery_verify::tile::{self, Edge, FULL_WIDTH, TileId, TilePath, Trees};
use chancery_verify::{Hash, hash};
use futures_util::future::try_join_all;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tokio::sync::watch;

/// Files on their way at a time.
const CONCURRENCY: usize = 16;
const OCTETS: &str = "application/octet-stream";
const CERTIFICATE: &str = "application/pkix-cert";
/// Tree levels one tile spans.
const TILE_HEIGHT: u8 = 8;

/// Certificates in DER by their SHA-256.
type Issuers = BTreeMap<Hash, Vec<u8>>;

/// A log and the place its files go to.
pub(super) struct Pusher {
    files: Files,
    destination: Destination,
    /// The checkpoint in the store that was last found right, or written.
    verified: Option<(Bytes, u64)>,
    /// Issuers that are known to be in the store.
    issuers: HashSet<Hash>,
}

impl Pusher {
    pub(super) fn new(files: Files, destination: Destination) -> Self {
        Self { files, destination, verified: None, issuers: HashSet::new() }
    }

    fn log(&self) -> &Log {
        &self.files.log
    }

    pub(super) fn name(&self) -> &str {
        &self.files.log.record().name
    }

    pub(super) fn publications(&self) -> Result<watch::Receiver<Arc<Published>>, crate::Error> {
        self.log().publications()
    }

    /// (1) and (2), without writing anything.
    pub(super) async fn inspect(&mut self) -> Result<(), Error> {
        self.start().await.map(|_| ())
    }

    /// The whole push. Returns the number of leaves that are in the store afterwards.
    pub(super) async fn push(&mut self) -> Result<u64, Error> {
        // (1) (2)
        let (stored, published) = self.start().await?;
        let from = self.verified.as_ref().map_or(0, |(_, size)| *size);
        let size = published.tree.size;
        let unchanged = stored.as_ref().is_some_and(|stored| stored.note == published.note.as_bytes());
        // A larger tree is another replica's, which goes on where this one has stopped.
        if unchanged || from > size {
            return Ok(from);
        }
        // (3)
        let issuers = self.push_tiles(from, &published).await?;
        // (4)
        self.push_issuers(issuers).await?;
        // (5)
        self.destination.replace_checkpoint(stored, &published.note).await?;
        self.verified = Some((Bytes::copy_from_slice(published.note.as_bytes()), size));
        tracing::debug!(log.name = self.name(), tree.size = size, "pushed");
        Ok(size)
    }

    /// What is there, and what is to be there. In this order: whatever checkpoint another replica has written, the head
    /// it states was committed before.
    async fn start(&mut self) -> Result<(Option<StoredCheckpoint>, Arc<Published>), Error> {
        let stored = self.destination.checkpoint().await?;
        let published = self.log().latest().await?;
        match &stored {
            None => self.verified = None,
            Some(stored) if self.verified.as_ref().is_some_and(|(note, _)| *note == stored.note) => {}
            Some(stored) => {
                let size = self.verify_stored(&stored.note, &published).await?;
                self.verified = Some((stored.note.clone(), size));
            }
        }
        Ok((stored, published))
    }

    /// Verifies that a checkpoint in the store is one of this log, and returns its size.
    async fn verify_stored(&self, note: &Bytes, published: &Published) -> Result<u64, Error> {
        let log = self.log();
        let stored = destination::open(note, log.scheme(), log.signer().public_key())?;
        if stored.size > published.tree.size {
            // A log that has stopped here knows nothing of what others committed since.
            if log.obstacle().is_none() && !log.is_ended() {
                return Err(Fault::Newer { stored: stored.size, log: published.tree.size }.into());
            }
        } else if log.root_at(stored.size).await? != stored.root {
            return Err(Fault::Forked { size: stored.size }.into());
        }
        Ok(stored.size)
    }

    /// Writes what a tree of `published`'s size has and one of `from` leaves had not.
    async fn push_tiles(&self, from: u64, published: &Published) -> Result<Issuers, Error> {
        let size = published.tree.size;
        let edge = self.log().trees(Edge::tile_ids(size)).await?;
        let stored = Corrupt::new("the tiles of the right edge are stored");
        if merkle::root_hash(size, &mut &edge).map_err(|_| stored)? != published.tree.root {
            return Err(Corrupt::new("the head's root hash is that of its right edge").into());
        }
        let mut issuers = Issuers::new();
        let mut paths = new_paths(from, size);
        loop {
            let some: Vec<TilePath> = paths.by_ref().take(CONCURRENCY).collect();
            if some.is_empty() {
                return Ok(issuers);
            }
            for found in try_join_all(some.iter().map(|path| self.push_file(path, size, &edge))).await? {
                issuers.extend(found);
            }
        }
    }

    /// Writes one tile or bundle, and returns the issuers a bundle names.
    async fn push_file(&self, path: &TilePath, size: u64, edge: &Trees) -> Result<Issuers, Error> {
        let id = TileId { level: path.level.unwrap_or(0), index: path.index };
        let parent = TileId { level: id.level + 1, index: id.index / u64::from(FULL_WIDTH) };
        let inside = [id, parent].into_iter().filter(|id| id.width(size) > 0 && !edge.0.contains_key(id));
        let mut trees = self.log().trees(inside).await?;
        trees.0.extend([id, parent].into_iter().filter_map(|id| Some((id, edge.0.get(&id)?.clone()))));
        let tree = trees.0.get(&id).filter(|tree| tree.width() >= path.width as usize);
        let tree = tree.ok_or(Corrupt::new("tiles below the head are stored"))?;
        let hashes: Vec<Hash> = tree.hashes().take(path.width as usize).collect();
        let mut issuers = Issuers::new();
        let bytes = if path.level.is_some() {
            verify_parent(id, path.width, &trees)?;
            tile::hashes_to_bytes(&hashes)
        } else {
            let first = path.index * u64::from(FULL_WIDTH);
            let log = self.log();
            let entries =
                log.store().entries(log.record().log_id, first, path.width).await.map_err(crate::Error::from)?;
            self.bundle(&entries, &hashes, &mut issuers)?
        };
        self.destination.create(&path.with_entries_in(self.files.entries), OCTETS, bytes.into()).await?;
        Ok(issuers)
    }

    /// The bundle of these entries, which must be those the hashes are of.
    fn bundle(&self, entries: &[StoredEntry], hashes: &[Hash], issuers: &mut Issuers) -> Result<Vec<u8>, Corrupt> {
        if !entries.iter().map(|entry| merkle::leaf_hash(&entry.leaf)).eq(hashes.iter().copied()) {
            return Err(Corrupt::new("the hashes of a tile are those of its entries"));
        }
        let mut bundle = Vec::new();
        for entry in entries {
            let unreadable = Corrupt::new("a logged entry can be encoded");
            let named = (self.files.issuers)(entry).ok_or_else(|| unreadable.clone())?;
            issuers.extend(named.into_iter().map(|der| (hash::sha256(&der), der)));
            bundle.extend((self.files.encode)(entry).ok_or(unreadable)?);
        }
        Ok(bundle)
    }

    async fn push_issuers(&mut self, issuers: Issuers) -> Result<(), Error> {
        for (fingerprint, der) in issuers {
            if !self.issuers.contains(&fingerprint) {
                let path = format!("issuer/{}", hex::encode(fingerprint));
                self.destination.create(&path, CERTIFICATE, der.into()).await?;
                self.issuers.insert(fingerprint);
            }
        }
        Ok(())
    }
}

/// The files a tree of `to` leaves has and one of `from` leaves had not: hash tiles of every level, and entry bundles. Pure.
fn new_paths(from: u64, to: u64) -> impl Iterator<Item = TilePath> + Send {
    let hashes = |size: u64, level: u8| size.checked_shr(u32::from(TILE_HEIGHT) * u32::from(level)).unwrap_or(0);
    let rows = (0..8).map(|level| (Some(level), level)).chain([(None, 0)]);
    rows.flat_map(move |(level, row)| {
        let (before, after) = (hashes(from, row), hashes(to, row));
        let width = u64::from(FULL_WIDTH);
        let full = (before / width..after / width).map(move |index| TilePath { level, index, width: FULL_WIDTH });
        let rest = u32::try_from(after % width).unwrap_or(0);
        let partial = (rest > 0 && after > before).then_some(TilePath { level, index: after / width, width: rest });
        full.chain(partial)
    })
}

/// Verifies that a full tile has the hash its parent says; a partial one is in the edge, whose root was verified.
fn verify_parent(id: TileId, width: u32, mut trees: &Trees) -> Result<(), Corrupt> {
    if width < FULL_WIDTH {
        return Ok(());
    }
    let missing = |_| Corrupt::new("tiles below the head are stored");
    let half = |index| Node { level: TILE_HEIGHT * id.level + TILE_HEIGHT - 1, index };
    let left = trees.node(half(2 * id.index)).map_err(missing)?;
    let right = trees.node(half(2 * id.index + 1)).map_err(missing)?;
    let stated = trees.node(Node { level: TILE_HEIGHT * (id.level + 1), index: id.index }).map_err(missing)?;
    let same = merkle::node_hash(&left, &right) == stated;
    if same { Ok(()) } else { Err(Corrupt::new("a tile's root is the hash its parent has")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(from: u64, to: u64) -> Vec<String> {
        new_paths(from, to).map(|path| path.to_string()).collect()
    }

    #[test]
    fn what_is_new_is_the_difference_between_two_trees() {
        assert!(shown(0, 0).is_empty() && shown(70_000, 70_000).is_empty());
        assert_eq!(shown(0, 1), ["tile/0/000.p/1", "tile/entries/000.p/1"]);
        assert_eq!(shown(255, 256), ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]);
        assert_eq!(shown(256, 258), ["tile/0/001.p/2", "tile/entries/001.p/2"]);
        assert_eq!(
            shown(69_887, 70_000),
            ["tile/0/272", "tile/0/273.p/112", "tile/1/001.p/17", "tile/entries/272", "tile/entries/273.p/112"]
        );
    }

    #[test]
    fn pushes_of_any_sizes_add_up_to_what_a_reader_asks_for() {
        let mut size = 0;
        let mut there = HashSet::new();
        for step in [1, 254, 1, 1, 255, 256, 1000, 64_000, 1536, 7] {
            there.extend(shown(size, size + step));
            size += step;
            let whole = shown(0, size);
            assert!(whole.iter().all(|path| there.contains(path)), "{size}");
        }
    }
}
