//! A log that is open: its parts, the entries that it takes, and the heads that it shows.
//!
//! Reads of it, and proofs, are in [`crate::read::proofs`], [`crate::read::receipt`] and [`crate::read::tiles`].

mod begin;
mod doubt;
mod open;
mod settings;

use doubt::Ended;
pub(crate) use doubt::{file_beside, read_file, write_file};
pub use settings::{CHECKPOINT_PERIOD, OpenError, Settings};

use crate::Error;
use crate::activity::{Activity, Measures};
use crate::append::pool::Pool;
use crate::cache::TileCache;
use crate::head::{Follower, Published, Sequenced};
use crate::quarantine::{Obstacle, Quarantine, Reason};
use crate::shared_read::SharedRead;
use crate::store::{CommittedHead, LogRecord, Store, StoreError};
use crate::tree::Pending;
use crate::trust::mark::Marking;
use crate::trust::witnessing::{WitnessFault, WitnessStatus, Witnessed};
use chancery_daemon::clock::{ClockFault, ClockGuard, is_before};
use chancery_daemon::signer::Signer;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::{Timestamp, leaves};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// How long an answer waits for the high-water mark: far longer than a disk that works takes to sync a block.
const MARK_PATIENCE: Duration = Duration::from_secs(10);

/// A log: cheap to clone, every clone is the same log.
#[derive(Clone)]
pub struct Log(Arc<Parts>);

/// What a log is made of, behind one pointer because every request clones its log.
struct Parts {
    record: Arc<LogRecord>,
    scheme: Arc<Scheme>,
    signer: Arc<Signer>,
    store: Arc<dyn Store>,
    clock: Arc<ClockGuard>,
    pool: Pool,
    follower: Follower,
    /// Missing only where the log was quarantined when it was opened, and nothing that is stored can be proven.
    published: Option<watch::Receiver<Arc<Published>>>,
    /// Leaves of the committed head when it was opened.
    stored_size: u64,
    /// Missing where it has no witnesses.
    witnessed: Option<Witnessed>,
    /// Missing where no high-water mark is kept.
    marking: Option<Marking>,
    /// Set by the sequencer, too, when it finds the log frozen.
    frozen: Arc<AtomicBool>,
    quarantine: Quarantine,
    ended: Ended,
    cache: TileCache,
    committed: SharedRead<CommittedHead, StoreError>,
    /// Entries appended by this process.
    appended: AtomicU64,
    activity: Arc<Activity>,
}

impl Log {
    /// The log as it was made.
    #[must_use]
    pub fn record(&self) -> &LogRecord {
        &self.0.record
    }

    /// Whether it takes no more entries.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.0.frozen.load(Ordering::Relaxed)
    }

    /// Whether an operator has ended it at what can be proven: it is only read, and nothing is signed.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.0.ended.is_begun()
    }

    /// How its checkpoints are named.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.0.scheme
    }

    /// Its key, for the signatures a personality makes beside checkpoints.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.0.signer
    }

    /// The newest tree head that was published by this process; another replica may have committed a larger one. An error
    /// where the log is quarantined and nothing that is stored can be proven.
    pub fn published(&self) -> Result<Arc<Published>, Error> {
        if self.is_ended() {
            let shown = self.0.ended.published().cloned();
            return shown.ok_or(Error::Unavailable { reason: "the checkpoint of the ended log cannot be read" });
        }
        self.publications().map(|published| published.borrow().clone())
    }

    /// The newest tree head that any replica has committed, published here. Where the sequencer has stopped it is the
    /// last one it published: reads go on.
    pub async fn latest(&self) -> Result<Arc<Published>, Error> {
        let published = self.published()?;
        if !self.0.store.shared() || self.0.quarantine.reason().is_some() || self.is_ended() {
            return Ok(published);
        }
        let (store, log_id) = (self.0.store.clone(), self.0.record.log_id);
        let query = move || {
            let store = store.clone();
            async move { store.head(log_id).await }
        };
        let committed = self.judged(self.0.committed.now(query).await.map_err(Error::from))?;
        if committed.tree.size <= published.tree.size {
            return Ok(published);
        }
        let signed = self.0.follower.follow(committed.tree.size).await?.unwrap_or(published);
        let Some(witnessed) = &self.0.witnessed else {
            self.marked(signed.tree.size).await?;
            return Ok(signed);
        };
        // Without witnesses what is published stays what it was.
        match self.shown(witnessed, signed.tree.size).await {
            Ok(published) => Ok(published),
            Err(_) => self.published(),
        }
    }

    /// Waits until a head of at least `size` leaves, which are signed, is in the high-water mark, where one is kept: no client
    /// may see them before.
    async fn marked(&self, size: u64) -> Result<(), Error> {
        if self.0.marking.is_some() {
            let mut published = self.publications()?;
            let marked = published.wait_for(|published| published.tree.size >= size);
            let waited = tokio::time::timeout(MARK_PATIENCE, marked).await;
            if !matches!(waited, Ok(Ok(_))) {
                let unmarked =
                    Error::Unavailable { reason: "the high-water mark is not written; the entry is in the log" };
                return Err(self.quarantined(unmarked));
            }
        }
        Ok(())
    }

    /// A published head of at least `size` leaves, which are signed: in a witnessed log it may have to be waited for.
    async fn shown(&self, witnessed: &Witnessed, size: u64) -> Result<Arc<Published>, Error> {
        witnessed.shown(self.publications()?, size).await.map_err(|error| self.quarantined(error))
    }

    /// A published tree head of at least `size` leaves, or the newest there is. Costs nothing where what was published
    /// here is large enough; otherwise what another replica acknowledged is looked for.
    pub async fn covering(&self, size: u64) -> Result<Arc<Published>, Error> {
        let published = self.published()?;
        if size <= published.tree.size { Ok(published) } else { self.latest().await }
    }

    /// Leaves whose entries and tiles may be read, at least `wanted` if there are as many: all that are published, or all
    /// that are stored where nothing can be proven.
    pub(crate) async fn readable(&self, wanted: u64) -> Result<u64, Error> {
        if self.0.published.is_none() && !self.is_ended() {
            return Ok(self.0.stored_size);
        }
        Ok(self.covering(wanted).await?.tree.size)
    }

    /// Tells of every tree head this process publishes.
    pub(crate) fn publications(&self) -> Result<watch::Receiver<Arc<Published>>, Error> {
        self.0.published.clone().ok_or_else(|| self.quarantined(Error::Unavailable { reason: "nothing is published" }))
    }

    /// What to answer instead of `error`: a quarantine is behind every other reason.
    fn quarantined(&self, error: Error) -> Error {
        self.0.quarantine.reason().cloned().map_or(error, Error::Quarantined)
    }

    /// A time to take samples by. It is that of the uptime: after a jump of the clock, none would be taken until the clock
    /// has come there again.
    pub(crate) fn sampling_time(&self) -> Timestamp {
        Timestamp::try_from(self.0.clock.uptime()).unwrap_or(Timestamp::from_millis(u64::MAX))
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.0.store.as_ref()
    }

    pub(crate) fn cache(&self) -> &TileCache {
        &self.0.cache
    }

    /// Why the log takes no entries; `None` where it does, and where it was ended: then its successor does. Reads go on.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        if self.is_ended() {
            return None;
        }
        let log = self.0.record.name.clone();
        if let Some(reason) = self.0.quarantine.reason() {
            let change = self.0.quarantine.change().cloned();
            return Some(Obstacle::Quarantined { log, reason: reason.clone(), change });
        }
        if !self.0.pool.is_open() {
            return Some(Obstacle::Stopped { log });
        }
        if self.0.marking.as_ref().is_some_and(Marking::has_failed) {
            return Some(Obstacle::Unmarked { log });
        }
        if self.0.witnessed.as_ref().is_some_and(Witnessed::is_lacking) {
            return Some(Obstacle::Unwitnessed { log, witnesses: self.warnings() });
        }
        self.clock_fault().map(|fault| Obstacle::Clock { log, fault })
    }

    /// Why the last entries were not taken, or those of now have to wait: a fault of the log, not of the entries. It ends
    /// with an entry that is taken, or by itself: the log tries again every two seconds. One that was ended has none.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        if self.is_ended() {
            return None;
        }
        let settling = !self.is_frozen() && !self.0.store.is_settled();
        if settling { Some(StoreError::Settling.to_string()) } else { self.0.activity.trouble() }
    }

    /// Reads the committed head and compares it with the one that was published before. An error says what is wrong.
    pub async fn verify_head(&self) -> Result<(), String> {
        let published = self.published().map_err(|error| error.to_string())?.tree;
        let head = self.0.store.head(self.0.record.log_id).await.map_err(|error| Error::from(error).to_string())?.tree;
        if head.size < published.size {
            return Err(format!("it has {}, and the published one has {}", leaves(head.size), published.size));
        }
        if head.size == published.size && head.root != published.root {
            let size = leaves(head.size);
            return Err(format!("its root hash is another than the one that was published for {size}"));
        }
        Ok(())
    }

    /// Why nothing can be dated. What is behind its newest entry is the log's own matter, and none of one that is frozen.
    fn clock_fault(&self) -> Option<ClockFault> {
        let now = match self.0.clock.check() {
            Ok(now) => now,
            Err(fault) => return Some(fault),
        };
        let dated = self.0.published.as_ref().map(|published| published.borrow().timestamp)?;
        (is_before(now, dated) && !self.is_frozen()).then_some(ClockFault::behind(now, dated))
    }

    /// What does not keep the log from taking entries but needs an operator: the witnesses that do not cosign, and why.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let log = self.0.record.name.as_str();
        let warning = |WitnessStatus { name, fault, .. }: WitnessStatus| {
            let WitnessFault { outcome, reason } = fault?;
            Some(format!("the witness {name} does not cosign the {log} log ({outcome}): {reason}"))
        };
        self.witnesses().into_iter().filter_map(warning).collect()
    }

    /// What its witnesses have said since it was opened; nothing where it has none.
    #[must_use]
    pub fn witnesses(&self) -> Vec<WitnessStatus> {
        self.0.witnessed.as_ref().map(Witnessed::status).unwrap_or_default()
    }

    /// Entries this process has appended since it opened the log.
    #[must_use]
    pub fn appended(&self) -> u64 {
        self.0.appended.load(Ordering::Relaxed)
    }

    /// Batches that found the head moved by another replica: their compare-and-swap began again from there.
    #[must_use]
    pub fn conflicts(&self) -> u64 {
        self.0.activity.conflicts()
    }

    /// Observes its batches and its database from now on.
    pub fn measure(&self, measures: Measures) {
        self.0.activity.measure(measures);
    }

    /// Leaves of the newest checkpoint that this process has stored in the database; those at the start, until it stores one.
    #[must_use]
    pub fn checkpointed(&self) -> u64 {
        self.0.activity.checkpointed_size()
    }

    /// Name, hits and misses of each of its caches.
    #[must_use]
    pub fn cache_reads(&self) -> [(&'static str, u64, u64); 2] {
        self.0.cache.reads()
    }

    /// Entries that wait for the next batch.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.0.pool.waiting()
    }

    /// Returns the reason why no entry may be committed: the entry could not be acknowledged.
    fn refusal(&self) -> Option<&'static str> {
        if self.0.marking.as_ref().is_some_and(Marking::has_failed) {
            return Some("the high-water mark cannot be written");
        }
        let published = self.0.published.as_ref().map_or(0, |published| published.borrow().tree.size);
        self.0.witnessed.as_ref()?.refusal(published)
    }

    /// Puts an entry into the tree. Where it is in it now, its head is signed, and is perhaps not to be seen yet: see
    /// [`Self::acknowledged`].
    pub(crate) async fn integrate(&self, pending: Pending) -> Result<Sequenced, Error> {
        if self.is_frozen() {
            return Err(Error::Frozen);
        }
        if let Some(reason) = self.refusal() {
            return Err(self.quarantined(Error::Unavailable { reason }));
        }
        let sequenced = self.0.pool.submit(pending).await.map_err(|error| match error {
            stopped @ Error::Unavailable { .. } => self.quarantined(stopped),
            error => error,
        })?;
        if matches!(sequenced, Sequenced::Integrated { .. }) {
            self.0.appended.fetch_add(1, Ordering::Relaxed);
        }
        Ok(sequenced)
    }

    /// Waits until clients may see a head of at least `size` leaves, which are signed: until it is in the high-water mark,
    /// where one is kept, and witnesses have cosigned one, where the log has some. That one is returned.
    pub(crate) async fn acknowledged(&self, size: u64) -> Result<Option<Arc<Published>>, Error> {
        match &self.0.witnessed {
            None => self.marked(size).await.map(|()| None),
            Some(witnessed) => self.shown(witnessed, size).await.map(Some),
        }
    }

    /// What a read answers. A self-check that fails twice, the second time without the cache, quarantines the log.
    pub(crate) async fn checked<T, F>(&self, read: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let first = read().await;
        let failed = match &first {
            Err(error) if error.corrupt().is_some() && self.quarantine().is_none() => error.to_string(),
            _ => return first,
        };
        self.0.cache.clear();
        let again = read().await;
        if again.is_ok() {
            let log = self.0.record.name.as_str();
            tracing::warn!(log.name = %log, failed, "a self-check of a read failed, and passed without cached data");
        }
        self.judged(again)
    }

    /// An outcome as it is. A failed self-check in it quarantines the log.
    pub(crate) fn judged<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Some(corrupt) = outcome.as_ref().err().and_then(Error::corrupt) {
            self.0.quarantine.begin(&self.0.record.name, Reason::Invariant(corrupt.clone()));
        }
        outcome
    }
}
