//! A log as its database has it, read without a sequencer: for commands, beside a server or without one.
//!
//! Proofs are made from what is stored, and not verified here: the caller has the root that a proof must lead to.

use crate::Corrupt;
use crate::check::{Finding, Subject};
use crate::store::{LogRecord, Store, StoreError, StoredEntry};
use crate::tree::planned_tiles;
use chancery_verify::merkle::{self, Plan, TreeHead};
use chancery_verify::tile::Tiles;
use chancery_verify::{Hash, Rejection};
use std::sync::Arc;

/// A log in its database.
#[derive(Clone)]
pub struct StoredLog {
    store: Arc<dyn Store>,
    subject: Arc<Subject>,
    ended: Option<u64>,
}

impl StoredLog {
    /// The log of `subject` in `store`.
    pub async fn open(store: Arc<dyn Store>, subject: Subject) -> Result<Self, StoreError> {
        let ended = store.ended(subject.record.log_id).await?.map(|end| end.tree.size);
        Ok(Self { store, subject: Arc::new(subject), ended })
    }

    /// Its record.
    #[must_use]
    pub fn record(&self) -> &LogRecord {
        &self.subject.record
    }

    /// Whether it was ended.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// The tree head of a checkpoint, if its key has signed it.
    pub fn open_checkpoint(&self, note: &str) -> Result<TreeHead, Rejection> {
        self.subject.scheme.open(note, &self.subject.key)
    }

    /// The largest tree with a stored checkpoint, and of one that was ended the tree at which it was; `None` where none is stored.
    ///
    /// # Errors
    /// [`Finding::Checkpoint`] where the checkpoint does not verify.
    pub async fn published(&self) -> Result<Option<(TreeHead, String)>, Finding> {
        let log_id = self.record().log_id;
        let newest = match self.ended {
            Some(size) => self.store.checkpoint_below(log_id, size.saturating_add(1)).await?,
            None => self.store.newest_checkpoint(log_id).await?,
        };
        let Some((size, note)) = newest else { return Ok(None) };
        let head = self.open_checkpoint(&note).map_err(|rejection| Finding::Checkpoint { size, rejection })?;
        Ok(Some((head, note)))
    }

    /// Up to `count` entries from `start` on.
    pub async fn entries(&self, start: u64, count: u32) -> Result<Vec<StoredEntry>, StoreError> {
        self.store.entries(self.record().log_id, start, count).await
    }

    /// The index of the leaf with this hash.
    pub async fn index_of(&self, leaf_hash: Hash) -> Result<Option<u64>, StoreError> {
        self.store.index_of(self.record().log_id, leaf_hash).await
    }

    /// The inclusion proof of the entry at `index` in the tree of `size` leaves.
    pub async fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        let mut plan = Plan::default();
        let Ok(_) = merkle::inclusion_proof(index, size, &mut plan);
        let tiles = self.tiles(&plan).await?;
        merkle::inclusion_proof(index, size, &mut &tiles).map_err(|_| missing())
    }

    /// The proof that the tree of `old` leaves is a prefix of the tree of `new` leaves.
    pub async fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, StoreError> {
        let mut plan = Plan::default();
        let Ok(_) = merkle::consistency_proof(old, new, &mut plan);
        let tiles = self.tiles(&plan).await?;
        merkle::consistency_proof(old, new, &mut &tiles).map_err(|_| missing())
    }

    async fn tiles(&self, plan: &Plan) -> Result<Tiles, StoreError> {
        self.store.tiles(self.record().log_id, planned_tiles(plan).into_iter().collect()).await
    }
}

fn missing() -> StoreError {
    Corrupt::new("tiles below the head are stored").into()
}
