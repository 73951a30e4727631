//! Why the index cannot be asked or cannot go on.

use crate::corrupt::Corrupt;
use crate::source::SourceError;
use crate::store::StoreError;
use chancery_verify::Rejection;

/// Most different values that a prefix may have in one run of the index: every one is read.
pub const MAX_VALUES: usize = 4096;

/// Why the index has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log that is followed failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The index does not cover all of the range: it is behind, or was dropped a moment ago to be built again.
    #[error("the index covers {indexed} entries of this log; ask within these, or again later")]
    NotCovered {
        /// Entries that it covers.
        indexed: u64,
    },
    /// A prefix has too many values.
    #[error("more than {} values begin with this; name more of it", MAX_VALUES)]
    PrefixTooWide,
    /// There is no such log.
    #[error("no log with the number {log_id} is followed")]
    UnknownLog {
        /// The number that was asked for.
        log_id: i64,
    },
    /// What was indexed is not what the log has published.
    #[error(
        "the {size} entries that were read from the log {log} are not those of its checkpoint ({rejection}): the log was changed or \
         forked. {advice}"
    )]
    Mismatch {
        /// Name of the log.
        log: String,
        /// Entries that were read.
        size: u64,
        /// Why they are not.
        rejection: Rejection,
        /// What to do, by [`Source::advice`](crate::Source::advice).
        advice: &'static str,
    },
    /// The stored index is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// Runs were merged faster than they could be read.
    #[error("the index changed while it was read; ask again")]
    Moved,
    /// The thread that computes is gone.
    #[error("the thread of the index has ended; restart the server")]
    Worker,
}

impl Error {
    /// Whether trying again leads to the same: following the log ends.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Mismatch { .. } | Self::Corrupt(_) | Self::Store(StoreError::Corrupt(_)))
    }
}
