//! The settings of a TUF repository that the instance remembers, and the options for them.

use crate::{durable, duration};
use anyhow::Context as _;
use chancery_trust::tuf::{Lifetimes, Role};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

const SETTINGS: &str = "tuf.json";

/// The options of `chancery dev` about the TUF repository.
#[derive(Debug, Args)]
pub(crate) struct TufArguments {
    /// Sign new TUF metadata with these lifetimes, and record them
    ///
    /// Default: root=365d targets=365d snapshot=21d timestamp=7d. At least 10s.
    #[arg(long, help_heading = "Trust", value_name = "ROLE=TIME", num_args = 1.., value_parser = role_lifetime)]
    pub(crate) tuf_lifetime: Vec<(Role, Duration)>,
    /// Whether these are all, and what was remembered counts no more.
    #[arg(skip)]
    pub(crate) only_these: bool,
    /// Where the first keys of a new repository are, if not in `keys/`. A development server has them there.
    #[arg(skip)]
    pub(crate) keys: BTreeMap<Role, String>,
}

/// Shortest lifetime on a development server, where it can be watched how metadata expires.
const SHORTEST_IN_DEVELOPMENT: &str = "10s";

/// The shortest and the longest lifetime that a server's metadata of this role may have.
const fn bounds(role: Role) -> (&'static str, &'static str) {
    match role {
        // People who sign must have time to notice, to meet and to sign again.
        Role::Root | Role::Targets => ("1d", "3650d"),
        // A server that is restored from a backup must be back before. An attacker can hide newer metadata for as long.
        Role::Snapshot | Role::Timestamp => ("1h", "365d"),
    }
}

/// Reads how long a server's metadata of this role is valid: days, hours, minutes or seconds.
pub(crate) fn lifetime(role: Role, text: &str) -> Result<Duration, String> {
    let (shortest, longest) = bounds(role);
    between(text, shortest, longest)
}

fn between(text: &str, shortest: &str, longest: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    let is_sane = (duration::parse(shortest)?..=duration::parse(longest)?).contains(&time);
    if is_sane { Ok(time) } else { Err(format!("{text} is not between {shortest} and {longest}")) }
}

/// `timestamp=7d`, of a development server.
fn role_lifetime(text: &str) -> Result<(Role, Duration), String> {
    let parts = text.split_once('=').and_then(|(role, time)| Some((Role::from_name(role)?, time)));
    let (role, time) =
        parts.ok_or("expected root, targets, snapshot or timestamp with a time such as 7d, 12h, 30m or 45s")?;
    let (_, longest) = bounds(role);
    Ok((role, between(time, SHORTEST_IN_DEVELOPMENT, longest)?))
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Seconds, where they are not the usual ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lifetimes_seconds: BTreeMap<Role, u64>,
    /// URIs of keys that are not in `keys/`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) keys: BTreeMap<Role, Vec<String>>,
    /// URL of the process that serves the repository. `None` if only an earlier version was started on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
}

impl Settings {
    /// `None` where no repository has been made yet.
    pub(super) fn read(data: &Path) -> anyhow::Result<Option<Self>> {
        let path = data.join(SETTINGS);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("{} is damaged; restore it from a backup", path.display()))
    }

    pub(super) fn write(&self, data: &Path) -> anyhow::Result<()> {
        let text = format!("{}\n", serde_json::to_string_pretty(self)?);
        durable::write(&data.join(SETTINGS), text.as_bytes())
    }

    pub(super) fn lifetimes(&self) -> Lifetimes {
        let mut lifetimes = Lifetimes::default();
        for (role, seconds) in &self.lifetimes_seconds {
            let lifetime = match role {
                Role::Root => &mut lifetimes.root,
                Role::Targets => &mut lifetimes.targets,
                Role::Snapshot => &mut lifetimes.snapshot,
                Role::Timestamp => &mut lifetimes.timestamp,
            };
            *lifetime = Duration::from_secs(*seconds);
        }
        lifetimes
    }

    /// Takes what the options say.
    pub(super) fn take_lifetimes(&mut self, arguments: &TufArguments) {
        if arguments.only_these {
            self.lifetimes_seconds.clear();
        }
        let lifetimes = arguments.tuf_lifetime.iter().map(|(role, lifetime)| (*role, lifetime.as_secs()));
        self.lifetimes_seconds.extend(lifetimes);
    }

    /// Adds where a key is; whether that is new.
    pub(super) fn add_key(&mut self, role: Role, uri: &str) -> bool {
        let keys = self.keys.entry(role).or_default();
        let is_new = !keys.iter().any(|known| known == uri);
        if is_new {
            keys.push(uri.to_owned());
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read_with_their_unit_or_refused() {
        assert_eq!(role_lifetime("root=365d"), Ok((Role::Root, Duration::from_hours(365 * 24))));
        assert_eq!(role_lifetime("timestamp=45s"), Ok((Role::Timestamp, Duration::from_secs(45))));
        for bad in
            ["", "root", "root=", "root=d", "root=0d", "root=-1d", "root=1y", "boot=1d", "root=1é", "root=99999999d"]
        {
            assert!(role_lifetime(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_lifetime_leaves_time_to_act_and_ends_some_day() {
        for (role, good, bad) in [
            (Role::Root, ["1d", "3650d"], ["1s", "23h", "3651d"]),
            (Role::Targets, ["24h", "365d"], ["0s", "30m", "36500d"]),
            (Role::Snapshot, ["60m", "365d"], ["1s", "59m", "366d"]),
            (Role::Timestamp, ["1h", "7d"], ["10s", "3599s", "3650d"]),
        ] {
            for text in good {
                assert_eq!(lifetime(role, text), duration::parse(text), "{role} {text}");
            }
            for text in bad {
                let refused = lifetime(role, text).unwrap_err();
                assert!(refused.starts_with(&format!("{text} is not between 1")), "{role}: {refused}");
            }
        }
        assert_eq!(role_lifetime("root=1s").unwrap_err(), "1s is not between 10s and 3650d");
        assert!(role_lifetime("timestamp=366d").is_err() && role_lifetime("root=10s").is_ok());
    }
}
