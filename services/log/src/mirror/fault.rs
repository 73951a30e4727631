//! Errors of a push, and whether a retry can succeed.

use crate::Corrupt;
use crate::store::StoreError;
use chancery_verify::Rejection;

/// A push that was not finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Store and log contradict each other. Nothing is written any more.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The store failed. It is unknown whether the last write reached it. A retry is safe.
    #[error("object store: {0}")]
    Store(#[from] object_store::Error),
    /// Another replica, which is further ahead, replaced the checkpoint during the push.
    #[error("the checkpoint was replaced during the push")]
    Overtaken,
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] crate::Error),
}

impl Error {
    /// A violated invariant of the log is a fault too.
    pub(super) fn classified(self) -> Self {
        match self {
            Self::Log(crate::Error::Corrupt(corrupt) | crate::Error::Store(StoreError::Corrupt(corrupt))) => {
                Self::Fault(Fault::Log(corrupt))
            }
            other => other,
        }
    }
}

impl From<Corrupt> for Error {
    fn from(corrupt: Corrupt) -> Self {
        Self::Fault(Fault::Log(corrupt.counted()))
    }
}

/// A contradiction between store and log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A file that never changes has other bytes in the store than in the log. It is not overwritten.
    #[error("{path} in the object store has other bytes than the log")]
    Conflict {
        /// Which file.
        path: String,
    },
    /// The store has more of the log than the database.
    #[error(
        "the object store is newer than the log: it has a checkpoint of {stored} leaves, the log has {log}; \
         restore a database that has them all"
    )]
    Newer {
        /// Leaves in the store's checkpoint.
        stored: u64,
        /// Leaves the log has published.
        log: u64,
    },
    /// The checkpoint in the store is not one of this log: it has another origin or key, or is not a checkpoint.
    #[error("the checkpoint in the object store is not one of this log; give each log its own place")]
    Foreign(#[source] Rejection),
    /// The checkpoint in the store is of this log, but of a tree that it never had.
    #[error("the log forked: the object store's checkpoint of {size} leaves has another root hash than the log")]
    Forked {
        /// Leaves in both.
        size: u64,
    },
    /// The store overwrites a file although the request forbids it.
    #[error("the object store ignores If-None-Match, so files could be overwritten; use another object store")]
    Unconditional,
    /// The log's own files do not follow from its entries.
    #[error(transparent)]
    Log(Corrupt),
}

impl Fault {
    /// Stable name for metrics and audit log.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "mirror.conflict",
            Self::Newer { .. } => "mirror.newer",
            Self::Foreign(_) => "mirror.foreign",
            Self::Forked { .. } => "mirror.forked",
            Self::Unconditional => "mirror.unconditional",
            Self::Log(_) => "mirror.log",
        }
    }

    /// What readiness says.
    pub(super) const fn obstacle(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "the object store has other tiles than the log: see the server's log",
            Self::Newer { .. } => "the object store is newer than the log: see the server's log",
            Self::Foreign(_) => "the object store's checkpoint is of another log: see the server's log",
            Self::Forked { .. } => "the object store's checkpoint contradicts the log: see the server's log",
            Self::Unconditional => "the object store ignores conditions on writes: see the server's log",
            Self::Log(_) => "a log's tiles do not follow from its entries: run chancery log check",
        }
    }
}
