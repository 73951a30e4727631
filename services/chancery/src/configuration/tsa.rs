//! `[tsa]`: the timestamp authority.

use crate::duration;
use anyhow::{Context as _, ensure};
use chancery_daemon::clock::SourceSettings;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeSet, path::PathBuf, time::Duration};

/// Maximum servers. More do not improve the result.
const MAX_SERVERS: usize = 16;

/// The timestamp authority.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TsaTable {
    /// URL of the timestamp authority. Default: the `url` at the top.
    pub(crate) url: Option<String>,
    /// URI of the key. Default: the file `keys/tsa.pem` in `data`.
    pub(crate) key: Option<String>,
    /// URI of the root's key. Only `chancery init` reads it; later: `chancery keys rotate tsa stage --root-key`. Default: none;
    /// `chancery init` makes the root's key in memory, signs once and destroys it.
    pub(crate) root_key: Option<String>,
    /// File with the certificates of `key` that another authority has issued, in PEM, up to its root. Only `chancery init` reads it.
    pub(crate) chain: Option<PathBuf>,
    /// Accepted timestamp policies, as object identifiers. A request that names none gets the first.
    #[serde(default)]
    pub(crate) policies: Vec<String>,
    /// Answer requests for certificates with the whole chain. Default: with the signing certificate alone.
    #[serde(default)]
    pub(crate) include_chain_in_response: bool,
    /// Copy extensions of a request into the timestamp, unless they are critical. Default: refuse the request.
    #[serde(default)]
    pub(crate) allow_custom_extensions: bool,
    /// Time servers (NTP), `host` or `host:port`, that must agree with the clock before any role dates anything. Default: none.
    #[serde(default)]
    pub(crate) ntp: Vec<String>,
    /// Quorum: how many time servers must agree. Default: more than half.
    pub(crate) ntp_threshold: Option<usize>,
    /// Largest difference between the clock and a time server. Default: `1s`.
    pub(crate) ntp_max_offset: Option<String>,
    /// How long the clock is trusted after a quorum has agreed with it. Default: `15m`.
    pub(crate) ntp_max_age: Option<String>,
    /// Interval between requests to the time servers. Default: `1m`.
    pub(crate) ntp_period: Option<String>,
}

impl TsaTable {
    /// Settings of the time servers, if there are any.
    pub(crate) fn time_servers(&self) -> anyhow::Result<Option<SourceSettings>> {
        let times = [&self.ntp_max_offset, &self.ntp_max_age, &self.ntp_period].map(Option::as_ref);
        let count = self.ntp.len();
        if count == 0 {
            let alone = self.ntp_threshold.is_none() && times.iter().all(Option::is_none);
            ensure!(alone, "[tsa] ntp names no server, so ntp_… has no effect; set ntp, or remove ntp_…");
            return Ok(None);
        }
        ensure!(count <= MAX_SERVERS, "[tsa] ntp names {count} servers; name at most {MAX_SERVERS}");
        ensure!(
            self.ntp.iter().collect::<BTreeSet<_>>().len() == count,
            "[tsa] ntp names a server twice; a server counts once, so name it once"
        );
        ensure!(self.ntp.iter().all(|server| is_address(server)), "[tsa] ntp: write each server as HOST or HOST:PORT");
        let threshold = self.ntp_threshold.unwrap_or(count / 2 + 1);
        ensure!(
            (1..=count).contains(&threshold),
            "[tsa] ntp_threshold is {threshold}; set it to a number from 1 to {count}, the number of servers"
        );
        let [max_offset, max_age, period] = times;
        let settings = SourceSettings {
            servers: self.ntp.clone(),
            max_offset: time("ntp_max_offset", max_offset, Duration::from_secs(1))?,
            threshold,
            max_age: time("ntp_max_age", max_age, Duration::from_mins(15))?,
            period: time("ntp_period", period, Duration::from_mins(1))?,
        };
        ensure!(
            settings.max_age >= settings.period,
            "[tsa] ntp_max_age is shorter than ntp_period, so the clock would be distrusted between two requests; set a longer ntp_max_age"
        );
        Ok(Some(settings))
    }
}

/// Returns whether the text is a host, with or without a port. The host need not exist.
fn is_address(server: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    !server.is_empty() && server.bytes().all(allowed)
}

/// A duration of at least one second.
fn time(name: &str, text: Option<&String>, default: Duration) -> anyhow::Result<Duration> {
    let Some(text) = text else { return Ok(default) };
    let time = duration::parse(text).map_err(anyhow::Error::msg).with_context(|| format!("[tsa] {name}"))?;
    ensure!(time >= Duration::from_secs(1), "[tsa] {name} is less than a second; set at least 1s");
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<SourceSettings>, String> {
        toml::from_str::<TsaTable>(text).unwrap().time_servers().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn servers_have_defaults_and_nothing_else_has_a_meaning_without_them() {
        assert!(read("").unwrap().is_none());
        let settings = read("ntp = [\"a.example.org\", \"192.0.2.1:123\", \"[2001:db8::1]:123\"]").unwrap().unwrap();
        assert_eq!(
            (settings.threshold, settings.max_offset, settings.max_age),
            (2, Duration::from_secs(1), Duration::from_mins(15))
        );
        for (text, why) in [
            ("ntp_max_age = \"1h\"", "no server"),
            ("ntp = [\"a\", \"a\"]", "twice"),
            ("ntp = [\"ntp://a\"]", "HOST:PORT"),
            ("ntp = [\"a\"]\nntp_threshold = 2", "ntp_threshold"),
            ("ntp = [\"a\"]\nntp_threshold = 0", "ntp_threshold"),
            ("ntp = [\"a\"]\nntp_max_offset = \"0s\"", "ntp_max_offset"),
            ("ntp = [\"a\"]\nntp_max_offset = \"500ms\"", "ntp_max_offset"),
            ("ntp = [\"a\"]\nntp_max_age = \"30s\"", "shorter"),
        ] {
            let refusal = read(text).unwrap_err();
            assert!(refusal.contains(why), "{text}: {refusal}");
        }
    }
}
