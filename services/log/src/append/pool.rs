//! The waiting batch: entries that were admitted and have no index yet.

use crate::Error;
use crate::head::Sequenced;
use crate::tree::Pending;
use tokio::sync::{mpsc, oneshot};

/// Entries that may wait; beyond it callers are told to come back. At 8 KiB an entry this bounds memory to 32 MiB.
const CAPACITY: usize = 4096;

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
