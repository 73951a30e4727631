//! A log as its personalities see it: append, prove, read.

mod open;

pub use open::{CHECKPOINT_PERIOD, OpenError, Settings};

use crate::activity::Activity;
use crate::mark::Marking;
use crate::pool::{Pending, Pool};
use crate::quarantine::{Obstacle, Quarantine};
use crate::sequencer::Follower;
use crate::shared_read::SharedRead;
use crate::store::{CommittedHead, LogRecord, Store, StoredEntry};
use crate::tiles::TileCache;
use crate::witnessing::{WitnessStatus, Witnessed};
use crate::{Corrupt, Error};
use bytes::Bytes;
use chancery_daemon::clock::{Clock, is_before};
use chancery_daemon::metrics::Durations;
use chancery_daemon::samples::Samples;
use chancery_daemon::signer::Signer;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::{self, Plan, TreeHead};
use chancery_verify::tile::{Edge, TileId, Tiles, Trees};
use chancery_verify::{Hash, Timestamp};
use std::collections::BTreeSet;
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
    clock: Arc<dyn Clock>,
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
    committed: SharedRead<CommittedHead>,
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
        let committed = self.0.committed.now(async || self.0.store.head(self.0.record.log_id).await).await?;
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

    /// The time by its clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
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
            return Some(Obstacle::Unwitnessed { log });
        }
        let dated = self.0.published.as_ref().map(|published| published.borrow().timestamp)?;
        is_before(self.0.clock.now(), dated).then_some(Obstacle::Clock { log })
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

    /// Appends an entry; returns once it is durable, under a signed checkpoint and provable.
    pub async fn append(&self, pending: Pending) -> Result<Outcome, Error> {
        if self.is_frozen() {
            return Err(Error::Frozen);
        }
        let is_new = || self.0.published.as_ref().is_some_and(|published| published.borrow().tree.size == 0);
        if self.0.witnessed.as_ref().is_some_and(|witnessed| !witnessed.may_append() && !is_new()) {
            let unheard = Error::Unavailable { reason: "too few witnesses have been heard since the start" };
            return Err(self.quarantined(unheard));
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
                    prove_inclusion(index, &leaf_hash, &signed, &trees)?
                } else {
                    self.inclusion_proof(index, &leaf_hash, &published.tree, Tiles::default()).await?
                };
                Ok(Outcome::Logged(Receipt { index, timestamp, leaf_hash, leaf, published, proof }))
            }
        }
    }

    /// The entry at `index` with its proof in the newest published tree; `None` at or past its size.
    pub async fn entry(&self, index: u64) -> Result<Option<Receipt>, Error> {
        let published = self.covering(index.saturating_add(1)).await?;
        if index >= published.tree.size {
            return Ok(None);
        }
        let mut plan = Plan::default();
        let Ok(_) = merkle::inclusion_proof(index, published.tree.size, &mut plan);
        let (mut trees, missing) = self.trees_at_hand(&plan, &published);
        let (entry, read) = self
            .0
            .store
            .entry(self.0.record.log_id, index, missing)
            .await?
            .ok_or(Corrupt::new("every index below the head has an entry"))?;
        if merkle::leaf_hash(&entry.leaf) != entry.leaf_hash {
            return Err(Corrupt::new("a stored leaf has its leaf hash").into());
        }
        trees.0.extend(self.read_trees(read).0);
        let proof = prove_inclusion(index, &entry.leaf_hash, &published.tree, &trees)?;
        Ok(Some(Receipt {
            index,
            timestamp: entry.timestamp,
            leaf_hash: entry.leaf_hash,
            leaf: entry.leaf,
            published,
            proof,
        }))
    }

    /// The index of the leaf with this hash, where it is below the published head.
    pub async fn index_of(&self, leaf_hash: Hash) -> Result<Option<u64>, Error> {
        let Some(index) = self.0.store.index_of(self.0.record.log_id, leaf_hash).await? else { return Ok(None) };
        let published = self.covering(index.saturating_add(1)).await?;
        Ok((index < published.tree.size).then_some(index))
    }

    /// Up to `count` entries from `start` on, all below the published head.
    pub async fn entries(&self, start: u64, count: u32) -> Result<Vec<StoredEntry>, Error> {
        let available = self.readable(start.saturating_add(u64::from(count))).await?.saturating_sub(start);
        let count = count.min(u32::try_from(available).unwrap_or(u32::MAX));
        Ok(self.0.store.entries(self.0.record.log_id, start, count).await?)
    }

    /// Inclusion proof of the leaf at `index` in the tree of `size` leaves, verified against that tree's root hash.
    pub async fn inclusion_proof_at(&self, index: u64, leaf_hash: &Hash, size: u64) -> Result<Vec<Hash>, Error> {
        let root = self.root_at(size).await?;
        self.inclusion_proof(index, leaf_hash, &TreeHead { size, root }, Tiles::default()).await
    }

    /// From tiles of which some have been `read` already.
    async fn inclusion_proof(
        &self,
        index: u64,
        leaf_hash: &Hash,
        tree: &TreeHead,
        read: Tiles,
    ) -> Result<Vec<Hash>, Error> {
        let mut plan = Plan::default();
        let Ok(_) = merkle::inclusion_proof(index, tree.size, &mut plan);
        let trees = self.trees_for(&plan, read).await?;
        Ok(prove_inclusion(index, leaf_hash, tree, &trees)?)
    }

    /// Index and inclusion proof of the leaf with this hash in the tree of `size` leaves, `size` ≤ published size; `None`
    /// where that tree has no such leaf.
    pub async fn inclusion_proof_by_hash(
        &self,
        leaf_hash: &Hash,
        size: u64,
    ) -> Result<Option<(u64, Vec<Hash>)>, Error> {
        let Some((index, read)) = self.0.store.leaf(self.0.record.log_id, *leaf_hash).await? else { return Ok(None) };
        if index >= size {
            return Ok(None);
        }
        let tree = TreeHead { size, root: self.root_at(size).await? };
        Ok(Some((index, self.inclusion_proof(index, leaf_hash, &tree, read).await?)))
    }

    /// Proof that the tree of `old` leaves is a prefix of the tree of `new` leaves; `old` ≤ `new` ≤ published size.
    pub async fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        let mut plan = Plan::default();
        let Ok(_) = merkle::consistency_proof(old, new, &mut plan);
        let Ok(_) = merkle::root_hash(old, &mut plan);
        let Ok(_) = merkle::root_hash(new, &mut plan);
        let trees = self.trees_for(&plan, Tiles::default()).await?;
        let missing = |_| Corrupt::new("tiles below the head are stored");
        let proof = merkle::consistency_proof(old, new, &mut &trees).map_err(missing)?;
        let old = TreeHead { size: old, root: merkle::root_hash(old, &mut &trees).map_err(missing)? };
        let new = TreeHead { size: new, root: merkle::root_hash(new, &mut &trees).map_err(missing)? };
        merkle::verify_consistency(&old, &new, &proof)
            .map_err(|rejection| Corrupt::refused("a consistency proof verifies", rejection))?;
        Ok(proof)
    }

    /// Root hash of the tree as it was at `size` leaves, `size` ≤ published size.
    pub async fn root_at(&self, size: u64) -> Result<Hash, Error> {
        let published = self.covering(size).await?;
        if published.tree.size == size {
            return Ok(published.tree.root);
        }
        let mut plan = Plan::default();
        let Ok(_) = merkle::root_hash(size, &mut plan);
        let trees = self.trees_for(&plan, Tiles::default()).await?;
        merkle::root_hash(size, &mut &trees).map_err(|_| Corrupt::new("tiles below the head are stored").into())
    }

    /// The tiles of a plan, of which some have been `read` already.
    async fn trees_for(&self, plan: &Plan, mut read: Tiles) -> Result<Trees, Error> {
        let (mut trees, mut missing) = self.trees_at_hand(plan, &*self.published()?);
        read.0.retain(|id, _| missing.contains(id));
        missing.retain(|id| !read.0.contains_key(id));
        trees.0.extend(self.read_trees(read).0);
        trees.0.extend(self.trees(missing).await?.0);
        Ok(trees)
    }

    /// The tiles of a plan that are in memory, and those that are to be read.
    fn trees_at_hand(&self, plan: &Plan, published: &Published) -> (Trees, Vec<TileId>) {
        let ids: BTreeSet<_> = plan.nodes.iter().map(|node| TileId::containing(*node)).collect();
        let (at_edge, inside): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| published.edge.0.contains_key(id));
        let (mut trees, missing) = self.trees_in_memory(inside);
        trees.0.extend(at_edge.into_iter().filter_map(|id| Some((id, published.edge.0.get(&id)?.clone()))));
        (trees, missing)
    }
}

/// Makes an inclusion proof from `trees` and verifies it.
fn prove_inclusion(index: u64, leaf_hash: &Hash, tree: &TreeHead, trees: &Trees) -> Result<Vec<Hash>, Corrupt> {
    let proof = merkle::inclusion_proof(index, tree.size, &mut &*trees)
        .map_err(|_| Corrupt::new("the tiles of a proof are at hand"))?;
    merkle::verify_inclusion(index, tree.size, leaf_hash, &proof, &tree.root)
        .map_err(|rejection| Corrupt::refused("an inclusion proof verifies", rejection))?;
    Ok(proof)
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
