//! Conditions of a log: a state such as «cannot be read», which lasts, is told once, and may end. Pure.
//!
//! A condition begins when it is seen, is alarmed when it has lasted for its patience, and ends when it is seen no more. One that is
//! proof of a broken promise never ends.

use crate::alarm::AlarmKind;
use chancery_verify::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A condition that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Condition {
    /// When it began, in ms since the epoch.
    since_ms: u64,
    /// Whether it was alarmed.
    is_alarmed: bool,
    /// The last time's words.
    pub(crate) message: String,
}

/// How long conditions may last before they are alarmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// That a log cannot be read.
    pub unreachable: Duration,
    /// That a log shows an older tree than before: another server behind one address may be late.
    pub rollback: Duration,
    /// That others have seen a tree which the log does not prove here.
    pub hidden: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { unreachable: Duration::from_mins(15), rollback: Duration::from_mins(1), hidden: Duration::from_mins(10) }
    }
}

impl Patience {
    const fn of(&self, kind: AlarmKind) -> Duration {
        match kind {
            AlarmKind::Unreachable => self.unreachable,
            AlarmKind::Rollback => self.rollback,
            AlarmKind::Hidden => self.hidden,
            _ => Duration::ZERO,
        }
    }
}

/// Whether a condition of this kind is proof, which no later answer takes back.
const fn is_proof(kind: AlarmKind) -> bool {
    matches!(kind, AlarmKind::Fork | AlarmKind::Inconsistent)
}

/// The conditions of a log that last now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Conditions(BTreeMap<AlarmKind, Condition>);

/// What came of noting a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It is to be alarmed now; this with its kind says which one it is.
    Alarm {
        /// When it began, in ms since the epoch.
        since_ms: u64,
    },
    /// It is new, and has not lasted long enough.
    Begun,
    /// It was noted before.
    Known,
}

impl Conditions {
    /// Notes that a condition is seen.
    pub(crate) fn note(&mut self, kind: AlarmKind, message: &str, patience: &Patience, now: Timestamp) -> Noted {
        let is_new = !self.0.contains_key(&kind);
        let new = || Condition { since_ms: now.millis(), is_alarmed: false, message: String::new() };
        let condition = self.0.entry(kind).or_insert_with(new);
        message.clone_into(&mut condition.message);
        let lasted = Duration::from_millis(now.millis().saturating_sub(condition.since_ms));
        if condition.is_alarmed {
            Noted::Known
        } else if lasted >= patience.of(kind) {
            condition.is_alarmed = true;
            Noted::Alarm { since_ms: condition.since_ms }
        } else if is_new {
            Noted::Begun
        } else {
            Noted::Known
        }
    }

    /// Notes that a condition is seen no more. Returns whether it was there.
    pub(crate) fn end(&mut self, kind: AlarmKind) -> bool {
        !is_proof(kind) && self.0.remove(&kind).is_some()
    }

    /// Those that were alarmed and last.
    pub(crate) fn alarmed(&self) -> impl Iterator<Item = (AlarmKind, &Condition)> {
        self.0.iter().filter(|(_, condition)| condition.is_alarmed).map(|(kind, condition)| (*kind, condition))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_alarmed_once_when_it_has_lasted() {
        let (mut conditions, patience) = (Conditions::default(), Patience::default());
        let mut note =
            |seconds| conditions.note(AlarmKind::Rollback, "older", &patience, Timestamp::from_seconds(seconds));
        let found = [1000, 1059, 1060, 1061].map(&mut note);
        assert_eq!(found, [Noted::Begun, Noted::Known, Noted::Alarm { since_ms: 1_000_000 }, Noted::Known]);
        assert_eq!(conditions.alarmed().count(), 1);
        assert!(conditions.end(AlarmKind::Rollback) && !conditions.end(AlarmKind::Rollback));
        let again = conditions.note(AlarmKind::Rollback, "older", &patience, Timestamp::from_seconds(2000));
        assert_eq!(again, Noted::Begun);
    }

    #[test]
    fn proof_is_alarmed_at_once_and_never_ends() {
        let (mut conditions, patience) = (Conditions::default(), Patience::default());
        let noted = conditions.note(AlarmKind::Fork, "two", &patience, Timestamp::from_seconds(1));
        assert_eq!(noted, Noted::Alarm { since_ms: 1000 });
        assert!(!conditions.end(AlarmKind::Fork) && conditions.alarmed().count() == 1);
        let json = serde_json::to_string(&conditions).unwrap();
        assert_eq!(serde_json::from_str::<Conditions>(&json).unwrap(), conditions);
        assert_eq!(conditions.note(AlarmKind::Fork, "two", &patience, Timestamp::from_seconds(9)), Noted::Known);
    }

    #[test]
    fn a_clock_that_goes_back_alarms_nothing_early() {
        let (mut conditions, patience) = (Conditions::default(), Patience::default());
        let mut note =
            |seconds| conditions.note(AlarmKind::Unreachable, "away", &patience, Timestamp::from_seconds(seconds));
        assert_eq!([5000, 10, 5001].map(&mut note), [Noted::Begun, Noted::Known, Noted::Known]);
    }
}
