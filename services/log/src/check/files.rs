//! Checks a log from its public files: checkpoint, hash tiles and entry bundles (C2SP tlog-tiles; data tiles of
//! static-ct-api for CT).
//!
//! Entries → leaf hashes → every hash tile → root hash → the signed checkpoint. The caller provides the key. No file is
//! trusted by itself. [`Files`] fetches the files.

use super::identities::{Identities, Suspects};
use super::tree::Tree;
use super::{Finding, Options, Personality, Report, repeated};
use crate::personality::{ct, rekor_v2};
use bytes::Bytes;
use chancery_verify::checkpoint::{Checkpoint, Scheme};
use chancery_verify::merkle::{self, Plan, TreeHead};
use chancery_verify::note::Note;
use chancery_verify::tile::{self, FULL_WIDTH, MissingNode, TileId, TilePath, Tiles};
use chancery_verify::verifier_key::VerifierKey;
use chancery_verify::{Hash, PublicKey, Rejection, sct};
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use tokio::task;

/// Bundles that are fetched at the same time.
const GROUP: u64 = 16;

/// A file could not be fetched, although it may exist.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct FileError {
    /// Its path below the log's.
    pub path: String,
    /// Why.
    pub reason: String,
    /// Whether there was no answer at all, so that nothing is known about the log.
    pub is_silent: bool,
}

/// The files of one log, by their paths below its prefix.
pub trait Files: Send + Sync {
    /// Reads these files, in order. `None` for a file that does not exist. Implementations MUST limit the size that
    /// they read.
    fn read(&self, paths: Vec<String>) -> Reading<'_>;
}

/// Contents, later.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<Vec<Option<Bytes>>, FileError>> + Send + 'a>>;

/// The caller's description of a log that is published as files.
#[derive(Debug, Clone)]
pub struct Published {
    /// Name in reports.
    pub name: String,
    /// Keys that may sign, from outside the files.
    pub keys: Vec<PublicKey>,
    /// Its rules.
    pub personality: Personality,
}

/// A checkpoint whose signature verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// First line.
    pub origin: String,
    /// Size and root hash.
    pub head: TreeHead,
    /// The verifier key of the signer, as witnesses need it. `None` if C2SP has no such kind of key.
    pub verifier_key: Option<VerifierKey>,
}

/// Opens the checkpoint of a log with an unknown origin. One of `keys` must have signed it.
///
/// A Rekor key signs the origin. A CT key signs only the tree head, and the name of its signature must be the origin.
pub fn open_checkpoint(note: &[u8], keys: &[PublicKey], personality: Personality) -> Result<Opened, Rejection> {
    let note = str::from_utf8(note).map_err(|_| Rejection::NoteMalformed)?;
    let Checkpoint { origin, .. } = Checkpoint::parse(&Note::parse(note)?.text)?;
    let scheme = scheme_of(&origin, personality)?;
    let mut verdict = Rejection::NoteUnsigned;
    for key in keys {
        match scheme.open(note, key) {
            Ok(head) => return Ok(Opened { origin, head, verifier_key: scheme.verifier_key(key).ok() }),
            Err(Rejection::NoteUnsigned) => {}
            Err(rejection) => verdict = rejection,
        }
    }
    Err(verdict)
}

fn scheme_of(origin: &str, personality: Personality) -> Result<Scheme, Rejection> {
    match personality {
        Personality::RekorV1 => Scheme::rekor_v1(origin),
        Personality::RekorV2 => rekor_v2::scheme(origin, 0),
        Personality::Ct => ct::scheme(origin, 0),
    }
}

/// Re-derives a log from its files. Calls `progress` with the number of checked entries and their total.
pub async fn check_files(
    files: &dyn Files,
    published: &Published,
    options: &Options,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Report, Finding> {
    let Published { name, keys, personality } = published;
    let note = read_one(files, "checkpoint".to_owned()).await?;
    let Opened { origin, head, .. } = open_checkpoint(&note, keys, *personality)
        .map_err(|rejection| Finding::Checkpoint { size: stated_size(&note), rejection })?;
    if let Some(saved) = options.saved.iter().find(|saved| saved.size > head.size) {
        return Err(Finding::RolledBack { head: head.size, published: saved.size });
    }
    let reader = Reader { files, head, personality: *personality };
    let mut derivation = Derivation { tree: Tree::default(), identities: Identities::default() };
    options.compare(0, merkle::empty_root)?;
    let mut bundles = reader.bundles(0).await?;
    while derivation.tree.size() < head.size {
        let start = derivation.tree.size();
        let (personality, options) = (*personality, options.clone());
        let derive =
            task::spawn_blocking(move || derivation.take(&bundles, personality, &options).map(|()| derivation));
        let end = head.size.min(start + GROUP * u64::from(FULL_WIDTH));
        let last = end == head.size;
        let tile_ids = Tree::tile_ids(start, end, last);
        let (derived, next, tiles) = tokio::join!(derive, reader.bundles(end), reader.tiles(&tile_ids));
        derivation = derived.map_err(|_| Finding::Interrupted)??;
        reader.compare(derivation.tree.take_tiles(last), &tiles?).await?;
        bundles = next?;
        progress(end, head.size);
    }
    if derivation.tree.root() != head.root {
        return Err(Finding::Checkpoint { size: head.size, rejection: Rejection::CheckpointMismatch });
    }
    let identities = derivation.identities;
    let suspects = task::spawn_blocking(move || identities.suspects()).await.map_err(|_| Finding::Interrupted)??;
    reader.find_repeat(&suspects).await?;
    Ok(Report {
        log: name.clone(),
        origin,
        tree_size: head.size,
        root_hash: hex::encode(head.root),
        checkpoints: 1,
        signatures: 1,
        extends: options.saved.iter().map(|saved| saved.size).collect(),
        lost: None,
    })
}

/// Verifies with the hash tiles of a log that its tree of `head` extends `old`. Both are of checkpoints that verified.
pub async fn verify_extends(
    files: &dyn Files,
    personality: Personality,
    old: &TreeHead,
    head: TreeHead,
) -> Result<(), Finding> {
    if old.size > head.size {
        return Err(Finding::RolledBack { head: head.size, published: old.size });
    }
    let mut plan = Plan::default();
    let Ok(_) = merkle::consistency_proof(old.size, head.size, &mut plan);
    let tiles = Reader { files, head, personality }.planned(plan).await?;
    let missing = |node: MissingNode| Finding::Tile { id: TileId::containing(node.0) };
    let proof = merkle::consistency_proof(old.size, head.size, &mut &tiles).map_err(missing)?;
    merkle::verify_consistency(old, &head, &proof).map_err(|_| Finding::Forked { size: old.size })
}

/// The size in a note that may not parse.
fn stated_size(note: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(note);
    text.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or_default()
}

async fn read_one(files: &dyn Files, path: String) -> Result<Bytes, Finding> {
    let read = files.read(vec![path.clone()]).await?.pop().flatten();
    read.ok_or(Finding::File { path, what: "the file is missing" })
}

/// The entries of one bundle.
struct Bundle {
    path: String,
    bytes: Bytes,
    width: u32,
}

/// The files of the log at one tree head.
struct Reader<'a> {
    files: &'a dyn Files,
    head: TreeHead,
    personality: Personality,
}

impl Reader<'_> {
    fn path(&self, path: &TilePath) -> String {
        path.with_entries_in(match self.personality {
            Personality::RekorV1 | Personality::RekorV2 => "entries",
            Personality::Ct => "data",
        })
    }

    /// Reads a group of bundles from leaf `start` on.
    async fn bundles(&self, start: u64) -> Result<Vec<Bundle>, Finding> {
        let width = u64::from(FULL_WIDTH);
        let (first, after) = (start / width, self.head.size.div_ceil(width));
        let paths = (first..after.min(first + GROUP)).map(|index| TilePath {
            level: None,
            index,
            width: TileId { level: 0, index }.width(self.head.size),
        });
        let paths: Vec<TilePath> = paths.collect();
        let read = self.read(&paths).await?;
        Ok(paths
            .iter()
            .zip(read)
            .map(|(path, bytes)| Bundle { path: self.path(path), bytes, width: path.width })
            .collect())
    }

    /// Reads required files. A partial file may have been removed after the full one was written.
    async fn read(&self, paths: &[TilePath]) -> Result<Vec<Bytes>, Finding> {
        let read = self.files.read(paths.iter().map(|path| self.path(path)).collect()).await?;
        let mut contents = Vec::with_capacity(paths.len());
        for (path, bytes) in paths.iter().zip(read) {
            contents.push(match bytes {
                Some(bytes) => bytes,
                None if path.width < FULL_WIDTH => {
                    let full = self.path(&TilePath { width: FULL_WIDTH, ..*path });
                    let missing = Finding::File { path: self.path(path), what: "the file is missing" };
                    self.files.read(vec![full]).await?.pop().flatten().ok_or(missing)?
                }
                None => return Err(Finding::File { path: self.path(path), what: "the file is missing" }),
            });
        }
        Ok(contents)
    }

    /// Reads hash tiles, each with its width in this tree.
    async fn tiles(&self, ids: &[TileId]) -> Result<Tiles, Finding> {
        let path = |id: &TileId| TilePath { level: Some(id.level), index: id.index, width: id.width(self.head.size) };
        let paths: Vec<TilePath> = ids.iter().map(path).collect();
        let mut tiles = Tiles::default();
        for ((id, path), bytes) in ids.iter().zip(&paths).zip(self.read(&paths).await?) {
            let hashes = tile::hashes_from_bytes(&bytes).ok();
            let hashes = hashes.and_then(|hashes| hashes.get(..path.width as usize).map(<[Hash]>::to_vec));
            let wrong = || Finding::File { path: self.path(path), what: "the tile has the wrong length" };
            tiles.0.insert(*id, hashes.ok_or_else(wrong)?);
        }
        Ok(tiles)
    }

    /// The tiles that a plan needs.
    async fn planned(&self, plan: Plan) -> Result<Tiles, Finding> {
        let ids: BTreeSet<TileId> = plan.nodes.into_iter().map(TileId::containing).collect();
        self.tiles(&ids.into_iter().collect::<Vec<_>>()).await
    }

    async fn compare(&self, derived: Tiles, served: &Tiles) -> Result<(), Finding> {
        for (id, hashes) in derived.0 {
            let served = served.0.get(&id).map_or(&[][..], Vec::as_slice);
            if served != hashes {
                return Err(self.blame(id, &hashes, served).await);
            }
        }
        Ok(())
    }

    /// Entry and tile differ: the right one is the one whose inclusion proof leads to the signed root hash.
    async fn blame(&self, id: TileId, derived: &[Hash], served: &[Hash]) -> Finding {
        let differ = derived.iter().zip(served).position(|(derived, served)| derived != served);
        let (Some(slot), 0) = (differ, id.level) else { return Finding::Tile { id } };
        let index = id.index * u64::from(FULL_WIDTH) + slot as u64;
        let proves = |leaf: Option<&Hash>, proof: &[Hash]| {
            leaf.is_some_and(|leaf| {
                merkle::verify_inclusion(index, self.head.size, leaf, proof, &self.head.root).is_ok()
            })
        };
        match self.inclusion_proof(index).await {
            Some(proof) if proves(served.get(slot), &proof) => {
                Finding::Entry { index, what: "it is not the entry that is in the tree" }
            }
            _ => Finding::Tile { id },
        }
    }

    async fn inclusion_proof(&self, index: u64) -> Option<Vec<Hash>> {
        let mut plan = Plan::default();
        merkle::inclusion_proof(index, self.head.size, &mut plan).ok()?;
        let tiles = self.planned(plan).await.ok()?;
        merkle::inclusion_proof(index, self.head.size, &mut &tiles).ok()
    }

    /// The first entry that equals one with a lower index.
    async fn find_repeat(&self, suspects: &Suspects) -> Result<(), Finding> {
        for mut look in suspects.passes() {
            let mut index = 0;
            while index < self.head.size {
                for bundle in self.bundles(index).await? {
                    for (_, identity) in bundle.entries(index, self.personality)? {
                        if look.is_repeated(index, &identity) {
                            return Err(repeated(index));
                        }
                        index += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Bundle {
    /// Leaf hash and identity hash of each entry. The first entry has this index.
    fn entries(&self, first: u64, personality: Personality) -> Result<Vec<(Hash, Hash)>, Finding> {
        let wrong = |what| Finding::File { path: self.path.clone(), what };
        let mut entries: Vec<_> = match personality {
            Personality::RekorV1 | Personality::RekorV2 => {
                let leaves = tile::leaves_from_bundle(&self.bytes).map_err(|_| wrong("it is not an entry bundle"))?;
                let hashes = leaves.into_iter().map(merkle::leaf_hash);
                hashes.map(|leaf_hash| (leaf_hash, leaf_hash)).collect()
            }
            Personality::Ct => {
                let leaves = sct::tile_leaves(&self.bytes).map_err(|_| wrong("it is not a data tile"))?;
                (first..).zip(leaves).map(|(index, leaf)| ct_entry(index, &leaf)).collect::<Result<Vec<_>, _>>()?
            }
        };
        // It may be the full bundle, if the partial one was removed.
        let width = self.width as usize;
        if entries.len() < width {
            return Err(wrong("it has too few entries"));
        }
        entries.truncate(width);
        Ok(entries)
    }
}

fn ct_entry(index: u64, leaf: &sct::TileLeaf) -> Result<(Hash, Hash), Finding> {
    let wrong = |what| Finding::Entry { index, what };
    let bytes = leaf.leaf.to_bytes().map_err(|_| wrong("the leaf cannot be encoded"))?;
    if sct::leaf_index(&leaf.leaf.extensions) != Ok(Some(index)) {
        return Err(wrong("its leaf names another index"));
    }
    Ok((merkle::leaf_hash(&bytes), leaf.submitted_hash()))
}

/// The log as derived from its entries so far.
struct Derivation {
    tree: Tree,
    identities: Identities,
}

impl Derivation {
    fn take(&mut self, bundles: &[Bundle], personality: Personality, options: &Options) -> Result<(), Finding> {
        for bundle in bundles {
            for (leaf_hash, identity) in bundle.entries(self.tree.size(), personality)? {
                self.identities.insert(&identity)?;
                self.tree.append(leaf_hash);
                options.compare(self.tree.size(), || self.tree.root())?;
            }
        }
        Ok(())
    }
}
