//! The shards of a Rekor v1 log: trees that follow each other in time. Only the last one accepts entries.
//!
//! An entry has one index over all shards, its *virtual index*: the number of leaves in all earlier shards plus the
//! entry's index in its own shard. So the size of a shard must be final before the next one gets an entry, and all
//! replicas must agree on both.
//!
//! **The commit point of a switch is the database row that marks a shard as frozen.** Only the database decides which
//! shard accepts entries: the one with the lowest number that is not frozen. If a process is killed before the row is
//! written, the shard stays as it was. After the row is written, all processes write to the next shard, even those that
//! do not know of the new key yet. A write to a frozen shard reads the rows again and continues in the next shard. No
//! data is moved, and nothing has to be undone.
//!
//! A shard that was ended because newer entries were lost keeps the indices of these, without entries.
//!
//! A staged shard is empty and does not count in virtual indices. A cancelled shard is frozen while empty, before the
//! switch to a later one, so that no process writes to it. It adds nothing to any index.

use super::NAME;
use crate::personality::seed::Seed;
use crate::personality::series;
use crate::shared_read::SharedRead;
use crate::store::{LogRecord, Store, StoreError};
use crate::{Corrupt, Error, Log};
use chancery_daemon::samples::Samples;
use chancery_verify::{Hash, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

/// A shard that this process has open.
pub(super) struct Shard {
    pub(super) log: Log,
    /// SHA-256 of its key.
    pub(super) log_id: Hash,
    /// Samples of the promises by its key.
    pub(super) samples: Samples,
}

/// The range of a shard in the virtual index. Once the size is set, it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    number: u64,
    tree_id: i64,
    /// The virtual index of its first leaf.
    pub(super) first: u64,
    /// Its number of leaves once it is frozen. Only the last span may have none.
    pub(super) size: Option<u64>,
}

/// All shards. Clones share the same state.
#[derive(Clone)]
pub(super) struct Shards(Arc<Inner>);

struct Inner {
    open: RwLock<BTreeMap<u64, Arc<Shard>>>,
    /// The spans as last read from the database, oldest first. Never empty.
    spans: RwLock<Arc<[Span]>>,
    /// The first shard. The database is accessed through it.
    first: Log,
    /// Shared reads of the changes made by other processes.
    refreshed: SharedRead<(), StoreError>,
    seeding: Mutex<()>,
}

impl Shards {
    /// Starts with the first shard only. [`Self::refresh`] reads the others from the database.
    pub(super) fn new(first: Log) -> Self {
        let span = Span { number: 1, tree_id: first.record().tree_id, first: 0, size: None };
        let spans = RwLock::new(Arc::new([span]) as Arc<[Span]>);
        let shards = Self(Arc::new(Inner {
            open: RwLock::default(),
            spans,
            first,
            refreshed: SharedRead::default(),
            seeding: Mutex::default(),
        }));
        shards.add(shards.0.first.clone());
        shards
    }

    /// The first shard.
    pub(super) fn first(&self) -> &Log {
        &self.0.first
    }

    /// Opens a shard for reading, and for writing once it is the current one. Does nothing if it is already open.
    pub(super) fn add(&self, log: Log) {
        let number = series::split(&log.record().name).1;
        let log_id = log.signer().public_key().fingerprint();
        let shard = Shard { log, log_id, samples: Samples::default() };
        self.0.open.write().unwrap_or_else(PoisonError::into_inner).entry(number).or_insert(Arc::new(shard));
    }

    /// The spans as last read from the database.
    pub(super) fn spans(&self) -> Arc<[Span]> {
        Arc::clone(&self.0.spans.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The current shard, which accepts entries. If all are frozen, the last one.
    pub(super) fn current(&self) -> Result<(Span, Arc<Shard>), Error> {
        let span = self.spans().last().copied().ok_or(Corrupt::new("a log has a shard"))?;
        Ok((span, self.shard(&span)?))
    }

    /// As [`Self::current`], but first reads changes by other processes.
    pub(super) async fn current_now(&self) -> Result<(Span, Arc<Shard>), Error> {
        self.have_moved(&self.spans()).await?;
        self.current()
    }

    /// The shard of a span. An error if this process does not have its key or log.
    pub(super) fn shard(&self, span: &Span) -> Result<Arc<Shard>, Error> {
        let open = self.0.open.read().unwrap_or_else(PoisonError::into_inner);
        let shard = open.get(&span.number).filter(|shard| shard.log.record().tree_id == span.tree_id);
        shard.cloned().ok_or(Error::Unavailable { reason: "a shard of the log is not open in this process" })
    }

    /// The shard with this tree, if it is or was the current one.
    pub(super) async fn with_tree(&self, tree_id: i64) -> Result<Option<Arc<Shard>>, Error> {
        Ok(self.place_of_tree(tree_id).await?.map(|(_, shard)| shard))
    }

    /// As [`Self::with_tree`], with the shard's place in the virtual index.
    pub(super) async fn place_of_tree(&self, tree_id: i64) -> Result<Option<(Span, Arc<Shard>)>, Error> {
        loop {
            let spans = self.spans();
            if let Some(span) = spans.iter().find(|span| span.tree_id == tree_id) {
                return Ok(Some((*span, self.shard(span)?)));
            }
            if !self.have_moved(&spans).await? {
                return Ok(None);
            }
        }
    }

    /// Returns whether the shards have changed since `seen`. Reads the database only if a change is possible.
    pub(super) async fn have_moved(&self, seen: &[Span]) -> Result<bool, Error> {
        let is_frozen = self.current().is_ok_and(|(span, shard)| span.size.is_none() && shard.log.is_frozen());
        if is_frozen || self.store().shared() {
            self.refresh().await?;
        }
        Ok(progress(&self.spans()) > progress(seen))
    }

    /// Returns whether a later shard than that of `span`, which was found frozen, accepts entries now.
    pub(super) async fn go_on_after(&self, span: &Span) -> Result<bool, Error> {
        self.refresh().await?;
        Ok(self.spans().last().is_some_and(|last| last.number > span.number))
    }

    /// Reads from the database which shards are frozen, and with how many leaves.
    pub(super) async fn refresh(&self) -> Result<(), Error> {
        let shards = self.clone();
        let query = move || {
            let shards = shards.clone();
            async move { shards.look().await }
        };
        Ok(self.0.refreshed.now(query).await?)
    }

    async fn look(&self) -> Result<(), StoreError> {
        if let Some(last) = self.spans().last()
            && last.size.is_none()
            && let Ok(shard) = self.shard(last)
            && self.store().frozen(shard.log.record().log_id).await?.is_none()
        {
            return Ok(());
        }
        let found = self.read().await?;
        let mut spans = self.0.spans.write().unwrap_or_else(PoisonError::into_inner);
        // A concurrent read may have started later and stored its newer result first.
        if progress(&found) > progress(&spans) {
            *spans = found.into();
        }
        Ok(())
    }

    async fn read(&self) -> Result<Vec<Span>, StoreError> {
        let (mut spans, mut first) = (Vec::new(), 0);
        for (number, LogRecord { log_id, tree_id, .. }) in self.records().await? {
            // Frozen first, then the head: the head of a frozen log does not change.
            let size = match self.store().frozen(log_id).await? {
                Some(_) => Some(self.final_size(log_id).await?),
                None => None,
            };
            spans.push(Span { number, tree_id, first, size });
            let Some(size) = size else { break };
            first += size;
        }
        Ok(spans)
    }

    /// The number of indices that a frozen shard takes. An index that was promised is never given again, so those of entries
    /// that were lost before the shard was ended count as well.
    async fn final_size(&self, log_id: i64) -> Result<u64, StoreError> {
        let head = self.store().head(log_id).await?.tree.size;
        Ok(self.store().ended(log_id).await?.map_or(head, |end| head.max(end.published)))
    }

    /// Every shard in the database, staged and cancelled ones included, oldest first.
    async fn records(&self) -> Result<BTreeMap<u64, LogRecord>, StoreError> {
        let records = self.store().logs().await?.into_iter().filter_map(|record| {
            let (series, number) = series::split(&record.name);
            (series == NAME).then_some((number, record))
        });
        Ok(records.collect())
    }

    /// Freezes every shard before `number`. Cancelled ones are frozen first, so that none of them ever becomes current,
    /// and the current one last. A second call does nothing.
    pub(super) async fn freeze_before(&self, number: u64, now: Timestamp) -> Result<(), Error> {
        for (_, record) in self.records().await?.range(..number).rev() {
            if self.store().frozen(record.log_id).await?.is_none() {
                self.store().freeze(record.log_id, now).await?;
            }
        }
        self.refresh().await
    }

    /// Lets `append` log the first entry of a shard that has just become current. Of all requests that find it empty,
    /// only one does so. Where several processes do so at the same time, the entry of one is logged.
    pub(super) async fn seed(
        &self,
        span: &Span,
        shard: &Shard,
        append: impl AsyncFnOnce(&[u8], Seed) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let is_empty = || shard.log.published().is_ok_and(|published| published.tree.size == 0);
        if span.number == 1 || !is_empty() {
            return Ok(());
        }
        let _alone = self.0.seeding.lock().await;
        let artifact = shard.log.signer().public_key().to_pem().into_bytes();
        match Seed::needed(&shard.log, &artifact).await? {
            Some(seed) => append(&artifact, seed).await,
            None => Ok(()),
        }
    }

    fn store(&self) -> &dyn Store {
        self.0.first.store()
    }
}

/// The span with this virtual index, if `spans` has it.
pub(super) fn at(spans: &[Span], index: u64) -> Option<Span> {
    let span = spans.iter().rev().find(|span| span.first <= index && span.size != Some(0))?;
    span.size.is_none_or(|size| index - span.first < size).then_some(*span)
}

/// The progress of the shards: the number of frozen ones, and the number that are or were current. Neither ever
/// decreases.
fn progress(spans: &[Span]) -> (usize, usize) {
    (spans.iter().filter(|span| span.size.is_some()).count(), spans.len())
}
