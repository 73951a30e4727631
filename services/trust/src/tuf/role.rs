//! The four roles of a repository, and the lifetimes of their metadata.

use chancery_verify::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// A role of TUF 1.0 §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Signs the keys of all roles.
    Root,
    /// Signs the list of files.
    Targets,
    /// Signs the version of the targets metadata.
    Snapshot,
    /// Signs the current snapshot.
    Timestamp,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Root, Self::Targets, Self::Snapshot, Self::Timestamp];

    /// The name in metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Returns the path of version `version` of its metadata, in the directory and below the URL.
    #[must_use]
    pub fn path(self, version: u64) -> String {
        match self {
            Self::Timestamp => "timestamp.json".to_owned(),
            Self::Root | Self::Targets | Self::Snapshot => format!("{version}.{self}.json"),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Lifetimes of new metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of root metadata.
    pub root: Duration,
    /// Of targets metadata.
    pub targets: Duration,
    /// Of snapshot metadata.
    pub snapshot: Duration,
    /// Of timestamp metadata. An attacker who controls the connection can hide newer metadata from a client for this
    /// long.
    pub timestamp: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        let days = |days: u64| Duration::from_hours(24 * days);
        Self { root: days(365), targets: days(365), snapshot: days(21), timestamp: days(7) }
    }
}

/// How urgent the renewal of metadata is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    /// Not due.
    None,
    /// 30 days left, or half of a shorter lifetime.
    Notice,
    /// 14 days left, or a quarter.
    Warning,
    /// 7 days left, or an eighth.
    Alarm,
    /// Expired: clients refuse it.
    Expired,
}

impl Lifetimes {
    /// Lifetime of one role's metadata.
    #[must_use]
    pub const fn of(&self, role: Role) -> Duration {
        match role {
            Role::Root => self.root,
            Role::Targets => self.targets,
            Role::Snapshot => self.snapshot,
            Role::Timestamp => self.timestamp,
        }
    }

    /// Returns the expiry of metadata made at `now`. Whole seconds: python-tuf refuses fractions.
    #[must_use]
    pub const fn expiry(&self, role: Role, now: Timestamp) -> Timestamp {
        Timestamp::from_seconds(now.plus_seconds(self.of(role).as_secs()).seconds())
    }

    /// Returns whether metadata with this expiry should be renewed now. That is early, so that a key that cannot be
    /// reached for days does no harm. Root and targets are renewed before the first notice, the others when a third of
    /// their lifetime has passed.
    #[must_use]
    pub fn is_due(&self, role: Role, expires: Timestamp, now: Timestamp) -> bool {
        let lifetime = self.of(role).as_secs();
        let left = match role {
            Role::Root | Role::Targets => (60 * 24 * 3600).min(lifetime / 3 * 2),
            Role::Snapshot | Role::Timestamp => lifetime / 3 * 2,
        };
        now.plus_seconds(left) >= expires
    }

    /// Returns how urgent the renewal is.
    #[must_use]
    pub fn urgency(&self, role: Role, expires: Timestamp, now: Timestamp) -> Urgency {
        let lifetime = self.of(role).as_secs();
        let within = |days: u64, part: u64| now.plus_seconds((days * 24 * 3600).min(lifetime / part)) >= expires;
        if now >= expires {
            Urgency::Expired
        } else if within(7, 8) {
            Urgency::Alarm
        } else if within(14, 4) {
            Urgency::Warning
        } else if within(30, 2) {
            Urgency::Notice
        } else {
            Urgency::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_told_about_at_30_14_and_7_days_and_a_week_in_parts() {
        let lifetimes = Lifetimes::default();
        let day = 24 * 3600;
        let expires = Timestamp::from_seconds(400 * day);
        let before = |days: u64| Timestamp::from_seconds((400 - days) * day);
        for (days, urgency) in [
            (31, Urgency::None),
            (30, Urgency::Notice),
            (14, Urgency::Warning),
            (7, Urgency::Alarm),
            (0, Urgency::Expired),
        ] {
            assert_eq!(lifetimes.urgency(Role::Root, expires, before(days)), urgency, "{days}");
        }
        assert_eq!(lifetimes.urgency(Role::Timestamp, expires, before(4)), Urgency::None);
        assert_eq!(lifetimes.urgency(Role::Timestamp, expires, before(3)), Urgency::Notice);
        assert_eq!(lifetimes.urgency(Role::Timestamp, expires, before(1)), Urgency::Warning);
    }

    #[test]
    fn renewal_comes_before_the_first_notice() {
        let lifetimes = Lifetimes::default();
        let made = Timestamp::from_seconds(1_000_000);
        for role in Role::ALL {
            let expires = lifetimes.expiry(role, made);
            assert!(!lifetimes.is_due(role, expires, made), "{role}");
            let due = (0..=400 * 24)
                .map(|hour| made.plus_seconds(hour * 3600))
                .find(|now| lifetimes.is_due(role, expires, *now));
            assert_eq!(lifetimes.urgency(role, expires, due.unwrap()), Urgency::None, "{role}");
        }
    }
}
