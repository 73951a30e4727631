//! Events about new entries: a receiver is told of every entry that the index has read, at least once, in order for each log.
//!
//! # A round
//! 1. Read how far the receiver is in a log, and how far the index has come. Nothing is announced that is not indexed: then it was
//!    proven to be in a tree that the log has signed, and no event is about an entry that a log could lose.
//! 2. Take the cursor, by compare-and-swap on its version.
//! 3. Read entries, prove each one in the tree of the index's checkpoint, and send the events.
//! 4. When the receiver has confirmed them, move the cursor behind them, by compare-and-swap again. **The commit is the point from
//!    which they are not sent again.** A process that is killed between 3 and 4 sends them again when it is back: the same ids.
//!
//! A receiver that fails is asked again, later each time up to a minute, or when it says. Nothing is ever left out, so an event
//! that a receiver never takes holds up those of its log behind it; readiness says so.
//!
//! # Several servers over one database
//! One that sees that another has moved a cursor stands by for half a minute, which is longer than a request may take. So one
//! delivers, and another takes over when that one ends. Both send the same events only where one was stopped for longer in between.
//!
//! # What it costs the writer
//! Nothing: it knows nothing of it. Entries are read as the index reads them, and parsed on a thread that yields to others. An entry
//! of Rekor v1 has one signature of the log's key in its event, as whenever it is read.

mod cloud_event;
mod delivery;
mod status;

pub use cloud_event::{DATA_TYPE, EVENT_TYPE};
pub use status::DeliveryStatus;

use crate::error::Error;
use crate::follower::PERIOD;
use crate::index::Index;
use crate::source::Sources;
use crate::store::Cursors;
use crate::worker::Worker;
use delivery::Delivery;
use status::Deliveries;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};

/// Most events of a request.
pub const MAX_BATCH: usize = 100;
/// A request gets no more events when it has so many bytes.
const MAX_BATCH_BYTES: usize = 1 << 20;
/// How long a receiver may take for a request.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Rounds that a server waits after another has moved a cursor: half a minute, in which that one has sent a request.
const STAND_BY: u32 = 60;
/// How long to wait after a failure. It doubles with each one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest of these.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// The longest that a receiver may ask for.
const MAX_ASKED_WAIT: Duration = Duration::from_mins(5);

/// A request with events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRequest {
    /// Media type of the body.
    pub content_type: &'static str,
    /// One event, or a list.
    pub body: String,
}

/// Why a receiver has not confirmed a request. It is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// What happened.
    pub reason: String,
    /// When to send it again, if the receiver says.
    pub retry_after: Option<Duration>,
}

/// A receiver's answer, later.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Result<(), Undelivered>> + Send + 'a>>;

/// A receiver of events. The instance implements it: this crate makes no requests.
pub trait Receiver: Send + Sync {
    /// The name under which it is known how far it is. Under another name it is another receiver.
    fn name(&self) -> &str;

    /// Sends a request. `Ok` only if the receiver has confirmed it. Given up after [`DEADLINE`].
    fn deliver(&self, request: EventRequest) -> Delivering<'_>;
}

/// Which entries are announced, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcing {
    /// Kinds of entries, such as `dsse`; empty for all.
    pub kinds: Vec<String>,
    /// Most events of a request, up to [`MAX_BATCH`]. One is sent alone, and more in lists.
    pub batch: usize,
}

/// What all deliveries share.
struct Shared {
    index: Index,
    cursors: Arc<dyn Cursors>,
    receiver: Arc<dyn Receiver>,
    announcing: Announcing,
    statuses: Deliveries,
    worker: Worker,
}

/// Events about the entries of several logs. Clones are the same.
#[derive(Clone)]
pub struct Events {
    shared: Arc<Shared>,
    sources: Sources,
}

impl Events {
    /// Events about the entries of the logs of signatures that `sources` returns, which are in `index`, to `receiver`.
    #[must_use]
    pub fn new(
        index: Index,
        sources: Sources,
        cursors: Arc<dyn Cursors>,
        receiver: Arc<dyn Receiver>,
        announcing: Announcing,
    ) -> Self {
        let (statuses, worker) = (Deliveries::default(), Worker::start());
        Self { shared: Arc::new(Shared { index, cursors, receiver, announcing, statuses, worker }), sources }
    }

    /// What is known of each log. In memory: it never waits.
    #[must_use]
    pub fn status(&self) -> Vec<DeliveryStatus> {
        self.shared.statuses.all()
    }

    /// Delivers until the task is aborted, which may be at any moment.
    #[must_use]
    pub fn deliver(&self) -> JoinHandle<()> {
        tokio::spawn(self.clone().run())
    }

    /// One task for each log, so that one whose events are refused does not hold up another.
    async fn run(self) {
        let mut is_failing = false;
        while let Err(error) = self.begin().await {
            if !is_failing {
                tracing::warn!(%error, "events cannot be delivered yet; it is tried again");
            }
            is_failing = true;
            tokio::time::sleep(FIRST_WAIT).await;
        }
        let (mut deliveries, mut known) = (JoinSet::new(), BTreeSet::new());
        loop {
            for source in (self.sources)() {
                if known.insert(source.log_id()) {
                    deliveries.spawn(Delivery::new(Arc::clone(&self.shared), source).run());
                }
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// A receiver that is new is told of what is logged from now on; of a log that is made later, from its first entry on.
    async fn begin(&self) -> Result<(), Error> {
        let (cursors, receiver) = (&self.shared.cursors, self.shared.receiver.name());
        if cursors.is_known(receiver).await? {
            return Ok(());
        }
        let mut places = Vec::new();
        for source in (self.sources)() {
            places.push((source.log_id(), source.head().await?.size));
        }
        Ok(cursors.begin(receiver, &places).await?)
    }
}

/// How long to wait after so many failures.
fn wait_after(failures: u32, asked: Option<Duration>) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(MAX_WAIT).max(asked.unwrap_or_default().min(MAX_ASKED_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_ceiling_and_a_receiver_may_ask_for_longer_ones() {
        let seconds = |failures, asked: Option<u64>| wait_after(failures, asked.map(Duration::from_secs)).as_secs();
        assert_eq!(
            [1, 2, 3, 6, 7, 32, 33, u32::MAX].map(|failures| seconds(failures, None)),
            [1, 2, 4, 32, 60, 60, 60, 60]
        );
        assert_eq!([seconds(1, Some(7)), seconds(7, Some(7)), seconds(1, Some(86_400))], [7, 60, 300]);
    }

    #[test]
    fn another_server_waits_for_longer_than_a_request_may_take() {
        assert!(PERIOD * STAND_BY > DEADLINE * 2);
    }
}
