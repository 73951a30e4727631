//! The sequencer: one loop per log, the only code that changes a tree.
//!
//! It owns the right edge and the published head. No other code writes them. The next batch starts when the last one is
//! done, without a timer: an idle log integrates a single entry in one commit, a busy one collects the entries that
//! arrived during the previous commit. After a failed batch, its submitters get an error and the loop reads the head
//! again. A violated invariant ends the loop. Then the log is read-only until an operator has acted.
//!
//! Only a head that was committed by this loop, or that it has just read as committed, is ever signed; see [`follow`] for
//! the heads of other replicas.

mod follow;
mod look;
mod write;

use look::{Sight, put_back};
use write::Grown;

use crate::activity::Activity;
use crate::append::pool::Waiting;
use crate::head::{HeadSigner, Published, Reader, Sequenced};
use crate::quarantine::{Quarantine, Reason};
use crate::store::{Batch, CommittedHead, LogRecord, Store, StoreError};
use crate::tree::{Extended, Integrated, Place, deduplicate};
use crate::trust::guard::Sound;
use crate::{Corrupt, Error};
use chancery_daemon::clock::{ClockFault, ClockGuard, is_before};
use chancery_daemon::samples::Samples;
use chancery_daemon::shutdown::Shutdown;
use chancery_daemon::signer::Signer;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::tile::{Edge, Trees};
use chancery_verify::{Hash, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tracing::Instrument as _;
use tracing::field::Empty;

/// Entries in one transaction: beyond it a commit's own cost is already negligible per entry.
const MAX_BATCH: usize = 1024;
/// A log that stands still signs its head again this often, so that monitors see it is alive (RFC 6962's MMD is a day).
const REPUBLISH: Duration = Duration::from_hours(1);
/// Maximum time until a running process notices that its log was frozen or its database restored. Entries that are
/// submitted in the meantime are refused.
const LOOK: Duration = Duration::from_secs(2);
/// Interval between attempts to sign a committed head, after the clock or the key could not be used.
const RETRY: Duration = Duration::from_secs(2);

pub(crate) struct Sequencer {
    record: Arc<LogRecord>,
    scheme: Arc<Scheme>,
    signer: Arc<Signer>,
    store: Arc<dyn Store>,
    clock: Arc<ClockGuard>,
    /// The right edge of the committed tree as last seen; re-read whenever the store's head is another.
    edge: Edge,
    /// The committed head as last seen.
    head: CommittedHead,
    /// The largest head that was seen in the store, and when.
    sight: Sight,
    /// Whether `head` was built by another process on a head that was not published here. Such a head is not signed
    /// before it is seen to extend the published one.
    adopted: bool,
    /// Whether another replica was ahead of us when we last looked: then the head is locked before a batch.
    contended: bool,
    published: watch::Sender<Arc<Published>>,
    /// The newest checkpoint, unless it is stored.
    unstored: Option<(u64, String)>,
    /// When a batch last took one along, and how long after that none does.
    stored: Option<Instant>,
    checkpoint_period: Duration,
    activity: Arc<Activity>,
    /// Whether the log is known to be frozen.
    frozen: Arc<AtomicBool>,
    /// Since when it has been frozen in the store, as far as is known.
    frozen_since: Option<Timestamp>,
    /// Whether the last checkpoint of the frozen log is published and stored.
    is_closed: bool,
    /// Of the checkpoints.
    samples: Samples,
}

/// What every sequencer holds of its log.
pub(crate) struct Parts {
    pub(crate) record: Arc<LogRecord>,
    pub(crate) scheme: Arc<Scheme>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ClockGuard>,
    pub(crate) activity: Arc<Activity>,
    /// Whether the log is known to be frozen.
    pub(crate) frozen: Arc<AtomicBool>,
    /// Since when it has been frozen in the store.
    pub(crate) frozen_since: Option<Timestamp>,
    /// How long after a batch that took a checkpoint along none does.
    pub(crate) checkpoint_period: Duration,
}

/// What is published before the first batch.
pub(crate) struct First {
    pub(crate) published: Published,
    /// Whether it has just been signed, so that the store has not got it.
    pub(crate) is_new: bool,
}

impl Sequencer {
    /// A sequencer that goes on from a sound state.
    pub(crate) fn new(parts: Parts, Sound { head, edge }: Sound, First { published, is_new }: First) -> Self {
        let Parts { record, scheme, signer, store, clock, activity, frozen, frozen_since, checkpoint_period } = parts;
        // How far the database is behind is counted from here on.
        activity.checkpointed(published.tree.size);
        Self {
            sight: Sight { size: head.tree.size, at: clock.moment() },
            unstored: is_new.then(|| (published.tree.size, published.note.clone())),
            published: watch::Sender::new(Arc::new(published)),
            record,
            scheme,
            signer,
            store,
            clock,
            edge,
            head,
            adopted: false,
            contended: false,
            stored: None,
            checkpoint_period,
            activity,
            frozen,
            frozen_since,
            is_closed: false,
            samples: Samples::default(),
        }
    }

    /// Whether the committed head, as last seen, is the published one.
    fn is_published(&self) -> bool {
        self.published.borrow().tree == self.head.tree
    }

    /// Follows the published head.
    pub(crate) fn published(&self) -> watch::Receiver<Arc<Published>> {
        self.published.subscribe()
    }

    /// The time to put on an entry: never before the last one. A clock that went back further than slewing explains cannot be
    /// trusted to date anything.
    fn time(&self) -> Result<Timestamp, ClockFault> {
        self.not_before_the_last(self.clock.check()?)
    }

    /// The same for a head, which is signed: no role dates anything before it from then on.
    fn signing_time(&self) -> Result<Timestamp, ClockFault> {
        self.time()?;
        self.not_before_the_last(self.clock.signing_time()?)
    }

    fn not_before_the_last(&self, now: Timestamp) -> Result<Timestamp, ClockFault> {
        let last = self.head.timestamp.max(self.published.borrow().timestamp);
        if is_before(now, last) { Err(ClockFault::behind(now, last)) } else { Ok(now.max(last)) }
    }

    /// Integrates one batch and answers everyone in it. An error of this function is fatal to the loop.
    async fn sequence(&mut self, batch: Vec<Waiting>) -> Result<(), Reason> {
        let (begun, entries) = (Instant::now(), batch.len());
        self.activity.begin();
        let outcome = match self.catch_up().await {
            Ok(()) => self.integrate_watched(&batch).await,
            Err(error) => Err(error),
        };
        let integrated = outcome.is_ok();
        let result = self.conclude(batch, outcome).await;
        self.activity.batch(&self.record.name, entries, integrated, begun.elapsed());
        result
    }

    /// Integrates a batch, and meanwhile looks whether the database was put back. A database that vanished without a word keeps
    /// a batch waiting for as long as it may take. Another replica would have settled with its successor by then, and would not
    /// learn what this one knows to be missing.
    async fn integrate_watched(&mut self, batch: &[Waiting]) -> Result<(Vec<Integrated>, Trees), Error> {
        let watched = put_back(Arc::clone(&self.store), self.record.log_id, self.head.tree);
        tokio::select! {
            biased;
            outcome = self.integrate(batch) => outcome,
            reason = watched => Err(Error::Quarantined(reason)),
        }
    }

    /// Signs the head, if that has failed before. Until then nothing is committed on top of it, because such entries
    /// could not be acknowledged either.
    async fn catch_up(&mut self) -> Result<(), Error> {
        if self.is_published() { Ok(()) } else { self.sign().await.map(|_| ()) }
    }

    /// Publishes what was integrated and answers, or says why it was not.
    async fn conclude(
        &mut self,
        batch: Vec<Waiting>,
        outcome: Result<(Vec<Integrated>, Trees), Error>,
    ) -> Result<(), Reason> {
        match outcome {
            Ok((outcomes, completed)) => self.publish(batch, outcomes, completed).await,
            Err(Error::Store(StoreError::Corrupt(corrupt)) | Error::Corrupt(corrupt)) => {
                refuse(batch, |_| Error::Corrupt(corrupt.clone()));
                Err(corrupt.into())
            }
            Err(Error::Quarantined(reason)) => {
                refuse(batch, |_| Error::Quarantined(reason.clone()));
                Err(reason)
            }
            Err(Error::Store(error)) if error.is_frozen() => {
                self.freeze().await;
                refuse(batch, |_| Error::Frozen);
                Ok(())
            }
            Err(Error::Store(error)) if error.is_quarantined() => {
                let found = self.look_for_quarantine().await;
                let unavailable = || Error::Unavailable { reason: "the database did not take the batch" };
                refuse(batch, |_| found.clone().err().map_or_else(unavailable, Error::Quarantined));
                found
            }
            Err(Error::Store(error @ StoreError::Settling)) => {
                self.activity.fail(error.to_string());
                refuse(batch, |_| Error::Unavailable { reason: "the database is on another timeline than before" });
                // Batches must not keep this log from finding out what is missing: other servers wait for it.
                self.look().await
            }
            // The guard of the clock has said so once.
            Err(Error::Clock(fault)) => {
                refuse(batch, |_| Error::Clock(fault));
                Ok(())
            }
            Err(error) => {
                tracing::error!(log.name = %self.record.name, %error, entries = batch.len(), "batch failed");
                self.activity.fail(failure(&error));
                let reason = match error {
                    Error::Unavailable { reason } => reason,
                    _ => "the database did not take the batch",
                };
                refuse(batch, |_| Error::Unavailable { reason });
                Ok(())
            }
        }
    }

    /// Brings the batch into the store. Returns what became of each entry, and the tiles the batch completed.
    async fn integrate(&mut self, batch: &[Waiting]) -> Result<(Vec<Integrated>, Trees), Error> {
        let (unique, positions) = deduplicate(batch.iter().map(|waiting| &waiting.pending));
        let identities: Vec<Hash> = unique.iter().map(|pending| pending.identity_hash).collect();
        let (now, begun) = (self.time()?, self.clock.moment());
        let is_due = self.stored.is_none_or(|stored| stored.elapsed() >= self.checkpoint_period);
        let request = Batch {
            log_id: self.record.log_id,
            known: (self.edge.size() == self.head.tree.size).then_some(self.head),
            identities: &identities,
            published: if is_due { self.unstored.clone() } else { None },
        };
        let written = self.write(&request, &unique, now).await;
        if matches!(written, Err(Error::Store(_))) {
            // The batch may have been written nevertheless. An empty edge knows no size but zero, so the next batch
            // reads the edge that is really there.
            self.edge = Edge::default();
        }
        let Grown { base, extended } = written?;
        let Extended { edge, head, outcomes, completed, .. } = extended;
        if base != self.head.tree {
            self.adopted = true;
            self.activity.conflict();
        }
        if head.tree != base && is_due {
            self.checkpoint_rode_along();
        }
        self.edge = edge;
        self.head = head;
        self.sight = Sight { size: head.tree.size, at: begun };
        let outcome = |place: Place| match (place, outcomes.get(place.position())) {
            (Place::First(_), Some(outcome)) => Ok(outcome.clone()),
            (Place::Again(_), Some(Integrated::Now(entry))) => Ok(Integrated::Before(entry.index)),
            (Place::Again(_), Some(before)) => Ok(before.clone()),
            (_, None) => Err(Corrupt::new("every entry of a batch has an outcome")),
        };
        Ok((positions.into_iter().map(outcome).collect::<Result<_, _>>()?, completed))
    }

    /// A batch has taken the newest checkpoint along to the store, if it was not there.
    fn checkpoint_rode_along(&mut self) {
        if let Some((size, _)) = self.unstored.take() {
            self.activity.checkpointed(size);
        }
        self.stored = Some(Instant::now());
    }

    /// Signs the committed head, publishes it, and answers. Nothing here can undo the commit: where signing fails the
    /// entries stay in the tree, their submitters hear of it as an error, and a retry finds them.
    async fn publish(
        &mut self,
        batch: Vec<Waiting>,
        outcomes: Vec<Integrated>,
        completed: Trees,
    ) -> Result<(), Reason> {
        let published = match self.sign().await {
            Ok(published) => published,
            Err(Error::Corrupt(corrupt) | Error::Store(StoreError::Corrupt(corrupt))) => {
                refuse(batch, |_| Error::Corrupt(corrupt.clone()));
                return Err(corrupt.into());
            }
            Err(error) => {
                tracing::error!(log.name = %self.record.name, %error, "cannot sign the committed head");
                self.activity.fail(failure(&error));
                refuse(batch, |_| Error::Unavailable { reason: "the committed head could not be signed" });
                return Ok(());
            }
        };
        if outcomes.iter().any(|outcome| matches!(outcome, Integrated::Now(_))) {
            self.activity.recover();
        }
        let mut trees = completed;
        trees.0.extend(published.edge.0.iter().map(|(id, tree)| (*id, tree.clone())));
        let trees = Arc::new(trees);
        for (waiting, outcome) in batch.into_iter().zip(outcomes) {
            let answer = match outcome {
                Integrated::Before(index) => Sequenced::AlreadyLogged { index },
                Integrated::Now(entry) => Sequenced::Integrated {
                    index: entry.index,
                    timestamp: entry.timestamp,
                    leaf_hash: entry.leaf_hash,
                    leaf: entry.leaf,
                    published: published.clone(),
                    trees: trees.clone(),
                },
            };
            // A submitter who has gone away finds the entry when they ask again.
            let _ = waiting.answer.send(Ok(answer));
        }
        Ok(())
    }

    /// Signs and publishes the head, unless the published one is it already.
    async fn sign(&mut self) -> Result<Arc<Published>, Error> {
        let current = self.published.borrow().clone();
        if current.tree == self.head.tree {
            return Ok(current);
        }
        self.signing_time()?;
        if self.adopted {
            self.verify_adopted(&current.tree).await?;
            self.adopted = false;
        }
        // Dated with the time of its newest entry, which is committed with it: whichever replica signs a head, however
        // long it was stopped in between, a larger tree never bears an earlier date than a smaller one.
        let dated = self.head.timestamp.max(current.timestamp);
        let published = Arc::new(self.sign_head(dated).await?);
        self.unstored = Some((published.tree.size, published.note.clone()));
        self.published.send_replace(published.clone());
        Ok(published)
    }

    async fn sign_head(&self, dated: Timestamp) -> Result<Published, Error> {
        let Self { scheme, signer, samples, frozen_since: frozen, .. } = self;
        let signer = HeadSigner { scheme, signer, samples, frozen: *frozen };
        signer.sign(&self.head, &self.edge, dated).await
    }

    /// Signs the head again although it has not changed, or for the first time if it could not be signed before.
    async fn republish(&mut self) -> Result<(), Reason> {
        let signed = if self.is_published() { self.sign_again().await } else { self.sign().await.map(|_| ()) };
        match signed {
            Ok(()) => {
                self.store_checkpoint().await;
                Ok(())
            }
            Err(Error::Corrupt(corrupt) | Error::Store(StoreError::Corrupt(corrupt))) => Err(corrupt.into()),
            Err(Error::Quarantined(reason)) => Err(reason),
            Err(error) => {
                tracing::warn!(log.name = %self.record.name, %error, "cannot refresh the checkpoint");
                Ok(())
            }
        }
    }

    /// From now on nothing is taken, and the newest checkpoint is stored.
    async fn freeze(&mut self) {
        if !self.frozen.swap(true, Ordering::Relaxed) {
            tracing::info!(log.name = %self.record.name, "the log is frozen and takes no more entries");
            self.store_checkpoint().await;
        }
    }

    /// Stores the newest checkpoint where no batch will carry it.
    async fn store_checkpoint(&mut self) {
        let Some((size, note)) = self.unstored.take() else { return };
        match self.store.publish(self.record.log_id, size, note).await {
            Ok(()) => self.activity.checkpointed(size),
            Err(error) => {
                let log = self.record.name.as_str();
                tracing::warn!(log.name = log, %error, "cannot store the checkpoint; the next start signs it again");
            }
        }
    }
}

/// Runs a sequencer until the shutdown has begun and everyone who waited has been answered.
pub(crate) async fn run(
    mut sequencer: Sequencer,
    mut waiting: mpsc::Receiver<Waiting>,
    mut readers: mpsc::Receiver<Reader>,
    quarantine: Quarantine,
    mut shutdown: Shutdown,
) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut active = tokio::time::Instant::now();
    loop {
        let mut batch = Vec::new();
        let mut asking = Vec::new();
        let due = active + if sequencer.is_published() { REPUBLISH } else { RETRY };
        let received = tokio::select! {
            biased;
            // A witness has found a fault. The callers report it to the clients of the waiting requests.
            _ = quarantine.begun() => return,
            received = waiting.recv_many(&mut batch, MAX_BATCH) => Some(received),
            _ = readers.recv_many(&mut asking, MAX_BATCH) => None,
            () = shutdown.begun(), if !waiting.is_closed() => {
                // What is in the pool is still sequenced; nothing new gets in.
                waiting.close();
                continue;
            }
            _ = looks.tick() => {
                if let Err(reason) = sequencer.look().await {
                    quarantine.begin(&sequencer.record.name, reason);
                    return;
                }
                continue;
            }
            () = tokio::time::sleep_until(due) => None,
        };
        active = tokio::time::Instant::now();
        let mut result = match received {
            Some(0) => break,
            Some(entries) => {
                let span = tracing::info_span!("batch", log.name = %sequencer.record.name, entries, tree.size = Empty);
                let sequenced = sequencer.sequence(batch).instrument(span.clone()).await;
                span.record("tree.size", sequencer.head.tree.size);
                sequenced
            }
            None if asking.is_empty() => sequencer.republish().await,
            None => Ok(()),
        };
        // After a batch as well: a log that is written to without pause must not keep its readers waiting.
        while let Ok(reader) = readers.try_recv() {
            asking.push(reader);
        }
        if result.is_ok() && !asking.is_empty() {
            result = sequencer.answer_readers(asking).await;
        }
        if let Err(reason) = result {
            quarantine.begin(&sequencer.record.name, reason);
            return;
        }
    }
    sequencer.store_checkpoint().await;
}

/// Whether `now` is before the last entry, by more than slewing explains.
pub(crate) fn is_behind(now: Timestamp, head: &CommittedHead) -> bool {
    is_before(now, head.timestamp)
}

/// What readiness says of a batch that was not taken.
fn failure(error: &Error) -> String {
    match error {
        Error::Unavailable { reason } => (*reason).to_owned(),
        error => error.to_string(),
    }
}

fn refuse(batch: Vec<Waiting>, error: impl Fn(&Waiting) -> Error) {
    for waiting in batch {
        let error = error(&waiting);
        let _ = waiting.answer.send(Err(error));
    }
}
