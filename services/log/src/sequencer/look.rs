//! Looking: what a sequencer finds out about its database while nothing is written.

use super::{Sequencer, is_behind};
use crate::quarantine::Reason;
use crate::store::{CommittedHead, StoreError};
use chancery_daemon::clock::{ClockFault, ClockGuard, Moment};
use chancery_verify::Timestamp;
use chancery_verify::merkle::TreeHead;
use std::sync::atomic::Ordering;

/// The largest head that was seen in the store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub(super) size: u64,
    /// A moment at which there was no larger one.
    pub(super) at: Moment,
}

impl Sight {
    /// Tells the guard of the clock how another replica has dated a head that was not there before.
    fn hear(&mut self, clock: &ClockGuard, head: &CommittedHead) {
        if head.tree.size > self.size {
            clock.other_server(head.timestamp, self.at);
            self.size = head.tree.size;
        }
    }

    /// Whether what is dated with `now` may follow this head. It must not, where the clock and that of another replica differ.
    pub(super) fn judge(&mut self, clock: &ClockGuard, now: Timestamp, head: &CommittedHead) -> Result<(), ClockFault> {
        if is_behind(now, head) {
            return Err(ClockFault::behind(now, head.timestamp));
        }
        self.hear(clock, head);
        clock.check().map(|_| ())
    }
}

impl Sequencer {
    /// Looks whether the database was put back, or the log was frozen or quarantined, while nothing was written. A database that fails says
    /// nothing about what is in it.
    pub(super) async fn look(&mut self) -> Result<(), Reason> {
        let begun = self.clock.moment();
        match self.store.head(self.record.log_id).await {
            Ok(head) => {
                put_back_from(&self.head.tree, &head.tree).map_or(Ok(()), Err)?;
                self.see(&head, begun);
            }
            Err(StoreError::Corrupt(corrupt)) => return Err(corrupt.into()),
            Err(error) => tracing::debug!(log.name = %self.record.name, %error, "cannot see the committed head"),
        }
        self.look_for_freeze().await;
        self.look_for_quarantine().await
    }

    /// Whether another server has found a fault.
    pub(super) async fn look_for_quarantine(&self) -> Result<(), Reason> {
        match self.store.quarantined(self.record.log_id).await {
            Ok(Some(recorded)) => Err(Reason::Recorded(Box::new(recorded))),
            Ok(None) => Ok(()),
            Err(error) => {
                tracing::debug!(log.name = %self.record.name, %error, "cannot see whether the log is quarantined");
                Ok(())
            }
        }
    }

    /// Notes a head that was read from the store after the moment `begun`.
    pub(super) fn see(&mut self, head: &CommittedHead, begun: Moment) {
        if self.store.shared() {
            self.sight.hear(&self.clock, head);
        }
        self.sight = Sight { size: self.sight.size.max(head.tree.size), at: begun };
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
