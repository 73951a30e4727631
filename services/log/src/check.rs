//! Re-deriving a whole log from its entries: what an auditor does, and what every test scenario ends with.
//!
//! Entries → leaf hashes → identity hashes → tiles → root hashes at every stored checkpoint → signatures → head → the tables
//! that lead to entries. Nothing that is stored is believed; the first thing that does not follow is named. [`check`] reads
//! through the [`Store`] and changes nothing, so it may run beside a server. [`check_files`] reads what everybody can read:
//! checkpoint, tiles and entry bundles, of a server or of a directory of files.
//!
//! Not checked: SETs and SCTs, because they are not stored but made anew for each answer. Not found, because nothing in the
//! database says otherwise:
//!
//! | changed | why nothing follows from it |
//! |---|---|
//! | `bundle_parts.timestamp_ms` of a Rekor log, to a time between those of its neighbours | the time of an entry is not hashed into the tree; clients have the one that was promised |
//! | `logs.created_ms`, to a time before the first entry | it is only shown |
//! | `frozen_logs` | that a log is frozen is a decision, not a fact about the tree |
//! | a row of `checkpoints` that is missing | not every checkpoint is stored |
//! | a row of `issuers` that no entry names | it is stored before the entry is logged |

mod files;
mod identities;
mod signatures;
mod stored;
mod tables;
mod tree;

pub use files::{FileError, Files, Opened, Published, Reading, check_files, open_checkpoint};

use crate::store::{LogRecord, Store, StoreError};
use crate::{ct, rekor_v1, rekor_v2, series};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::TreeHead;
use chancery_verify::tile::TileId;
use chancery_verify::{Hash, PublicKey, Rejection};
use serde::Serialize;
use std::num::NonZeroU32;

/// Which rules a log's entries follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personality {
    /// Rekor v1.
    RekorV1,
    /// Rekor v2.
    RekorV2,
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
        let (scheme, personality) = match series::split(&record.name).0 {
            rekor_v1::NAME => {
                let host = record.origin.strip_suffix(&format!(" - {}", record.tree_id)).unwrap_or_default();
                (rekor_v1::scheme(host, record.tree_id).map_err(unnamed)?, Personality::RekorV1)
            }
            rekor_v2::NAME => {
                (rekor_v2::scheme(&record.origin, record.tree_id).map_err(unnamed)?, Personality::RekorV2)
            }
            ct::NAME => (ct::scheme(&record.origin, record.tree_id).map_err(unnamed)?, Personality::Ct),
            _ => return Err(Finding::Log("it is of no known kind")),
        };
        Ok(Self { record, key, scheme, personality })
    }
}

/// Of which stored checkpoints the signatures are verified. What they state is compared with the tree for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signatures {
    /// Every one.
    #[default]
    All,
    /// One in so many, and the newest.
    OneIn(NonZeroU32),
}

/// What a check does beyond re-deriving.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which signatures it verifies.
    pub signatures: Signatures,
    /// Trees that were seen earlier, under verified checkpoints: the log must extend each.
    pub saved: Vec<TreeHead>,
}

impl Options {
    /// Compares the tree of `size` leaves with the trees of that size that were seen earlier.
    fn compare(&self, size: u64, root: impl Fn() -> Hash) -> Result<(), Finding> {
        let mut saved = self.saved.iter().filter(|saved| saved.size == size);
        if saved.all(|saved| saved.root == root()) { Ok(()) } else { Err(Finding::Forked { size }) }
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
    /// Checkpoints whose root hash was re-derived.
    pub checkpoints: u64,
    /// Of these, the ones whose signature was verified.
    pub signatures: u64,
    /// Sizes of the earlier trees that it was shown to extend.
    pub extends: Vec<u64>,
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
    /// The log is not an extension of one that was seen earlier.
    #[error(
        "checkpoint {size}: the entries give another root hash than the checkpoint that was saved earlier: the log was \
         forked or rolled back"
    )]
    Forked {
        /// Leaves of the earlier tree.
        size: u64,
    },
    /// A file of the log is missing or is not what its name says.
    #[error("{path}: {what}")]
    File {
        /// Its path below the log's.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The log is not the one the key and origin belong to.
    #[error("log: {0}")]
    Log(&'static str),
    /// There are rows of a log that is not listed.
    #[error("log number {log_id}: it has entries, and its row of `logs` is missing")]
    Unlisted {
        /// Its number in the database.
        log_id: i64,
    },
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be had.
    #[error(transparent)]
    Unreadable(#[from] FileError),
    /// The temporary directory could not be used.
    #[error("cannot use the temporary directory: {0}")]
    Scratch(#[from] std::io::Error),
    /// The check itself ended before it was done.
    #[error("the check was interrupted")]
    Interrupted,
}

/// The finding that an entry is logged a second time.
const fn repeated(index: u64) -> Finding {
    Finding::Entry { index, what: "an equal entry has a lower index" }
}

/// Whether every log that has rows in the database is among those it lists.
pub async fn check_listing(store: &dyn Store) -> Result<(), Finding> {
    let unlisted = store.unlisted().await?;
    unlisted.first().map_or(Ok(()), |log_id| Err(Finding::Unlisted { log_id: *log_id }))
}

/// Re-derives one log and verifies everything. `progress` is called with the number of entries done and their total.
pub async fn check(
    store: &dyn Store,
    subject: &Subject,
    progress: impl FnMut(u64, u64) + Send,
) -> Result<Report, Finding> {
    check_with(store, subject, &Options::default(), progress).await
}

/// As [`check`], with options. An entry that is logged twice is named last, after everything else was found right.
pub async fn check_with(
    store: &dyn Store,
    subject: &Subject,
    options: &Options,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Report, Finding> {
    stored::check(store, subject, options, &mut progress).await
}
