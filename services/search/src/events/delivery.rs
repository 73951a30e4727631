//! Delivers the events of one log; see [`super`] for what a round is.

use super::cloud_event::{self, Announced, Evidence};
use super::{DEADLINE, EventRequest, MAX_BATCH_BYTES, STAND_BY, Shared, Undelivered, wait_after};
use crate::corrupt::Corrupt;
use crate::entry_id::{entry_id, tree_id};
use crate::error::Error;
use crate::follower::{PERIOD, read};
use crate::source::{MAX_ENTRIES, Source};
use crate::store::{Cursor, StoreError};
use crate::turn::Turn;
use chancery_verify::merkle::{self, TreeHead};
use std::sync::Arc;
use std::time::Duration;

/// The delivery of the events of a log.
pub(super) struct Delivery {
    shared: Arc<Shared>,
    source: Arc<dyn Source>,
    turn: Turn,
    failures: u32,
}

/// The tree in which entries are proven.
struct Head {
    tree: TreeHead,
    note: String,
    tree_id: Option<i64>,
}

/// What came of a round.
enum Round {
    /// The receiver has been told of everything.
    Complete,
    /// There may be more at once.
    Busy,
    /// Another server delivers.
    Standby,
}

/// Events that are sent together.
#[derive(Default)]
struct Batch {
    events: Vec<String>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, event: String) {
        self.bytes = self.bytes.saturating_add(event.len());
        self.events.push(event);
    }
}

impl From<Error> for Undelivered {
    fn from(error: Error) -> Self {
        let reason = match &error {
            Error::Store(error) if error.is_forbidden() => {
                format!("{error}; run migrations/postgres/roles.sql again as the owner of the database")
            }
            error => error.to_string(),
        };
        Self { reason, retry_after: None }
    }
}

impl From<StoreError> for Undelivered {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

impl Delivery {
    pub(super) fn new(shared: Arc<Shared>, source: Arc<dyn Source>) -> Self {
        Self { shared, source, turn: Turn::default(), failures: 0 }
    }

    /// Delivers for as long as it is polled.
    pub(super) async fn run(mut self) {
        self.shared.statuses.name(self.source.log_id(), &self.source.name());
        loop {
            let round = self.round().await;
            if let Ok(Round::Complete | Round::Busy) = round {
                self.went_well();
            }
            let wait = match round {
                Ok(Round::Busy) => Duration::ZERO,
                Ok(Round::Complete | Round::Standby) => PERIOD,
                Err(undelivered) => self.failed(&undelivered),
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn went_well(&mut self) {
        self.failures = 0;
        if self.shared.statuses.went_well(self.source.log_id()) {
            tracing::info!(log.name = self.source.name(), "events of a log are delivered again");
        }
    }

    /// Returns how long to wait.
    fn failed(&mut self, Undelivered { reason, retry_after }: &Undelivered) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if self.shared.statuses.failed(self.source.log_id(), reason) {
            // Once, not with every attempt.
            tracing::warn!(
                log.name = self.source.name(),
                reason,
                "events of a log cannot be delivered; it is tried again"
            );
        }
        wait_after(self.failures, *retry_after)
    }

    /// Delivers what there is.
    async fn round(&mut self) -> Result<Round, Undelivered> {
        let log_id = self.source.log_id();
        let mut held = self.cursor().await?;
        let covered = self.shared.index.complete_to(log_id).await?;
        self.shared.statuses.place(log_id, held.next, covered.size);
        let is_ours = self.turn.is_ours(held.version, STAND_BY);
        if held.next >= covered.size {
            return Ok(Round::Complete);
        }
        let next = held.next;
        if !is_ours || !self.advance(&mut held, next).await? {
            return Ok(Round::Standby);
        }
        let head = self.head(covered.checkpoint)?;
        while held.next < covered.size {
            let entries = self.entries(held.next, covered.size).await?;
            if !self.announce(&mut held, entries, &head).await? {
                return Ok(Round::Standby);
            }
        }
        Ok(Round::Busy)
    }

    /// Where the receiver is. A log that was made after the receiver was begun is told from its first entry on.
    async fn cursor(&self) -> Result<Cursor, Undelivered> {
        let (cursors, receiver, log_id) = (&self.shared.cursors, self.shared.receiver.name(), self.source.log_id());
        if let Some(cursor) = cursors.cursor(receiver, log_id).await? {
            return Ok(cursor);
        }
        cursors.begin(receiver, &[(log_id, 0)]).await?;
        let begun = cursors.cursor(receiver, log_id).await?;
        Ok(begun.ok_or(Corrupt::new("a cursor that was begun is there")).map_err(Error::from)?)
    }

    /// Moves the cursor; `false` where another server was faster.
    async fn advance(&mut self, held: &mut Cursor, next: u64) -> Result<bool, Undelivered> {
        let (cursors, receiver) = (&self.shared.cursors, self.shared.receiver.name());
        if !cursors.advance(receiver, self.source.log_id(), held.version, next).await? {
            return Ok(false);
        }
        *held = Cursor { version: held.version.saturating_add(1), next };
        self.turn.wrote(held.version);
        Ok(true)
    }

    /// The tree of the index's checkpoint. The database keeps it, and the log's signature on it is checked again.
    fn head(&self, checkpoint: Option<String>) -> Result<Head, Undelivered> {
        let note = checkpoint.ok_or(Corrupt::new("an index that has entries has a checkpoint")).map_err(Error::from)?;
        let opened = self.source.open_checkpoint(&note);
        let tree = opened.map_err(|rejection| Undelivered {
            reason: format!("the checkpoint of the index is not one of this log: {rejection}"),
            retry_after: None,
        })?;
        Ok(Head { tree, tree_id: tree_id(self.source.kind(), &note), note })
    }

    /// Reads and parses the entries from `first` on, up to `end`: one bundle at most.
    async fn entries(&self, first: u64, end: u64) -> Result<Vec<Announced>, Undelivered> {
        let end = end.min(first - first % MAX_ENTRIES + MAX_ENTRIES);
        let entries = read(&*self.source, first, end).await.map_err(Error::from)?;
        Ok(self.shared.worker.run(move || entries.into_iter().map(Announced::of).collect()).await?)
    }

    /// Announces the entries from the cursor on, and moves it behind them; `false` where another server has taken over.
    async fn announce(&mut self, held: &mut Cursor, entries: Vec<Announced>, head: &Head) -> Result<bool, Undelivered> {
        let (mut batch, mut next) = (Batch::default(), held.next);
        for announced in entries {
            if self.is_wanted(&announced) {
                batch.push(self.event(next, &announced, head).await?);
            }
            next += 1;
            let is_full = batch.events.len() >= self.shared.announcing.batch || batch.bytes >= MAX_BATCH_BYTES;
            if is_full && !self.send(std::mem::take(&mut batch), held, next).await? {
                return Ok(false);
            }
        }
        self.send(batch, held, next).await
    }

    fn is_wanted(&self, announced: &Announced) -> bool {
        let kinds = &self.shared.announcing.kinds;
        kinds.is_empty() || kinds.contains(&announced.kind)
    }

    async fn event(&self, index: u64, announced: &Announced, head: &Head) -> Result<String, Error> {
        let Head { tree, note, tree_id } = head;
        let standing = self.source.standing(index, &announced.entry).await?;
        let hashes = self.source.inclusion_proof_of(index, announced.leaf_hash, tree.size).await?;
        let verified = merkle::verify_inclusion(index, tree.size, &announced.leaf_hash, &hashes, &tree.root);
        let mismatch = |rejection| Error::Mismatch {
            log: self.source.name(),
            size: tree.size,
            rejection,
            advice: self.source.advice(),
        };
        verified.map_err(mismatch)?;
        let evidence = Evidence { index, standing: &standing, tree, checkpoint: note, hashes: &hashes };
        let event = cloud_event::json(&entry_id(*tree_id, &announced.leaf_hash), announced, &evidence);
        event.map_err(|_| Corrupt::new("an event can be written as JSON").into())
    }

    /// Sends a batch, if there is something in it, and moves the cursor to `next` when it is confirmed.
    async fn send(&mut self, batch: Batch, held: &mut Cursor, next: u64) -> Result<bool, Undelivered> {
        if !batch.events.is_empty() {
            let (content_type, body) = cloud_event::request(&batch.events, self.shared.announcing.batch > 1);
            let delivering = self.shared.receiver.deliver(EventRequest { content_type, body });
            let answered = tokio::time::timeout(DEADLINE, delivering).await;
            answered.unwrap_or_else(|_| {
                let reason = format!("the receiver has not answered within {} seconds", DEADLINE.as_secs());
                Err(Undelivered { reason, retry_after: None })
            })?;
            self.went_well();
        }
        if next == held.next {
            return Ok(true);
        }
        let is_ours = self.advance(held, next).await?;
        if is_ours {
            let events = u64::try_from(batch.events.len()).unwrap_or(u64::MAX);
            self.shared.statuses.delivered(self.source.log_id(), events, next);
        }
        Ok(is_ours)
    }
}
