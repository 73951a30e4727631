//! Witnessing: witnesses cosign the checkpoints of a log before they are published (C2SP tlog-witness).
//!
//! A witness cosigns a tree only if it extends the tree that it cosigned before. So it notices a second history: if the
//! database was restored to an earlier state, or a copy of the machine writes too, the witness answers that it has
//! cosigned a larger or another tree. If it shows a checkpoint that proves this, the log is quarantined. Otherwise the
//! witness is at fault, and the log goes on as its quorum allows.
//!
//! The sequencer commits and signs as without witnesses. This module publishes signed heads: immediately if a quorum of
//! witnesses has cosigned the head. Without a quorum, after the policy's timeout ([`Fail::Open`]) or never
//! ([`Fail::Closed`]). A submitter waits for a published head that includes its entry. All witnesses are asked about
//! one head at a time, each with at most one open request. The newest signed head is the next one: heads signed in
//! between need no cosignatures.
//!
//! - `rounds`: the choice of the head to cosign, and of the time to publish it.
//! - `context`: the log that the witnesses cosign.
//! - `asking`: one conversation with one witness.
//! - `evidence`: the proof that a witness must show before the log is quarantined.
//!
//! The caller provides the transport: see [`WitnessClient`].

mod asking;
mod context;
mod evidence;
mod rounds;

use crate::Error;
use crate::head::{Follower, Published};
use crate::quarantine::Reason;
use crate::store::Store;
use crate::trust::guard::Guard;
use asking::Failure;
use chancery_verify::cosignature::{Policy, Witness};
pub(crate) use context::Context;
use futures_util::future::join_all;
use rounds::Rounds;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The answer of a witness, by the meaning of its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: signature lines.
    Cosigned(String),
    /// 409: the size that it has cosigned, if the answer has one.
    Conflict(Option<u64>),
    /// 422: the tree does not extend the one that it has cosigned.
    Inconsistent,
    /// Anything else.
    Refused {
        /// The status.
        status: u16,
    },
}

/// A witness did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unreachable {
    /// For the operator's log.
    pub reason: String,
}

/// An open request.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Result<Answer, Unreachable>> + Send + 'a>>;

/// An open request for a checkpoint. `None` if the witness has none.
pub type Showing<'a> = Pin<Box<dyn Future<Output = Result<Option<String>, Unreachable>> + Send + 'a>>;

/// Maximum unacknowledged entries in a log that acknowledges nothing without witnesses. Beyond it no new entry is
/// accepted. Entries that were accepted before are still written: at most as many again.
const MAX_UNTOLD: u64 = 4096;

/// Sends requests to one witness.
pub trait WitnessClient: Send + Sync {
    /// Sends one `add-checkpoint`. It has a time limit of some seconds.
    fn add_checkpoint(&self, request: String) -> Asking<'_>;

    /// URL of the last checkpoint that the witness has cosigned for the log with this origin.
    fn evidence(&self, origin: &str) -> String;

    /// Fetches that checkpoint. It has a time limit of some seconds. The caller verifies the checkpoint.
    fn checkpoint(&self, origin: &str) -> Showing<'_>;
}

/// The handling of a checkpoint that too few witnesses have cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fail {
    /// It is published without a quorum, after the timeout.
    Open,
    /// It is not published, and its entries are not acknowledged.
    Closed,
}

/// The witnesses of a log, and the handling of a missing quorum.
#[derive(Clone)]
pub struct Witnesses {
    policy: Policy,
    clients: Vec<Arc<dyn WitnessClient>>,
    fail: Fail,
    timeout: Duration,
}

impl Witnesses {
    /// `quorum` of `members` must cosign within `timeout`.
    ///
    /// # Errors
    /// As [`Policy::new`].
    pub fn new(
        members: Vec<(Witness, Arc<dyn WitnessClient>)>,
        quorum: usize,
        fail: Fail,
        timeout: Duration,
    ) -> Result<Self, chancery_verify::Rejection> {
        let (witnesses, clients) = members.into_iter().unzip();
        Ok(Self { policy: Policy::new(witnesses, quorum)?, clients, fail, timeout })
    }

    /// Asks every witness about the last published checkpoint, before anything is signed. Returns the reason for a
    /// quarantine, if a witness proves one. Witnesses that do not answer in time are left out.
    pub(crate) async fn inspect(&self, guard: Guard<'_>, store: &Arc<dyn Store>) -> Result<Option<Reason>, Error> {
        let Some(last) = guard.last_published().await? else { return Ok(None) };
        let context = Context::of(guard, store);
        let conversations = self.policy.witnesses().iter().zip(&self.clients).map(|(witness, client)| {
            let conversation = context.converse(witness, &**client, &last, None);
            // Twice as long, because a witness that disagrees is also asked for its checkpoint.
            async { tokio::time::timeout(self.timeout * 2, conversation).await.ok() }
        });
        let doubt = |outcome: Option<asking::Outcome>| match outcome?.result {
            Err(Failure::Doubt(reason)) => Some(reason),
            _ => None,
        };
        Ok(join_all(conversations).await.into_iter().find_map(doubt))
    }
}

/// The counters of one witness.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    outcomes: [AtomicU64; OUTCOMES.len()],
    /// Leaves of the largest tree that it has cosigned for this process.
    size: AtomicU64,
    /// The reason why it did not cosign when it was last asked.
    fault: Mutex<Option<WitnessFault>>,
}

/// The outcomes of a conversation with a witness, as metrics name them.
pub const OUTCOMES: [&str; 6] = ["cosigned", "unreachable", "refused", "invalid", "behind", "unproven"];

impl Tally {
    fn count(&self, outcome: &str) {
        if let Some((_, count)) = OUTCOMES.iter().zip(&self.outcomes).find(|(name, _)| **name == outcome) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn set_fault(&self, fault: Option<WitnessFault>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

/// The reason why a witness does not cosign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessFault {
    /// The outcome of the conversation: one of [`OUTCOMES`].
    pub outcome: &'static str,
    /// For the operator.
    pub reason: String,
}

/// One witness, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessStatus {
    /// Its name.
    pub name: String,
    /// Conversations by outcome.
    pub outcomes: Vec<(&'static str, u64)>,
    /// Leaves of the largest tree that it has cosigned since the start.
    pub size: u64,
    /// The reason why it did not cosign when it was last asked. `None` if it cosigned.
    pub fault: Option<WitnessFault>,
}

/// The state of a log's witnessing.
#[derive(Clone)]
pub(crate) struct Witnessed {
    shared: Arc<Shared>,
    /// The newest signed head, published or not.
    signed: watch::Receiver<Arc<Published>>,
}

struct Shared {
    policy: Policy,
    fail: Fail,
    timeout: Duration,
    tallies: Vec<Arc<Tally>>,
    /// Whether a quorum has cosigned since the start.
    reached: AtomicBool,
    /// Whether the newest head lacks its quorum and no witness is left to ask.
    lacking: AtomicBool,
}

impl Witnessed {
    /// Returns the reason why no entry may be accepted while the published tree has `published` leaves. `None` if
    /// entries may be accepted. If nothing is acknowledged without witnesses, entries are refused before they are in
    /// the log: until witnesses have answered, and while too many entries wait for them.
    pub(crate) fn refusal(&self, published: u64) -> Option<&'static str> {
        if self.shared.fail == Fail::Open {
            return None;
        }
        // A new log has no checkpoint that a witness could have cosigned.
        if published > 0 && !self.shared.reached.load(Ordering::Relaxed) {
            return Some("too few witnesses have been heard since the start");
        }
        let untold = self.signed.borrow().tree.size.saturating_sub(published);
        (untold >= MAX_UNTOLD).then_some("too many entries wait for witnesses to cosign them")
    }

    /// Returns whether entries wait for witnesses that do not cosign.
    pub(crate) fn is_lacking(&self) -> bool {
        self.shared.fail == Fail::Closed && self.shared.lacking.load(Ordering::Relaxed)
    }

    /// Waits until witnesses have cosigned the first published head, or the time for it has passed.
    pub(crate) async fn first_round(&self, mut published: watch::Receiver<Arc<Published>>) {
        if published.borrow_and_update().tree.size > 0 {
            // Nothing depends on it: a head that is published without cosignatures gets them when they arrive.
            let _ = tokio::time::timeout(self.shared.timeout, published.changed()).await;
        }
    }

    /// Waits until a head of at least `size` leaves is published.
    pub(crate) async fn shown(
        &self,
        mut published: watch::Receiver<Arc<Published>>,
        size: u64,
    ) -> Result<Arc<Published>, Error> {
        // If the policy allows it, the head is published in time with or without witnesses.
        let slack = if self.shared.fail == Fail::Open { self.shared.timeout + rounds::SLACK } else { Duration::ZERO };
        let shown = published.wait_for(|published| published.tree.size >= size);
        match tokio::time::timeout(self.shared.timeout + slack, shown).await {
            Ok(Ok(published)) => Ok(Arc::clone(&published)),
            Ok(Err(_)) => Err(Error::Unavailable { reason: "the log has stopped before its witnesses answered" }),
            Err(_) => Err(Error::Unavailable { reason: "not enough witnesses have cosigned; the entry is in the log" }),
        }
    }

    /// The state of each witness.
    pub(crate) fn status(&self) -> Vec<WitnessStatus> {
        let status = |(witness, tally): (&Witness, &Arc<Tally>)| {
            let counts = tally.outcomes.iter().map(|count| count.load(Ordering::Relaxed));
            let outcomes = OUTCOMES.into_iter().zip(counts).collect();
            let size = tally.size.load(Ordering::Relaxed);
            let fault = tally.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
            WitnessStatus { name: witness.name().to_string(), outcomes, size, fault }
        };
        self.shared.policy.witnesses().iter().zip(&self.shared.tallies).map(status).collect()
    }
}

/// A log's witnessing at its start.
pub(crate) struct Begun {
    /// The log's handle.
    pub(crate) known: Witnessed,
    /// The published heads.
    pub(crate) published: watch::Receiver<Arc<Published>>,
    /// The task to run beside the sequencer.
    pub(crate) rounds: Rounds,
}

/// Begins to publish the heads in `signed`.
pub(crate) fn begin(
    Witnesses { policy, clients, fail, timeout }: Witnesses,
    context: Context,
    follower: Follower,
    signed: watch::Receiver<Arc<Published>>,
) -> Begun {
    let tallies: Vec<_> = clients.iter().map(|_| Arc::<Tally>::default()).collect();
    let (reached, lacking) = (AtomicBool::new(false), AtomicBool::new(false));
    let shared = Arc::new(Shared { policy, fail, timeout, tallies, reached, lacking });
    let (sender, published) = watch::channel(signed.borrow().clone());
    let known = Witnessed { shared: Arc::clone(&shared), signed: signed.clone() };
    let rounds = Rounds::new(shared, Arc::new(context), clients, follower, signed, sender);
    Begun { known, published, rounds }
}
