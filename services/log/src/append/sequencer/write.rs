//! Writing: how the entries of a batch come into the store.
//!
//! 1. The tree is extended on the assumption that no other process has appended since this one last did, and that no entry of
//!    the batch is logged.
//! 2. The store takes the extension in one transaction, or says what the log holds instead.
//! 3. Then the tree is extended from that, and the extension is tried again.
//!
//! Where it is overtaken again, another replica is appending as well, and could win every race. Then the head is locked before
//! the tree is extended, so that replicas take turns. While they compete, a batch begins with the lock; the first one before
//! which no other replica came in between goes back to the shorter way. Being wrong about this costs round trips only.
//!
//! This is the one place where a batch is tried again: after another replica was faster, after the server chose this
//! transaction to end a conflict, and where the connection broke. The first two are certain to have written nothing. After a
//! broken connection the result is unknown. But a batch is the same at every attempt, including its time: the head that is
//! found next shows whether it was written.

use super::Sequencer;
use super::look::put_back_from;
use crate::store::{Batch, Extension, Found, Integration, StoreError};
use crate::tree::{Extended, Pending, extend_tree};
use crate::{Corrupt, Error};
use chancery_verify::Timestamp;
use chancery_verify::merkle::TreeHead;
use std::time::{Duration, Instant};

/// How often a batch is tried before it fails: more often than a store has connections, so that a server that was restarted,
/// and thereby made all of them useless, goes unnoticed.
const ATTEMPTS: u32 = 16;
/// For how long after the first attempt there is another one.
const PATIENCE: Duration = Duration::from_secs(45);

/// The committed tree with a batch.
pub(super) struct Grown {
    /// The tree without it.
    pub(super) base: TreeHead,
    pub(super) extended: Extended,
}

/// What came of one attempt to write a batch.
enum Attempt {
    /// Every entry is in the store.
    Written(Box<Grown>),
    /// Another replica was faster, or some of the batch was logged before. Nothing was written.
    Overtaken(Found),
}

/// A batch, the same at every attempt.
struct Writing<'a> {
    batch: &'a Batch<'a>,
    /// The entries of which the batch has the identities.
    unique: &'a [&'a Pending],
    now: Timestamp,
    /// What an attempt has made of the log, if it was written before its connection broke.
    unsure: Option<Grown>,
}

impl Sequencer {
    /// Has the store take the batch. Returns the tree with it.
    pub(super) async fn write(
        &mut self,
        batch: &Batch<'_>,
        unique: &[&Pending],
        now: Timestamp,
    ) -> Result<Grown, Error> {
        let mut writing = Writing { batch, unique, now, unsure: None };
        let known = batch.known.filter(|_| !self.contended);
        let mut found = known.map(|known| Found::expected(known, batch.identities.len()));
        let (begun, mut attempt) = (Instant::now(), 1);
        while begun.elapsed() < PATIENCE {
            let is_expectation = attempt == 1 && found.is_some();
            found = match self.attempt(found, &mut writing).await {
                Ok(Attempt::Written(grown)) => return Ok(*grown),
                Ok(Attempt::Overtaken(instead)) if is_expectation => {
                    // Entries that are logged already say nothing of other replicas.
                    self.contended |= known.is_none_or(|known| known.tree != instead.head.tree);
                    Some(instead)
                }
                Ok(Attempt::Overtaken(_)) => {
                    self.contended = true;
                    None
                }
                Err(Error::Store(error)) if attempt < ATTEMPTS && (error.is_disconnected() || error.is_conflict()) => {
                    tracing::debug!(log.name = %self.record.name, attempt, %error, "a batch is tried again");
                    None
                }
                Err(error) => return Err(error),
            };
            attempt += 1;
        }
        Err(StoreError::Timeout.into())
    }

    /// Tries to write the batch where this was found, or where nothing was found yet.
    async fn attempt(&mut self, found: Option<Found>, writing: &mut Writing<'_>) -> Result<Attempt, Error> {
        let (found, lock) = match found {
            Some(found) => (found, None),
            None if self.contended => {
                let (found, lock) = self.store.lock(writing.batch).await?;
                (found, Some(lock))
            }
            None => (self.store.find(writing.batch).await?, None),
        };
        let written_before = writing.unsure.take_if(|unsure| unsure.extended.head == found.head);
        let grown = match written_before {
            Some(grown) => Ok((grown, None)),
            None => self.extend(found, writing.unique, writing.now),
        };
        let (grown, extension) = match grown {
            Ok((grown, Some(extension))) => (grown, extension),
            // Nothing is to be written.
            nothing => {
                if let Some(lock) = lock {
                    lock.release().await;
                }
                return nothing.map(|(grown, _)| Attempt::Written(Box::new(grown)));
            }
        };
        let is_locked = lock.is_some();
        match self.store.integrate(writing.batch, &extension, lock).await {
            Ok(Integration::Committed) => {
                if is_locked {
                    let known = writing.batch.known.map(|known| known.tree.size);
                    self.contended = known != Some(grown.base.size);
                }
                Ok(Attempt::Written(Box::new(grown)))
            }
            Ok(Integration::Overtaken(found)) => Ok(Attempt::Overtaken(found)),
            Err(error) => {
                if error.is_disconnected() {
                    writing.unsure = Some(grown);
                }
                Err(error.into())
            }
        }
    }

    /// The tree that was found with the batch, and what is to be written for it, if anything is new. What is committed on a head
    /// that is in doubt, or that another clock than ours has dated, could never be signed.
    fn extend(
        &mut self,
        found: Found,
        unique: &[&Pending],
        now: Timestamp,
    ) -> Result<(Grown, Option<Extension>), Error> {
        let (head, seen) = (found.head, self.head.tree);
        let base = head.tree;
        if let Some(reason) = put_back_from(&seen, &base) {
            return Err(Error::Quarantined(reason));
        }
        self.sight.judge(&self.clock, now, &head)?;
        let mut extended = extend_tree(found, &self.edge, unique, now)?;
        if base.size == seen.size && base.root != seen.root {
            return Err(Corrupt::new("a committed tree of one size has one root hash").into());
        }
        let extension = extended.extension.take();
        Ok((Grown { base, extended }, extension))
    }
}
