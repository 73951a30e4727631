//! Where logs are kept: the one place with SQL, behind domain verbs.
//!
//! An attacker who can change the database can make the log stop or fork it in secret from those who never compare
//! checkpoints; they cannot sign, and `chancery log check` names the first thing they changed.

mod attestations;
mod convert;
mod doubts;
mod location;
mod lock;
mod parts;
mod postgres;
mod sqlite;
mod timed;

pub use attestations::Attestations;
pub use doubts::{Change, Doubts, End, Identity, Recorded};
pub(crate) use doubts::{FAILED_CHECK, RESTORED};
pub use location::{Database, Location};
pub use lock::Lock;
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
pub(crate) use timed::Timed;

use crate::Corrupt;
use crate::gathered::Lost;
use bytes::Bytes;
use chancery_daemon::database;
use chancery_verify::merkle::TreeHead;
use chancery_verify::tile::{FULL_WIDTH, TileId, Tiles};
use chancery_verify::{Hash, Timestamp};
use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A store's answer, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The database failed, or the batch was refused before it was written. All who wait for one query share its failure.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database's own words.
    #[error("database: {0}")]
    Database(#[source] Arc<sqlx::Error>),
    /// The database has not answered; whether it took the batch is unknown.
    #[error("the database has not answered in time")]
    Timeout,
    /// The database was promoted or restored a moment ago, so commits may be lost that another server knows of. Nothing was
    /// written.
    #[error(
        "the database is on another timeline than before: a standby was promoted, or it was restored to a point in time; \
         entries are taken again in twenty seconds, unless a server finds until then that some are missing"
    )]
    Settling,
    /// What was read cannot be right.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

impl StoreError {
    /// Whether the database gave no answer, so that nothing is known about what is in it.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        match self {
            Self::Database(error) => database::is_silent(error),
            Self::Timeout | Self::Settling => true,
            Self::Corrupt(_) => false,
        }
    }

    /// Whether the log was frozen, so that nothing was written and nothing ever will be.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        // What the trigger on the head says, in both databases.
        self.says("the log is frozen")
    }

    /// Whether another server has quarantined the log, so that nothing was written.
    #[must_use]
    pub fn is_quarantined(&self) -> bool {
        self.says("the log is quarantined")
    }

    /// Whether the connection is of no use any more, so that it is unknown whether a batch was written: it broke, or the
    /// server ended it: by command (57P01), in a crash (57P02), or because this process did nothing for too long in the middle
    /// of a transaction (25P03). Another connection may be fine.
    pub(crate) fn is_disconnected(&self) -> bool {
        match self.database() {
            Some(sqlx::Error::Io(_)) => true,
            Some(sqlx::Error::Database(error)) => matches!(error.code().as_deref(), Some("57P01" | "57P02" | "25P03")),
            _ => false,
        }
    }

    /// Serialization failure and deadlock: the server has undone the transaction and asks for another attempt.
    pub(crate) fn is_conflict(&self) -> bool {
        let Some(sqlx::Error::Database(error)) = self.database() else { return false };
        matches!(error.code().as_deref(), Some("40001" | "40P01"))
    }

    fn says(&self, message: &str) -> bool {
        let said = self.database().and_then(sqlx::Error::as_database_error);
        said.is_some_and(|error| error.message() == message)
    }

    /// The database's own words, where it failed.
    fn database(&self) -> Option<&sqlx::Error> {
        if let Self::Database(error) = self { Some(error.as_ref()) } else { None }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<Lost> for StoreError {
    fn from(Lost: Lost) -> Self {
        sqlx::Error::WorkerCrashed.into()
    }
}

/// A log as it was made; nothing in it ever changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Number of the log in this database.
    pub log_id: i64,
    /// Its role in this instance, e.g. `rekor`.
    pub name: String,
    /// First line of its checkpoints.
    pub origin: String,
    /// Random, positive; prefix of Rekor v1 entry ids.
    pub tree_id: i64,
    /// SHA-256 of its key's SPKI.
    pub key_fingerprint: Hash,
    /// When it was made.
    pub created: Timestamp,
}

/// What a log is made with.
#[derive(Debug, Clone)]
pub struct NewLog {
    /// Its role in this instance.
    pub name: String,
    /// First line of its checkpoints.
    pub origin: String,
    /// Random, positive.
    pub tree_id: i64,
    /// SHA-256 of its key's SPKI.
    pub key_fingerprint: Hash,
    /// Now.
    pub created: Timestamp,
}

/// The committed head of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedHead {
    /// Size and root hash.
    pub tree: TreeHead,
    /// When its last batch was integrated.
    pub timestamp: Timestamp,
}

/// A head that the log has had, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlierHead {
    /// Leaves of the head that it extends; `None` for the first one that is kept.
    pub previous: Option<u64>,
    /// The head.
    pub head: CommittedHead,
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Position in the tree.
    pub index: u64,
    /// When it was integrated.
    pub timestamp: Timestamp,
    /// Deduplication key.
    pub identity_hash: Hash,
    /// SHA-256(0x00 ‖ leaf).
    pub leaf_hash: Hash,
    /// What is hashed into the tree.
    pub leaf: Bytes,
    /// What is kept beside it.
    pub extra: Bytes,
}

/// What a log holds, as far as it matters to a batch: as it was found, in one snapshot, or as it is expected to be.
#[derive(Debug)]
pub struct Found {
    /// The committed head.
    pub head: CommittedHead,
    /// The tiles of the right edge, where the head is not as large as [`Batch::known`].
    pub edge: Option<Tiles>,
    /// For each identity hash of the batch, the index at which it is logged already.
    pub duplicates: Vec<Option<u64>>,
}

impl Found {
    /// The expected state if no process has appended since `known` and no entry of the batch is logged.
    pub(crate) fn expected(known: CommittedHead, count: usize) -> Self {
        Self { head: known, edge: None, duplicates: vec![None; count] }
    }

    /// Whether the extension may be written where this was found of the batch: it extends this head, and none of its entries
    /// is logged.
    fn allows(&self, batch: &Batch<'_>, extension: &Extension) -> bool {
        let found = batch.identities.iter().zip(&self.duplicates).filter(|(_, index)| index.is_some());
        let logged: HashSet<&Hash> = found.map(|(identity, _)| identity).collect();
        self.head.tree == extension.from.tree
            && extension.entries.iter().all(|entry| !logged.contains(&entry.identity_hash))
    }
}

/// What a batch adds to one head.
#[derive(Debug)]
pub struct Extension {
    /// The head that it extends. On no other one is it ever written.
    pub from: CommittedHead,
    /// The new entries, with the indices that follow the head.
    pub entries: Vec<StoredEntry>,
    /// Every tile that changed, as it now is; of the tiles of leaf hashes only those that are full: what a partial one
    /// holds is in the entries, and writing it again with every batch would be most of what a batch writes.
    pub tiles: Tiles,
    /// The head afterwards.
    pub head: CommittedHead,
}

impl Extension {
    /// The extension of `from` by these entries, with every tile that they touched.
    #[must_use]
    pub fn new(from: CommittedHead, entries: Vec<StoredEntry>, mut touched: Tiles, head: CommittedHead) -> Self {
        touched.0.retain(|id, hashes| id.level > 0 || hashes.len() == FULL_WIDTH as usize);
        Self { from, entries, tiles: touched, head }
    }

    /// Identity hashes of its entries, in order.
    #[must_use]
    pub fn identities(&self) -> Vec<Hash> {
        self.entries.iter().map(|entry| entry.identity_hash).collect()
    }
}

/// An entry as the tables that lead to entries must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indexed {
    /// Deduplication key.
    pub identity_hash: Hash,
    /// SHA-256(0x00 ‖ leaf).
    pub leaf_hash: Hash,
    /// Position in the tree.
    pub index: u64,
}

/// What those tables say about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookup {
    /// The index at which its identity is logged.
    pub identity: Option<u64>,
    /// Whether its leaf hash and index stand in the table of leaves, in which only entries are whose identity is another hash.
    pub leaf: bool,
}

/// How many rows there are about a log, in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Leaves its head states.
    pub tree_size: u64,
    /// Rows that lead from an identity to an entry.
    pub identities: u64,
    /// Rows that lead from a leaf hash to an entry.
    pub leaf_indices: u64,
    /// Entries, tiles and parts of tiles beyond the head.
    pub beyond: u64,
}

/// A batch on its way into a log, without what it adds: that depends on what the log holds.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Which log.
    pub log_id: i64,
    /// The head on whose right edge the caller stands; `None` where it knows none.
    pub known: Option<CommittedHead>,
    /// Identity hashes of the batch, in order; the caller has removed duplicates within the batch.
    pub identities: &'a [Hash],
    /// A checkpoint that was published and is to be stored: it rides along, so that storing it costs no commit.
    pub published: Option<(u64, String)>,
}

/// What came of an extension.
#[derive(Debug)]
pub enum Integration {
    /// All of it is durable on stable storage.
    Committed,
    /// Nothing of it was written, because the log holds something else than what it extends: another head, or some of its
    /// entries. This is what there is, for the whole batch.
    Overtaken(Found),
}

/// A database that keeps logs.
///
/// A batch is written in three steps, of which the middle one is the caller's and pure: [`Self::find`] what there is, extend
/// it, [`Self::integrate`] the extension. A caller that stands on the right edge may leave out the first one and extend what it
/// expects to be there; one that was overtaken extends what it is told there is. One that is overtaken again and again takes
/// the [`Self::lock`] for all three.
pub trait Store: Doubts + Attestations + Send + Sync {
    /// Whether other processes may append to the same logs: what was published here may then be behind what is committed.
    fn shared(&self) -> bool;

    /// The log of this name.
    fn open<'a>(&'a self, name: &'a str) -> Answer<'a, Option<LogRecord>>;

    /// Makes a log with an empty tree. MUST fail if the name or origin exists.
    fn create(&self, log: NewLog) -> Answer<'_, LogRecord>;

    /// Every log, by number.
    fn logs(&self) -> Answer<'_, Vec<LogRecord>>;

    /// Has the log take no more entries, from whatever process, for ever. Returns the head it keeps. Nothing changes the second
    /// time.
    fn freeze(&self, log_id: i64, now: Timestamp) -> Answer<'_, CommittedHead>;

    /// Since when the log has been frozen; `None` where it is not.
    fn frozen(&self, log_id: i64) -> Answer<'_, Option<Timestamp>>;

    /// Stores the checkpoint that says since when the log is frozen. Nothing changes the second time. MUST fail if the log is
    /// not frozen.
    fn publish_frozen(&self, log_id: i64, note: String) -> Answer<'_, ()>;

    /// The checkpoint that says since when the log is frozen, if it is stored.
    fn frozen_checkpoint(&self, log_id: i64) -> Answer<'_, Option<String>>;

    /// The committed head.
    fn head(&self, log_id: i64) -> Answer<'_, CommittedHead>;

    /// What the log holds of a batch. Nothing is locked: it may be another moment later.
    fn find<'a>(&'a self, batch: &'a Batch<'a>) -> Answer<'a, Found>;

    /// The same, with the head locked first: it stays what was found until the lock is passed to [`Self::integrate`] or given
    /// back. A store MAY take the lock away from a caller that does nothing for seconds; then `integrate` fails.
    fn lock<'a>(&'a self, batch: &'a Batch<'a>) -> Answer<'a, (Found, Lock)>;

    /// Writes the extension and, with it, the batch's checkpoint in one transaction, under `lock` where the caller has taken it.
    ///
    /// MUST write all of it or nothing. MUST write nothing where the head is not [`Extension::from`], or where an entry of the
    /// extension is logged already, whoever else writes at the same time. MUST have everything durable on stable storage when it
    /// returns [`Integration::Committed`]. After an `Err` the extension may or may not have been written: callers MUST look at
    /// the head again. If it is [`Extension::head`], it was.
    fn integrate<'a>(
        &'a self,
        batch: &'a Batch<'a>,
        extension: &'a Extension,
        lock: Option<Lock>,
    ) -> Answer<'a, Integration>;

    /// Writes an extension and undoes it. MUST NOT change anything, and MUST fail where the same extension would fail before
    /// its commit. A head that another process has moved meanwhile is no failure.
    fn rehearse<'a>(&'a self, log_id: i64, extension: &'a Extension) -> Answer<'a, ()>;

    /// Stores a published checkpoint outside a batch: at shutdown and for a log that stands still.
    fn publish(&self, log_id: i64, size: u64, note: String) -> Answer<'_, ()>;

    /// Keeps certificates that issued what a CT log holds, by their SHA-256; those it has already are left alone.
    fn put_issuers(&self, log_id: i64, issuers: Vec<(Hash, Bytes)>) -> Answer<'_, ()>;

    /// The issuer with this SHA-256, in DER.
    fn issuer(&self, log_id: i64, fingerprint: Hash) -> Answer<'_, Option<Bytes>>;

    /// Up to `count` entries from `start` on, in order.
    fn entries(&self, log_id: i64, start: u64, count: u32) -> Answer<'_, Vec<StoredEntry>>;

    /// The entries with these indices, which go up, in order. One that is missing is left out.
    fn entries_at(&self, log_id: i64, indices: Vec<u64>) -> Answer<'_, Vec<StoredEntry>>;

    /// The entry at `index`, and of `tiles` what [`Self::tiles`] reads: everything a proof of the entry is made from.
    fn entry(&self, log_id: i64, index: u64, tiles: Vec<TileId>) -> Answer<'_, Option<(StoredEntry, Tiles)>> {
        Box::pin(async move {
            let entries = self.entries(log_id, index, 1).await?;
            let Some(entry) = entries.into_iter().find(|entry| entry.index == index) else { return Ok(None) };
            Ok(Some((entry, self.tiles(log_id, tiles).await?)))
        })
    }

    /// The index of the leaf with this hash.
    fn index_of(&self, log_id: i64, leaf_hash: Hash) -> Answer<'_, Option<u64>>;

    /// The index of the leaf with this hash, and the tile that holds the leaf where it is full and reading both at once costs
    /// less than one after the other: what a proof of the leaf is made from.
    fn leaf(&self, log_id: i64, leaf_hash: Hash) -> Answer<'_, Option<(u64, Tiles)>> {
        Box::pin(async move { Ok(self.index_of(log_id, leaf_hash).await?.map(|index| (index, Tiles::default()))) })
    }

    /// The tiles among `ids` that exist, at least as wide as the committed tree has them. A tile of leaf hashes that is not
    /// full is made from the entries.
    fn tiles(&self, log_id: i64, ids: Vec<TileId>) -> Answer<'_, Tiles>;

    /// What the tables that lead to entries say about each of these. For checks.
    fn lookups(&self, log_id: i64, entries: Vec<Indexed>) -> Answer<'_, Vec<Lookup>>;

    /// How many rows there are about a log. Reads whole tables; for checks.
    fn census(&self, log_id: i64) -> Answer<'_, Census>;

    /// Up to `count` of the heads that the log has had, in order: those that extend a tree of more than `after` leaves, or from
    /// the first one on. The last one is [`Self::head`], unless that is of the empty tree. Those from before the database kept
    /// them are not among them. For checks.
    fn earlier_heads(&self, log_id: i64, after: Option<u64>, count: u32) -> Answer<'_, Vec<EarlierHead>>;

    /// Every issuer: its SHA-256 and itself, in DER. For checks.
    fn issuers(&self, log_id: i64) -> Answer<'_, Vec<(Hash, Bytes)>>;

    /// Numbers of logs that have rows in any table and are not among [`Self::logs`]. Reads whole tables; for checks.
    fn unlisted(&self) -> Answer<'_, Vec<i64>>;

    /// The stored checkpoint of the largest tree: its size and note.
    fn newest_checkpoint(&self, log_id: i64) -> Answer<'_, Option<(u64, String)>>;

    /// The stored checkpoint of the largest tree with fewer than `size` leaves: its size and note.
    fn checkpoint_below(&self, log_id: i64, size: u64) -> Answer<'_, Option<(u64, String)>>;

    /// Up to `count` stored checkpoints (size and note) of sizes above `after`, in order of size.
    fn checkpoints(&self, log_id: i64, after: Option<u64>, count: u32) -> Answer<'_, Vec<(u64, String)>>;
}
