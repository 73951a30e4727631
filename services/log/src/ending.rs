//! Ending a log whose newest state is lost: how much of it can be proven, and the record that it ends there.
//!
//! 1. [`examine`] reads what is known of the log outside its tree: the high-water mark, and a quarantine that is recorded. If
//!    the check finds nothing wrong with it, it is not ended.
//! 2. It derives the tree from its entries as far as they are whole, and takes the newest stored checkpoint that the log's key
//!    has signed and that this tree leads to. Nothing is signed: a head between that checkpoint and the largest one that was
//!    published might be of another history.
//! 3. [`Examined::end`] writes that down, and freezes the log, in one transaction. **This is the commit point.** From then on no
//!    server adds an entry or signs a tree; every server shows that checkpoint.
//!
//! A tree that contradicts the mark, a witness or the object store is not ended: none of its checkpoints is known to be of the history that was published.

use crate::Error;
use crate::check::{self, Finding, Options, Subject};
use crate::derive::derive;
use crate::engine::{file_beside, read_file};
use crate::quarantine::Reason;
use crate::store::{End, Recorded, Store, StoreError};
use crate::trust::guard::Guard;
use crate::trust::mark::Mark;
use chancery_verify::merkle::TreeHead;
use chancery_verify::{Rejection, Timestamp, leaves};
use std::io;
use std::path::{Path, PathBuf};

/// [`crate::quarantine::Reason::code`] where no server has recorded another one.
const CODE: &str = "quarantine.ended";
/// Those of a second history that only others have: a witness, an object store.
const FORKED: [&str; 2] = ["quarantine.witness_forked", "quarantine.store_forked"];

/// What can be proven of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What is wrong with the log, in words.
    pub doubt: String,
    /// The tree that can be proven.
    pub tree: TreeHead,
    /// The checkpoint of it that the log's key has signed.
    pub note: String,
    /// Leaves of the largest tree that is known to have been published.
    pub published: u64,
    /// Entries that are whole in the database, from the first on.
    pub whole: u64,
}

/// What there is to do about a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Examination {
    /// It can be ended.
    Doubtful(Examined),
    /// It was ended before.
    Ended(End),
}

/// The reason why a log is not ended.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// There is nothing wrong with it.
    #[error(
        "the check finds nothing wrong with this log, and no server has quarantined it, so it is not ended. If /readyz says that \
         it is QUARANTINED, run this with the data directory of that server"
    )]
    Sound,
    /// Nothing of it can be proven.
    #[error(
        "no checkpoint that this log's key has signed can be proven from the stored entries ({doubt}). Restore a backup of the \
         database with a whole checkpoint; any age will do, and the newest one loses least"
    )]
    Unprovable {
        /// What is wrong with it.
        doubt: String,
    },
    /// It holds another history than the one that was published.
    #[error(
        "the database holds another history of this log than the one whose checkpoint of {published} was published: it was \
         restored, and entries were added to it since. Restore a backup that was made before that, of any age",
        published = leaves(*.published)
    )]
    Forked {
        /// Leaves of the published checkpoint.
        published: u64,
    },
    /// The mark cannot be read.
    #[error("cannot read {path}: {error}")]
    Mark {
        /// The file.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// The mark is another log's.
    #[error("{path} was not signed by this log's key, so it is the mark of another log: {rejection}")]
    OtherMark {
        /// The file.
        path: String,
        /// The verifier's reason.
        rejection: Rejection,
    },
    /// The check could not be made.
    #[error("cannot check the log: {0}")]
    Check(Finding),
    /// The database failed.
    #[error(transparent)]
    Log(#[from] Error),
}

impl EndError {
    /// Whether nothing was found out, because there was no answer.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        match self {
            Self::Check(finding) => finding.is_silent(),
            Self::Log(Error::Store(error)) => error.is_silent(),
            // A file that is there and makes no sense is a finding.
            Self::Mark { error, .. } => {
                !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
            }
            _ => false,
        }
    }
}

impl From<StoreError> for EndError {
    fn from(error: StoreError) -> Self {
        Self::Log(error.into())
    }
}

/// What is known of a log outside its tree.
struct Known {
    /// The trees that were published, as far as they are known with a signature.
    trees: Vec<TreeHead>,
    recorded: Option<Recorded>,
}

/// Finds out how much of a log can be proven. `mark` is the file of its high-water mark in the data directory of a server.
pub async fn examine(store: &dyn Store, subject: &Subject, mark: &Path) -> Result<Examination, EndError> {
    let log_id = subject.record.log_id;
    if let Some(end) = store.ended(log_id).await? {
        return Ok(Examination::Ended(end));
    }
    // (1)
    let known = known(store, subject, mark).await?;
    let doubt = doubt(store, subject, &known).await?.ok_or(EndError::Sound)?;
    // (2)
    let head = store.head(log_id).await?;
    let whole = derive(store, log_id, &head.tree).await?.size;
    let (record, scheme, key) = (&subject.record, &subject.scheme, &subject.key);
    let guard = Guard { record, scheme, key, store };
    for tree in known.trees.iter().filter(|tree| tree.size <= whole) {
        if !guard.leads_to(tree).await? {
            return Err(EndError::Forked { published: tree.size });
        }
    }
    if let Some(recorded) = known.recorded.as_ref().filter(|recorded| FORKED.contains(&recorded.code.as_str())) {
        return Err(EndError::Forked { published: recorded.tree_size });
    }
    let shown = guard.last_published_within(whole).await?;
    let shown = shown.ok_or_else(|| EndError::Unprovable { doubt: doubt.clone() })?;
    let stored = store.newest_checkpoint(log_id).await?.map(|(size, _)| size);
    let sizes = known.trees.iter().map(|tree| tree.size).chain(known.recorded.map(|recorded| recorded.tree_size));
    let published = sizes.chain(stored).chain([shown.tree.size]).max().unwrap_or_default();
    Ok(Examination::Doubtful(Examined { doubt, tree: shown.tree, note: shown.note, published, whole }))
}

impl Examined {
    /// Entries that were acknowledged, and cannot be proven any more.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.published.saturating_sub(self.tree.size)
    }

    /// (3) Ends the log. Nothing changes the second time: returns where it ends.
    pub async fn end(&self, store: &dyn Store, log_id: i64, now: Timestamp) -> Result<End, EndError> {
        let end = End { at: now, tree: self.tree, published: self.published };
        let recorded = Recorded {
            since_ms: now.millis(),
            code: CODE.to_owned(),
            reason: self.doubt.clone(),
            tree_size: self.published,
            note: Some(self.note.clone()),
        };
        Ok(store.end(log_id, end, recorded).await?)
    }
}

/// Why the log is quarantined, or would be at the next start of the server whose high-water mark is in the file `mark`; `None` where
/// nothing speaks against it, and where it was ended. The check of what is stored cannot see this: an older state of the database
/// is sound in itself.
pub async fn remembered(store: &dyn Store, subject: &Subject, mark: &Path) -> Result<Option<Reason>, EndError> {
    let Subject { record, scheme, key, .. } = subject;
    if store.ended(record.log_id).await?.is_some() {
        return Ok(None);
    }
    // Read before the head: what a running server has marked was committed before.
    let known = known(store, subject, mark).await?;
    if let Some(recorded) = known.recorded {
        return Ok(Some(Reason::Recorded(Box::new(recorded))));
    }
    let head = store.head(record.log_id).await?.tree.size;
    for marked in known.trees {
        let published = marked.size;
        if published > head {
            return Ok(Some(Reason::MarkNewer { head, published }));
        }
        if !(Guard { record, scheme, key, store }).leads_to(&marked).await? {
            return Ok(Some(Reason::MarkForked { head, published }));
        }
    }
    Ok(None)
}

async fn known(store: &dyn Store, subject: &Subject, mark: &Path) -> Result<Known, EndError> {
    let unreadable = |path: &Path, error| EndError::Mark { path: path.display().to_string(), error };
    let marked = Mark::read(mark).map_err(|error| unreadable(mark, error))?;
    let marked = marked.map(|note| subject.scheme.open(&note, &subject.key)).transpose();
    let marked = marked.map_err(|rejection| EndError::OtherMark { path: mark.display().to_string(), rejection })?;
    let file: PathBuf = file_beside(mark);
    let remembered = read_file(&file).map_err(|error| unreadable(&file, error))?;
    let stored = store.quarantined(subject.record.log_id).await?;
    let recorded = stored.into_iter().chain(remembered).reduce(|one, other| one.and(&other));
    let notes = recorded.iter().flat_map(Recorded::checkpoints);
    // What its key has not signed proves nothing.
    let recorded_trees = notes.filter_map(|note| subject.scheme.open(note, &subject.key).ok());
    Ok(Known { trees: marked.into_iter().chain(recorded_trees).collect(), recorded })
}

/// What is wrong with the log; `None` where nothing is.
async fn doubt(store: &dyn Store, subject: &Subject, known: &Known) -> Result<Option<String>, EndError> {
    if let Some(Recorded { reason, code, .. }) = &known.recorded {
        return Ok(Some(format!("{reason} ({code})")));
    }
    let options = Options { saved: known.trees.clone(), ..Options::default() };
    match check::check_with(store, subject, &options, |_, _| {}).await {
        Ok(_) => Ok(None),
        Err(Finding::Store(StoreError::Corrupt(corrupt))) => Ok(Some(corrupt.to_string())),
        Err(finding @ (Finding::Store(_) | Finding::Scratch(_) | Finding::Interrupted)) => {
            Err(EndError::Check(finding))
        }
        Err(finding) => Ok(Some(finding.to_string())),
    }
}
