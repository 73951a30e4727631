//! The waiting batch: entries that were admitted and have no index yet.

use crate::engine::Sequenced;
use crate::{Corrupt, Error};
use bytes::Bytes;
use chancery_verify::{Hash, Timestamp};
use tokio::sync::{mpsc, oneshot};

/// Entries that may wait; beyond it callers are told to come back. At 8 KiB an entry this bounds memory to 32 MiB.
const CAPACITY: usize = 4096;

/// An admitted entry without an index.
///
/// A CT leaf contains its own time and index, so the bytes of a leaf exist only once it is sequenced: `seal` makes them.
pub struct Pending {
    /// Deduplication key: SHA-256 of what makes two submissions the same.
    pub identity_hash: Hash,
    /// Makes the leaf from its index and time. Must be pure: after a failed commit an equal entry may be sealed elsewhere.
    pub seal: Box<dyn Fn(u64, Timestamp) -> Result<Sealed, Corrupt> + Send + Sync>,
}

impl Pending {
    /// An entry that is nothing but its leaf: equal leaves are equal entries, so the leaf hash is the identity.
    pub(crate) fn of_leaf(leaf: impl Into<Bytes>, leaf_hash: Hash) -> Self {
        let leaf = leaf.into();
        let seal = Box::new(move |_, _| Ok(Sealed { leaf: leaf.clone(), extra: Bytes::new() }));
        Self { identity_hash: leaf_hash, seal }
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pending({})", hex::encode(self.identity_hash))
    }
}

/// The bytes of an entry, final.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// What is hashed into the tree.
    pub leaf: Bytes,
    /// What is kept beside it.
    pub extra: Bytes,
}

/// An entry with the one who waits for it.
pub(crate) struct Waiting {
    pub(crate) pending: Pending,
    pub(crate) answer: oneshot::Sender<Result<Sequenced, Error>>,
}

/// The side that submits.
#[derive(Clone)]
pub(crate) struct Pool(mpsc::Sender<Waiting>);

/// A pool and the sequencer's end of it.
pub(crate) fn pool() -> (Pool, mpsc::Receiver<Waiting>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Pool(sender), receiver)
}

impl Pool {
    /// Whether there still is a sequencer that takes entries.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.is_closed()
    }

    /// Entries that wait.
    pub(crate) fn waiting(&self) -> u64 {
        u64::try_from(self.0.max_capacity() - self.0.capacity()).unwrap_or(u64::MAX)
    }

    /// Submits an entry and waits until it is in a published tree, or until it is known that it is not.
    pub(crate) async fn submit(&self, pending: Pending) -> Result<Sequenced, Error> {
        let (answer, sequenced) = oneshot::channel();
        self.0.try_send(Waiting { pending, answer }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::Busy { retry_after_seconds: 1 },
            mpsc::error::TrySendError::Closed(_) => Error::Unavailable { reason: "the sequencer has stopped" },
        })?;
        sequenced.await.unwrap_or(Err(Error::Unavailable { reason: "the sequencer stopped before answering" }))
    }
}
