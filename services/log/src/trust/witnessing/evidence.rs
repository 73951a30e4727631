//! The proof that a witness must show before the log is quarantined.
//!
//! A 409 or 422 carries no signature. Any broken or hostile witness, or an attacker on the network, can send one, and
//! could stop the log with it. So the log asks the witness for the checkpoint that it has cosigned. Only a checkpoint
//! signed by the log's own key counts: either it is of a tree that the database does not have, or it proves nothing
//! against the log.

use super::WitnessClient;
use super::context::Context;
use crate::quarantine::Reason;
use crate::store::StoreError;
use crate::trust::guard::verify_extension;
use chancery_verify::cosignature::Witness;
use chancery_verify::{Rejection, leaves};

/// The reason why a witness's claim against the log is rejected.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unproven {
    /// Its checkpoint could not be fetched.
    #[error("its checkpoint cannot be fetched: {reason}")]
    Unreachable {
        /// For the operator's log.
        reason: String,
    },
    /// The witness serves no checkpoint.
    #[error("it shows no checkpoint of this log")]
    NotShown,
    /// Its checkpoint is not one of this log.
    #[error("the checkpoint it shows was not signed by this log's key: {0}")]
    Unsigned(Rejection),
    /// Its checkpoint is of a tree that the log extends.
    #[error("the checkpoint it shows, of {size}, is one that the log extends", size = leaves(*.size))]
    Harmless {
        /// Leaves of the checkpoint.
        size: u64,
    },
}

impl Context {
    /// Returns the reason for a quarantine that the witness's checkpoint proves. An error of the database proves
    /// nothing in either direction.
    pub(super) async fn examine(
        &self,
        witness: &Witness,
        client: &dyn WitnessClient,
    ) -> Result<Result<Reason, Unproven>, StoreError> {
        let note = match client.checkpoint(&self.record.origin).await {
            Ok(Some(note)) => note,
            Ok(None) => return Ok(Err(Unproven::NotShown)),
            Err(unreachable) => return Ok(Err(Unproven::Unreachable { reason: unreachable.reason })),
        };
        let tree = match self.scheme.open(&note, &self.key) {
            Ok(tree) => tree,
            Err(rejection) => return Ok(Err(Unproven::Unsigned(rejection))),
        };
        // Read after the checkpoint: a head that a replica had signed was committed before.
        let committed = self.store.head(self.record.log_id).await?.tree;
        let (head, witnessed) = (committed.size, tree.size);
        let (witness, evidence) = (witness.name().to_string(), client.evidence(&self.record.origin));
        if witnessed > head {
            return Ok(Ok(Reason::WitnessAhead { head, witnessed, witness, evidence, checkpoint: note }));
        }
        Ok(match verify_extension(&*self.store, self.record.log_id, &tree, &committed).await? {
            Ok(()) => Err(Unproven::Harmless { size: witnessed }),
            Err(corrupt) if corrupt.rejection.is_none() => Ok(corrupt.into()),
            Err(_) => Ok(Reason::WitnessForked { head, witnessed, witness, evidence, checkpoint: note }),
        })
    }
}
