//! Checks that stored checkpoints are of the derived tree, and that the log's key signed them.

use super::{Finding, Signatures, Subject};
use chancery_verify::checkpoint::Checkpoint;
use chancery_verify::merkle::TreeHead;
use chancery_verify::note::Note;
use chancery_verify::{Rejection, Timestamp, checkpoint::Scheme};
use std::thread;

/// A stored checkpoint, and the derived tree of its size.
pub(super) struct Met {
    pub(super) note: String,
    pub(super) derived: TreeHead,
    /// Whether its signature is verified. Its contents always are.
    pub(super) with_signature: bool,
}

impl Signatures {
    /// Returns whether the signature of stored checkpoint number `ordinal` is verified.
    pub(super) const fn includes(self, ordinal: u64) -> bool {
        match self {
            Self::All => true,
            Self::OneIn(every) => ordinal.is_multiple_of(every.get() as u64),
        }
    }
}

/// Verifies all of `met` on every core, and returns the fault of the first wrong one.
pub(super) fn verify(subject: &Subject, met: &[Met]) -> Result<(), Finding> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = met.len().div_ceil(cores).max(1);
    let one_by_one = |met: &[Met]| met.iter().try_for_each(|met| verify_one(subject, met));
    // Starting a thread takes less time than verifying one signature.
    if met.len() < 2 {
        return one_by_one(met);
    }
    thread::scope(|scope| {
        let threads: Vec<_> = met.chunks(share).map(|share| scope.spawn(move || one_by_one(share))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Err(Finding::Interrupted)))
    })
}

fn verify_one(subject: &Subject, met: &Met) -> Result<(), Finding> {
    let size = met.derived.size;
    let wrong = |rejection| Finding::Checkpoint { size, rejection };
    let stated = if met.with_signature {
        subject.scheme.open(&met.note, &subject.key)
    } else {
        read(&subject.scheme, &met.note)
    };
    if stated.map_err(wrong)? == met.derived { Ok(()) } else { Err(wrong(Rejection::CheckpointMismatch)) }
}

/// Verifies the last checkpoint of a frozen log: it is of the whole log, and says since when the log is frozen.
pub(super) fn verify_frozen(
    subject: &Subject,
    tree: &TreeHead,
    since: Option<Timestamp>,
    note: String,
) -> Result<(), Finding> {
    let text = since.and_then(|since| subject.scheme.frozen_text(tree, since));
    let says_so = text.is_some_and(|text| note.starts_with(&text));
    verify_one(subject, &Met { note, derived: *tree, with_signature: true })?;
    if says_so { Ok(()) } else { Err(Finding::Log("its last checkpoint does not say since when it is frozen")) }
}

/// Returns the tree head in a note, without checking its signatures.
fn read(scheme: &Scheme, note: &str) -> Result<TreeHead, Rejection> {
    let checkpoint = Checkpoint::parse(&Note::parse(note)?.text)?;
    if checkpoint.origin == scheme.origin() { Ok(checkpoint.head) } else { Err(Rejection::CheckpointOrigin) }
}
