//! Follows one log.
//!
//! # A round
//! 1. Ask the log for its newest head, which its key must have signed.
//! 2. Prove that this tree extends the one that is remembered. Two trees that contradict each other are proof against the log, and
//!    both signed notes are kept. The head is remembered in the state.
//! 3. Compare the remembered tree with what others have seen. This does not wait for entries, which may take days.
//! 4. Read the entries after those that were followed, hash each into the tree, and look at each.
//! 5. Prove that the entries so far are the first leaves of the signed tree. If they are not, nothing of the step is believed.
//! 6. Write the state: how far the log is followed, and the alarms of the step. **This is the commit point.** A process that is
//!    killed before has forgotten the step, and does it again.
//! 7. Deliver the alarms, and write that they were delivered. A process that is killed between the two delivers them again, with the
//!    same ids.
//!
//! Steps 4 to 7 are repeated, but not without end where the log is to be asked for its head again ([`Extent`]).
//!
//! The state belongs to this task alone.

use crate::alarm::AlarmKind;
use crate::client::HttpClient;
use crate::conditions::Patience;
use crate::gossip::Peer;
use crate::ledger::{Ledger, Places, Round, origin};
use crate::relation::{Relation, relate};
use crate::source::{Source, SourceError, SourceHead};
use crate::state::StateError;
use crate::step::{Stepper, Stopped};
use crate::watch::Watches;
use chancery_verify::merkle::{CompactRange, TreeHead};
use chancery_verify::{Timestamp, leaves, shown};
use std::collections::HashSet;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Steps of a round that is followed by another one.
const ROUND_STEPS: usize = 4;
/// How far the clock of a log may be ahead of ours, in ms.
const MAX_AHEAD_MS: u64 = 5 * 60 * 1000;
/// Alarms that wait for an output from which on no more entries are followed.
const MAX_PENDING: usize = 2000;

/// Where following a log begins that was not followed before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Begin {
    /// At its first entry.
    #[default]
    Beginning,
    /// At the tree that it shows then, which is believed.
    Now,
}

/// How a log is followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Following {
    /// Where it begins.
    pub begin: Begin,
    /// The longest time without a new tree or signature. `None` for no limit.
    pub max_quiet: Option<Duration>,
    /// How long what may pass is waited for.
    pub patience: Patience,
}

/// How far a round follows a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// To the end of the tree that it shows.
    Whole,
    /// A few steps: another round begins at once if there is more. A log that is slow, or long, is still asked for its head and
    /// compared with what others have seen.
    Steps,
}

/// Who has seen checkpoints, too.
#[derive(Clone)]
pub(crate) struct Gossip {
    pub(crate) peers: Arc<Vec<Peer>>,
    pub(crate) client: HttpClient,
}

/// Follows a log.
pub(crate) struct Follower {
    stepper: Stepper,
    following: Following,
    gossip: Gossip,
    ledger: Ledger,
    /// Trees that peers have shown in the last round, and that are of one history with the remembered tree.
    compared: HashSet<TreeHead>,
    /// Whether there are more entries, and the last round ended before them although the log can be read.
    is_behind: bool,
}

impl Follower {
    pub(crate) fn open(
        (name, source, following): (&str, Arc<dyn Source>, Following),
        watches: Arc<Watches>,
        gossip: Gossip,
        places: Places,
        path: PathBuf,
    ) -> Result<Self, StateError> {
        let ledger = Ledger::open(name, &*source, following.patience, places, path)?;
        let stepper = Stepper { name: name.to_owned(), source, watches };
        Ok(Self { stepper, following, gossip, ledger, compared: HashSet::new(), is_behind: false })
    }

    /// Follows the log.
    pub(crate) async fn round(&mut self, now: Timestamp, extent: Extent) -> Result<Round, StateError> {
        self.ledger.begin(now);
        self.is_behind = false;
        let is_readable = self.look().await?;
        self.compare_all().await?;
        self.ledger.deliver().await?;
        // Without what is expected, entries are not judged. The log's history is.
        match self.stepper.watches.refresh() {
            Ok(()) if is_readable => self.follow(extent).await?,
            Ok(()) => {}
            Err(error) => self.ledger.unknown(error.to_string()),
        }
        self.ledger.deliver().await?;
        self.ledger.finish().await
    }

    /// Whether another round is to follow at once.
    pub(crate) const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Forgets what could not be written, as a crash does.
    pub(crate) fn reopen(&mut self) -> Result<(), StateError> {
        self.compared.clear();
        self.is_behind = false;
        self.ledger.reopen(&*self.stepper.source)
    }

    fn source(&self) -> Arc<dyn Source> {
        Arc::clone(&self.stepper.source)
    }

    /// Steps 1 and 2. Returns whether the log can be read.
    async fn look(&mut self) -> Result<bool, StateError> {
        let source = self.source();
        let head = match source.head().await {
            Ok(head) => head,
            Err(error) => {
                self.ledger.unreadable(&error);
                return Ok(false);
            }
        };
        self.note_fresh(&head);
        if let Err(error) = self.meet(&head).await? {
            self.ledger.unreadable(&error);
            return Ok(false);
        }
        match head.successor {
            Some(origin) if !self.ledger.is_followed(&origin) => {
                let (origin, name) = (shown(&origin), self.ledger.name());
                let message =
                    format!("entries are added to the tree {origin} now, and no longer to {name}: follow it, too");
                self.ledger.note(AlarmKind::Successor, &message);
            }
            _ => self.ledger.end(AlarmKind::Successor),
        }
        Ok(true)
    }

    /// Step 2. The inner error says that nothing can be told now.
    async fn meet(&mut self, head: &SourceHead) -> Result<Result<(), SourceError>, StateError> {
        let Some(known) = self.ledger.tree() else {
            self.begin(head);
            self.ledger.commit().await?;
            return Ok(Ok(()));
        };
        let relation = relate(&*self.stepper.source, &known, &head.tree).await;
        match relation {
            // A log that was put back has nothing to prove it with.
            Err(error) if error.is_refusal && head.tree.size < known.size => {
                self.note_older(&known, head, Some(&error));
            }
            Err(error) => return Ok(Err(error)),
            Ok(Relation::Same) => self.ledger.end(AlarmKind::Rollback),
            Ok(Relation::Newer(proof)) => {
                if self.ledger.state.range.is_none() {
                    // The proof was verified just now.
                    self.ledger.state.range = CompactRange::of_consistency(&known, head.tree.size, &proof).ok();
                }
                self.ledger.end(AlarmKind::Rollback);
                // What is before the known tree is before this one. Of what is after it nothing is known.
                self.compared.retain(|other| other.size <= known.size);
                self.ledger.remember(head);
                self.ledger.commit().await?;
            }
            Ok(Relation::Older) => self.note_older(&known, head, None),
            Ok(relation) => self.ledger.contradict(&relation, &head.tree, &head.checkpoint, "the log").await?,
        }
        Ok(Ok(()))
    }

    /// Notes that the log shows a smaller tree than the known one, and why it gives no proof if it gives none.
    fn note_older(&mut self, known: &TreeHead, head: &SourceHead, unproven: Option<&SourceError>) {
        let (name, shown, before) = (self.ledger.name(), leaves(head.tree.size), leaves(known.size));
        let why = unproven.map(|error| format!(", and does not prove that one extends the other: {error}"));
        let message =
            format!("{name} shows a tree of {shown}, and has shown one of {before}{}", why.unwrap_or_default());
        self.ledger.note(AlarmKind::Rollback, &message);
        self.ledger.unknown(message);
    }

    fn begin(&mut self, head: &SourceHead) {
        let state = &mut self.ledger.state;
        match self.following.begin {
            Begin::Now if head.tree.size > 0 => (state.followed, state.range) = (head.tree.size, None),
            Begin::Now | Begin::Beginning => (state.followed, state.range) = (0, Some(CompactRange::default())),
        }
        self.ledger.remember(head);
    }

    /// Steps 4 to 7, until the remembered tree is followed, or there were enough of them.
    async fn follow(&mut self, extent: Extent) -> Result<(), StateError> {
        let (mut is_second, mut steps) = (false, 0);
        while let Some(tree) = self.ledger.tree()
            && let Some(range) = self.ledger.state.range.clone()
            && range.size() < tree.size
        {
            let (first, name) = (range.size(), self.ledger.name());
            if extent == Extent::Steps && steps >= ROUND_STEPS {
                let reason = format!("{name} is not followed to its end yet");
                self.ledger.unknown(reason);
                self.is_behind = true;
                break;
            }
            if self.ledger.state.pending.len() >= MAX_PENDING {
                let reason = format!("{name} is not followed until alarms that wait, or were put aside, are delivered");
                self.ledger.unknown(reason);
                return Ok(());
            }
            match self.stepper.step(range, &tree).await {
                Ok((range, scanned)) => {
                    (is_second, steps) = (false, steps + 1);
                    self.ledger.end(AlarmKind::WrongEntries);
                    self.ledger.advance(range, scanned, &tree);
                    self.ledger.deliver().await?;
                }
                Err(Stopped::Unreadable(error)) => {
                    self.ledger.unreadable(&error);
                    return Ok(());
                }
                // Once more: an answer may have been mixed up on the way.
                Err(Stopped::Wrong { .. }) if !is_second => is_second = true,
                Err(Stopped::Wrong { end, rejection }) => {
                    let (last, size) = (end.saturating_sub(1), leaves(tree.size));
                    let message = format!(
                        "the entries {first} to {last} that {name} shows are not those of the tree of {size} that it has \
                         signed: {rejection}"
                    );
                    self.ledger.note(AlarmKind::WrongEntries, &message);
                    self.ledger.unknown(message);
                    return Ok(());
                }
            }
        }
        self.ledger.end(AlarmKind::Unreachable);
        Ok(())
    }

    /// Step 3.
    async fn compare_all(&mut self) -> Result<(), StateError> {
        let Some(remembered) = self.ledger.state.remembered.clone() else { return Ok(()) };
        let (origin, mut hidden, mut is_whole) = (origin(&remembered.checkpoint), None, true);
        let Gossip { peers, client } = self.gossip.clone();
        let compared = mem::take(&mut self.compared);
        for peer in peers.iter() {
            let peer_name = peer.name();
            let notes = match peer.checkpoints(&client, &origin).await {
                Ok(notes) => notes,
                Err(reason) => {
                    let name = self.ledger.name();
                    let reason = format!("{peer_name} does not say what it has seen of {name}: {reason}");
                    self.ledger.unknown(reason);
                    is_whole = false;
                    continue;
                }
            };
            for note in notes {
                match self.stepper.source.open_checkpoint(&note) {
                    // Many files, and several peers, show the same again.
                    Ok(other) if compared.contains(&other) || self.compared.contains(&other) => {
                        self.compared.insert(other);
                    }
                    Ok(other) => hidden = self.compare(&peer_name, &note, &other).await?.or(hidden),
                    Err(rejection) => {
                        let log = self.ledger.name();
                        tracing::warn!(log.name = log, peer = peer_name, %rejection, "a peer shows a note that the log has not signed");
                    }
                }
            }
        }
        match hidden {
            Some(message) => {
                self.ledger.note(AlarmKind::Hidden, &message);
                self.ledger.unknown(message);
            }
            None if is_whole => self.ledger.end(AlarmKind::Hidden),
            // The peer that has seen more may be the one that does not answer.
            None => {}
        }
        Ok(())
    }

    /// Compares what a peer has seen with the remembered tree. Returns a message if the log hides the peer's tree.
    async fn compare(&mut self, peer: &str, note: &str, other: &TreeHead) -> Result<Option<String>, StateError> {
        let Some(known) = self.ledger.tree() else { return Ok(None) };
        match relate(&*self.stepper.source, &known, other).await {
            Ok(Relation::Same | Relation::Newer(_) | Relation::Older) => {
                self.compared.insert(*other);
            }
            Ok(relation) => self.ledger.contradict(&relation, other, note, peer).await?,
            Err(error) => {
                let (name, theirs, ours) = (self.ledger.name(), leaves(other.size), leaves(known.size));
                let message = format!(
                    "{peer} has seen a tree of {theirs} of {name}, which does not prove how it relates to the one of {ours} that \
                     it shows here: {error}"
                );
                if other.size > known.size {
                    return Ok(Some(message));
                }
                self.ledger.unknown(message);
            }
        }
        Ok(None)
    }

    /// Notes when the log last did something, and that it has done nothing for too long.
    fn note_fresh(&mut self, head: &SourceHead) {
        let now_ms = self.ledger.now().millis();
        let has_grown = self.ledger.tree().is_none_or(|known| known.size < head.tree.size);
        let signed = head.timestamp_ms.and_then(|millis| u64::try_from(millis).ok());
        // A time that is yet to come says nothing of now: the log could be quiet until then.
        let signed = signed.filter(|millis| *millis <= now_ms.saturating_add(MAX_AHEAD_MS));
        self.ledger.refresh(signed.map(|millis| millis.min(now_ms)).or(has_grown.then_some(now_ms)));
        let Some(max_quiet) = self.following.max_quiet else { return };
        let quiet = Duration::from_millis(now_ms.saturating_sub(self.ledger.state.fresh_ms.unwrap_or(now_ms)));
        if quiet > max_quiet {
            let message = format!("{} has shown nothing new for {} s", self.ledger.name(), quiet.as_secs());
            self.ledger.note(AlarmKind::Stalled, &message);
        } else {
            self.ledger.end(AlarmKind::Stalled);
        }
    }
}
