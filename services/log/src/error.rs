//! What can go wrong with a log, in the three families a caller must tell apart.

use crate::quarantine::Reason;
use crate::store::StoreError;
use chancery_daemon::clock::ClockFault;
use chancery_verify::Rejection;

/// Why a log did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not now: the pool is full. The client should come back after this many seconds.
    #[error("too many entries are waiting; try again in {retry_after_seconds} s")]
    Busy {
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// Not now: the sequencer has stopped, or nobody could be told of the entry. Reads go on.
    #[error("the log takes no entries at the moment: {reason}")]
    Unavailable {
        /// Why, for the operator's log.
        reason: &'static str,
    },
    /// Not now: the clock cannot be trusted, so nothing is dated. Reads go on.
    #[error(transparent)]
    Clock(#[from] ClockFault),
    /// Never again: the log is frozen. Reads go on.
    #[error("the log is frozen: it takes no more entries")]
    Frozen,
    /// Not until an operator has looked: what is stored is in doubt. Reads go on.
    #[error("the log is quarantined: {0}")]
    Quarantined(Reason),
    /// Broken: a self-check failed. Nothing is signed any more.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The database failed; whether a write reached it is unknown, and a retry is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// Stable name for metrics, audit log and `details`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "log.busy",
            Self::Unavailable { .. } => "log.unavailable",
            Self::Clock(fault) => fault.code(),
            Self::Frozen => "log.frozen",
            Self::Quarantined(_) => "log.quarantined",
            Self::Corrupt(_) => "log.corrupt",
            Self::Store(_) => "log.store",
        }
    }

    /// The self-check that failed, if that is the reason.
    #[must_use]
    pub const fn corrupt(&self) -> Option<&Corrupt> {
        match self {
            Self::Corrupt(corrupt) | Self::Store(StoreError::Corrupt(corrupt)) => Some(corrupt),
            _ => None,
        }
    }
}

/// An invariant that does not hold any more. The sequencer stops at the first one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invariant violated: {invariant}")]
pub struct Corrupt {
    /// What should have been true.
    pub invariant: &'static str,
    /// What `chancery-verify` said, where it was asked.
    #[source]
    pub rejection: Option<Rejection>,
}

impl Corrupt {
    /// A violated invariant without a verdict behind it.
    #[must_use]
    pub const fn new(invariant: &'static str) -> Self {
        Self { invariant, rejection: None }
    }

    /// A self-check that `chancery-verify` refused.
    #[must_use]
    pub const fn refused(invariant: &'static str, rejection: Rejection) -> Self {
        Self { invariant, rejection: Some(rejection) }
    }
}
