//! What a restored backup means for a log: whether it may go on, and what keeps it from that.
//!
//! A backup of a log that runs is older than the log: whatever was published since is not in it. A log that went on from there
//! would sign a second history. Nothing that is restored can say how much is missing, so that comes from outside the backup: the
//! newest checkpoint of the log that exists anywhere. [`settle`] compares the two and writes down the result where the guard of
//! every start finds it:
//!
//! | the newest checkpoint | what is written | the next start |
//! |---|---|---|
//! | is of the restored tree or a part of it | the checkpoint, in the high-water mark | goes on |
//! | is of a larger tree, or of another history | the same | QUARANTINED |
//! | is not given, or is older than the backup | a quarantine, in the database and beside the mark | QUARANTINED; nothing that is stored lifts it |
//! | does not matter: the log was frozen or ended in the backup | nothing | as before |
//!
//! Not here: unpacking a backup; and ending a log, see [`crate::ending`].

use crate::Error;
use crate::check::Subject;
use crate::engine::{file_beside, read_file, write_file};
use crate::store::{RESTORED, Recorded, Store, StoreError};
use crate::trust::guard::Guard;
use crate::trust::mark::Mark;
use chancery_verify::merkle::TreeHead;
use chancery_verify::{Rejection, Timestamp, leaves};
use std::io;
use std::path::Path;

/// A log after its restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Leaves that were restored.
    pub size: u64,
    /// What that means.
    pub meaning: Meaning,
}

/// What the restore means for a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It takes no entries any more, so nothing can have been published since.
    Closed,
    /// It extends the newest checkpoint, of a tree of so many leaves: it goes on.
    GoesOn {
        /// Leaves of the newest checkpoint.
        published: u64,
    },
    /// More was published: it is quarantined.
    Behind {
        /// Leaves of the newest checkpoint.
        published: u64,
    },
    /// Another history was published: it is quarantined.
    Forked {
        /// Leaves of the checkpoint that it does not extend.
        published: u64,
    },
    /// What was published since is not known: it is quarantined.
    Unknown,
}

/// Why a restored log cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A high-water mark, or the file beside it, cannot be read or written.
    #[error("cannot use {path}: {error}")]
    Mark {
        /// The file.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// A checkpoint is of another log.
    #[error("a checkpoint that was given was not signed by this log's key: {0}")]
    Other(Rejection),
    /// The database failed.
    #[error(transparent)]
    Log(#[from] Error),
}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::Log(error.into())
    }
}

/// The checkpoints that the server with the high-water mark in the file `mark` remembers, not verified. None where the file is
/// missing, and none of a log that was itself restored without knowing what was published since.
pub fn checkpoints_of(mark: &Path) -> Result<Vec<String>, RestoreError> {
    let marked = Mark::read(mark).map_err(|error| unusable(mark, error))?;
    let file = file_beside(mark);
    let recorded = read_file(&file).map_err(|error| unusable(&file, error))?;
    if recorded.as_ref().is_some_and(|recorded| recorded.code == RESTORED) {
        return Ok(Vec::new());
    }
    let noted = recorded.iter().flat_map(Recorded::checkpoints).map(str::to_owned);
    Ok(marked.into_iter().chain(noted).collect())
}

/// Judges a log that was restored into `store` by the `newest` checkpoints of it that exist anywhere, and writes the result down.
/// `mark` is the file of its high-water mark in the data directory that was restored.
pub async fn settle(
    store: &dyn Store,
    subject: &Subject,
    mark: &Path,
    newest: &[String],
    now: Timestamp,
) -> Result<Restored, RestoreError> {
    let Subject { record, scheme, key, .. } = subject;
    let size = store.head(record.log_id).await?.tree.size;
    let is_closed = store.ended(record.log_id).await?.is_some() || store.frozen(record.log_id).await?.is_some();
    if is_closed {
        return Ok(Restored { size, meaning: Meaning::Closed });
    }
    let open = |note: &String| scheme.open(note, key).map(|tree| (tree, note.clone()));
    let published: Result<Vec<(TreeHead, String)>, Rejection> = newest.iter().map(open).collect();
    let published = published.map_err(RestoreError::Other)?;
    let guard = Guard { record, scheme, key, store };
    for (tree, note) in published.iter().filter(|(tree, _)| tree.size <= size) {
        if !guard.leads_to(tree).await? {
            write_mark(mark, note)?;
            return Ok(Restored { size, meaning: Meaning::Forked { published: tree.size } });
        }
    }
    let marked = Mark::read(mark).map_err(|error| unusable(mark, error))?;
    let marked = marked.and_then(|note| scheme.open(&note, key).ok()).map(|tree| tree.size);
    let stored = store.newest_checkpoint(record.log_id).await?.map(|(size, _)| size);
    // One that is older than those in the backup is not the newest: it says nothing about what was published afterwards.
    let known = marked.max(stored);
    let newest = published.into_iter().max_by_key(|(tree, _)| tree.size);
    let Some((tree, note)) = newest.filter(|(tree, _)| Some(tree.size) >= known) else {
        quarantine(store, subject, mark, size, now).await?;
        return Ok(Restored { size, meaning: Meaning::Unknown });
    };
    if marked < Some(tree.size) {
        write_mark(mark, &note)?;
    }
    let published = tree.size;
    let meaning = if published > size { Meaning::Behind { published } } else { Meaning::GoesOn { published } };
    Ok(Restored { size, meaning })
}

fn write_mark(path: &Path, note: &str) -> Result<(), RestoreError> {
    let written = Mark::open(path).and_then(|(mut mark, _)| mark.write(note));
    written.map_err(|error| unusable(path, error))
}

/// Records that it is not known what was published after the backup.
async fn quarantine(
    store: &dyn Store,
    subject: &Subject,
    mark: &Path,
    size: u64,
    now: Timestamp,
) -> Result<(), RestoreError> {
    let log_id = subject.record.log_id;
    let recorded = Recorded {
        since_ms: now.millis(),
        code: RESTORED.to_owned(),
        reason: format!(
            "it was restored from a backup with {}, and it is not known what was published after that",
            leaves(size)
        ),
        tree_size: size,
        note: store.newest_checkpoint(log_id).await?.map(|(_, note)| note),
    };
    let file = file_beside(mark);
    write_file(&file, &recorded).map_err(|error| unusable(&file, error))?;
    Ok(store.quarantine(log_id, recorded).await?)
}

fn unusable(path: &Path, error: io::Error) -> RestoreError {
    RestoreError::Mark { path: path.display().to_string(), error }
}
