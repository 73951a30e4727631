//! The tasks that a start begins: none for a log that was ended; reads alone for one in doubt; else its sequencer, and the tasks
//! that publish the heads that it signs.

use super::doubt::{Ended, Keeper, Memory};
use super::settings::{OpenError, Settings};
use crate::Error;
use crate::activity::Activity;
use crate::append::pool::Waiting;
use crate::append::sequencer::{self, First, Parts, Sequencer, is_behind};
use crate::destination::Destination;
use crate::head::{Follower, HeadSigner, Published, Reader};
use crate::quarantine::Quarantine;
use crate::store::{CommittedHead, Identity, LogRecord, Store};
use crate::trust::guard::{Guard, Remembered, Sound, Verdict};
use crate::trust::mark::{Home, Mark, Marker, Marking};
use crate::trust::witnessing::{self, Context, Witnessed, Witnesses};
use chancery_daemon::clock::{Clock as _, ClockFault, ClockGuard};
use chancery_daemon::samples::Samples;
use chancery_daemon::shutdown::Shutdown;
use chancery_daemon::signer::Signer;
use chancery_verify::Timestamp;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::TreeHead;
use futures_util::future::{BoxFuture, OptionFuture};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What everything that runs of a log has in common.
pub(super) struct Shared {
    pub(super) record: Arc<LogRecord>,
    pub(super) scheme: Arc<Scheme>,
    pub(super) signer: Arc<Signer>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<ClockGuard>,
    pub(super) frozen: Arc<AtomicBool>,
    /// Since when the log has been frozen in the store.
    pub(super) frozen_since: Option<Timestamp>,
    pub(super) quarantine: Quarantine,
    pub(super) ended: Ended,
    pub(super) activity: Arc<Activity>,
    /// Whether this start has made it, so that nothing of it was published before.
    pub(super) is_new: bool,
}

/// The sequencer's ends of its queues, and what stops it.
pub(super) struct Ends {
    pub(super) waiting: mpsc::Receiver<Waiting>,
    pub(super) readers: mpsc::Receiver<Reader>,
    pub(super) follower: Follower,
    pub(super) shutdown: Shutdown,
}

/// What runs of a log, and what it shows.
pub(super) struct Begun {
    pub(super) published: Option<watch::Receiver<Arc<Published>>>,
    pub(super) stored_size: u64,
    pub(super) witnessed: Option<Witnessed>,
    pub(super) marking: Option<Marking>,
    /// Not spawned yet.
    pub(super) task: BoxFuture<'static, ()>,
}

impl Begun {
    /// Nothing runs.
    fn nothing(published: Option<Published>, stored_size: u64) -> Self {
        let published = published.map(|last| watch::channel(Arc::new(last)).1);
        let task = Box::pin(std::future::ready(()));
        Self { published, stored_size, witnessed: None, marking: None, task }
    }
}

impl Shared {
    fn guard(&self) -> Guard<'_> {
        let Self { record, scheme, signer, store, .. } = self;
        Guard { record, scheme, key: signer.public_key(), store: store.as_ref() }
    }

    /// What its sequencer holds.
    fn parts(&self, checkpoint_period: Duration) -> Parts {
        Parts {
            record: Arc::clone(&self.record),
            scheme: Arc::clone(&self.scheme),
            signer: Arc::clone(&self.signer),
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            activity: Arc::clone(&self.activity),
            frozen: Arc::clone(&self.frozen),
            frozen_since: self.frozen_since,
            checkpoint_period,
        }
    }

    /// The database, and since when the log is in it. A server that starts soon after a failover adds nothing either until every
    /// server that knows more has had the time to say so.
    async fn home(&self, before: Option<&Home>) -> Result<Home, Error> {
        let (database, now) = (self.store.identity().await?, self.clock.now());
        let since = if self.is_new { None } else { since(before, &database, now) };
        if let Some(since) = since {
            self.store.has_changed(Duration::from_millis(now.millis().saturating_sub(since.millis())));
        }
        Ok(Home { database, since })
    }

    /// What keeps a quarantine of the log, and waits for its end. `before` is the database that the mark names.
    fn keeper(&self, memory: Memory, before: Identity) -> Keeper {
        Keeper {
            memory,
            scheme: Arc::clone(&self.scheme),
            signer: Arc::clone(&self.signer),
            clock: Arc::clone(&self.clock),
            quarantine: self.quarantine.clone(),
            database: before,
            known: Vec::new(),
            published: None,
            ended: self.ended.clone(),
            frozen: Arc::clone(&self.frozen),
        }
    }
}

/// Judges what is stored, and begins what may run of it.
pub(super) async fn begin(shared: &Shared, settings: Settings, ends: Ends) -> Result<Begun, OpenError> {
    let (guard, Shared { record, store, quarantine, .. }) = (shared.guard(), shared);
    if let Some(end) = store.ended(record.log_id).await.map_err(Error::from)? {
        shared.ended.begin(guard, &end, &shared.frozen).await?;
        shared.activity.checkpointed(end.tree.size);
        return Ok(Begun::nothing(None, end.tree.size));
    }
    let (mut mark, note) = settings.mark.as_deref().map(open_mark).transpose()?.unzip();
    let note = note.flatten();
    let memory = Memory::new(Arc::clone(record), Arc::clone(store), settings.mark.as_deref());
    let home = shared.home(mark.as_ref().map(|(mark, _)| mark.home())).await?;
    let before = mark.as_ref().map_or_else(|| home.database.clone(), |(mark, _)| mark.home().database.clone());
    let change = before.change(&home.database);
    let (copied, copy) = copied(guard, settings.copy.as_ref()).await?.unzip();
    let verdict = judge(guard, copied, note.as_deref(), settings.witnesses.as_ref(), store).await?;
    let (mut begun, keeper) = match memory.confirm(guard, verdict).await? {
        Verdict::Sound(sound) => {
            if let Some(change) = change {
                tracing::warn!(log.name = %record.name, "{change}; the stored log is proven nevertheless");
            }
            let keeper = shared.keeper(memory, home.database.clone());
            if let Some((mark, _)) = &mut mark {
                mark.moved_to(home);
            }
            let (shutdown, period) = (ends.shutdown.clone(), settings.checkpoint_period);
            let begun = go_on(shared, sound, mark, settings.witnesses, period, ends).await?;
            let published = begun.published.clone();
            (begun, (Keeper { published, ..keeper }, shutdown))
        }
        Verdict::Doubtful { reason, size } => {
            if let Some(change) = change {
                quarantine.explain(&record.name, change);
            }
            quarantine.begin(&record.name, reason);
            let known = note.into_iter().chain(copy).collect();
            let keeper = Keeper { known, ..shared.keeper(memory, before) };
            let last = guard.last_published().await?;
            if let Some(last) = &last {
                shared.activity.checkpointed(last.tree.size);
            }
            (Begun::nothing(last, size), (keeper, ends.shutdown))
        }
    };
    let (keeper, shutdown) = keeper;
    begun.task = Box::pin(both(begun.task, keeper.keep(shutdown)));
    Ok(begun)
}

/// Since when a log that was at home `before` is in this database: since now, where it is another one, and where nothing says
/// which timeline it was in and this one is not the first, which may have begun a moment ago.
fn since(before: Option<&Home>, database: &Identity, now: Timestamp) -> Option<Timestamp> {
    let before = before.cloned().unwrap_or_default();
    let is_unknown = before.database.timeline.is_none() && database.timeline.is_some_and(|timeline| timeline > 1);
    if is_unknown || before.database.change(database).is_some() { Some(now) } else { before.since }
}

/// Signs and publishes the head of a sound log, and makes its sequencer.
async fn go_on(
    shared: &Shared,
    sound: Sound,
    mut mark: Option<(Mark, &Path)>,
    witnesses: Option<Witnesses>,
    checkpoint_period: Duration,
    ends: Ends,
) -> Result<Begun, OpenError> {
    let Ends { waiting, readers, follower, shutdown } = ends;
    let Shared { record, scheme, signer, store, clock, frozen, frozen_since, quarantine, .. } = shared;
    let guard = shared.guard();
    let time = first_time(clock, &sound.head, frozen.load(Ordering::Relaxed));
    let signer = HeadSigner { scheme, signer, samples: &Samples::default(), frozen: *frozen_since };
    let first = first_published(guard, signer, &mut mark, &sound, time).await?;
    let stored_size = sound.head.tree.size;
    let sequencer = Sequencer::new(shared.parts(checkpoint_period), sound, first);
    let (signed, marking, marker) = begin_marking(mark, &record.name, sequencer.published());
    let task = sequencer::run(sequencer, waiting, readers, quarantine.clone(), shutdown);
    let task = both(task, OptionFuture::from(marker.map(|marker| marker.run(quarantine.clone()))));
    let Some(witnesses) = witnesses else {
        return Ok(Begun { published: Some(signed), stored_size, witnessed: None, marking, task: Box::pin(task) });
    };
    let begun = witnessing::begin(witnesses, Context::of(guard, store), follower, signed);
    let task = Box::pin(both(task, begun.rounds.run(quarantine.clone())));
    Ok(Begun { published: Some(begun.published), stored_size, witnessed: Some(begun.known), marking, task })
}

/// The time for signing the first head. No role may sign an earlier time. A frozen log may have a head from the future:
/// that does not matter, because no entry is added to it.
fn first_time(clock: &ClockGuard, head: &CommittedHead, is_frozen: bool) -> Result<Timestamp, ClockFault> {
    if !is_frozen {
        clock.has_passed(head.timestamp);
    }
    let now = clock.check()?;
    if is_behind(now, head) { Err(ClockFault::behind(now, head.timestamp)) } else { clock.signing_time() }
}

/// What is published first: the committed head, signed, verified and marked, or the last checkpoint there was where the clock
/// cannot be trusted.
async fn first_published(
    guard: Guard<'_>,
    signer: HeadSigner<'_>,
    mark: &mut Option<(Mark, &Path)>,
    Sound { head, edge }: &Sound,
    time: Result<Timestamp, ClockFault>,
) -> Result<First, OpenError> {
    let now = match time {
        Ok(now) => now,
        Err(fault) => {
            tracing::error!(log.name = %guard.record.name, error.code = fault.code(), %fault, "the log dates nothing");
            let published = guard.last_published().await?.ok_or(Error::Clock(fault))?;
            return Ok(First { published, is_new: false });
        }
    };
    let published = signer.sign(head, edge, now.max(head.timestamp)).await?;
    if let Some((mark, path)) = mark {
        mark.write(&published.note).map_err(|error| OpenError::mark(path, error))?;
    }
    Ok(First { published, is_new: true })
}

/// The sequencer, and what publishes what it signs.
async fn both<T>(sequencer: impl Future<Output = ()>, beside: impl Future<Output = T>) {
    tokio::join!(sequencer, beside);
}

/// What is shown of what is `signed`: everything at once, or what is marked where a mark is kept, by the marker that is
/// returned.
fn begin_marking(
    mark: Option<(Mark, &Path)>,
    log: &str,
    signed: watch::Receiver<Arc<Published>>,
) -> (watch::Receiver<Arc<Published>>, Option<Marking>, Option<Marker>) {
    let Some((mark, _)) = mark else { return (signed, None, None) };
    let (marker, marking, shown) = Marker::new(log, mark, signed);
    (shown, Some(marking), Some(marker))
}

/// The mark in this file with the file's path, and the checkpoint in it.
fn open_mark(path: &Path) -> Result<((Mark, &Path), Option<String>), OpenError> {
    let (mark, note) = Mark::open(path).map_err(|error| OpenError::mark(path, error))?;
    Ok(((mark, path), note))
}

/// What the copy of the log's files is known to have. It MUST be read before the guard reads heads: whatever is published was
/// committed before.
async fn copied(guard: Guard<'_>, copy: Option<&Destination>) -> Result<Option<(TreeHead, String)>, OpenError> {
    match copy {
        Some(copy) => Ok(copy.published(guard.scheme, guard.key).await?),
        None => Ok(None),
    }
}

/// What the guard finds, and then the witnesses.
async fn judge(
    guard: Guard<'_>,
    copied: Option<TreeHead>,
    mark: Option<&str>,
    witnesses: Option<&Witnesses>,
    store: &Arc<dyn Store>,
) -> Result<Verdict, OpenError> {
    let marked = mark.map(|note| guard.scheme.open(note, guard.key)).transpose().map_err(OpenError::OtherMark)?;
    let verdict = guard.inspect(Remembered { copied, marked }).await?;
    let (Verdict::Sound(sound), Some(witnesses)) = (&verdict, witnesses) else { return Ok(verdict) };
    let size = sound.head.tree.size;
    let doubt = witnesses.inspect(guard, store).await?;
    Ok(doubt.map_or(verdict, |reason| Verdict::Doubtful { reason, size }))
}
