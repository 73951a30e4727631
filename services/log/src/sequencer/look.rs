//! Looking: what a sequencer finds out about its database while nothing is written.

use super::Sequencer;
use crate::quarantine::Reason;
use crate::store::StoreError;
use chancery_verify::merkle::TreeHead;
use std::sync::atomic::Ordering;

impl Sequencer {
    /// Looks whether the database was put back, or the log was frozen, while nothing was written. A database that fails says
    /// nothing about what is in it.
    pub(super) async fn look(&mut self) -> Result<(), Reason> {
        match self.store.head(self.record.log_id).await {
            Ok(head) => put_back_from(&self.head.tree, &head.tree).map_or(Ok(()), Err)?,
            Err(StoreError::Corrupt(corrupt)) => return Err(corrupt.into()),
            Err(error) => tracing::debug!(log.name = %self.record.name, %error, "cannot see the committed head"),
        }
        self.look_for_freeze().await;
        Ok(())
    }

    async fn look_for_freeze(&mut self) {
        if self.frozen.load(Ordering::Relaxed) {
            return;
        }
        match self.store.frozen(self.record.log_id).await {
            Ok(Some(_)) => self.freeze().await,
            Ok(None) => {}
            Err(error) => tracing::debug!(log.name = %self.record.name, %error, "cannot see whether the log is frozen"),
        }
    }
}

/// Why a database that shows the tree `found` is in doubt, where `known` was committed before. Pure. Whether a larger tree
/// extends the known one is seen before it is signed, see [`super::follow`].
pub(super) fn put_back_from(known: &TreeHead, found: &TreeHead) -> Option<Reason> {
    (found.size < known.size).then_some(Reason::PutBack { head: found.size, known: known.size })
}
