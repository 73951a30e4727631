//! The shards of a Rekor v1 log: trees in the course of time, of which the last one takes entries.
//!
//! An entry has one index over all shards, its *virtual index*: the leaves of every shard before, and its index in its own.
//! So the size of a shard must be final before the next one gets an entry, and all replicas must agree on both.
//!
//! **The commit point of a switch is the row of the database that says that a shard is frozen.** Which shard takes entries is
//! what the database says and nothing else: the first one that is not frozen, in the order of their numbers. A process that is
//! killed before that row is written leaves the shard as it was; from the row on the next one takes entries, whoever writes,
//! and whatever that process has been told of the keys. A write that meets the frozen shard reads the rows again and goes on in
//! the next one. Nothing is moved, and nothing has to be undone.
//!
//! A staged shard is empty and in nobody's index. One that was given up is frozen empty before a later one is switched to, so
//! that nobody who has not heard of it writes to it; it adds nothing to any index.

use super::NAME;
use crate::seed::Seed;
use crate::shared_read::SharedRead;
use crate::store::{LogRecord, Store};
use crate::{Corrupt, Error, Log, series};
use chancery_daemon::samples::Samples;
use chancery_verify::{Hash, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

/// A shard that is open in this process.
pub(super) struct Shard {
    pub(super) log: Log,
    /// SHA-256 of its key.
    pub(super) log_id: Hash,
    /// Of the promises by its key.
    pub(super) samples: Samples,
}

/// Where a shard is in the virtual index. Once it says a size it is true for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    number: u64,
    tree_id: i64,
    /// The virtual index of its first leaf.
    pub(super) first: u64,
    /// Its leaves, where it takes no more; only of the last span it may be missing.
    pub(super) size: Option<u64>,
}

/// Every shard. Clones are the same.
#[derive(Clone)]
pub(super) struct Shards(Arc<Inner>);

struct Inner {
    open: RwLock<BTreeMap<u64, Arc<Shard>>>,
    /// As the database said last, oldest first; never empty.
    spans: RwLock<Arc<[Span]>>,
    /// The first one, by which the database is reached.
    first: Log,
    /// Shared reads of the changes made by other processes.
    refreshed: SharedRead<()>,
    seeding: Mutex<()>,
}

impl Shards {
    /// The one shard of a log that was never switched; what the database says else is read by [`Self::refresh`].
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

    /// The one that was made first.
    pub(super) fn first(&self) -> &Log {
        &self.0.first
    }

    /// Opens a shard to readers, and to writers once its turn has come. Nothing happens where it is open.
    pub(super) fn add(&self, log: Log) {
        let number = series::split(&log.record().name).1;
        let log_id = log.signer().public_key().fingerprint();
        let shard = Shard { log, log_id, samples: Samples::default() };
        self.0.open.write().unwrap_or_else(PoisonError::into_inner).entry(number).or_insert(Arc::new(shard));
    }

    /// Where the shards are, as the database said last.
    pub(super) fn spans(&self) -> Arc<[Span]> {
        Arc::clone(&self.0.spans.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The one that takes entries, or where all are frozen took them last.
    pub(super) fn current(&self) -> Result<(Span, Arc<Shard>), Error> {
        let span = self.spans().last().copied().ok_or(Corrupt::new("a log has a shard"))?;
        Ok((span, self.shard(&span)?))
    }

    /// The same, after a look at what other processes have done.
    pub(super) async fn current_now(&self) -> Result<(Span, Arc<Shard>), Error> {
        self.have_moved(&self.spans()).await?;
        self.current()
    }

    /// The shard of a span, unless its key or its log is missing here.
    pub(super) fn shard(&self, span: &Span) -> Result<Arc<Shard>, Error> {
        let open = self.0.open.read().unwrap_or_else(PoisonError::into_inner);
        let shard = open.get(&span.number).filter(|shard| shard.log.record().tree_id == span.tree_id);
        shard.cloned().ok_or(Error::Unavailable { reason: "a shard of the log is not open in this process" })
    }

    /// The shard with this tree, if it has had its turn.
    pub(super) async fn with_tree(&self, tree_id: i64) -> Result<Option<Arc<Shard>>, Error> {
        loop {
            let spans = self.spans();
            if let Some(span) = spans.iter().find(|span| span.tree_id == tree_id) {
                return self.shard(span).map(Some);
            }
            if !self.have_moved(&spans).await? {
                return Ok(None);
            }
        }
    }

    /// Whether the shards are others by now than in `seen`. Asks the database only where that is possible.
    pub(super) async fn have_moved(&self, seen: &[Span]) -> Result<bool, Error> {
        let is_frozen = self.current().is_ok_and(|(span, shard)| span.size.is_none() && shard.log.is_frozen());
        if is_frozen || self.store().shared() {
            self.refresh().await?;
        }
        Ok(progress(&self.spans()) > progress(seen))
    }

    /// Whether another shard than that of `span`, which turned out to be frozen, takes entries by now.
    pub(super) async fn go_on_after(&self, span: &Span) -> Result<bool, Error> {
        self.refresh().await?;
        Ok(self.spans().last().is_some_and(|last| last.number > span.number))
    }

    /// Reads from the database which shards are frozen, and with how many leaves.
    pub(super) async fn refresh(&self) -> Result<(), Error> {
        self.0.refreshed.now(async || self.look().await).await
    }

    async fn look(&self) -> Result<(), Error> {
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

    async fn read(&self) -> Result<Vec<Span>, Error> {
        let (mut spans, mut first) = (Vec::new(), 0);
        for (number, LogRecord { log_id, tree_id, .. }) in self.records().await? {
            // In this order: the head of a log that is frozen stays what it is.
            let size = match self.store().frozen(log_id).await? {
                Some(_) => Some(self.store().head(log_id).await?.tree.size),
                None => None,
            };
            spans.push(Span { number, tree_id, first, size });
            let Some(size) = size else { break };
            first += size;
        }
        Ok(spans)
    }

    /// Every shard there is in the database, also those that never had their turn, oldest first.
    async fn records(&self) -> Result<BTreeMap<u64, LogRecord>, Error> {
        let records = self.store().logs().await?.into_iter().filter_map(|record| {
            let (series, number) = series::split(&record.name);
            (series == NAME).then_some((number, record))
        });
        Ok(records.collect())
    }

    /// Freezes every shard before `number`: those that were given up first, so that none of them ever has a turn; the one that
    /// takes entries last. Nothing happens the second time.
    pub(super) async fn freeze_before(&self, number: u64, now: Timestamp) -> Result<(), Error> {
        for (_, record) in self.records().await?.range(..number).rev() {
            if self.store().frozen(record.log_id).await?.is_none() {
                self.store().freeze(record.log_id, now).await?;
            }
        }
        self.refresh().await
    }

    /// Has `append` log what comes before anything else in a shard that has just got its turn: one entry, however many requests
    /// find it empty. Two processes may do so at once; there are two such entries then.
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

/// The shard whose leaf has this virtual index, if there is one as far as these say.
pub(super) fn at(spans: &[Span], index: u64) -> Option<Span> {
    let span = spans.iter().rev().find(|span| span.first <= index && span.size != Some(0))?;
    span.size.is_none_or(|size| index - span.first < size).then_some(*span)
}

/// How far the shards have come: how many are frozen, and how many have had their turn. Neither ever goes back.
fn progress(spans: &[Span]) -> (usize, usize) {
    (spans.iter().filter(|span| span.size.is_some()).count(), spans.len())
}
