//! The state of a log: the checkpoint that was cosigned last, with the signatures of the log and of the witness.
//!
//! One file per log, `logs/<SHA-256 of the origin>.checkpoint`, replaced as a whole. Its signatures protect it: a file
//! that is not signed by both the log's key and the witness's key is refused, and never counts as «nothing cosigned
//! yet».

use super::Error;
use chancery_daemon::durable;
use chancery_verify::Rejection;
use chancery_verify::cosignature::Witness as Cosigner;
use chancery_verify::merkle::TreeHead;
use chancery_verify::note::Note;
use chancery_verify::witness::{self, Log};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// The checkpoint that was cosigned last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) head: TreeHead,
    pub(super) note: String,
}

impl Kept {
    /// Reads and verifies the state at `path`. `None` if nothing was cosigned yet.
    pub(super) fn read(path: &Path, log: &Log, own: &Cosigner) -> Result<Option<Self>, Error> {
        let file_error = |source| Error::File { path: path.to_owned(), source };
        if !fs::exists(path).map_err(file_error)? {
            return Ok(None);
        }
        let mut note = String::new();
        let limit = u64::try_from(2 * witness::MAX_BYTES).unwrap_or(u64::MAX);
        File::open(path).and_then(|file| file.take(limit).read_to_string(&mut note)).map_err(file_error)?;
        let head = verify(&note, log, own).map_err(|rejection| Error::Damaged { path: path.to_owned(), rejection })?;
        Ok(Some(Self { head, note }))
    }

    /// Writes the state to `path`. When this returns, it survives a power cut.
    pub(super) async fn write(&self, path: &Path) -> Result<(), Error> {
        let (target, note) = (path.to_owned(), self.note.clone());
        let written = tokio::task::spawn_blocking(move || durable::write(&target, note.as_bytes())).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|source| Error::File { path: path.to_owned(), source })
    }
}

fn verify(note: &str, log: &Log, own: &Cosigner) -> Result<TreeHead, Rejection> {
    let head = log.open(note)?;
    let parsed = Note::parse(note)?;
    own.find(&parsed.text, &parsed.signatures)?;
    Ok(head)
}
