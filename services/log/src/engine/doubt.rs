//! The state of a log in doubt that outlives its process.
//!
//! - A quarantine is recorded ([`Keeper::keep`]): in the database, so that every server over it stops, and in a file beside
//!   the high-water mark, which a restore of the database does not take back.
//! - A start lifts a recorded quarantine only if the state is proven ([`Memory::confirm`]): the guard passes, the tree is as
//!   large as the largest one in the record and extends every checkpoint there, and, after a failed self-check, the whole tree
//!   follows from its entries. Nothing that is stored proves a log that was restored without anything that says what was
//!   published since ([`crate::restoring`]). A witness that was contradicted need not be reached for that: its checkpoint is
//!   in the record.
//! - A log that was ended shows the checkpoint at which it was ended, and nothing is signed ([`Ended`]). A running server
//!   hears of it while the log is quarantined.

use super::settings::OpenError;
use crate::Error;
use crate::derive::derive;
use crate::head::Published;
use crate::quarantine::{Quarantine, Reason};
use crate::store::{End, FAILED_CHECK, Identity, LogRecord, RESTORED, Recorded, Store};
use crate::trust::guard::{Guard, Sound, Verdict, verify_extension};
use chancery_daemon::clock::{Clock as _, ClockGuard};
use chancery_daemon::durable;
use chancery_daemon::shutdown::Shutdown;
use chancery_daemon::signer::Signer;
use chancery_verify::checkpoint::Scheme;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Interval between attempts to record a quarantine, and between looks whether the log was ended.
const LOOK: Duration = Duration::from_secs(2);
/// Extension of the file beside the mark.
const EXTENSION: &str = "quarantined";

/// Where the log was ended; seen at once by everyone who holds a clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Ended(Arc<OnceLock<Option<Arc<Published>>>>);

impl Ended {
    /// Whether it was.
    pub(super) fn is_begun(&self) -> bool {
        self.0.get().is_some()
    }

    /// What is shown of it; `None` as well where the checkpoint cannot be read any more.
    pub(super) fn published(&self) -> Option<&Arc<Published>> {
        self.0.get().and_then(Option::as_ref)
    }

    /// Notes that the log was ended at `end`, and what can be shown of it.
    pub(super) async fn begin(&self, guard: Guard<'_>, end: &End, frozen: &AtomicBool) -> Result<(), Error> {
        let published = guard.last_published_within(end.tree.size).await?;
        if published.as_ref().map(|published| published.tree) != Some(end.tree) {
            tracing::error!(
                log.name = %guard.record.name,
                error.code = "log.ended",
                "the checkpoint at which the log was ended cannot be proven any more; run chancery log check"
            );
        }
        frozen.store(true, Ordering::Relaxed);
        if self.0.set(published.map(Arc::new)).is_ok() {
            tracing::info!(log.name = %guard.record.name, leaves = end.tree.size, "the log was ended: it is only read");
        }
        Ok(())
    }
}

/// The file in which a process remembers a quarantine, beside the mark `mark`.
pub(crate) fn file_beside(mark: &Path) -> PathBuf {
    mark.with_extension(EXTENSION)
}

/// What the file says; `None` where there is none.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] where the file is damaged.
pub(crate) fn read_file(path: &Path) -> io::Result<Option<Recorded>> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where the quarantine of a log is recorded.
pub(super) struct Memory {
    pub(super) record: Arc<LogRecord>,
    pub(super) store: Arc<dyn Store>,
    /// `None` where nothing is remembered outside the database.
    file: Option<PathBuf>,
}

impl Memory {
    pub(super) fn new(record: Arc<LogRecord>, store: Arc<dyn Store>, mark: Option<&Path>) -> Self {
        Self { record, store, file: mark.map(file_beside) }
    }

    /// What the database says, and what the file says.
    async fn records(&self) -> Result<Records, OpenError> {
        let in_file = match &self.file {
            Some(path) => read_file(path).map_err(|error| OpenError::mark(path, error))?,
            None => None,
        };
        let stored = self.store.quarantined(self.record.log_id).await.map_err(Error::from)?;
        Ok(Records { stored, in_file })
    }

    /// Writes the record wherever it is not yet. What the database has taken is not written there again: a start that has
    /// proven the state may have deleted it since.
    async fn write(&self, recorded: &Recorded, unwritten: &mut Unwritten) -> Result<(), String> {
        let mut outcome = Ok(());
        // The file first: it needs no database.
        if unwritten.file
            && let Some(path) = self.file.clone()
        {
            let written = write_aside(path, recorded.clone()).await.map_err(|error| error.to_string());
            unwritten.file = written.is_err();
            outcome = written;
        }
        if unwritten.row {
            let stored = self.store.quarantine(self.record.log_id, recorded.clone()).await;
            unwritten.row = stored.is_err();
            outcome = outcome.and(stored.map_err(|error| error.to_string()));
        }
        outcome
    }

    /// Deletes what was proven. `false` where another server has recorded more meanwhile.
    async fn forget(&self, proven: Records) -> Result<bool, OpenError> {
        if let Some(stored) = proven.stored
            && !self.store.release(self.record.log_id, stored).await.map_err(Error::from)?
        {
            return Ok(false);
        }
        let Some(path) = &self.file else { return Ok(true) };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::mark(path, error)),
            _ => Ok(true),
        }
    }

    /// The verdict of a start, which must also lift a quarantine that is recorded.
    pub(super) async fn confirm(&self, guard: Guard<'_>, verdict: Verdict) -> Result<Verdict, OpenError> {
        let Verdict::Sound(sound) = &verdict else { return Ok(verdict) };
        let size = sound.head.tree.size;
        loop {
            let records = self.records().await?;
            if records.stored.is_none() && records.in_file.is_none() {
                return Ok(verdict);
            }
            for recorded in records.stored.iter().chain(&records.in_file) {
                if !is_proven(guard, sound, recorded).await? {
                    return Ok(Verdict::Doubtful { reason: Reason::Recorded(Box::new(recorded.clone())), size });
                }
            }
            if self.forget(records).await? {
                tracing::info!(log.name = %self.record.name, leaves = size, "the stored log is proven; its quarantine is over");
                return Ok(verdict);
            }
        }
    }
}

/// What is recorded of a quarantine.
struct Records {
    /// In the database, for every server.
    stored: Option<Recorded>,
    /// Beside the mark.
    in_file: Option<Recorded>,
}

/// Where a record is still to be written.
struct Unwritten {
    file: bool,
    row: bool,
}

/// Writes the record of a quarantine to the file beside a mark.
pub(crate) fn write_file(path: &Path, recorded: &Recorded) -> io::Result<()> {
    durable::write(path, &serde_json::to_vec_pretty(recorded)?)
}

/// The same, while other tasks of this thread go on.
async fn write_aside(path: PathBuf, recorded: Recorded) -> io::Result<()> {
    let written = tokio::task::spawn_blocking(move || write_file(&path, &recorded)).await;
    written.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Whether a state that passes the guard contradicts nothing of this record.
async fn is_proven(guard: Guard<'_>, sound: &Sound, recorded: &Recorded) -> Result<bool, Error> {
    let Guard { record, store, .. } = guard;
    let head = &sound.head.tree;
    // The checkpoints may be of smaller trees: in a record of an earlier version they are only those of servers. What is missing
    // of a log that was restored is missing in every record, too.
    if recorded.tree_size > head.size || recorded.code == RESTORED {
        return Ok(false);
    }
    // What the log's key has not signed proves nothing.
    for known in recorded.checkpoints().filter_map(|note| guard.scheme.open(note, guard.key).ok()) {
        if known.size > head.size || verify_extension(store, record.log_id, &known, head).await?.is_err() {
            return Ok(false);
        }
    }
    if recorded.code != FAILED_CHECK {
        return Ok(true);
    }
    Ok(derive(store, record.log_id, head).await?.is_whole)
}

/// Waits for the quarantine of a log, records it, and then waits until the log is ended.
pub(super) struct Keeper {
    pub(super) memory: Memory,
    pub(super) scheme: Arc<Scheme>,
    pub(super) signer: Arc<Signer>,
    pub(super) clock: Arc<ClockGuard>,
    pub(super) quarantine: Quarantine,
    /// The database that the log was in before.
    pub(super) database: Identity,
    /// The checkpoints in the mark and in the object store, where the stored log is in doubt: what it shows is not this process's
    /// own knowledge.
    pub(super) known: Vec<String>,
    /// What this process publishes.
    pub(super) published: Option<watch::Receiver<Arc<Published>>>,
    pub(super) ended: Ended,
    pub(super) frozen: Arc<AtomicBool>,
}

impl Keeper {
    /// Runs until the shutdown. An attempt to record a quarantine is made in any case.
    pub(super) async fn keep(self, mut shutdown: Shutdown) {
        let reason = tokio::select! {
            biased;
            reason = self.quarantine.begun() => reason.clone(),
            () = shutdown.begun() => return,
        };
        self.explain().await;
        let (recorded, mut unwritten) = (self.recorded(&reason), Unwritten { file: true, row: true });
        while let Err(error) = self.memory.write(&recorded, &mut unwritten).await {
            tracing::warn!(log.name = %self.memory.record.name, error, "cannot record the quarantine yet");
            tokio::select! {
                () = sleep(LOOK) => {}
                () = shutdown.begun() => return,
            }
        }
        while !self.has_ended().await {
            tokio::select! {
                () = sleep(LOOK) => {}
                () = shutdown.begun() => return,
            }
        }
    }

    /// Notes what is different about the database since the log was opened.
    async fn explain(&self) {
        if let Ok(now) = self.memory.store.identity().await
            && let Some(change) = self.database.change(&now)
        {
            self.quarantine.explain(&self.memory.record.name, change);
        }
    }

    fn recorded(&self, reason: &Reason) -> Recorded {
        if let Reason::Recorded(recorded) = reason {
            return (**recorded).clone();
        }
        let published = self.published.as_ref().map(|published| published.borrow().note.clone());
        let notes = published.iter().chain(&self.known).map(String::as_str).chain(reason.checkpoint());
        let note = Recorded::join(notes.clone());
        let sizes = notes.filter_map(|note| Some(self.scheme.open(note, self.signer.public_key()).ok()?.size));
        Recorded {
            since_ms: self.clock.now().millis(),
            code: reason.code().to_owned(),
            reason: reason.to_string(),
            tree_size: sizes.fold(reason.published(), u64::max),
            note,
        }
    }

    /// Whether the log was ended. A database that fails says nothing about that.
    async fn has_ended(&self) -> bool {
        let Memory { record, store, .. } = &self.memory;
        let Ok(Some(end)) = store.ended(record.log_id).await else { return false };
        let guard = Guard { record, scheme: &self.scheme, key: self.signer.public_key(), store: store.as_ref() };
        self.ended.begin(guard, &end, &self.frozen).await.is_ok()
    }
}
