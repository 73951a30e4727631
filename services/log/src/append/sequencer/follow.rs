//! Following: a replica publishes heads that another one committed.
//!
//! A stopped replica that wakes up, or one that only ever reads, holds a published head that is behind. It publishes a
//! newer one only after it has read it as committed, re-hashed its right edge, and seen that it extends the head it
//! published before: a database that was put back and grew again does not get a second history signed.

use super::Sequencer;
use super::look::put_back_from;
use crate::head::{Published, Reader};
use crate::quarantine::Reason;
use crate::tree::checked_edge;
use crate::trust::guard::verify_extension;
use crate::{Corrupt, Error};
use chancery_verify::merkle::TreeHead;
use chancery_verify::tile::Edge;
use std::sync::Arc;

/// What readers are told of a head that is in doubt.
const NOT_SIGNED: &str = "the committed head is not one that may be signed";

impl Sequencer {
    /// Answers everyone who waits for a newer head. One read of the head serves them all, and none is needed where a
    /// batch has just published what they wait for. An error of this function is fatal to the loop.
    pub(super) async fn answer_readers(&mut self, readers: Vec<Reader>) -> Result<(), Reason> {
        let published = self.published.borrow().clone();
        let (served, waiting): (Vec<_>, Vec<_>) =
            readers.into_iter().partition(|reader| reader.size <= published.tree.size);
        for reader in served {
            // A reader who has gone away needs no answer.
            let _ = reader.answer.send(Ok(published.clone()));
        }
        if waiting.is_empty() {
            return Ok(());
        }
        let (answer, doubt) = match self.follow().await {
            Ok(published) => (Ok(published), None),
            Err(Error::Corrupt(corrupt) | Error::Store(crate::store::StoreError::Corrupt(corrupt))) => {
                (Err(NOT_SIGNED), Some(corrupt.into()))
            }
            Err(Error::Quarantined(reason)) => (Err(NOT_SIGNED), Some(reason)),
            Err(error) => {
                tracing::error!(log.name = %self.record.name, %error, "cannot publish the committed head");
                (Err("the committed head could not be read or signed"), None)
            }
        };
        for reader in waiting {
            let _ = reader.answer.send(answer.clone().map_err(|reason| Error::Unavailable { reason }));
        }
        doubt.map_or(Ok(()), Err)
    }

    /// Publishes the committed head where another replica has moved it.
    pub(super) async fn follow(&mut self) -> Result<Arc<Published>, Error> {
        if !self.store.shared() {
            return Ok(self.published.borrow().clone());
        }
        self.adopt().await?;
        self.sign().await
    }

    /// Takes the committed head for its own, where that is another one than it last saw.
    pub(super) async fn adopt(&mut self) -> Result<(), Error> {
        let begun = self.clock.moment();
        let head = self.store.head(self.record.log_id).await?;
        if head.tree != self.head.tree {
            if let Some(reason) = put_back_from(&self.head.tree, &head.tree) {
                return Err(Error::Quarantined(reason));
            }
            if head.tree.size == self.head.tree.size {
                return Err(Corrupt::new("a committed tree of one size has one root hash").into());
            }
            self.see(&head, begun);
            let tiles = self.store.tiles(self.record.log_id, Edge::tile_ids(head.tree.size)).await?;
            self.edge = checked_edge(&head, &tiles)?;
            self.head = head;
            self.adopted = true;
        }
        Ok(())
    }

    /// Signs the head with the time of now although it has not changed, and publishes that.
    pub(super) async fn sign_again(&mut self) -> Result<(), Error> {
        // Where another replica has moved the head since, an old one must not get a new date.
        self.follow().await?;
        let now = self.signing_time()?;
        let published = self.sign_head(now).await?;
        self.published.send_replace(Arc::new(published));
        Ok(())
    }

    /// Verifies that the committed head, which another replica built, extends the one that was published here.
    pub(super) async fn verify_adopted(&self, published: &TreeHead) -> Result<(), Error> {
        Ok(verify_extension(self.store.as_ref(), self.record.log_id, published, &self.head.tree).await??)
    }
}
