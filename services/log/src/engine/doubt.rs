//! What outlives the process of a log in doubt.
//!
//! - A quarantine is recorded ([`Keeper::keep`]): in the database, so that every server over it stops, and in a file beside
//!   the high-water mark, which a restore of the database does not take back.
//! - A start lifts a recorded quarantine only if the state is proven ([`Memory::confirm`]): the guard passes, the tree is as
//!   large as the largest one in the record and extends the checkpoint there, and, after a failed self-check, the whole tree
//!   follows from its entries.
//! - A log that was ended shows the checkpoint at which it was ended, and nothing is signed ([`Ended`]). A running server
//!   hears of it while the log is quarantined.

use super::settings::OpenError;
use crate::Error;
use crate::derive::derive;
use crate::head::Published;
use crate::quarantine::{Quarantine, Reason};
use crate::store::{End, Identity, LogRecord, Recorded, Store};
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
/// [`Reason::code`] of a failed self-check, which the guard does not see.
const INVARIANT: &str = "quarantine.invariant";

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

/// The larger of two records, because a tree that extends it is more likely to be the newest.
pub(crate) fn larger(one: Option<Recorded>, other: Option<Recorded>) -> Option<Recorded> {
    one.into_iter().chain(other).max_by_key(|recorded| recorded.tree_size)
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
    async fn records(&self) -> Result<Vec<Recorded>, OpenError> {
        let remembered = match &self.file {
            Some(path) => read_file(path).map_err(|error| OpenError::mark(path, error))?,
            None => None,
        };
        let stored = self.store.quarantined(self.record.log_id).await.map_err(Error::from)?;
        Ok(stored.into_iter().chain(remembered).collect())
    }

    async fn write(&self, recorded: Recorded) -> Result<(), String> {
        // The file first: it needs no database.
        let written = match self.file.clone() {
            None => Ok(()),
            Some(path) => write_file(path, &recorded).await.map_err(|error| error.to_string()),
        };
        let stored = self.store.quarantine(self.record.log_id, recorded).await.map_err(|error| error.to_string());
        written.and(stored)
    }

    async fn forget(&self) -> Result<(), OpenError> {
        self.store.release(self.record.log_id).await.map_err(Error::from)?;
        let Some(path) = &self.file else { return Ok(()) };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::mark(path, error)),
            _ => Ok(()),
        }
    }

    /// The verdict of a start, which must also lift a quarantine that is recorded.
    pub(super) async fn confirm(&self, guard: Guard<'_>, verdict: Verdict) -> Result<Verdict, OpenError> {
        let Verdict::Sound(sound) = &verdict else { return Ok(verdict) };
        let size = sound.head.tree.size;
        let mut is_recorded = false;
        for recorded in self.records().await? {
            if !is_proven(guard, sound, &recorded).await? {
                return Ok(Verdict::Doubtful { reason: Reason::Recorded(Box::new(recorded)), size });
            }
            is_recorded = true;
        }
        if is_recorded {
            self.forget().await?;
            tracing::info!(log.name = %self.record.name, leaves = size, "the stored log is proven; its quarantine is over");
        }
        Ok(verdict)
    }
}

async fn write_file(path: PathBuf, recorded: &Recorded) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(recorded)?;
    let written = tokio::task::spawn_blocking(move || durable::write(&path, &text)).await;
    written.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Whether a state that passes the guard contradicts nothing of this record.
async fn is_proven(guard: Guard<'_>, sound: &Sound, recorded: &Recorded) -> Result<bool, Error> {
    let Guard { record, store, .. } = guard;
    // What the log's key has not signed proves nothing.
    let known = recorded.note.as_ref().and_then(|note| guard.scheme.open(note, guard.key).ok());
    let head = &sound.head.tree;
    // The checkpoint may be of a smaller tree: that of a server which a witness has told of a larger one.
    if recorded.tree_size > head.size {
        return Ok(false);
    }
    if let Some(known) = known
        && (known.size > head.size || verify_extension(store, record.log_id, &known, head).await?.is_err())
    {
        return Ok(false);
    }
    if recorded.code != INVARIANT {
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
    /// The newest checkpoint in the mark, where the stored log is in doubt: what it shows is not this process's own knowledge.
    pub(super) known: Option<String>,
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
        let recorded = self.recorded(&reason);
        while let Err(error) = self.memory.write(recorded.clone()).await {
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
        let note = published.or_else(|| self.known.clone());
        let size = note.as_ref().and_then(|note| self.scheme.open(note, self.signer.public_key()).ok());
        let size = size.map_or(0, |tree| tree.size);
        Recorded {
            since_ms: self.clock.now().millis(),
            code: reason.code().to_owned(),
            reason: reason.to_string(),
            tree_size: size.max(reason.published()),
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
