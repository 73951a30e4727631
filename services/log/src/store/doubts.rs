//! What a store keeps of logs in doubt: that one is quarantined, that one was ended, and which database this is.
//!
//! Not the verdicts: these are those of [`crate::quarantine`] and [`crate::ending`].

use super::Answer;
use chancery_verify::Timestamp;
use chancery_verify::merkle::TreeHead;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A quarantine as a server has recorded it, for its next start and for all other servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// When the fault was found, in milliseconds since 1970.
    pub since_ms: u64,
    /// [`crate::quarantine::Reason::code`].
    pub code: String,
    /// The reason in words.
    pub reason: String,
    /// Leaves of the largest tree that is known to have been published.
    pub tree_size: u64,
    /// The newest checkpoint that the server knows. The tree must extend it. Not verified.
    pub note: Option<String>,
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { since_ms, code, reason, .. } = self;
        write!(f, "{reason} ({code}, {})", Timestamp::from_millis(*since_ms).rfc3339())
    }
}

/// Where a log was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// The tree that is shown from then on. Its checkpoint is stored.
    pub tree: TreeHead,
    /// Leaves of the largest tree that is known to have been published: entries between the two sizes cannot be proven.
    pub published: u64,
}

/// Which database this is. A part is `None` where the database has none, or does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// `PostgreSQL`'s `system_identifier`.
    pub cluster: Option<String>,
    /// Its timeline, which changes with every promotion and every restore to a point in time.
    pub timeline: Option<u32>,
}

/// A database is not the one it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Another cluster.
    Cluster {
        /// Its identifier before.
        before: String,
        /// Its identifier now.
        now: String,
    },
    /// The same cluster on another timeline.
    Timeline {
        /// Before.
        before: u32,
        /// Now.
        now: u32,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster { before, now } => {
                write!(f, "the database is another cluster than before (system identifier {before}, now {now})")
            }
            Self::Timeline { before, now } => write!(
                f,
                "the database was on timeline {before} and is now on {now}: a standby was promoted, or the database was \
                 restored to a point in time"
            ),
        }
    }
}

impl Identity {
    /// What is known to have changed until `now`.
    #[must_use]
    pub fn change(&self, now: &Self) -> Option<Change> {
        if let (Some(before), Some(now)) = (&self.cluster, &now.cluster)
            && before != now
        {
            return Some(Change::Cluster { before: before.clone(), now: now.clone() });
        }
        let (before, now) = self.timeline.zip(now.timeline).filter(|(before, now)| before != now)?;
        Some(Change::Timeline { before, now })
    }
}

/// What a store keeps of logs in doubt.
pub trait Doubts: Send + Sync {
    /// The quarantine of the log, if one is recorded.
    fn quarantined(&self, log_id: i64) -> Answer<'_, Option<Recorded>>;

    /// Records a quarantine. From then on no process, of whatever version, can move the log's head. One that is recorded
    /// already stays as it is.
    fn quarantine(&self, log_id: i64, recorded: Recorded) -> Answer<'_, ()>;

    /// Deletes the record: the state was proven. MUST NOT be called for another reason.
    fn release(&self, log_id: i64) -> Answer<'_, ()>;

    /// Where the log was ended; `None` where it was not.
    fn ended(&self, log_id: i64) -> Answer<'_, Option<End>>;

    /// Ends the log, and freezes it, in one transaction; `recorded` has running servers hear of it. Returns where it ends:
    /// nothing changes the second time.
    fn end(&self, log_id: i64, end: End, recorded: Recorded) -> Answer<'_, End>;

    /// Which database this is.
    fn identity(&self) -> Answer<'_, Identity>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_twice_can_change() {
        let identity = |cluster: Option<&str>, timeline| Identity { cluster: cluster.map(str::to_owned), timeline };
        let before = identity(Some("7"), Some(1));
        assert_eq!(before.change(&before), None);
        for unknown in [identity(None, None), identity(Some("7"), None), identity(None, Some(1))] {
            assert_eq!((before.change(&unknown), unknown.change(&before)), (None, None));
        }
        let promoted = before.change(&identity(Some("7"), Some(2))).unwrap();
        assert!(promoted.to_string().contains("on timeline 1 and is now on 2: a standby was promoted"), "{promoted}");
        let other = before.change(&identity(Some("8"), Some(1))).unwrap();
        assert!(other.to_string().contains("system identifier 7, now 8"), "{other}");
    }
}
