//! The memory of one log, and the results of the round that runs: conditions, alarms, deliveries. It writes the state.

use crate::alarm::{self, Alarm, AlarmKind};
use crate::backoff::Backoffs;
use crate::conditions::{Noted, Patience};
use crate::evidence::Evidence;
use crate::outputs::{Delivered, Outputs};
use crate::relation::Relation;
use crate::scan::Scanned;
use crate::source::{Source, SourceError, SourceHead};
use crate::state::{Pending, Remembered, State, StateError};
use crate::status::Statuses;
use chancery_verify::checkpoint::Checkpoint;
use chancery_verify::merkle::{CompactRange, TreeHead};
use chancery_verify::note::Note;
use chancery_verify::{Timestamp, counted, leaves};
use std::path::PathBuf;
use tokio::time::Instant;

/// What came of a round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Alarms that are new, or that were still to be delivered.
    pub alarms: u64,
    /// What could not be told, and why.
    pub unknown: Vec<String>,
    /// Whether a condition that was alarmed lasts.
    pub is_accused: bool,
}

/// Where things are kept and told.
#[derive(Clone)]
pub(crate) struct Places {
    pub(crate) outputs: Outputs,
    pub(crate) statuses: Statuses,
    /// Directory for evidence.
    pub(crate) evidence: PathBuf,
}

/// What is remembered of a log.
pub(crate) struct Ledger {
    name: String,
    path: PathBuf,
    places: Places,
    patience: Patience,
    backoffs: Backoffs,
    pub(crate) state: State,
    /// Whether the state has changed since it was written.
    is_changed: bool,
    now: Timestamp,
    round: Round,
}

impl Ledger {
    pub(crate) fn open(
        name: &str,
        source: &dyn Source,
        patience: Patience,
        places: Places,
        path: PathBuf,
    ) -> Result<Self, StateError> {
        let mut state = State::read(&path, source)?.unwrap_or_default();
        places.outputs.keep_known(&mut state);
        let (now, round, backoffs) = (Timestamp::from_seconds(0), Round::default(), Backoffs::new());
        let ledger =
            Self { name: name.to_owned(), path, places, patience, backoffs, state, is_changed: false, now, round };
        ledger.show();
        Ok(ledger)
    }

    /// Reads the state again, as after a crash, because it could not be written.
    pub(crate) fn reopen(&mut self, source: &dyn Source) -> Result<(), StateError> {
        let (places, path) = (self.places.clone(), self.path.clone());
        *self = Self::open(&self.name, source, self.patience, places, path)?;
        Ok(())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// The remembered tree.
    pub(crate) fn tree(&self) -> Option<TreeHead> {
        self.state.remembered.as_ref().map(|remembered| remembered.tree)
    }

    /// Begins a round.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.now = now;
        self.round = Round { alarms: count(&self.state.pending, Pending::waits), ..Round::default() };
    }

    /// Ends a round: the state is written.
    pub(crate) async fn finish(&mut self) -> Result<Round, StateError> {
        self.commit().await?;
        let mut round = std::mem::take(&mut self.round);
        round.is_accused = self.state.conditions.alarmed().next().is_some();
        if round.unknown.is_empty() {
            self.places.statuses.update(&self.name, |status| status.checked_at = Some(self.now.seconds()));
        }
        // Of the log everything could be told.
        round.unknown.extend(self.places.outputs.refusing(&self.state).map(|(output, count)| {
            let alarms = counted(count, "alarm", "alarms");
            format!("{output} has not taken {alarms} about {}, and refuses them: they were put aside", self.name)
        }));
        self.show();
        Ok(round)
    }

    /// Notes that something could not be told.
    pub(crate) fn unknown(&mut self, reason: String) {
        if !self.round.unknown.contains(&reason) {
            self.round.unknown.push(reason);
        }
    }

    pub(crate) fn unreadable(&mut self, error: &SourceError) {
        let message = format!("{} cannot be followed: {error}", self.name);
        self.note(AlarmKind::Unreachable, &message);
        self.unknown(message);
    }

    /// Remembers a tree that extends all earlier ones.
    pub(crate) fn remember(&mut self, head: &SourceHead) {
        self.state.remembered = Some(Remembered { checkpoint: head.checkpoint.clone(), tree: head.tree });
        self.is_changed = true;
    }

    /// The log did something at `fresh_ms`.
    pub(crate) fn refresh(&mut self, fresh_ms: Option<u64>) {
        if fresh_ms > self.state.fresh_ms {
            self.state.fresh_ms = fresh_ms;
            self.is_changed = true;
        }
    }

    /// Entries of the tree `head` are followed, up to those in `range`.
    pub(crate) fn advance(&mut self, range: CompactRange, scanned: Scanned, head: &TreeHead) {
        self.state.followed = range.size();
        self.state.range = Some(range);
        self.is_changed = true;
        let unreadable = scanned.unreadable.len() as u64;
        self.places.statuses.update(&self.name, |status| status.unreadable += unreadable);
        for finding in scanned.findings {
            self.alarm(Alarm::of_entry(&self.name, finding, head, self.now));
        }
    }

    /// Notes a condition, and alarms it when it has lasted long enough.
    pub(crate) fn note(&mut self, kind: AlarmKind, message: &str) {
        match self.state.conditions.note(kind, message, &self.patience, self.now) {
            Noted::Known => {}
            Noted::Begun => self.is_changed = true,
            Noted::Alarm { since_ms } => {
                let tree = self.tree().map(|tree| (&tree).into());
                let alarm = Alarm::new(&self.name, kind, &since_ms.to_string(), message.to_owned(), self.now);
                self.alarm(Alarm { tree, ..alarm });
            }
        }
    }

    /// Notes that a condition is seen no more.
    pub(crate) fn end(&mut self, kind: AlarmKind) {
        if self.state.conditions.end(kind) {
            tracing::info!(log.name = self.name, condition = kind.name(), "a condition of a log has ended");
            self.is_changed = true;
        }
    }

    /// Alarms that the remembered tree and the one in `note`, which `shown_by` has shown, contradict each other. Both notes are kept.
    pub(crate) async fn contradict(
        &mut self,
        relation: &Relation,
        other: &TreeHead,
        note: &str,
        shown_by: &str,
    ) -> Result<(), StateError> {
        let Some(known) = self.state.remembered.clone() else { return Ok(()) };
        let Some((kind, message)) = contradiction(&self.name, relation, &known.tree, other) else { return Ok(()) };
        if self.state.conditions.note(kind, &message, &self.patience, self.now) == Noted::Known {
            return Ok(());
        }
        let tree = |head: &TreeHead| format!("{} {}", head.size, hex::encode(head.root));
        let subject = format!("{}\n{}", tree(&known.tree), tree(other));
        let proof = if let Relation::Inconsistent { proof, .. } = relation { proof.as_slice() } else { &[] };
        let evidence = Evidence {
            kind,
            log: &self.name,
            found_at: self.now.rfc3339(),
            shown_by,
            remembered: &known.checkpoint,
            shown: note,
            proof: proof.iter().map(hex::encode).collect(),
        };
        let path = evidence.write(&self.places.evidence, &alarm::id(&self.name, kind, &subject)).await?;
        let message = format!("{message}; the other one was shown by {shown_by}");
        let alarm = Alarm::new(&self.name, kind, &subject, message, self.now);
        self.alarm(Alarm { tree: Some(other.into()), evidence: Some(path), ..alarm });
        Ok(())
    }

    fn alarm(&mut self, alarm: Alarm) {
        self.round.alarms += 1;
        self.places.statuses.update(&self.name, |status| *status.alarms.entry(alarm.kind).or_default() += 1);
        self.state.pending.push(self.places.outputs.pending(alarm));
        self.is_changed = true;
    }

    /// Writes the state, delivers what waits, and writes what was delivered.
    pub(crate) async fn deliver(&mut self) -> Result<(), StateError> {
        self.commit().await?;
        let delivering = self.places.outputs.deliver(&mut self.state, &mut self.backoffs, Instant::now());
        let Delivered { is_changed, failures } = delivering.await;
        self.is_changed |= is_changed;
        for failure in failures {
            self.unknown(failure);
        }
        self.commit().await
    }

    pub(crate) async fn commit(&mut self) -> Result<(), StateError> {
        if self.is_changed {
            self.state.write(&self.path).await?;
            self.is_changed = false;
        }
        self.show();
        Ok(())
    }

    /// Whether a log with this origin is followed.
    pub(crate) fn is_followed(&self, origin: &str) -> bool {
        self.places.statuses.all().values().any(|status| status.origin.as_deref() == Some(origin))
    }

    /// Shows the state in the status of the log.
    fn show(&self) {
        let State { remembered, followed, conditions, pending, .. } = &self.state;
        self.places.statuses.update(&self.name, |status| {
            status.origin = remembered.as_ref().map(|remembered| origin(&remembered.checkpoint));
            status.checkpoint = remembered.as_ref().map(|remembered| remembered.checkpoint.clone());
            status.size = remembered.as_ref().map_or(0, |remembered| remembered.tree.size);
            (status.followed, status.pending) = (*followed, count(pending, Pending::waits));
            status.refused = count(pending, Pending::is_refused);
            status.lasting = conditions.alarmed().map(|(kind, lasting)| (kind, lasting.message.clone())).collect();
        });
    }
}

fn count(pending: &[Pending], is_meant: impl Fn(&Pending) -> bool) -> u64 {
    pending.iter().filter(|pending| is_meant(pending)).count() as u64
}

/// What a relation says against a log.
fn contradiction(name: &str, relation: &Relation, known: &TreeHead, other: &TreeHead) -> Option<(AlarmKind, String)> {
    let (one, two) = (leaves(known.size), leaves(other.size));
    match relation {
        Relation::Forked => {
            let message = format!("{name} has signed two trees of {two} with different roots: it has two histories");
            Some((AlarmKind::Fork, message))
        }
        Relation::Inconsistent { rejection, .. } => {
            let message = format!(
                "{name} has signed a tree of {one} and one of {two}, and does not prove that one extends the other: {rejection}"
            );
            Some((AlarmKind::Inconsistent, message))
        }
        Relation::Same | Relation::Newer(_) | Relation::Older => None,
    }
}

/// The first line of a checkpoint that was verified.
pub(crate) fn origin(checkpoint: &str) -> String {
    let parsed = Note::parse(checkpoint).and_then(|note| Checkpoint::parse(&note.text));
    parsed.map(|checkpoint| checkpoint.origin).unwrap_or_default()
}
