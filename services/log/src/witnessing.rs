//! Witnessing: checkpoints of a log are cosigned by others before they are published (C2SP tlog-witness).
//!
//! A witness cosigns a tree only if it extends the one it has cosigned before. So it is what a log cannot talk its way
//! around: where its database was put back, or a copy of the machine writes a second history, a witness says that it has seen
//! more, or something else. Where it shows a checkpoint that proves it, the log is quarantined; otherwise that witness is at
//! fault, and the log goes on as its quorum allows.
//!
//! The sequencer commits and signs as ever. What it has signed is published here: at once where a quorum of witnesses has
//! cosigned it; without that, after the policy's timeout ([`Fail::Open`]) or never ([`Fail::Closed`]). Who has submitted an
//! entry waits for a published head with it. All witnesses are asked about one head at a time, each with at most one request
//! on its way, and the newest signed head is the next one: what is signed in between needs no cosignature of its own.
//!
//! - `rounds`: which head the witnesses are asked about, and what is published when.
//! - `context`: the log they are asked about.
//! - `asking`: one conversation with one witness.
//! - `evidence`: what a witness must show before it is believed against the log.
//!
//! How requests travel is the caller's: see [`WitnessClient`].

mod asking;
mod context;
mod evidence;
mod rounds;

use crate::engine::Published;
use crate::guard::Guard;
use crate::quarantine::Reason;
use crate::sequencer::Follower;
use crate::store::Store;
use crate::{Error, OpenError};
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

/// What a witness has answered, by what its status means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: signature lines.
    Cosigned(String),
    /// 409: the size it has cosigned, if it says one.
    Conflict(Option<u64>),
    /// 422: the tree does not extend the one it has cosigned.
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

/// A request on its way.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Result<Answer, Unreachable>> + Send + 'a>>;

/// A checkpoint on its way; `None` where the witness shows none.
pub type Showing<'a> = Pin<Box<dyn Future<Output = Result<Option<String>, Unreachable>> + Send + 'a>>;

/// Entries that may be in a log without anybody being told of them, where nothing is acknowledged without witnesses. Beyond
/// it no entry is taken, except those that were let in before: at most as many again.
const MAX_UNTOLD: u64 = 4096;

/// Carries requests to one witness.
pub trait WitnessClient: Send + Sync {
    /// Sends one `add-checkpoint`, and gives up after some seconds.
    fn add_checkpoint(&self, request: String) -> Asking<'_>;

    /// Where the witness shows the last checkpoint of the log with this origin that it has cosigned: a URL.
    fn evidence(&self, origin: &str) -> String;

    /// Fetches that checkpoint, and gives up after some seconds. Nothing about it needs to be verified.
    fn checkpoint(&self, origin: &str) -> Showing<'_>;
}

/// What becomes of a checkpoint that too few witnesses have cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fail {
    /// It is published all the same, after the timeout.
    Open,
    /// It is not published, and its entries are not acknowledged.
    Closed,
}

/// Who witnesses a log, and what happens without them.
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
    /// Where [`Policy::new`] refuses.
    pub fn new(
        members: Vec<(Witness, Arc<dyn WitnessClient>)>,
        quorum: usize,
        fail: Fail,
        timeout: Duration,
    ) -> Result<Self, chancery_verify::Rejection> {
        let (witnesses, clients) = members.into_iter().unzip();
        Ok(Self { policy: Policy::new(witnesses, quorum)?, clients, fail, timeout })
    }

    /// Asks every witness about what was published last, before anything is signed: why the log must not go on, if one
    /// of them knows better. Those who do not answer in time are not waited for.
    pub(crate) async fn inspect(&self, guard: Guard<'_>, store: &Arc<dyn Store>) -> Result<Option<Reason>, OpenError> {
        let Some(last) = guard.last_published().await? else { return Ok(None) };
        let context = Context::of(guard, store);
        let conversations = self.policy.witnesses().iter().zip(&self.clients).map(|(witness, client)| {
            let conversation = context.converse(witness, &**client, &last, None);
            // As long again, because one that disagrees is asked for its checkpoint, too.
            async { tokio::time::timeout(self.timeout * 2, conversation).await.ok() }
        });
        let doubt = |outcome: Option<asking::Outcome>| match outcome?.result {
            Err(Failure::Doubt(reason)) => Some(reason),
            _ => None,
        };
        Ok(join_all(conversations).await.into_iter().find_map(doubt))
    }
}

/// What is counted of one witness.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    outcomes: [AtomicU64; OUTCOMES.len()],
    /// Leaves of the largest tree it has cosigned for this process.
    size: AtomicU64,
    /// Why it has not cosigned when it was asked last.
    fault: Mutex<Option<WitnessFault>>,
}

/// How a conversation with a witness can end, as metrics name it.
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

/// Why a witness does not cosign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessFault {
    /// How the conversation has ended: one of [`OUTCOMES`].
    pub outcome: &'static str,
    /// For the operator.
    pub reason: String,
}

/// One witness, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessStatus {
    /// Its name.
    pub name: String,
    /// Conversations by how they have ended.
    pub outcomes: Vec<(&'static str, u64)>,
    /// Leaves of the largest tree it has cosigned since the start.
    pub size: u64,
    /// Why it did not cosign when it was asked last; `None` where it did.
    pub fault: Option<WitnessFault>,
}

/// What a log knows of its witnessing.
#[derive(Clone)]
pub(crate) struct Witnessed {
    shared: Arc<Shared>,
    /// What is signed, published or not.
    signed: watch::Receiver<Arc<Published>>,
}

struct Shared {
    policy: Policy,
    fail: Fail,
    timeout: Duration,
    tallies: Vec<Arc<Tally>>,
    /// Whether a quorum has cosigned since the start.
    reached: AtomicBool,
    /// Whether the newest head lacks its quorum and nobody is left to ask.
    lacking: AtomicBool,
}

impl Witnessed {
    /// Why no entry may be taken while the tree of `published` leaves is what is published, if so. Where nothing is
    /// acknowledged without witnesses, entries are refused before they are in the log: until witnesses have been heard, and
    /// while too many entries wait for them.
    pub(crate) fn refusal(&self, published: u64) -> Option<&'static str> {
        if self.shared.fail == Fail::Open {
            return None;
        }
        // A new log has nothing that a witness could be asked about.
        if published > 0 && !self.shared.reached.load(Ordering::Relaxed) {
            return Some("too few witnesses have been heard since the start");
        }
        let untold = self.signed.borrow().tree.size.saturating_sub(published);
        (untold >= MAX_UNTOLD).then_some("too many entries wait for witnesses to cosign them")
    }

    /// Whether entries wait for witnesses that do not cosign.
    pub(crate) fn is_lacking(&self) -> bool {
        self.shared.fail == Fail::Closed && self.shared.lacking.load(Ordering::Relaxed)
    }

    /// Waits until witnesses have cosigned what is published first, or have had the time to.
    pub(crate) async fn first_round(&self, mut published: watch::Receiver<Arc<Published>>) {
        if published.borrow_and_update().tree.size > 0 {
            // Nothing depends on it: what is published without them gets their cosignatures when they come.
            let _ = tokio::time::timeout(self.shared.timeout, published.changed()).await;
        }
    }

    /// Waits until a head of at least `size` leaves is published.
    pub(crate) async fn shown(
        &self,
        mut published: watch::Receiver<Arc<Published>>,
        size: u64,
    ) -> Result<Arc<Published>, Error> {
        // In good time it is published with or without witnesses, where that is the policy.
        let slack = if self.shared.fail == Fail::Open { self.shared.timeout + rounds::SLACK } else { Duration::ZERO };
        let shown = published.wait_for(|published| published.tree.size >= size);
        match tokio::time::timeout(self.shared.timeout + slack, shown).await {
            Ok(Ok(published)) => Ok(Arc::clone(&published)),
            Ok(Err(_)) => Err(Error::Unavailable { reason: "the log has stopped before its witnesses answered" }),
            Err(_) => Err(Error::Unavailable { reason: "not enough witnesses have cosigned; the entry is in the log" }),
        }
    }

    /// What is known of each witness.
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

/// A log's witnessing, as it begins.
pub(crate) struct Begun {
    /// What the log holds of it.
    pub(crate) known: Witnessed,
    /// What is published.
    pub(crate) published: watch::Receiver<Arc<Published>>,
    /// To be run beside the sequencer.
    pub(crate) rounds: Rounds,
}

/// Begins to publish what is `signed`.
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
    let rounds = Rounds::new(shared, Arc::new(context), clients, follower, (signed, sender));
    Begun { known, published, rounds }
}
