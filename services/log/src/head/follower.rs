//! Asking for a newer head: the channel between those who have seen one committed and the sequencer, which publishes it.

use super::Published;
use crate::Error;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Readers that may wait for a newer head; beyond it they are told to come back.
const CAPACITY: usize = 4096;

/// Someone who has seen a committed head that is not published here yet.
pub(crate) struct Reader {
    pub(crate) size: u64,
    pub(crate) answer: oneshot::Sender<Result<Arc<Published>, Error>>,
}

/// The side that reads.
#[derive(Clone)]
pub(crate) struct Follower(mpsc::Sender<Reader>);

/// A follower and the sequencer's end of it.
pub(crate) fn follower() -> (Follower, mpsc::Receiver<Reader>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Follower(sender), receiver)
}

impl Follower {
    /// Waits until a head of at least `size` leaves is published, which the caller has seen committed. `None` where the
    /// sequencer has stopped: nothing newer than the published head will be signed here.
    pub(crate) async fn follow(&self, size: u64) -> Result<Option<Arc<Published>>, Error> {
        let (answer, published) = oneshot::channel();
        match self.0.try_send(Reader { size, answer }) {
            Ok(()) => published.await.ok().transpose(),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Error::Busy { retry_after_seconds: 1 }),
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(None),
        }
    }
}
