//! A log as its personalities see it: append, prove, read.

mod open;
mod read;

pub use open::{CHECKPOINT_PERIOD, OpenError, Settings};
use read::prove_inclusion;

use crate::activity::Activity;
use crate::mark::Marking;
use crate::pool::{Pending, Pool};
use crate::quarantine::{Obstacle, Quarantine};
use crate::sequencer::Follower;
use crate::shared_read::SharedRead;
use crate::store::{CommittedHead, LogRecord, Store, StoreError};
use crate::tiles::TileCache;
use crate::witnessing::{WitnessFault, WitnessStatus, Witnessed};
use crate::{Corrupt, Error};
use bytes::Bytes;
use chancery_daemon::clock::{ClockFault, ClockGuard, is_before};
use chancery_daemon::metrics::Durations;
use chancery_daemon::samples::Samples;
use chancery_daemon::signer::Signer;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::TreeHead;
use chancery_verify::tile::{Edge, Tiles, Trees};
use chancery_verify::{Hash, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// How long an answer waits for the high-water mark: far longer than a disk that works takes to sync a block.
const MARK_PATIENCE: Duration = Duration::from_secs(10);

/// A tree head with its signed checkpoint: what clients may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Size and root hash.
    pub tree: TreeHead,
    /// The time it states.
    pub timestamp: Timestamp,
    /// The signed note.
    pub note: String,
    /// The key's signature over it, as the scheme defines it.
    pub signature: Vec<u8>,
    /// The tiles of the right edge, which every proof in this tree needs and no cache holds, because they still grow. Empty
    /// where they are to be read from the store.
    pub(crate) edge: Trees,
}

/// What the sequencer answers for one entry.
#[derive(Debug, Clone)]
pub(crate) enum Sequenced {
    /// It is in the tree.
    Integrated {
        index: u64,
        timestamp: Timestamp,
        leaf_hash: Hash,
        leaf: Bytes,
        published: Arc<Published>,
        /// The tiles of the batch and the right edge: every proof of the batch can be made from them.
        trees: Arc<Trees>,
    },
    /// An equal entry was there before.
    AlreadyLogged { index: u64 },
}

/// Proof that an entry is in a published tree. Verified before anyone sees it.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Its position.
    pub index: u64,
    /// When it was integrated.
    pub timestamp: Timestamp,
    /// Its leaf hash.
    pub leaf_hash: Hash,
    /// What is hashed into the tree.
    pub leaf: Bytes,
    /// The tree head the proof leads to.
    pub published: Arc<Published>,
    /// Inclusion proof, leaf to root.
    pub proof: Vec<Hash>,
}

/// What became of an entry.
#[derive(Debug)]
pub enum Outcome {
    /// Logged now.
    Logged(Receipt),
    /// Logged before, at this index; it can be read at once.
    AlreadyLogged {
        /// Where.
        index: u64,
    },
}

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
        self.publications().map(|published| published.borrow().clone())
    }

    /// The newest tree head that any replica has committed, published here. Where the sequencer has stopped it is the
    /// last one it published: reads go on.
    pub async fn latest(&self) -> Result<Arc<Published>, Error> {
        let published = self.published()?;
        if !self.0.store.shared() || self.0.quarantine.reason().is_some() {
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
        if self.0.published.is_none() {
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

    /// Why the log takes no entries; `None` where it does. Reads go on.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        let log = self.0.record.name.clone();
        if let Some(reason) = self.0.quarantine.reason() {
            return Some(Obstacle::Quarantined { log, reason: reason.clone() });
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

    /// Has every batch timed, from when it is taken out of the pool until its checkpoint is published. The labels are this
    /// log's name, and `integrated` or `failed`.
    pub fn time_batches(&self, batches: Durations) {
        self.0.activity.time(batches);
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

    /// Appends an entry; returns once it is durable, under a signed checkpoint and provable.
    pub async fn append(&self, pending: Pending) -> Result<Outcome, Error> {
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
        match sequenced {
            Sequenced::AlreadyLogged { index } => {
                // The answer names an entry, which must be readable at once.
                let size = index.saturating_add(1);
                match &self.0.witnessed {
                    None => self.marked(size).await?,
                    Some(witnessed) => drop(self.shown(witnessed, size).await?),
                }
                Ok(Outcome::AlreadyLogged { index })
            }
            Sequenced::Integrated { index, timestamp, leaf_hash, leaf, published, trees } => {
                self.0.appended.fetch_add(1, Ordering::Relaxed);
                let signed = published.tree;
                let published = match &self.0.witnessed {
                    None => {
                        self.marked(signed.size).await?;
                        published
                    }
                    Some(witnessed) => self.shown(witnessed, signed.size).await?,
                };
                let proof = if published.tree == signed {
                    self.judged(prove_inclusion(index, &leaf_hash, &signed, &trees).map_err(Error::from))?
                } else {
                    let prove = || self.inclusion_proof(index, &leaf_hash, &published.tree, Tiles::default());
                    self.checked(prove).await?
                };
                Ok(Outcome::Logged(Receipt { index, timestamp, leaf_hash, leaf, published, proof }))
            }
        }
    }
}

/// Signs a committed head, verifies the checkpoint that comes of it if it is one of the samples, and returns it for
/// publication.
pub(crate) async fn sign_head(
    (scheme, signer, samples): (&Scheme, &Signer, &Samples),
    head: &CommittedHead,
    edge: &Edge,
    now: Timestamp,
) -> Result<Published, Error> {
    let signature = signer
        .sign(&scheme.signed_bytes(&head.tree, now))
        .await
        .map_err(|_| Error::Unavailable { reason: "the log's key cannot sign" })?;
    let note = scheme.note(&head.tree, now, signer.public_key(), &signature);
    samples.check(now, || match scheme.open(&note, signer.public_key()) {
        Ok(stated) if stated == head.tree => Ok(()),
        Ok(_) => Err(Corrupt::new("a checkpoint states the head it was made for")),
        Err(rejection) => Err(Corrupt::refused("a checkpoint verifies", rejection)),
    })?;
    Ok(Published { tree: head.tree, timestamp: now, note, signature, edge: edge.trees() })
}
