//! The state of a log: how far it was followed, what lasts, and what is not delivered yet. One file per log, `<name>.json`, replaced
//! as a whole and synced. **Writing it is the commit point**: a crash before it finds and delivers the same alarms again, with the
//! same ids.
//!
//! An attacker who can change the file can make the monitor pass over entries, so it belongs to the monitor alone. That a
//! checkpoint is the log's is verified when it is read. Removing the file makes the monitor forget the history of the log.

use crate::alarm::Alarm;
use crate::conditions::Conditions;
use crate::source::Source;
use chancery_daemon::durable;
use chancery_verify::Rejection;
use chancery_verify::checkpoint::Checkpoint;
use chancery_verify::merkle::{CompactRange, TreeHead};
use chancery_verify::note::Note;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The form of the file.
const VERSION: u32 = 1;
/// Maximum bytes of the file: that of the most alarms that can wait, with room.
const MAX_BYTES: u64 = 64 << 20;

/// How often an output refuses an alarm until it is put aside.
const MAX_REFUSALS: u32 = 5;

/// Why a state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It is not a state.
    #[error("{path} is damaged: {fault}; put it back from a copy, or move it away to begin with the log anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
    /// It is about a log with another key or origin.
    #[error(
        "{path} is about another log ({rejection}): each key and origin needs a name of its own. After a rotation, keep this [[log]] with \
         its old key, and add a [[log]] with a new name for the successor"
    )]
    OtherLog {
        /// The file.
        path: PathBuf,
        /// The verifier's reason.
        rejection: Rejection,
    },
}

/// An alarm, and the outputs that do not have it yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pending {
    pub(crate) alarm: Alarm,
    /// Names of outputs.
    pub(crate) left: Vec<String>,
    /// How often each of them has refused it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    refused: BTreeMap<String, u32>,
}

impl Pending {
    /// An alarm that these outputs do not have.
    pub(crate) const fn new(alarm: Alarm, left: Vec<String>) -> Self {
        Self { alarm, left, refused: BTreeMap::new() }
    }

    /// Whether an output does not have it.
    pub(crate) fn is_left(&self, output: &str) -> bool {
        self.left.iter().any(|left| left == output)
    }

    /// How often an output has refused it.
    pub(crate) fn refusals(&self, output: &str) -> u32 {
        self.refused.get(output).copied().unwrap_or_default()
    }

    /// Whether an output has refused it so often that it waits no more: it is sent again when a monitor begins.
    pub(crate) fn is_aside(&self, output: &str) -> bool {
        self.refusals(output) >= MAX_REFUSALS
    }

    /// Whether it waits for an output.
    pub(crate) fn waits(&self) -> bool {
        self.left.iter().any(|output| !self.is_aside(output))
    }

    /// Whether an output has put it aside.
    pub(crate) fn is_refused(&self) -> bool {
        self.left.iter().any(|output| self.is_aside(output))
    }

    /// An output has refused it.
    pub(crate) fn refuse(&mut self, output: &str) {
        let refusals = self.refusals(output).saturating_add(1).min(MAX_REFUSALS);
        self.refused.insert(output.to_owned(), refusals);
    }

    /// Forgets the outputs that have it, or are no more: `is_left` says which are left.
    pub(crate) fn keep(&mut self, is_left: impl Fn(&str) -> bool) {
        self.left.retain(|output| is_left(output));
        self.refused.retain(|output, _| is_left(output));
    }
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    /// Signed note of the newest tree that extends all earlier ones.
    checkpoint: Option<String>,
    /// Entries that were hashed into a signed tree and looked at.
    followed: u64,
    /// Their tree: the hashes of its complete subtrees in hexadecimal. `None` until the first proof, where following began at a
    /// tree that was not read.
    subtrees: Option<String>,
    /// When the log last grew or signed anew, in ms since the epoch.
    fresh_ms: Option<u64>,
    conditions: Conditions,
    pending: Vec<Pending>,
}

/// The newest tree that extends all earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) checkpoint: String,
    pub(crate) tree: TreeHead,
}

/// The state of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) remembered: Option<Remembered>,
    pub(crate) followed: u64,
    pub(crate) range: Option<CompactRange>,
    pub(crate) fresh_ms: Option<u64>,
    pub(crate) conditions: Conditions,
    pub(crate) pending: Vec<Pending>,
}

impl State {
    /// Reads the state of the log that `source` asks. `None` if there is none yet.
    pub(crate) fn read(path: &Path, source: &dyn Source) -> Result<Option<Self>, StateError> {
        let Some(text) = read(path)? else { return Ok(None) };
        let damaged = |fault: String| StateError::Damaged { path: path.to_owned(), fault };
        let stored: Stored = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if stored.version != VERSION {
            return Err(damaged(format!("its version is {}, and this program reads {VERSION}", stored.version)));
        }
        let remembered = stored.checkpoint.map(|checkpoint| {
            let tree = source.open_checkpoint(&checkpoint);
            let tree = tree.map_err(|rejection| StateError::OtherLog { path: path.to_owned(), rejection })?;
            Ok(Remembered { checkpoint, tree })
        });
        let remembered = remembered.transpose()?;
        let followed = stored.followed;
        let range = stored.subtrees.map(|text| {
            let bytes = hex::decode(&text).ok();
            let range = bytes.and_then(|bytes| CompactRange::from_bytes(followed, &bytes));
            range.ok_or_else(|| damaged("the subtrees are not those of as many entries".to_owned()))
        });
        let range = range.transpose()?;
        let tree = remembered.as_ref().map(|remembered| remembered.tree);
        let fits = match (&range, tree) {
            (Some(range), Some(tree)) => followed < tree.size || range.head() == tree,
            (None, Some(tree)) => followed == tree.size,
            (range, None) => followed == 0 && range.is_none(),
        };
        if !fits {
            return Err(damaged(
                "the entries that were followed are not the beginning of the remembered tree".to_owned(),
            ));
        }
        let Stored { fresh_ms, conditions, pending, .. } = stored;
        Ok(Some(Self { remembered, followed, range, fresh_ms, conditions, pending }))
    }

    /// Writes the state. When this returns, it survives a power cut.
    pub(crate) async fn write(&self, path: &Path) -> Result<(), StateError> {
        let stored = Stored {
            version: VERSION,
            checkpoint: self.remembered.as_ref().map(|remembered| remembered.checkpoint.clone()),
            followed: self.followed,
            subtrees: self.range.as_ref().map(|range| hex::encode(range.to_bytes())),
            fresh_ms: self.fresh_ms,
            conditions: self.conditions.clone(),
            pending: self.pending.clone(),
        };
        let text = serde_json::to_vec(&stored).map_err(io::Error::other);
        write(path, text.map_err(|source| StateError::File { path: path.to_owned(), source })?).await
    }
}

/// Writes a file durably.
pub(crate) async fn write(path: &Path, contents: Vec<u8>) -> Result<(), StateError> {
    let target = path.to_owned();
    let written = tokio::task::spawn_blocking(move || durable::write(&target, &contents)).await;
    let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
    written.map_err(|source| StateError::File { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<Option<String>, StateError> {
    let file_error = |source| StateError::File { path: path.to_owned(), source };
    if !fs::exists(path).map_err(file_error)? {
        return Ok(None);
    }
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text)).map_err(file_error)?;
    Ok(Some(text))
}

/// The first line of the checkpoint that is remembered in a state, if there is one. Nothing is verified: it only says which of
/// several trees was followed.
pub(crate) fn unverified_origin(path: &Path) -> Result<Option<String>, StateError> {
    let Some(text) = read(path)? else { return Ok(None) };
    let stored: Option<Stored> = serde_json::from_str(&text).ok();
    let note = stored.and_then(|stored| stored.checkpoint).and_then(|checkpoint| Note::parse(&checkpoint).ok());
    Ok(note.and_then(|note| Checkpoint::parse(&note.text).ok()).map(|checkpoint| checkpoint.origin))
}
