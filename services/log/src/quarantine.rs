//! Quarantine: the state of a log whose stored data is in doubt.
//!
//! A quarantined log answers reads from the last checkpoint that it can prove. It accepts no entries and signs nothing,
//! until an operator has repaired it and restarted it with a state that passes the guard of the start. There is no
//! override, because a second signed history could not be revoked. A log whose newest state is lost is ended, see
//! [`crate::ending`].
//!
//! A quarantine is recorded in the database, for the other servers, and in a file beside the high-water mark, which a
//! restore of the database does not take back.

use crate::Corrupt;
use crate::store::{Change, FAILED_CHECK, Recorded};
use chancery_daemon::clock::ClockFault;
use chancery_verify::{Rejection, leaves};
use std::sync::{Arc, OnceLock};
use tokio::sync::SetOnce;

/// The reason why a log is quarantined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The database was restored to an earlier state.
    #[error(
        "the database has {head}, and a checkpoint of {published} was published",
        head = leaves(*.head),
        published = leaves(*.published)
    )]
    Shrunk {
        /// Leaves of the committed head.
        head: u64,
        /// Leaves of the newest stored checkpoint.
        published: u64,
    },
    /// The newest stored checkpoint was not signed by the log's key, or is not of the tree that it is stored for.
    #[error(
        "the newest stored checkpoint, of {size}, was not published by this log: {rejection}",
        size = leaves(*.size)
    )]
    Checkpoint {
        /// Leaves it is stored for.
        size: u64,
        /// The verifier's reason.
        rejection: Rejection,
    },
    /// The tiles of the right edge are missing, or do not hash to the root of the committed head.
    #[error("the stored tiles do not lead to the root hash of the head of {size}", size = leaves(*.size))]
    Edge {
        /// Leaves of the committed head.
        size: u64,
    },
    /// The stored tree is not an extension of the one that was published.
    #[error(
        "the stored tree of {head} does not extend the one whose checkpoint of {published} was published",
        head = leaves(*.head)
    )]
    Forked {
        /// Leaves of the committed head.
        head: u64,
        /// Leaves of the newest stored checkpoint.
        published: u64,
    },
    /// The copy of the log's files is of a larger tree: the database was restored to an earlier state.
    #[error("the database has {head}, and the object store has a checkpoint of {published}", head = leaves(*.head))]
    StoreNewer {
        /// Leaves of the committed head.
        head: u64,
        /// Leaves of the checkpoint in the object store.
        published: u64,
    },
    /// The copy of the log's files is of another history.
    #[error(
        "the stored tree of {head} does not extend the one whose checkpoint of {published} is in the object store",
        head = leaves(*.head)
    )]
    StoreForked {
        /// Leaves of the committed head.
        head: u64,
        /// Leaves of the checkpoint in the object store.
        published: u64,
    },
    /// The high-water mark is of a larger tree: the database was restored to an earlier state.
    #[error(
        "the database has {head}, and this server has published {published}: the database was put back",
        head = leaves(*.head)
    )]
    MarkNewer {
        /// Leaves of the committed head.
        head: u64,
        /// Leaves of the checkpoint in the mark.
        published: u64,
    },
    /// The high-water mark is of another history: the database was restored and has grown again.
    #[error(
        "the stored tree of {head} does not extend the one of {published} that this server has published",
        head = leaves(*.head),
        published = leaves(*.published)
    )]
    MarkForked {
        /// Leaves of the committed head.
        head: u64,
        /// Leaves of the checkpoint in the mark.
        published: u64,
    },
    /// The database was restored to an earlier state while the log was running.
    #[error("the database has {head}, and had {known} before: it was put back", head = leaves(*.head))]
    PutBack {
        /// Leaves of the committed head.
        head: u64,
        /// Leaves of the head that was committed before.
        known: u64,
    },
    /// A witness has seen more of this log than the database has: the database was restored to an earlier state, or
    /// another server writes under the same key.
    #[error("the database has {head}, and the witness {witness} has cosigned {witnessed}", head = leaves(*.head))]
    WitnessAhead {
        /// Leaves of the committed head.
        head: u64,
        /// Leaves the witness has cosigned.
        witnessed: u64,
        /// Its name.
        witness: String,
        /// Where it shows the checkpoint it has cosigned: a URL.
        evidence: String,
        /// That checkpoint, which this log's key has signed.
        checkpoint: String,
    },
    /// A witness has seen another history of this log.
    #[error(
        "the tree of {head} does not extend the one of {witnessed} that the witness {witness} has cosigned",
        head = leaves(*.head),
        witnessed = leaves(*.witnessed)
    )]
    WitnessForked {
        /// Leaves of the head that was to be cosigned.
        head: u64,
        /// Leaves the witness has cosigned.
        witnessed: u64,
        /// Its name.
        witness: String,
        /// Where it shows the checkpoint it has cosigned: a URL.
        evidence: String,
        /// That checkpoint, which this log's key has signed.
        checkpoint: String,
    },
    /// A self-check failed, at the start or while the log was running.
    #[error(transparent)]
    Invariant(#[from] Corrupt),
    /// Another server of the log has found a fault, or this one before it was restarted, and the state is not proven since.
    #[error("found before: {0}")]
    Recorded(Box<Recorded>),
}

impl Reason {
    /// Stable name for alerts, metrics and runbooks.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shrunk { .. } => "quarantine.shrunk",
            Self::Checkpoint { .. } => "quarantine.checkpoint",
            Self::Edge { .. } => "quarantine.edge",
            Self::Forked { .. } => "quarantine.forked",
            Self::StoreNewer { .. } => "quarantine.store_newer",
            Self::StoreForked { .. } => "quarantine.store_forked",
            Self::MarkNewer { .. } => "quarantine.mark_newer",
            Self::MarkForked { .. } => "quarantine.mark_forked",
            Self::PutBack { .. } => "quarantine.put_back",
            Self::WitnessAhead { .. } => "quarantine.witness_ahead",
            Self::WitnessForked { .. } => "quarantine.witness_forked",
            Self::Invariant(_) => FAILED_CHECK,
            Self::Recorded(_) => "quarantine.recorded",
        }
    }

    /// Leaves of the largest tree that this reason says was published.
    pub(crate) fn published(&self) -> u64 {
        match self {
            Self::Shrunk { published, .. }
            | Self::Forked { published, .. }
            | Self::StoreNewer { published, .. }
            | Self::StoreForked { published, .. }
            | Self::MarkNewer { published, .. }
            | Self::MarkForked { published, .. } => *published,
            Self::WitnessAhead { witnessed, .. } | Self::WitnessForked { witnessed, .. } => *witnessed,
            Self::PutBack { known, .. } => *known,
            Self::Recorded(recorded) => recorded.tree_size,
            Self::Checkpoint { .. } | Self::Edge { .. } | Self::Invariant(_) => 0,
        }
    }

    /// The checkpoint that a witness has shown, and that contradicts what is stored.
    pub(crate) fn checkpoint(&self) -> Option<&str> {
        match self {
            Self::WitnessAhead { checkpoint, .. } | Self::WitnessForked { checkpoint, .. } => Some(checkpoint),
            _ => None,
        }
    }

    /// Where a witness shows a checkpoint that contradicts what is stored: a URL.
    #[must_use]
    pub fn evidence(&self) -> Option<&str> {
        match self {
            Self::WitnessAhead { evidence, .. } | Self::WitnessForked { evidence, .. } => Some(evidence),
            _ => None,
        }
    }
}

/// The reason why a log accepts no entries, for readiness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// Until an operator has intervened.
    #[error(
        "the {log} log is QUARANTINED ({}): {reason}{}; reads go on, no entry is taken and nothing is signed",
        reason.code(), because(change.as_ref())
    )]
    Quarantined {
        /// The log's name.
        log: String,
        /// Why.
        reason: Reason,
        /// What is different about the database, which may explain it.
        change: Option<Change>,
    },
    /// Until the clock is right.
    #[error("the {log} log takes no entries and dates nothing ({}): {fault}", fault.code())]
    Clock {
        /// The log's name.
        log: String,
        /// What is wrong with it.
        fault: ClockFault,
    },
    /// Until the high-water mark can be written.
    #[error(
        "the high-water mark of the {log} log cannot be written, so no entry is acknowledged: \
        make room on the disk of its data directory, or correct its permissions"
    )]
    Unmarked {
        /// The log's name.
        log: String,
    },
    /// Until enough witnesses cosign.
    #[error(
        "too few witnesses cosign the checkpoints of the {log} log, which acknowledges no entry until they do: {}",
        witnesses.join("; ")
    )]
    Unwitnessed {
        /// The log's name.
        log: String,
        /// Those that do not, and why.
        witnesses: Vec<String>,
    },
    /// It is being shut down.
    #[error("the {log} log takes no more entries: it is being stopped")]
    Stopped {
        /// The log's name.
        log: String,
    },
}

fn because(change: Option<&Change>) -> String {
    change.map_or_else(String::new, |change| format!("; {change}"))
}

/// Whether a log is quarantined; seen at once by everyone who holds a clone. It never ends while the process runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quarantine {
    reason: Arc<SetOnce<Reason>>,
    change: Arc<OnceLock<Change>>,
}

impl Quarantine {
    /// Begins it, and says so once, however often it is begun.
    pub(crate) fn begin(&self, log: &str, reason: Reason) {
        if self.reason.set(reason).is_ok()
            && let Some(reason) = self.reason.get()
        {
            tracing::error!(
                log.name = %log,
                error.code = reason.code(),
                %reason,
                "QUARANTINED: the log takes no entries and signs nothing; run chancery log check"
            );
        }
    }

    pub(crate) fn reason(&self) -> Option<&Reason> {
        self.reason.get()
    }

    /// Notes what is different about the database. The first change counts.
    pub(crate) fn explain(&self, log: &str, change: Change) {
        if self.change.set(change).is_ok()
            && let Some(change) = self.change.get()
        {
            tracing::warn!(log.name = %log, "{change}");
        }
    }

    pub(crate) fn change(&self) -> Option<&Change> {
        self.change.get()
    }

    /// Waits for it, and returns the reason.
    pub(crate) async fn begun(&self) -> &Reason {
        self.reason.wait().await
    }
}
