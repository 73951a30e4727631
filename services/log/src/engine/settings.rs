//! The settings with which a log is opened, and the reasons why it cannot be opened.

use crate::destination::{self, Destination};
use crate::trust::witnessing::Witnesses;
use crate::{Corrupt, Error};
use chancery_daemon::signer::Signer;
use chancery_verify::checkpoint::Scheme;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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
    Copy(#[from] destination::Error),
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
