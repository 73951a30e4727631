//! Errors of a log, in the three families that a caller must distinguish.

use crate::quarantine::Reason;
use crate::store::StoreError;
use chancery_verify::Rejection;

/// The reason why a log refused a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Temporary: the pool is full. The client should retry after this number of seconds.
    #[error("too many entries are waiting; try again in {retry_after_seconds} s")]
    Busy {
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// Temporary: the sequencer has stopped, or the clock cannot be trusted. Reads go on.
    #[error("the log takes no entries at the moment: {reason}")]
    Unavailable {
        /// Why, for the operator's log.
        reason: &'static str,
    },
    /// Permanent: the log is frozen. Reads go on.
    #[error("the log is frozen: it takes no more entries")]
    Frozen,
    /// Until an operator has intervened: the stored state is in doubt. Reads go on.
    #[error("the log is quarantined: {0}")]
    Quarantined(Reason),
    /// A self-check failed. Nothing is signed any more.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The database failed. It is unknown whether a write reached it. A retry is safe.
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
            Self::Frozen => "log.frozen",
            Self::Quarantined(_) => "log.quarantined",
            Self::Corrupt(_) => "log.corrupt",
            Self::Store(_) => "log.store",
        }
    }
}

/// An invariant that does not hold any more. The sequencer stops at the first one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invariant violated: {invariant}")]
pub struct Corrupt {
    /// The violated invariant.
    pub invariant: &'static str,
    /// The reason of `chancery-verify`, if it made the check.
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
