//! The protocol between log and witness (C2SP tlog-witness), and the decision of a witness.
//!
//! A request has three parts: the size of the tree that the witness cosigned last, a proof that the tree of the new
//! checkpoint extends it, and the new checkpoint:
//!
//! ```text
//! old <size>
//! <base64 hash> …       consistency proof, at most 63 lines
//!
//! <checkpoint>
//! ```
//!
//! The answer is a cosignature, or the reason for a refusal. Services transport them. A witness is told of its logs one by
//! one ([`Log`]), or with a list ([`parse_list`]).

mod log;

pub use log::{Log, parse_list};

use crate::merkle::{self, TreeHead};
use crate::note::{self, NoteSignature};
use crate::{Hash, Rejection};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt;

/// Maximum hashes of a proof.
pub const MAX_PROOF: usize = 63;
/// Maximum bytes of a request and an answer: 63 hashes, and a checkpoint with dozens of signatures.
pub const MAX_BYTES: usize = 16 * 1024;

/// A request for a cosignature. Only its form is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint<'a> {
    /// Size of the tree that the witness cosigned last, according to the log. 0 if none.
    pub old: u64,
    /// Proof that the new tree extends the old one.
    pub proof: Vec<Hash>,
    /// The new checkpoint: a signed note.
    pub checkpoint: &'a str,
}

impl<'a> AddCheckpoint<'a> {
    /// Parses a request.
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

    /// The origin of the log, the checkpoint's first line. Not verified.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.checkpoint.split_once('\n').map_or("", |(origin, _)| origin)
    }

    /// Decides for a witness that trusts `log` and cosigned its tree `known` last. Returns the tree that it may cosign
    /// now.
    ///
    /// The caller MUST record that tree before it returns the cosignature, and MUST NOT judge two requests of one log
    /// at the same time.
    pub fn judge(&self, log: &Log, known: Option<&TreeHead>) -> Result<TreeHead, Refusal> {
        let new = log.open(self.checkpoint).map_err(|rejection| match rejection {
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

/// The reason why a witness does not cosign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The text is not a request, or its old tree is larger than the new one.
    Malformed,
    /// The checkpoint is not signed by the log.
    Unsigned,
    /// The tree that was cosigned last does not have the size in the request.
    Conflict {
        /// Its leaves.
        size: u64,
    },
    /// The proof does not show that the new tree extends the one that was cosigned last. If the proof is for that size,
    /// the log has forked.
    Inconsistent,
}

/// Parses a witness's answer to a conflict: its size, and a line break.
///
/// # Errors
/// [`Rejection::WitnessAnswer`].
pub fn parse_size(text: &str) -> Result<u64, Rejection> {
    let number = text.strip_suffix('\n').unwrap_or(text);
    parse_number(number).map_err(|_| Rejection::WitnessAnswer)
}

/// Parses the signature lines in a witness's answer.
///
/// # Errors
/// [`Rejection::WitnessAnswer`].
pub fn parse_lines(text: &str) -> Result<Vec<NoteSignature>, Rejection> {
    note::parse_signatures(text).map_err(|_| Rejection::WitnessAnswer)
}

/// Parses a decimal number without sign or leading zeros.
fn parse_number(text: &str) -> Result<u64, Rejection> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = canonical && text.bytes().all(|digit| digit.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(Rejection::WitnessRequest)
}
