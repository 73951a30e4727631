//! Opening a log: found or made, compared with what it was made with, guarded, and only then started.

use super::begin::{self, Begun, Ends, Shared};
use super::doubt::Ended;
use super::{Log, Parts};
use crate::mirror::{self, Destination};
use crate::quarantine::{Quarantine, Reason};
use crate::shared_read::SharedRead;
use crate::store::{LogRecord, NewLog, Store};
use crate::tiles::TileCache;
use crate::witnessing::Witnesses;
use crate::{Corrupt, Error, pool, sequencer};
use chancery_daemon::clock::ClockGuard;
use chancery_daemon::shutdown::Shutdown;
use chancery_daemon::signer::Signer;
use chancery_verify::checkpoint::Scheme;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;
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
    /// The copy of its files cannot be read, or is of another log.
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
    pub(super) fn mark(path: &Path, error: io::Error) -> Self {
        Self::Mark { path: path.display().to_string(), error }
    }
}

impl From<Corrupt> for OpenError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Log(corrupt.into())
    }
}

impl Log {
    /// Opens the log, or makes it where the store has none of this name, and starts its sequencer. The head that is
    /// committed is signed and published before this returns, unless
    ///
    /// - the log was ended: then the checkpoint at which it was is what is published;
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
        let is_frozen = settings.frozen || store.frozen(record.log_id).await.map_err(Error::from)?.is_some();
        let (signer, frozen) = (Arc::clone(&settings.signer), Arc::new(AtomicBool::new(is_frozen)));
        let (quarantine, ended, activity) = (Quarantine::default(), Ended::default(), Arc::default());
        let shared = Shared { record, scheme, signer, store, clock, frozen, quarantine, ended, activity };
        let ((pool, waiting), (follower, readers)) = (pool::pool(), sequencer::follower());
        let ends = Ends { waiting, readers, follower: follower.clone(), shutdown };
        let Begun { published, stored_size, witnessed, marking, task } = begin::begin(&shared, settings, ends).await?;
        let Shared { record, scheme, signer, store, clock, frozen, quarantine, ended, activity } = shared;
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
            ended,
            cache: TileCache::new(),
            committed: SharedRead::default(),
            appended: AtomicU64::default(),
            activity,
        }));
        let task = tokio::spawn(task);
        log.first_round().await;
        Ok((log, task))
    }

    /// Waits until its witnesses have cosigned what is published first, or have had the time to.
    async fn first_round(&self) {
        if let (Some(witnessed), Some(published)) = (&self.0.witnessed, &self.0.published) {
            witnessed.first_round(published.clone()).await;
        }
    }

    /// Why the log is quarantined; `None` where it is not, and where it was ended since.
    #[must_use]
    pub fn quarantine(&self) -> Option<&Reason> {
        self.0.quarantine.reason().filter(|_| !self.is_ended())
    }
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
