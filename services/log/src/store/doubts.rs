//! The records of a store about logs in doubt: that one is quarantined, that one was ended, and which database this is.
//!
//! Not the verdicts: these are those of [`crate::quarantine`] and [`crate::ending`].

use super::Answer;
use chancery_verify::Timestamp;
use chancery_verify::merkle::TreeHead;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// [`crate::quarantine::Reason::code`] of a failed self-check, which the guard of a start does not see.
pub(crate) const FAILED_CHECK: &str = "quarantine.invariant";
/// The same of a log that was restored without anything that says what was published after its backup. No state proves that.
pub(crate) const RESTORED: &str = "quarantine.restored";
/// Separates checkpoints in one text: a note has no control character but the end of a line.
const SEPARATOR: &str = "\u{1e}";

/// A quarantine as servers have recorded it, for their next start and for all other servers.
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
    /// The checkpoints that the tree must extend, as `join` writes them: the newest one that each server knows, and
    /// what contradicts the log. Not verified.
    pub note: Option<String>,
}

impl Recorded {
    /// Several checkpoints as one text; `None` where there is none.
    pub(crate) fn join<'a>(notes: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let mut joined: Vec<&str> = Vec::new();
        for note in notes {
            if !joined.contains(&note) {
                joined.push(note);
            }
        }
        (!joined.is_empty()).then(|| joined.join(SEPARATOR))
    }

    /// The checkpoints that the tree must extend.
    pub(crate) fn checkpoints(&self) -> impl Iterator<Item = &str> {
        self.note.iter().flat_map(|note| note.split(SEPARATOR))
    }

    /// Both as one record: a state that is proven against it is proven against each of them. The words are those of the first
    /// one, unless the second one demands more: that the whole tree is derived, or what no state can prove.
    pub(crate) fn and(self, other: &Self) -> Self {
        let note = Self::join(self.checkpoints().chain(other.checkpoints()));
        let tree_size = self.tree_size.max(other.tree_size);
        let demands_more = demand(&other.code) > demand(&self.code);
        let words = if demands_more { other.clone() } else { self };
        Self { tree_size, note, ..words }
    }
}

/// How much a start must prove beside what every record demands.
fn demand(code: &str) -> u8 {
    match code {
        RESTORED => 2,
        FAILED_CHECK => 1,
        _ => 0,
    }
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

    /// Records a quarantine. From then on no process, of whatever version, can move the log's head. Where one is recorded
    /// already, what this one demands is added to it.
    fn quarantine(&self, log_id: i64, recorded: Recorded) -> Answer<'_, ()>;

    /// Deletes the record, if it is this one: the state was proven against it. MUST NOT be called for another reason. `false`
    /// where another server has added to it meanwhile: nothing is deleted then.
    fn release(&self, log_id: i64, proven: Recorded) -> Answer<'_, bool>;

    /// Where the log was ended; `None` where it was not.
    fn ended(&self, log_id: i64) -> Answer<'_, Option<End>>;

    /// Ends the log, and freezes it, in one transaction; `recorded` has running servers hear of it. Returns where it ends:
    /// nothing changes the second time.
    fn end(&self, log_id: i64, end: End, recorded: Recorded) -> Answer<'_, End>;

    /// Which database this is.
    fn identity(&self) -> Answer<'_, Identity>;

    /// Notes that the database may have been promoted or restored `ago` before this store was opened: nothing is written while
    /// that is young, see [`super::StoreError::Settling`].
    fn has_changed(&self, ago: Duration);

    /// Whether batches are written, as far as the age of the database's timeline matters.
    fn is_settled(&self) -> bool;
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

    #[test]
    fn a_record_demands_what_each_server_has_recorded() {
        let recorded = |code: &str, tree_size, notes: &[&str]| Recorded {
            since_ms: tree_size,
            code: code.to_owned(),
            reason: format!("reason of {code}"),
            tree_size,
            note: Recorded::join(notes.iter().copied()),
        };
        let (put_back, failed) =
            (recorded("quarantine.put_back", 7, &["a", "b"]), recorded(FAILED_CHECK, 5, &["b", "c"]));
        let one = put_back.clone().and(&failed);
        let other = failed.clone().and(&put_back);
        for (both, order) in [(&one, ["a", "b", "c"]), (&other, ["b", "c", "a"])] {
            assert_eq!((both.code.as_str(), both.tree_size), (FAILED_CHECK, 7));
            assert_eq!(both.checkpoints().collect::<Vec<_>>(), order);
            assert_eq!((both.since_ms, both.reason.as_str()), (5, "reason of quarantine.invariant"));
            // What is recorded is not recorded again.
            for again in [&put_back, &failed, both] {
                assert_eq!(&both.clone().and(again), both);
            }
        }
        // A log that was restored stays so, whatever is found beside that.
        let restored = recorded(RESTORED, 3, &[]);
        for both in [restored.clone().and(&failed), failed.clone().and(&restored), put_back.clone().and(&restored)] {
            assert_eq!(both.code, RESTORED);
        }
        let nothing = recorded("quarantine.edge", 0, &[]);
        assert_eq!((nothing.checkpoints().count(), nothing.clone().and(&nothing)), (0, nothing.clone()));
        assert_eq!(put_back.clone().and(&nothing), put_back);
    }
}
