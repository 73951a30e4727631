//! Errors of a push, and whether a retry can succeed.

use crate::Corrupt;
use crate::store::StoreError;
use chancery_verify::{Rejection, leaves};

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
    pub(crate) fn classified(self) -> Self {
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

/// A contradiction between store and log, or a store whose contents are not the log's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A file that never changes has other bytes in the store than in the log. It is not overwritten.
    #[error(
        "{path} in the object store has other bytes than the log, so the log is not copied; find out what writes there, then \
         delete the file"
    )]
    Conflict {
        /// Which file.
        path: String,
    },
    /// The store has more of the log than the database.
    #[error(
        "the object store is newer than the log: it has a checkpoint of {stored}, the log has {log}; \
         restore a database that has them all",
        stored = leaves(*.stored)
    )]
    Newer {
        /// Leaves in the store's checkpoint.
        stored: u64,
        /// Leaves the log has published.
        log: u64,
    },
    /// The checkpoint in the store is not one that this log signed: it has another origin or key, or is not a checkpoint. It is
    /// not overwritten.
    #[error(
        "the checkpoint in the object store is not one of this log, so the log is not copied; give each log its own place, or \
         find out what writes there, then delete the file"
    )]
    Foreign(#[source] Rejection),
    /// The checkpoint in the store is of this log, but of a tree that it never had.
    #[error(
        "the log forked: the object store's checkpoint of {size} has another root hash than the log",
        size = leaves(*.size)
    )]
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
    /// Every [`Self::code`].
    pub const CODES: [&str; 6] =
        ["mirror.conflict", "mirror.newer", "mirror.foreign", "mirror.forked", "mirror.unconditional", "mirror.log"];

    /// Whether it says something about the log. What else is in a store can be from anybody who can write there: it is a fault
    /// of the store alone, and the log goes on without its copy.
    #[must_use]
    pub const fn contradicts_log(&self) -> bool {
        match self {
            Self::Newer { .. } | Self::Forked { .. } | Self::Log(_) => true,
            Self::Conflict { .. } | Self::Foreign(_) | Self::Unconditional => false,
        }
    }

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

    /// What readiness says of a contradiction.
    pub(crate) const fn obstacle(&self) -> Option<&'static str> {
        match self {
            Self::Newer { .. } => Some("the object store is newer than the log: see the server's log"),
            Self::Forked { .. } => Some("the object store's checkpoint contradicts the log: see the server's log"),
            Self::Log(_) => Some("a log's tiles do not follow from its entries: run chancery log check"),
            Self::Conflict { .. } | Self::Foreign(_) | Self::Unconditional => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_code_of_the_list_and_an_obstacle_where_it_contradicts_the_log() {
        let faults = [
            Fault::Conflict { path: String::new() },
            Fault::Newer { stored: 2, log: 1 },
            Fault::Foreign(Rejection::NoteMalformed),
            Fault::Forked { size: 1 },
            Fault::Unconditional,
            Fault::Log(Corrupt::new("")),
        ];
        assert_eq!(faults.each_ref().map(Fault::code), Fault::CODES);
        assert!(faults.iter().all(|fault| fault.obstacle().is_some() == fault.contradicts_log()));
    }
}
