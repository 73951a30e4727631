//! Rounds: the choice of the head to cosign, and of the time to publish it.
//!
//! A round is about one signed head. It ends when a quorum has cosigned the head, when too few witnesses are left for a
//! quorum, or when its entries have waited for the policy's timeout. The next round is about the newest signed head. A
//! slow witness is asked again when it has answered. A witness that failed is asked again after a growing pause. Either
//! costs submitters at most one timeout, because a round does not wait for a witness that is still busy with an earlier
//! head. Late cosignatures are added to the published head, while it is the newest.

use super::asking::{Failure, Outcome};
use super::context::Context;
use super::{Fail, Shared, WitnessClient, WitnessFault};
use crate::head::{Follower, Published};
use crate::quarantine::{Quarantine, Reason};
use chancery_verify::note::NoteSignature;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Pause after the first failure of a witness. It doubles with every further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Nothing to wake up for.
const IDLE: Duration = Duration::from_hours(1);
/// The time beyond the timeout after which a waiting submitter is reported as a fault.
pub(super) const SLACK: Duration = Duration::from_secs(2);

/// The state of a witness in the rounds.
struct Member {
    client: Arc<dyn WitnessClient>,
    /// The size that it cosigned last.
    known: Option<u64>,
    /// The head it is being asked about.
    busy: Option<Arc<Published>>,
    /// Not asked before.
    rests_until: Instant,
    pause: Duration,
    /// Its cosignature of the text of the round's head.
    line: Option<NoteSignature>,
    /// Whether it has cosigned in this round. A head that is signed again is cosigned again.
    done: bool,
}

impl Member {
    /// Returns whether it should be asked about this head, if it is not busy.
    fn may_be_asked(&self, head: &Published, now: Instant) -> bool {
        let goes_on = self.known.is_none_or(|known| known <= head.tree.size);
        self.rests_until <= now && head.tree.size > 0 && goes_on
    }
}

pub(crate) struct Rounds {
    shared: Arc<Shared>,
    context: Arc<Context>,
    members: Vec<Member>,
    follower: Follower,
    /// The head of the round.
    head: Arc<Published>,
    /// Cosignatures of the published head, if it is the round's.
    shown: usize,
    signed: watch::Receiver<Arc<Published>>,
    published: watch::Sender<Arc<Published>>,
    /// The newest signed head that is known here.
    noted: Arc<Published>,
    waiting: Waiting,
}

/// Since when signed heads wait to be published. Only times are stored: a head has 18 KiB, and while witnesses are away
/// every batch adds one.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    /// Since when the oldest of them has waited.
    oldest: Option<Instant>,
    /// The same for heads that are newer than the round's.
    newer: Option<Instant>,
}

/// A conversation that has ended.
type Asked = (usize, Arc<Published>, Outcome);

impl Rounds {
    pub(super) fn new(
        shared: Arc<Shared>,
        context: Arc<Context>,
        clients: Vec<Arc<dyn WitnessClient>>,
        follower: Follower,
        signed: watch::Receiver<Arc<Published>>,
        published: watch::Sender<Arc<Published>>,
    ) -> Self {
        let head = signed.borrow().clone();
        let now = Instant::now();
        let member = |client| Member {
            client,
            known: None,
            busy: None,
            rests_until: now,
            pause: FIRST_PAUSE,
            line: None,
            done: false,
        };
        let members = clients.into_iter().map(member).collect();
        let (noted, waiting) = (Arc::clone(&head), Waiting::default());
        Self { shared, context, members, follower, head, shown: 0, signed, published, noted, waiting }
    }

    /// Runs rounds until the sequencer has ended, or the log is quarantined.
    pub(crate) async fn run(mut self, quarantine: Quarantine) {
        if let Some(reason) = self.go_round(&quarantine).await {
            quarantine.begin(&self.context.record.name, reason);
        }
    }

    async fn go_round(&mut self, quarantine: &Quarantine) -> Option<Reason> {
        let mut asking = FuturesUnordered::new();
        loop {
            let newest = self.signed.borrow_and_update().clone();
            self.note_signed(&newest);
            self.settle(&newest);
            self.go_on(&newest);
            asking.extend(self.ask());
            // The witnesses to wait for may have changed.
            self.settle(&newest);
            let wakes = self.wakes();
            tokio::select! {
                _ = quarantine.begun() => return None,
                changed = self.signed.changed() => if changed.is_err() { return None },
                Some(asked) = asking.next() => if let Some(reason) = self.answered(asked) { return Some(reason) },
                () = sleep_until(wakes) => {}
            }
        }
    }

    /// Records since when submitters wait for the newest head.
    fn note_signed(&mut self, newest: &Arc<Published>) {
        if !Arc::ptr_eq(newest, &self.noted) {
            self.noted = Arc::clone(newest);
            let now = Instant::now();
            self.waiting.oldest.get_or_insert(now);
            self.waiting.newer.get_or_insert(now);
        }
    }

    fn cosigned(&self) -> usize {
        self.members.iter().filter(|member| member.line.is_some()).count()
    }

    /// Returns whether the round's head can still reach a quorum, with the witnesses that are being asked or can be
    /// asked.
    fn is_open(&self) -> bool {
        let now = Instant::now();
        let may_cosign = |member: &&Member| {
            let asked = member.busy.as_ref().map(|head| Arc::ptr_eq(head, &self.head));
            member.line.is_some() || asked.unwrap_or_else(|| member.may_be_asked(&self.head, now))
        };
        self.members.iter().filter(may_cosign).count() >= self.shared.policy.quorum()
    }

    /// Returns whether the newest head cannot reach a quorum.
    fn is_hopeless(&self, newest: &Arc<Published>) -> bool {
        Arc::ptr_eq(newest, &self.head) && !self.is_open()
    }

    fn is_overdue(&self) -> bool {
        self.waiting.oldest.is_some_and(|since| since.elapsed() >= self.shared.timeout)
    }

    /// Publishes heads that may be published.
    fn settle(&mut self, newest: &Arc<Published>) {
        let cosigned = self.cosigned();
        let quorum = cosigned >= self.shared.policy.quorum();
        if quorum {
            self.shared.reached.store(true, Ordering::Relaxed);
        }
        let waits = self.waiting.oldest.is_some();
        self.shared.lacking.store(!quorum && !self.is_open() && self.head.tree.size > 0, Ordering::Relaxed);
        if quorum && cosigned > self.shown {
            self.publish(&Arc::clone(&self.head), true);
        } else if self.shared.fail == Fail::Open && waits && (self.is_hopeless(newest) || self.is_overdue()) {
            let same = newest.has_text_of(&self.head);
            self.publish(newest, same);
        } else if self.shared.fail == Fail::Open && cosigned > self.shown && self.is_published() {
            // Fewer cosignatures than a quorum are better than none.
            self.publish(&Arc::clone(&self.head), true);
        }
    }

    fn is_published(&self) -> bool {
        self.published.borrow().tree.size >= self.head.tree.size
    }

    /// Publishes a head, with the round's cosignatures if it is the round's.
    fn publish(&mut self, head: &Arc<Published>, with_lines: bool) {
        let lines = self.members.iter().filter_map(|member| member.line.as_ref()).filter(|_| with_lines);
        let note = lines.fold(head.note.clone(), |note, line| format!("{note}{line}\n"));
        if with_lines {
            self.shown = self.cosigned();
        }
        if Arc::ptr_eq(head, &self.noted) {
            self.waiting = Waiting::default();
        } else {
            // The head is the round's.
            self.waiting.oldest = self.waiting.newer;
        }
        self.published.send_replace(Arc::new(Published { note, ..Published::clone(head) }));
    }

    /// Begins the next round, if this one has ended and there is a newer head.
    fn go_on(&mut self, newest: &Arc<Published>) {
        let ended = self.cosigned() >= self.shared.policy.quorum() || self.is_published() || !self.is_open();
        if !ended || Arc::ptr_eq(newest, &self.head) {
            return;
        }
        let same = newest.has_text_of(&self.head);
        self.head = Arc::clone(newest);
        self.waiting.newer = None;
        for member in &mut self.members {
            member.done = false;
            // A cosignature is of the text: it stays valid until there is another one.
            member.line = member.line.take().filter(|_| same);
        }
        self.shown = 0;
    }

    /// Asks every witness that may be asked about the round's head.
    fn ask(&mut self) -> Vec<BoxFuture<'static, Asked>> {
        let now = Instant::now();
        let mut asked = Vec::new();
        for (index, member) in self.members.iter_mut().enumerate() {
            let Some(witness) = self.shared.policy.witnesses().get(index).cloned() else { continue };
            if member.busy.is_some() || member.done || !member.may_be_asked(&self.head, now) {
                continue;
            }
            member.busy = Some(Arc::clone(&self.head));
            let (client, head, known) = (Arc::clone(&member.client), Arc::clone(&self.head), member.known);
            let (context, follower) = (Arc::clone(&self.context), self.follower.clone());
            let conversation = async move {
                let outcome = context.converse(&witness, &*client, &head, known).await;
                if let Err(Failure::Behind { size }) = &outcome.result {
                    // Another replica has committed more. This one signs that head, too. An error is returned with the
                    // next head.
                    let _ = follower.follow(*size).await;
                }
                (index, head, outcome)
            };
            asked.push(conversation.boxed());
        }
        asked
    }

    /// Processes the outcome of a conversation. Returns the reason for a quarantine, if the witness has proved one.
    fn answered(&mut self, (index, head, outcome): Asked) -> Option<Reason> {
        let (log, tally) = (self.context.record.name.clone(), self.shared.tallies.get(index)?);
        let witness = self.shared.policy.witnesses().get(index)?.name();
        let member = self.members.get_mut(index)?;
        member.busy = None;
        member.known = outcome.known;
        match outcome.result {
            Ok(line) => {
                tally.count("cosigned");
                tally.set_fault(None);
                tally.size.fetch_max(head.tree.size, Ordering::Relaxed);
                member.pause = FIRST_PAUSE;
                if head.has_text_of(&self.head) {
                    member.done = Arc::ptr_eq(&head, &self.head);
                    // The number of lines is the same, but one is newer.
                    self.shown = self.shown.saturating_sub(usize::from(member.line.is_some()));
                    member.line = Some(line);
                }
                None
            }
            Err(Failure::Doubt(reason)) => Some(reason),
            Err(failure) => {
                tally.count(failure.outcome());
                if !matches!(failure, Failure::Behind { .. }) {
                    tracing::warn!(log.name = %log, %witness, %failure, "a witness has not cosigned");
                    tally.set_fault(Some(WitnessFault { outcome: failure.outcome(), reason: failure.to_string() }));
                    member.rests_until = Instant::now() + member.pause;
                    member.pause = (member.pause * 2).min(LONGEST_PAUSE);
                }
                None
            }
        }
    }

    /// The next time at which something must be done without an event.
    fn wakes(&self) -> Instant {
        let now = Instant::now();
        let overdue = self.waiting.oldest.map(|since| since + self.shared.timeout);
        let overdue = overdue.filter(|_| self.shared.fail == Fail::Open);
        let resting = self.members.iter().filter(|member| member.busy.is_none() && !member.done);
        let rested = resting.map(|member| member.rests_until).filter(|until| *until > now);
        rested.chain(overdue).min().unwrap_or(now + IDLE)
    }
}
