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
    /// Default: root=365d targets=365d snapshot=21d timestamp=7d.
    #[arg(long, help_heading = "Trust", value_name = "ROLE=TIME", num_args = 1.., value_parser = role_lifetime)]
    pub(crate) tuf_lifetime: Vec<(Role, Duration)>,
    /// Whether these are all, and what was remembered counts no more.
    #[arg(skip)]
    pub(crate) only_these: bool,
    /// Where the first keys of a new repository are, if not in `keys/`. A development server has them there.
    #[arg(skip)]
    pub(crate) keys: BTreeMap<Role, String>,
}

/// How long metadata of a role may be valid: days, hours, minutes or seconds.
pub(crate) fn lifetime(text: &str) -> Option<Duration> {
    // Clients read four digits of a year.
    duration::parse(text).ok().filter(|time| (1..=100 * 366 * 86400).contains(&time.as_secs()))
}

/// `timestamp=7d`.
fn role_lifetime(text: &str) -> Result<(Role, Duration), String> {
    let parse = || {
        let (role, time) = text.split_once('=')?;
        Some((Role::from_name(role)?, lifetime(time)?))
    };
    parse().ok_or_else(|| {
        "expected root, targets, snapshot or timestamp with a time such as 7d, 12h, 30m or 45s".to_owned()
    })
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
}
