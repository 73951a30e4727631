//! Errors of a log, in the three families that a caller must distinguish.

use crate::quarantine::Reason;
use crate::store::StoreError;
use chancery_daemon::clock::ClockFault;
use chancery_verify::Rejection;
use std::sync::atomic::{AtomicU64, Ordering};

/// Self-checks of logs that failed since the process began.
static FAILED_CHECKS: AtomicU64 = AtomicU64::new(0);

/// Self-checks of the logs of this process that failed: of reads, promises, certificate timestamps, checkpoints and batches.
///
/// They are counted where a [`Corrupt`] becomes an error that a caller sees. So none is missed, independent of the
/// personality, protocol or background task. Only failed self-checks increase this number: clients cannot.
#[must_use]
pub fn failed_checks() -> u64 {
    FAILED_CHECKS.load(Ordering::Relaxed)
}

/// The reason why a log refused a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Temporary: the pool is full. The client should retry after this number of seconds.
    #[error("too many entries are waiting; try again in {retry_after_seconds} s")]
    Busy {
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// Temporary: the sequencer has stopped, or an entry could not be acknowledged. Reads go on.
    #[error("the log takes no entries at the moment: {reason}")]
    Unavailable {
        /// Why, for the operator's log.
        reason: &'static str,
    },
    /// Temporary: the clock cannot be trusted, so no time is signed. Reads go on.
    #[error(transparent)]
    Clock(#[from] ClockFault),
    /// Permanent: the log is frozen. Reads go on.
    #[error("the log is frozen: it takes no more entries")]
    Frozen,
    /// Until an operator has intervened: the stored state is in doubt. Reads go on.
    #[error("the log is quarantined: {0}")]
    Quarantined(Reason),
    /// A self-check failed. Nothing is signed any more.
    #[error(transparent)]
    Corrupt(Corrupt),
    /// The database failed. It is unknown whether a write reached it. A retry is safe.
    #[error(transparent)]
    Store(StoreError),
}

impl From<Corrupt> for Error {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt.counted())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(match error {
            StoreError::Corrupt(corrupt) => StoreError::Corrupt(corrupt.counted()),
            other => other,
        })
    }
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

    /// Counts it, see [`failed_checks`].
    pub(crate) fn counted(self) -> Self {
        FAILED_CHECKS.fetch_add(1, Ordering::Relaxed);
        self
    }

    /// A self-check that `chancery-verify` refused.
    #[must_use]
    pub const fn refused(invariant: &'static str, rejection: Rejection) -> Self {
        Self { invariant, rejection: Some(rejection) }
    }
}
