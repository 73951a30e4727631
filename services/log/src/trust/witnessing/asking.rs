//! One conversation with one witness about one checkpoint.
//!
//! A request must name the size that the witness has cosigned last. If that is not known, the request says 0 and the
//! witness answers with the size (409). A size beyond the committed one means that the database was restored to an
//! earlier state, or that another log signs with this key. If the witness refuses the proof from the size it has just
//! named, its history differs from ours. Either is a claim that the witness must prove, see [`super::evidence`].

use super::context::Context;
use super::evidence::Unproven;
use super::{Answer, Unreachable, WitnessClient};
use crate::head::Published;
use crate::quarantine::Reason;
use chancery_verify::cosignature::Witness;
use chancery_verify::note::{Note, NoteSignature};
use chancery_verify::witness::{AddCheckpoint, parse_lines};
use chancery_verify::{Rejection, leaves};

/// Maximum requests of one conversation: two to learn the witness's size, one for the cosignature, and one because
/// another replica may have been faster.
const REQUESTS: usize = 4;

/// The reason why there is no cosignature.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The witness does not answer.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The answer is not a cosignature of this checkpoint.
    #[error("its answer is refused: {0}")]
    Invalid(#[from] Rejection),
    /// The witness refuses with another status.
    #[error("it refused with status {status}")]
    Refused {
        /// The status.
        status: u16,
    },
    /// The witness has cosigned a larger tree than this checkpoint's, which another replica has committed.
    #[error("it has already cosigned {size}", size = leaves(*.size))]
    Behind {
        /// Leaves that it has cosigned.
        size: u64,
    },
    /// The database failed.
    #[error("no proof: {0}")]
    Proof(crate::Error),
    /// The witness claims to have cosigned more of this log than the database has, or another tree, and does not prove
    /// it.
    #[error(
        "it answers as if it had cosigned {size} that this log does not have, which it does not prove: {why}",
        size = leaves(*.size)
    )]
    Unproven {
        /// Leaves that it claims to have cosigned.
        size: u64,
        /// The missing proof.
        why: Unproven,
    },
    /// The stored state is not what this log's key has signed.
    #[error("{0}")]
    Doubt(Reason),
}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        match error.corrupt() {
            Some(corrupt) => Self::Doubt(corrupt.clone().into()),
            None => Self::Proof(error),
        }
    }
}

impl Failure {
    /// The name in metrics.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Invalid(_) => "invalid",
            Self::Behind { .. } => "behind",
            Self::Unproven { .. } => "unproven",
            Self::Refused { .. } | Self::Proof(_) | Self::Doubt(_) => "refused",
        }
    }
}

/// The outcome of a conversation.
pub(super) struct Outcome {
    /// Leaves that the witness has cosigned, as far as is known.
    pub(super) known: Option<u64>,
    pub(super) result: Result<NoteSignature, Failure>,
}

/// One witness and one checkpoint.
struct Conversation<'a> {
    context: &'a Context,
    witness: &'a Witness,
    client: &'a dyn WitnessClient,
    head: &'a Published,
    /// The size that the next request states.
    old: u64,
    /// Whether the witness has named it in this conversation.
    told: bool,
}

impl Context {
    /// Asks for a cosignature of `head`. `known` is the size that the witness had cosigned last.
    pub(super) async fn converse(
        &self,
        witness: &Witness,
        client: &dyn WitnessClient,
        head: &Published,
        known: Option<u64>,
    ) -> Outcome {
        let old = known.unwrap_or(0);
        let mut conversation = Conversation { context: self, witness, client, head, old, told: false };
        let result = conversation.hold().await;
        let known = match &result {
            Ok(_) => Some(head.tree.size),
            Err(Failure::Behind { size }) => Some(*size),
            Err(_) => None,
        };
        Outcome { known, result }
    }
}

impl Conversation<'_> {
    async fn hold(&mut self) -> Result<NoteSignature, Failure> {
        for _ in 0..REQUESTS {
            if self.old > self.head.tree.size {
                return Err(self.beyond(self.old).await?);
            }
            let proof = self.context.prove(self.old, self.head.tree.size).await?;
            let request = AddCheckpoint { old: self.old, proof, checkpoint: &self.head.note }.to_string();
            match self.client.add_checkpoint(request).await? {
                Answer::Cosigned(lines) => return self.accept(&lines),
                Answer::Conflict(Some(size)) if size != self.old => (self.old, self.told) = (size, true),
                // A size from an earlier conversation may be out of date. A size from this conversation is not.
                Answer::Conflict(None) | Answer::Inconsistent if self.old > 0 && self.told => {
                    return Err(self.doubt(self.old).await?);
                }
                Answer::Conflict(None) | Answer::Inconsistent if self.old > 0 => self.old = 0,
                // This includes a witness that asks for the size that the request has just stated. That proves nothing
                // about the log.
                Answer::Conflict(_) => return Err(Failure::Refused { status: 409 }),
                Answer::Inconsistent => return Err(Failure::Refused { status: 422 }),
                Answer::Refused { status } => return Err(Failure::Refused { status }),
            }
        }
        // The witness names another size every time. It is asked again after a pause.
        Err(Failure::Refused { status: 409 })
    }

    /// Returns the witness's line, if it is valid.
    fn accept(&self, lines: &str) -> Result<NoteSignature, Failure> {
        let text = Note::parse(&self.head.note)?.text;
        let lines = parse_lines(lines)?;
        let (line, _) = self.witness.find(&text, &lines)?;
        Ok(line.clone())
    }

    /// Decides what follows if the witness has cosigned `size` leaves and the checkpoint has fewer.
    async fn beyond(&self, size: u64) -> Result<Failure, Failure> {
        // Read after the answer: a head that a replica had cosigned was committed before.
        let committed = self.context.store.head(self.context.record.log_id).await;
        let committed = committed.map_err(crate::Error::from)?.tree.size;
        if size <= committed {
            return Ok(Failure::Behind { size });
        }
        self.doubt(size).await
    }

    /// Decides what follows if the witness claims to have cosigned `size` leaves that this log does not have.
    async fn doubt(&self, size: u64) -> Result<Failure, Failure> {
        let examined = self.context.examine(self.witness, self.client).await;
        Ok(match examined.map_err(crate::Error::from)? {
            Ok(reason) => Failure::Doubt(reason),
            Err(why) => Failure::Unproven { size, why },
        })
    }
}
