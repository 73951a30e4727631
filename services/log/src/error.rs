//! Errors of a log, in the three families that a caller must distinguish.

use crate::corrupt::Corrupt;
use crate::quarantine::Reason;
use crate::store::StoreError;
use chancery_daemon::clock::ClockFault;

/// Seconds after which a log that cannot be reached or written to now is worth another try.
const RETRY_AFTER_SECONDS: u64 = 5;

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

    /// Seconds after which the same request may succeed; `None` where an operator has to act first, or nothing ever helps. A
    /// database that fails says nothing about what is in it, so reads that it failed may be repeated, too.
    #[must_use]
    pub const fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Busy { retry_after_seconds } => Some(*retry_after_seconds),
            Self::Frozen | Self::Quarantined(_) | Self::Corrupt(_) | Self::Store(StoreError::Corrupt(_)) => None,
            Self::Unavailable { .. } | Self::Clock(_) | Self::Store(_) => Some(RETRY_AFTER_SECONDS),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_fails_is_worth_another_try_and_one_that_is_wrong_is_not() {
        let corrupt = || Corrupt::new("every log has a head");
        for error in [StoreError::from(sqlx::Error::PoolTimedOut), StoreError::Timeout, StoreError::Settling] {
            assert_eq!(Error::from(error).retry_after_seconds(), Some(5));
        }
        for error in [Error::from(corrupt()), StoreError::from(corrupt()).into(), Error::Frozen] {
            assert_eq!(error.retry_after_seconds(), None, "{error}");
        }
        assert_eq!(Error::Busy { retry_after_seconds: 7 }.retry_after_seconds(), Some(7));
    }
}
