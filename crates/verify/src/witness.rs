//! What a log and a witness say to each other (C2SP tlog-witness), and what a witness decides.
//!
//! A request states the size of the tree that the witness has cosigned last, proves that the tree of a new checkpoint
//! extends it, and carries that checkpoint:
//!
//! ```text
//! old <size>
//! <base64 hash> …       consistency proof, at most 63 lines
//!
//! <checkpoint>
//! ```
//!
//! The answer is a cosignature, or why there is none. How either travels is the services' business.

use crate::merkle::{self, TreeHead};
use crate::note::{self, NoteSignature};
use crate::verifier_key::VerifierKey;
use crate::{Hash, Rejection};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt;

/// Hashes one proof may have.
pub const MAX_PROOF: usize = 63;
/// The largest request and answer that are worth reading, in bytes: 63 hashes, and a checkpoint with dozens of signatures.
pub const MAX_BYTES: usize = 16 * 1024;

/// A request for a cosignature. Only its form is known to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint<'a> {
    /// Leaves of the tree the witness has cosigned last, as the log believes; 0 for none.
    pub old: u64,
    /// That the new tree extends the old one.
    pub proof: Vec<Hash>,
    /// The new checkpoint: a signed note.
    pub checkpoint: &'a str,
}

impl<'a> AddCheckpoint<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Rejection::WitnessRequest`].
    pub fn parse(text: &'a str) -> Result<Self, Rejection> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(Rejection::WitnessRequest)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).ok_or(Rejection::WitnessRequest)?;
        let hash = |line: &str| STANDARD.decode(line).ok().and_then(|hash| Hash::try_from(hash).ok());
        let proof = lines.map(|line| hash(line).ok_or(Rejection::WitnessRequest)).collect::<Result<Vec<_>, _>>()?;
        if proof.len() > MAX_PROOF {
            return Err(Rejection::WitnessRequest);
        }
        Ok(Self { old: parse_number(old)?, proof, checkpoint })
    }

    /// The log it says to be of: the checkpoint's first line.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.checkpoint.split_once('\n').map_or("", |(origin, _)| origin)
    }

    /// What a witness decides that trusts `log` and has cosigned `known` of it last: the tree it may cosign now.
    ///
    /// Whoever asks must record that tree before anybody sees the cosignature, and must not ask for two requests at once.
    pub fn judge(&self, log: &VerifierKey, known: Option<&TreeHead>) -> Result<TreeHead, Refusal> {
        let scheme = log.scheme().ok_or(Refusal::Unsigned)?;
        let new = scheme.open(self.checkpoint, log.key()).map_err(|rejection| match rejection {
            Rejection::NoteUnsigned | Rejection::NoteSignature | Rejection::CheckpointOrigin => Refusal::Unsigned,
            Rejection::RootMismatch => Refusal::Inconsistent,
            _ => Refusal::Malformed,
        })?;
        if self.old > new.size {
            return Err(Refusal::Malformed);
        }
        let nothing = TreeHead { size: 0, root: merkle::empty_root() };
        let known = known.unwrap_or(&nothing);
        if self.old != known.size {
            return Err(Refusal::Conflict { size: known.size });
        }
        merkle::verify_consistency(known, &new, &self.proof).map_err(|_| Refusal::Inconsistent)?;
        Ok(new)
    }
}

impl fmt::Display for AddCheckpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not a request, or one that says that the old tree is larger than the new one.
    Malformed,
    /// The checkpoint is not signed by the log.
    Unsigned,
    /// The tree that was cosigned last has another size than the request says.
    Conflict {
        /// Its leaves.
        size: u64,
    },
    /// The new tree is not shown to extend the one that was cosigned last. Where the proof is of that size, the log has forked.
    Inconsistent,
}

/// Reads the size a witness answers a conflict with: a number and a line break.
///
/// # Errors
/// [`Rejection::WitnessAnswer`].
pub fn parse_size(text: &str) -> Result<u64, Rejection> {
    let number = text.strip_suffix('\n').unwrap_or(text);
    parse_number(number).map_err(|_| Rejection::WitnessAnswer)
}

/// Reads the signature lines a witness answers with.
///
/// # Errors
/// [`Rejection::WitnessAnswer`].
pub fn parse_lines(text: &str) -> Result<Vec<NoteSignature>, Rejection> {
    note::parse_signatures(text).map_err(|_| Rejection::WitnessAnswer)
}

/// A decimal number with one spelling.
fn parse_number(text: &str) -> Result<u64, Rejection> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = canonical && text.bytes().all(|digit| digit.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(Rejection::WitnessRequest)
}
