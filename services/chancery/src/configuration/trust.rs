//! `[trust]`: the trust root.

use crate::instance::{TufArguments, key_uri, lifetime};
use anyhow::Context as _;
use chancery_trust::tuf::Role;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// The trust root.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrustTable {
    /// URL of the trust root. Default: the `url` at the top.
    pub(crate) url: Option<String>,
    /// URL at which the processes of other roles fetch the TUF repository, if they do not reach it at its `url`. A rotated key counts
    /// as published when they can fetch it.
    pub(super) internal_url: Option<String>,
    /// File with the certificates, in PEM, that the processes of other roles trust for that server. Default: `ct_log_ca` of `[log]` if
    /// there is no `ct_log_url`, or else the system's authorities.
    pub(super) internal_ca_file: Option<PathBuf>,
    /// Lifetime of new TUF metadata of each role. Default: `365d` for root and targets (from `1d` to `3650d`), `21d` for snapshot,
    /// `7d` for timestamp (from `1h` to `365d`).
    #[serde(default)]
    lifetimes: PerRole,
    /// URIs of the first keys of the TUF roles, P-256. Default: the files `keys/tuf-ROLE.pem` in `data`.
    #[serde(default)]
    keys: PerRole,
}

/// One value for each role of the TUF repository.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PerRole {
    root: Option<String>,
    targets: Option<String>,
    snapshot: Option<String>,
    timestamp: Option<String>,
}

impl PerRole {
    fn iter(&self) -> impl Iterator<Item = (Role, &String)> {
        Role::ALL.into_iter().filter_map(|role| {
            let said = match role {
                Role::Root => &self.root,
                Role::Targets => &self.targets,
                Role::Snapshot => &self.snapshot,
                Role::Timestamp => &self.timestamp,
            };
            said.as_ref().map(|said| (role, said))
        })
    }
}

impl TrustTable {
    /// URIs of the first keys, by role.
    pub(super) fn keys(&self) -> impl Iterator<Item = (Role, &str)> {
        self.keys.iter().map(|(role, uri)| (role, uri.as_str()))
    }

    /// Refuses a file with certificates that cannot be used.
    pub(crate) fn check_files(&self) -> anyhow::Result<()> {
        let file = self.internal_ca_file.as_deref();
        file.map_or(Ok(()), chancery_outbound::check_file).context("[trust] internal_ca_file")
    }

    /// The settings of the TUF repository.
    pub(crate) fn tuf(&self) -> anyhow::Result<TufArguments> {
        let tuf_lifetime = self.lifetimes.iter().map(|(role, text)| {
            let time = lifetime(role, text).map_err(anyhow::Error::msg);
            Ok((role, time.with_context(|| format!("[trust] lifetimes, {role} = {text:?}"))?))
        });
        let keys = self.keys.iter().map(|(role, uri)| {
            let uri = key_uri(uri).with_context(|| format!("[trust] keys, {role}"))?;
            Ok((role, uri))
        });
        Ok(TufArguments {
            tuf_lifetime: tuf_lifetime.collect::<anyhow::Result<_>>()?,
            only_these: true,
            keys: keys.collect::<anyhow::Result<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_role_has_its_own() {
        let read = |text: &str| toml::from_str::<TrustTable>(text).map_err(anyhow::Error::from)?.tuf();
        let said = read("lifetimes = { timestamp = \"36h\" }\nkeys = { root = \"file:/a.pem\" }").unwrap();
        assert_eq!(said.tuf_lifetime, [(Role::Timestamp, Duration::from_hours(36))]);
        assert_eq!(said.keys.into_iter().collect::<Vec<_>>(), [(Role::Root, "file:/a.pem".to_owned())]);
        for (text, why) in [
            ("lifetimes = { timestamp = \"a week\" }", "[trust] lifetimes, timestamp"),
            ("lifetimes = { root = \"1s\" }", "[trust] lifetimes, root = \"1s\": 1s is not between 1d and 3650d"),
            ("lifetimes = { mirrors = \"1d\" }", "mirrors"),
            ("keys = { root = \"ftp://x\" }", "[trust] keys, root"),
        ] {
            let refusal = format!("{:#}", read(text).unwrap_err());
            assert!(refusal.contains(why), "{refusal}");
        }
    }
}
