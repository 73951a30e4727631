//! Looking: a sequencer checks its database while nothing is written.
//!
//! Where the last batch failed, clients may have been sent elsewhere, so no entry comes that could show that the fault is
//! over. Then it rehearses one: everything that a batch writes is written, and undone.

use super::{LOOK, Sequencer, is_behind};
use crate::Error;
use crate::quarantine::Reason;
use crate::store::{CommittedHead, Store, StoreError};
use crate::tree::rehearsal;
use chancery_daemon::clock::{ClockFault, ClockGuard, Moment};
use chancery_verify::Timestamp;
use chancery_verify::merkle::TreeHead;
use chancery_verify::tile::Edge;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long an answer of the database is waited for. Batches that arrive have to wait as long.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// Waits until the database is seen to be behind `known`. A database that fails says nothing about what is in it.
pub(super) async fn put_back(store: Arc<dyn Store>, log_id: i64, known: TreeHead) -> Reason {
    loop {
        sleep(LOOK).await;
        if let Ok(Ok(head)) = timeout(PATIENCE, store.head(log_id)).await
            && let Some(reason) = put_back_from(&known, &head.tree)
        {
            return reason;
        }
    }
}

impl Sequencer {
    /// Looks whether the database was put back, or the log was frozen or quarantined, while nothing was written. A database that
    /// fails says nothing about what is in it.
    pub(super) async fn look(&mut self) -> Result<(), Reason> {
        let begun = self.clock.moment();
        let read = timeout(PATIENCE, self.store.head(self.record.log_id)).await;
        match read.unwrap_or(Err(StoreError::Timeout)) {
            Ok(head) => {
                put_back_from(&self.head.tree, &head.tree).map_or(Ok(()), Err)?;
                self.see(&head, begun);
                self.try_again(&head).await;
            }
            Err(StoreError::Corrupt(corrupt)) => return Err(corrupt.into()),
            Err(error) => tracing::debug!(log.name = %self.record.name, %error, "cannot see the committed head"),
        }
        self.look_for_freeze().await?;
        self.look_for_quarantine().await
    }

    /// Whether another server has found a fault.
    pub(super) async fn look_for_quarantine(&self) -> Result<(), Reason> {
        let read = timeout(PATIENCE, self.store.quarantined(self.record.log_id)).await;
        match read.unwrap_or(Err(StoreError::Timeout)) {
            Ok(Some(recorded)) => Err(Reason::Recorded(Box::new(recorded))),
            Ok(None) => Ok(()),
            Err(error) => {
                tracing::debug!(log.name = %self.record.name, %error, "cannot see whether the log is quarantined");
                Ok(())
            }
        }
    }

    /// Finds out whether entries are taken again, where the last ones were not. A head that could not be signed is not its
    /// matter: the loop tries to sign it again.
    async fn try_again(&mut self, head: &CommittedHead) {
        if !self.activity.has_failed() || !self.is_published() {
            return;
        }
        match timeout(PATIENCE, self.rehearse(head)).await.unwrap_or(Err(StoreError::Timeout)) {
            Ok(()) => {
                tracing::info!(log.name = %self.record.name, "the log takes entries again");
                self.activity.recover();
            }
            Err(error) if error.is_frozen() => {
                self.freeze().await;
                self.activity.recover();
            }
            Err(error) => self.activity.fail(error.to_string()),
        }
    }

    /// Writes an entry and undoes it, and then stores the newest checkpoint, unless it is: the commit that a rehearsal has
    /// not.
    async fn rehearse(&mut self, head: &CommittedHead) -> Result<(), StoreError> {
        let log_id = self.record.log_id;
        let tiles = self.store.tiles(log_id, Edge::tile_ids(head.tree.size)).await?;
        self.store.rehearse(log_id, &rehearsal(head, &tiles)?).await?;
        if let Some((size, note)) = self.unstored.clone() {
            self.store.publish(log_id, size, note).await?;
            self.activity.checkpointed(size);
            self.unstored = None;
        }
        Ok(())
    }

    /// Notes a head that was read from the store after the moment `begun`.
    pub(super) fn see(&mut self, head: &CommittedHead, begun: Moment) {
        if self.store.shared() {
            self.sight.hear(&self.clock, head);
        }
        self.sight = Sight { size: self.sight.size.max(head.tree.size), at: begun };
    }

    /// Whether the log was frozen. Then its last checkpoint is published, and stored.
    async fn look_for_freeze(&mut self) -> Result<(), Reason> {
        if self.is_closed {
            return Ok(());
        }
        let read = timeout(PATIENCE, self.store.frozen(self.record.log_id)).await;
        match read.unwrap_or(Err(StoreError::Timeout)) {
            Ok(Some(since)) => {
                self.freeze().await;
                self.close(since).await
            }
            Ok(None) => Ok(()),
            Err(error) => {
                tracing::debug!(log.name = %self.record.name, %error, "cannot see whether the log is frozen");
                Ok(())
            }
        }
    }

    /// Publishes and stores the last checkpoint of the frozen log. The next look tries again where that fails.
    async fn close(&mut self, since: Timestamp) -> Result<(), Reason> {
        match self.sign_last(since).await {
            Ok(()) => {
                self.is_closed = true;
                Ok(())
            }
            Err(Error::Corrupt(corrupt) | Error::Store(StoreError::Corrupt(corrupt))) => Err(corrupt.into()),
            Err(Error::Quarantined(reason)) => Err(reason),
            Err(error) => {
                tracing::warn!(log.name = %self.record.name, %error, "cannot publish the last checkpoint of the frozen log yet");
                Ok(())
            }
        }
    }

    /// Signs the head of the frozen log once more, where the checkpoints of its kind of log say since when it has been
    /// frozen. The time is the database's, so that every replica and every start says the same.
    async fn sign_last(&mut self, since: Timestamp) -> Result<(), Error> {
        let log_id = self.record.log_id;
        // A log that was ended was frozen and quarantined in one transaction. Nothing of it is signed any more.
        if let Some(recorded) = self.store.quarantined(log_id).await? {
            return Err(Error::Quarantined(Reason::Recorded(Box::new(recorded))));
        }
        self.frozen_since = Some(since);
        // Read after the freeze: it is the last one. A batch that failed may have been committed nevertheless.
        self.adopt().await?;
        let published = self.sign().await?;
        let Some(text) = self.scheme.frozen_text(&published.tree, since) else { return Ok(()) };
        if published.note.starts_with(&text) {
            self.store.publish_frozen(log_id, published.note.clone()).await?;
        } else {
            // Stored before anyone sees it, as the checkpoint of every other head.
            let last = Arc::new(self.sign_head(published.timestamp).await?);
            self.store.publish_frozen(log_id, last.note.clone()).await?;
            self.published.send_replace(last);
        }
        Ok(())
    }
}

/// Why a database that shows the tree `found` is in doubt, where `known` was committed before. Pure. Whether a larger tree
/// extends the known one is seen before it is signed, see [`super::follow`].
pub(super) fn put_back_from(known: &TreeHead, found: &TreeHead) -> Option<Reason> {
    (found.size < known.size).then_some(Reason::PutBack { head: found.size, known: known.size })
}
