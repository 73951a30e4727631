//! Opening a log: found or made, compared with what it was made with, guarded, and only then started.

use super::{Log, Parts};
use crate::activity::Activity;
use crate::cache::TileCache;
use crate::guard::{Guard, Remembered, Sound, Verdict};
use crate::head::{HeadSigner, Published, follower};
use crate::mark::{Mark, Marker, Marking};
use crate::mirror::{self, Destination};
use crate::quarantine::{Quarantine, Reason};
use crate::sequencer::{self, Sequencer, is_behind};
use crate::shared_read::SharedRead;
use crate::store::{CommittedHead, LogRecord, NewLog, Store};
use crate::witnessing::{self, Context, Witnesses};
use crate::{Corrupt, Error, pool};
use chancery_daemon::clock::{ClockFault, ClockGuard};
use chancery_daemon::samples::Samples;
use chancery_daemon::shutdown::Shutdown;
use chancery_daemon::signer::Signer;
use chancery_verify::Timestamp;
use chancery_verify::checkpoint::Scheme;
use futures_util::future::OptionFuture;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// [`Settings::checkpoint_period`] of every log that serves. A checkpoint with every batch would be an eighth of what is stored
/// where one client writes; the guard at the start needs one that is not old.
pub const CHECKPOINT_PERIOD: Duration = Duration::from_millis(100);

/// What a log is opened with.
pub struct Settings {
    /// Role of the log in this instance, e.g. `rekor`; names it in the store.
    pub name: String,
    /// How its checkpoints are named and signed, given the tree number that was drawn for it.
    pub scheme: fn(host: &str, tree_id: i64) -> Result<Scheme, chancery_verify::Rejection>,
    /// Host name, or for CT host and path, that its checkpoints name.
    pub host: String,
    /// Its key.
    pub signer: Arc<Signer>,
    /// Random, positive: what a log that does not exist yet is made with. `None` where it must exist, because its key has
    /// signed before: a new log under an old key would contradict that.
    pub new_tree_id: Option<i64>,
    /// Whether it accepts no more entries. Its head is still signed again from time to time.
    pub frozen: bool,
    /// The destination of copies of its files, if any. The database must contain all published copies.
    pub copy: Option<Destination>,
    /// The witnesses that cosign its checkpoints, if any.
    pub witnesses: Option<Witnesses>,
    /// A batch takes the newest checkpoint along to the store unless one did so short a time ago.
    pub checkpoint_period: Duration,
    /// The file of its high-water mark, made where there is none: what the database must not take back. `None` remembers
    /// nothing outside the database.
    pub mark: Option<PathBuf>,
}

/// The reason why a log cannot be opened. Every message says how to fix it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Signing with another key would fork it.
    #[error(
        "the log keeps the key it was made with, of SHA-256 {made_with}, and this key has {found}: restore the key file"
    )]
    OtherKey {
        /// Fingerprint of the key it was made with, in hexadecimal.
        made_with: String,
        /// That of the key it was given.
        found: String,
    },
    /// With another origin, the checkpoints so far would be of another log.
    #[error(
        "the log keeps the origin it was made with, {made_with:?}, and this one is {found:?}: start with the address it had"
    )]
    OtherOrigin {
        /// The first line of its checkpoints so far.
        made_with: String,
        /// The origin of this start.
        found: String,
    },
    /// Its key has signed, and the database knows nothing of it.
    #[error(
        "the log has been written to, but this database does not have it: connect to the database it was in, or restore it"
    )]
    Missing,
    /// The copy of its files cannot be read, so that it is unknown what was published.
    #[error("its copy in the object store: {0}")]
    Copy(#[from] mirror::Error),
    /// The high-water mark cannot be read or written.
    #[error("its high-water mark {path}: {error}. Without it the server cannot tell whether its database was put back")]
    Mark {
        /// The file.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// The mark is not of this log.
    #[error("its high-water mark was not signed by this log's key, so it is the mark of another log: {0}")]
    OtherMark(chancery_verify::Rejection),
    /// The log could not be read, made or signed.
    #[error(transparent)]
    Log(#[from] Error),
}

impl OpenError {
    fn mark(path: &Path, error: io::Error) -> Self {
        Self::Mark { path: path.display().to_string(), error }
    }
}

impl From<Corrupt> for OpenError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Log(corrupt.into())
    }
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

/// What is published first, and whether that is new: the committed head, signed, verified and marked, or the last checkpoint
/// there was where the clock cannot be trusted.
async fn first_published(
    guard: Guard<'_>,
    signer: &Signer,
    mark: &mut Option<(Mark, &Path)>,
    Sound { head, edge }: &Sound,
    time: Result<Timestamp, ClockFault>,
) -> Result<(Published, bool), OpenError> {
    let now = match time {
        Ok(now) => now,
        Err(fault) => {
            tracing::error!(log.name = %guard.record.name, error.code = fault.code(), %fault, "the log dates nothing");
            return Ok((guard.last_published().await?.ok_or(Error::Clock(fault))?, false));
        }
    };
    let signer = HeadSigner { scheme: guard.scheme, signer, samples: &Samples::default() };
    let published = signer.sign(head, edge, now.max(head.timestamp)).await?;
    if let Some((mark, path)) = mark {
        mark.write(&published.note).map_err(|error| OpenError::mark(path, error))?;
    }
    Ok((published, true))
}

impl Log {
    /// Opens the log, or makes it where the store has none of this name, and starts its sequencer. The head that is
    /// committed is signed and published before this returns, unless
    ///
    /// - what is stored is in doubt: then the log is quarantined, see [`Self::quarantine`];
    /// - the clock cannot be trusted: then the last checkpoint is what is published until it is right.
    ///
    /// A log whose key or origin is not the one it was made with is refused: signing with another key would fork it.
    pub async fn open(
        settings: Settings,
        store: Arc<dyn Store>,
        clock: Arc<ClockGuard>,
        shutdown: Shutdown,
    ) -> Result<(Self, JoinHandle<()>), OpenError> {
        let record = Arc::new(find_or_make(&settings, store.as_ref(), &clock).await?);
        let scheme = Arc::new(verified_scheme(&settings, &record)?);
        let signer = settings.signer;
        let guard = Guard { record: &record, scheme: &scheme, key: signer.public_key(), store: store.as_ref() };
        let ((pool, waiting), (follower, readers)) = (pool::pool(), follower());
        let (quarantine, activity, cache) = (Quarantine::default(), Arc::<Activity>::default(), TileCache::new());
        let frozen = Arc::new(AtomicBool::new(settings.frozen || is_frozen(store.as_ref(), &record).await?));
        let (mut mark, note) = settings.mark.as_deref().map(open_mark).transpose()?.unzip();
        let (mut witnessed, mut marking) = (None, None);
        let known = (settings.copy.as_ref(), note.as_ref().and_then(Option::as_deref));
        let (published, stored_size, task) = match judge(guard, known, settings.witnesses.as_ref(), &store).await? {
            Verdict::Sound(sound) => {
                let time = first_time(&clock, &sound.head, frozen.load(Ordering::Relaxed));
                let first = first_published(guard, &signer, &mut mark, &sound, time).await?;
                let size = sound.head.tree.size;
                let parts = (record.clone(), scheme.clone(), signer.clone(), store.clone(), clock.clone());
                let sequencer = Sequencer::new(parts, sound, first, (&activity, &frozen), settings.checkpoint_period);
                let (signed, known, marker) = begin_marking(mark, &record.name, sequencer.published());
                marking = known;
                let task = sequencer::run(sequencer, waiting, readers, quarantine.clone(), shutdown);
                let task = both(task, OptionFuture::from(marker.map(|marker| marker.run(quarantine.clone()))));
                let (published, task) = match settings.witnesses {
                    None => (signed, tokio::spawn(task)),
                    Some(witnesses) => {
                        let begun = witnessing::begin(witnesses, Context::of(guard, &store), follower.clone(), signed);
                        witnessed = Some(begun.known);
                        (begun.published, tokio::spawn(both(task, begun.rounds.run(quarantine.clone()))))
                    }
                };
                (Some(published), size, task)
            }
            Verdict::Doubtful { reason, size } => {
                quarantine.begin(&record.name, reason);
                let last = guard.last_published().await?;
                (last.map(|last| watch::channel(Arc::new(last)).1), size, tokio::spawn(std::future::ready(())))
            }
        };
        let log = Self(Arc::new(Parts {
            record,
            scheme,
            signer,
            store,
            clock,
            pool,
            follower,
            published,
            stored_size,
            witnessed,
            marking,
            frozen,
            quarantine,
            cache,
            committed: SharedRead::default(),
            appended: AtomicU64::default(),
            activity,
        }));
        log.first_round().await;
        Ok((log, task))
    }

    /// Waits until its witnesses have cosigned what is published first, or have had the time to.
    async fn first_round(&self) {
        if let (Some(witnessed), Some(published)) = (&self.0.witnessed, &self.0.published) {
            witnessed.first_round(published.clone()).await;
        }
    }

    /// Why the log is quarantined; `None` where it is not.
    #[must_use]
    pub fn quarantine(&self) -> Option<&Reason> {
        self.0.quarantine.reason()
    }
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

/// Whether the store takes no more entries into this log.
async fn is_frozen(store: &dyn Store, record: &LogRecord) -> Result<bool, Error> {
    Ok(store.frozen(record.log_id).await?.is_some())
}

/// The mark in this file with the file's path, and the checkpoint in it.
fn open_mark(path: &Path) -> Result<((Mark, &Path), Option<String>), OpenError> {
    let (mark, note) = Mark::open(path).map_err(|error| OpenError::mark(path, error))?;
    Ok(((mark, path), note))
}

/// What the guard finds, and then the witnesses.
async fn judge(
    guard: Guard<'_>,
    (copy, mark): (Option<&Destination>, Option<&str>),
    witnesses: Option<&Witnesses>,
    store: &Arc<dyn Store>,
) -> Result<Verdict, OpenError> {
    // Heads are read after what was published of them: whatever is published was committed before.
    let copied = match copy {
        Some(copy) => copy.published(guard.scheme, guard.key).await?,
        None => None,
    };
    let marked = mark.map(|note| guard.scheme.open(note, guard.key)).transpose().map_err(OpenError::OtherMark)?;
    let verdict = guard.inspect(Remembered { copied, marked }).await?;
    let (Verdict::Sound(sound), Some(witnesses)) = (&verdict, witnesses) else { return Ok(verdict) };
    let size = sound.head.tree.size;
    let doubt = witnesses.inspect(guard, store).await?;
    Ok(doubt.map_or(verdict, |reason| Verdict::Doubtful { reason, size }))
}

/// The log of this name in the store.
async fn find_or_make(settings: &Settings, store: &dyn Store, clock: &ClockGuard) -> Result<LogRecord, OpenError> {
    if let Some(record) = store.open(&settings.name).await.map_err(Error::from)? {
        return Ok(record);
    }
    let tree_id = settings.new_tree_id.ok_or(OpenError::Missing)?;
    let log = NewLog {
        name: settings.name.clone(),
        origin: scheme(settings, tree_id)?.origin(),
        tree_id,
        key_fingerprint: settings.signer.public_key().fingerprint(),
        created: clock.signing_time().map_err(Error::from)?,
    };
    match store.create(log).await {
        Ok(record) => Ok(record),
        // Another replica may have made it at the same moment.
        Err(error) => Ok(store.open(&settings.name).await.map_err(Error::from)?.ok_or(error).map_err(Error::from)?),
    }
}

fn scheme(settings: &Settings, tree_id: i64) -> Result<Scheme, Corrupt> {
    (settings.scheme)(&settings.host, tree_id)
        .map_err(|rejection| Corrupt::refused("a log's host is a valid key name", rejection))
}

/// How the log's checkpoints are named, if key and origin are those it was made with.
fn verified_scheme(settings: &Settings, record: &LogRecord) -> Result<Scheme, OpenError> {
    let found = settings.signer.public_key().fingerprint();
    if record.key_fingerprint != found {
        let made_with = hex::encode(record.key_fingerprint);
        return Err(OpenError::OtherKey { made_with, found: hex::encode(found) });
    }
    let scheme = scheme(settings, record.tree_id)?;
    if record.origin != scheme.origin() {
        return Err(OpenError::OtherOrigin { made_with: record.origin.clone(), found: scheme.origin() });
    }
    Ok(scheme)
}
