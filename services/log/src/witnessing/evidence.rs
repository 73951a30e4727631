//! What a witness must show before it is believed against the log.
//!
//! A 409 or 422 carries no signature. Any witness that is broken, hostile or reached through a hostile network can send
//! one, and a log that believed it would be stopped by it. So the witness is asked for the checkpoint that it has
//! cosigned. Only what the log's own key has signed counts: it either is of a tree that the database does not have, or it
//! says nothing against the log.

use super::WitnessClient;
use super::context::Context;
use crate::guard::verify_extension;
use crate::quarantine::Reason;
use crate::store::StoreError;
use chancery_verify::Rejection;
use chancery_verify::cosignature::Witness;

/// Why what a witness says against the log is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unproven {
    /// Its checkpoint could not be fetched.
    #[error("its checkpoint cannot be fetched: {reason}")]
    Unreachable {
        /// For the operator's log.
        reason: String,
    },
    /// It serves no checkpoint.
    #[error("it shows no checkpoint of this log")]
    NotShown,
    /// Its checkpoint is not one of this log.
    #[error("the checkpoint it shows was not signed by this log's key: {0}")]
    Unsigned(Rejection),
    /// Its checkpoint is of a tree that the log extends.
    #[error("the checkpoint it shows, of {size} leaves, is one that the log extends")]
    Harmless {
        /// Leaves of the checkpoint.
        size: u64,
    },
}

impl Context {
    /// Why the log must not go on, as the checkpoint that the witness shows proves it. An error of the database says
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
        // Read after the checkpoint: whatever a replica had signed was committed before.
        let committed = self.store.head(self.record.log_id).await?.tree;
        let (head, witnessed) = (committed.size, tree.size);
        let (witness, evidence) = (witness.name().to_string(), client.evidence(&self.record.origin));
        if witnessed > head {
            return Ok(Ok(Reason::WitnessAhead { head, witnessed, witness, evidence }));
        }
        Ok(match verify_extension(&*self.store, self.record.log_id, &tree, &committed).await? {
            Ok(()) => Err(Unproven::Harmless { size: witnessed }),
            Err(corrupt) if corrupt.rejection.is_none() => Ok(corrupt.into()),
            Err(_) => Ok(Reason::WitnessForked { head, witnessed, witness, evidence }),
        })
    }
}
