//! Re-deriving a whole log from its entries: what an auditor does, and what every test scenario ends with.
//!
//! Entries → leaf hashes → identity hashes → tiles → root hashes at every stored checkpoint → signatures → head. Nothing
//! that is stored is believed; the first thing that does not follow is named. It reads through the [`Store`] and changes
//! nothing, so it may run beside a server.

use crate::store::{CommittedHead, LogRecord, Store, StoreError, StoredEntry};
use crate::{ct, rekor_v1};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle;
use chancery_verify::tile::{Edge, TileId, Tiles};
use chancery_verify::{PublicKey, Rejection, Timestamp};
use serde::Serialize;
use std::collections::HashSet;

/// Entries read at a time: bounds memory, and is a multiple of a tile's width.
const STEP: u32 = 1024;

/// Which rules a log's entries follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personality {
    /// Rekor v1.
    RekorV1,
    /// Certificate transparency.
    Ct,
}

/// A log to check: its record, the key whose signatures it must bear, and its rules.
#[derive(Debug, Clone)]
pub struct Subject {
    /// As it was made.
    pub record: LogRecord,
    /// Its public key, from outside the database.
    pub key: PublicKey,
    /// How its checkpoints are named.
    pub scheme: Scheme,
    /// Its rules.
    pub personality: Personality,
}

impl Subject {
    /// The log of `record`, whose name says which rules it follows and whose origin says how its checkpoints are named.
    pub fn new(record: LogRecord, key: PublicKey) -> Result<Self, Finding> {
        let unnamed = |_| Finding::Log("its origin is not one");
        let (scheme, personality) = match record.name.as_str() {
            rekor_v1::NAME => {
                let host = record.origin.strip_suffix(&format!(" - {}", record.tree_id)).unwrap_or_default();
                (rekor_v1::scheme(host, record.tree_id).map_err(unnamed)?, Personality::RekorV1)
            }
            ct::NAME => (ct::scheme(&record.origin, record.tree_id).map_err(unnamed)?, Personality::Ct),
            _ => return Err(Finding::Log("it is of no known kind")),
        };
        Ok(Self { record, key, scheme, personality })
    }
}

/// A log that re-derives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its role.
    pub log: String,
    /// First line of its checkpoints.
    pub origin: String,
    /// Number of leaves.
    pub tree_size: u64,
    /// Root hash in hexadecimal.
    pub root_hash: String,
    /// Stored checkpoints that were verified.
    pub checkpoints: u64,
}

/// The first thing found wrong.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// The entry at this index is missing, or another is in its place.
    #[error("entry {index}: the entry is missing")]
    Gap {
        /// Where.
        index: u64,
    },
    /// An entry does not follow from its leaf.
    #[error("entry {index}: {what}")]
    Entry {
        /// Where.
        index: u64,
        /// What does not follow.
        what: &'static str,
    },
    /// A stored tile differs from the one the entries give.
    #[error("tile {}/{}: the stored hashes are not those of the entries", .id.level, .id.index)]
    Tile {
        /// Which tile.
        id: TileId,
    },
    /// A stored checkpoint does not verify, or states another root hash than the entries give.
    #[error("checkpoint {size}: {rejection}")]
    Checkpoint {
        /// Its tree size.
        size: u64,
        /// Why.
        rejection: Rejection,
    },
    /// The committed head is not that of the entries.
    #[error("head: it states {stated} leaves and another root hash than the {derived} entries give")]
    Head {
        /// Leaves it states.
        stated: u64,
        /// Entries there are.
        derived: u64,
    },
    /// A larger tree was published once: the database has been put back to an earlier state.
    #[error("head: it states {head} leaves, but a checkpoint of {published} leaves was published")]
    RolledBack {
        /// Leaves it states.
        head: u64,
        /// Leaves of the newest stored checkpoint.
        published: u64,
    },
    /// The log is not the one the key and origin belong to.
    #[error("log: {0}")]
    Log(&'static str),
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Re-derives one log. `progress` is called with the number of entries done and their total.
pub async fn check(
    store: &dyn Store,
    subject: &Subject,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, Finding> {
    let record = &subject.record;
    if record.key_fingerprint != subject.key.fingerprint() {
        return Err(Finding::Log("it was made with another key"));
    }
    if record.origin != subject.scheme.origin() {
        return Err(Finding::Log("it was made with another origin"));
    }
    // Read in this order, so that a running server cannot make it look wrong. Entries beyond the head are not looked at.
    let newest = store.newest_checkpoint(record.log_id).await?.map_or(0, |(size, _)| size);
    let head = store.head(record.log_id).await?;
    if newest > head.tree.size {
        return Err(Finding::RolledBack { head: head.tree.size, published: newest });
    }
    let mut derivation = Derivation::default();
    let mut checkpoints = Checkpoints::new(store, subject).await?;
    checkpoints.verify_at(&derivation.edge).await?;
    progress(0, head.tree.size);
    while derivation.edge.size() < head.tree.size {
        let start = derivation.edge.size();
        let count = u32::try_from(head.tree.size - start).unwrap_or(STEP).min(STEP);
        let entries = store.entries(record.log_id, start, count).await?;
        if entries.is_empty() {
            return Err(Finding::Gap { index: start });
        }
        let mut touched = Tiles::default();
        for entry in entries {
            derivation.append(&entry, subject.personality, &mut touched)?;
            checkpoints.verify_at(&derivation.edge).await?;
        }
        compare_tiles(store, record.log_id, touched).await?;
        progress(derivation.edge.size(), head.tree.size);
    }
    verify_head(&head, &derivation.edge)?;
    Ok(Report {
        log: record.name.clone(),
        origin: record.origin.clone(),
        tree_size: head.tree.size,
        root_hash: hex::encode(head.tree.root),
        checkpoints: checkpoints.verified,
    })
}

/// The tree as the entries give it so far.
struct Derivation {
    edge: Edge,
    identities: HashSet<[u8; 32]>,
    last: Timestamp,
}

impl Default for Derivation {
    fn default() -> Self {
        Self { edge: Edge::default(), identities: HashSet::new(), last: Timestamp::from_millis(0) }
    }
}

impl Derivation {
    fn append(&mut self, entry: &StoredEntry, personality: Personality, touched: &mut Tiles) -> Result<(), Finding> {
        let index = self.edge.size();
        if entry.index != index {
            return Err(Finding::Gap { index });
        }
        let wrong = |what| Finding::Entry { index, what };
        let leaf_hash = merkle::leaf_hash(&entry.leaf);
        if leaf_hash != entry.leaf_hash {
            return Err(wrong("the stored leaf hash is not that of the leaf"));
        }
        let identity = match personality {
            Personality::RekorV1 => rekor_v1::identity_hash(&entry.leaf),
            Personality::Ct => {
                ct::identity_hash(&entry.leaf, &entry.extra).map_err(|_| wrong("the leaf does not parse"))?
            }
        };
        if identity != entry.identity_hash {
            return Err(wrong("the stored identity hash is not that of the entry"));
        }
        if !self.identities.insert(identity) {
            return Err(wrong("an equal entry has a lower index"));
        }
        if entry.timestamp < self.last {
            return Err(wrong("its time is before that of the entry before it"));
        }
        self.last = entry.timestamp;
        self.edge.append(leaf_hash, touched);
        Ok(())
    }
}

/// Compares derived tiles with stored ones. The tiles at the right edge may be wider in the store, of a later head.
async fn compare_tiles(store: &dyn Store, log_id: i64, derived: Tiles) -> Result<(), Finding> {
    let stored = store.tiles(log_id, derived.0.keys().copied().collect()).await?;
    for (id, hashes) in derived.0 {
        let prefix = stored.0.get(&id).and_then(|stored| stored.get(..hashes.len()));
        if prefix != Some(hashes.as_slice()) {
            return Err(Finding::Tile { id });
        }
    }
    Ok(())
}

fn verify_head(head: &CommittedHead, edge: &Edge) -> Result<(), Finding> {
    if head.tree.size == edge.size() && head.tree.root == edge.root() {
        Ok(())
    } else {
        Err(Finding::Head { stated: head.tree.size, derived: edge.size() })
    }
}

/// The stored checkpoints, met in order of size while the tree grows past them.
struct Checkpoints<'a> {
    store: &'a dyn Store,
    subject: &'a Subject,
    /// Read and not reached yet, the next one last.
    ahead: Vec<(u64, String)>,
    verified: u64,
}

impl<'a> Checkpoints<'a> {
    async fn new(store: &'a dyn Store, subject: &'a Subject) -> Result<Self, Finding> {
        let mut checkpoints = Self { store, subject, ahead: Vec::new(), verified: 0 };
        checkpoints.read_after(None).await?;
        Ok(checkpoints)
    }

    async fn read_after(&mut self, size: Option<u64>) -> Result<(), Finding> {
        self.ahead = self.store.checkpoints(self.subject.record.log_id, size, STEP).await?;
        self.ahead.reverse();
        Ok(())
    }

    /// Verifies the checkpoint at the size of `edge`, if one is stored.
    async fn verify_at(&mut self, edge: &Edge) -> Result<(), Finding> {
        let Some((size, note)) = self.ahead.pop_if(|(size, _)| *size == edge.size()) else { return Ok(()) };
        let wrong = |rejection| Finding::Checkpoint { size, rejection };
        let tree = self.subject.scheme.open(&note, &self.subject.key).map_err(wrong)?;
        if tree.size != size || tree.root != edge.root() {
            return Err(wrong(Rejection::CheckpointMismatch));
        }
        self.verified += 1;
        if self.ahead.is_empty() {
            self.read_after(Some(size)).await?;
        }
        Ok(())
    }
}
