//! The witnesses of an instance's logs: settings and metrics.

use super::running::RunningLogs;
use crate::witness::HttpWitness;
use anyhow::{Context as _, ensure};
use chancery_daemon::metrics::Metrics;
use chancery_log::witnessing::{self, WitnessClient, Witnesses};
use chancery_verify::cosignature::Witness;
use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{path::PathBuf, sync::Arc, time::Duration};
use url::Url;

/// Default time limit for witnesses. Together with the other work for an entry, it is less than a second.
const DEFAULT_TIMEOUT_MS: u64 = 800;
/// Maximum time limit for witnesses. Clients give up some seconds later.
const MAX_TIMEOUT_MS: u64 = 10_000;

/// The outcomes of the last request to a witness. A witness that is behind the log is asked again.
const STATES: [&str; 5] = ["cosigned", "unreachable", "refused", "invalid", "unproven"];

/// What a log does when it has no quorum in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fail {
    /// Go on without cosignatures.
    #[default]
    Open,
    /// Acknowledge no entry: writers get 503.
    Closed,
}

/// The witnesses that cosign the checkpoints of a log.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WitnessesTable {
    /// Quorum: how many of the witnesses must cosign.
    pub(crate) quorum: usize,
    /// What the log does when it has no quorum within `timeout_ms`. Default: `open`.
    #[serde(default)]
    pub(crate) fail: Fail,
    /// How long an entry waits for the quorum, in milliseconds, from 1 to 10000. Default: 800.
    #[serde(default = "default_timeout")]
    pub(crate) timeout_ms: u64,
    /// The witnesses.
    pub(crate) witnesses: Vec<WitnessTable>,
}

/// One witness.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WitnessTable {
    /// Verifier key of the witness.
    pub(crate) key: String,
    /// URL of the witness, without `/add-checkpoint`.
    #[schemars(with = "String")]
    pub(crate) url: Url,
    /// File with the certificates, in PEM, that are trusted for the witness's server. Default: the system's authorities.
    pub(crate) ca_file: Option<PathBuf>,
}

const fn default_timeout() -> u64 {
    DEFAULT_TIMEOUT_MS
}

impl WitnessesTable {
    /// The files that it names.
    pub(crate) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.witnesses.iter_mut().filter_map(|witness| witness.ca_file.as_mut())
    }

    /// Parses and checks it, and reads the files that it names. No request is sent.
    pub(crate) fn witnesses(&self) -> anyhow::Result<Witnesses> {
        let member = |WitnessTable { key, url, ca_file }: &WitnessTable| {
            let witness =
                Witness::parse(key).with_context(|| format!("{key:?} is not the verifier key of a witness"))?;
            let client: Arc<dyn WitnessClient> = Arc::new(HttpWitness::new(url, ca_file.as_deref())?);
            anyhow::Ok((witness, client))
        };
        let members = self.witnesses.iter().map(member).collect::<anyhow::Result<_>>()?;
        let fail = match self.fail {
            Fail::Open => witnessing::Fail::Open,
            Fail::Closed => witnessing::Fail::Closed,
        };
        let valid = (1..=MAX_TIMEOUT_MS).contains(&self.timeout_ms);
        ensure!(valid, "timeout_ms is {}; set it to a number from 1 to {MAX_TIMEOUT_MS}", self.timeout_ms);
        Ok(Witnesses::new(members, self.quorum, fail, Duration::from_millis(self.timeout_ms))?)
    }
}

/// The witnesses of each log.
#[derive(Clone, Default)]
pub(crate) struct WitnessChoices {
    pub(crate) rekor2: Option<Witnesses>,
    pub(crate) ct: Option<Witnesses>,
}

/// The options of `chancery dev` about witnesses.
#[derive(Debug, Args)]
pub(crate) struct WitnessArguments {
    /// Ask this witness to cosign the checkpoints of the Rekor v2 log; repeatable
    ///
    /// For example `witness.example.org+5b4a…+BA…@https://witness.example.org`. A new log is witnessed from its second start
    /// on.
    #[arg(long = "witness", value_name = "VKEY@URL", help_heading = "Witnesses", value_parser = witness)]
    witnesses: Vec<WitnessTable>,
    /// Ask this witness to cosign the checkpoints of the certificate log; repeatable
    #[arg(long = "ct-witness", value_name = "VKEY@URL", help_heading = "Witnesses", value_parser = witness)]
    ct_witnesses: Vec<WitnessTable>,
    /// Require this quorum: how many of the witnesses must cosign
    #[arg(long, help_heading = "Witnesses", value_name = "N", default_value_t = 1)]
    witness_quorum: usize,
    /// Without a quorum in time, `open` goes on without cosignatures; `closed` acknowledges no entry
    #[arg(long, help_heading = "Witnesses", value_name = "HOW", default_value = "open")]
    witness_fail: Fail,
    /// Let an entry wait this many milliseconds for the quorum
    #[arg(long, help_heading = "Witnesses", value_name = "MS", default_value_t = DEFAULT_TIMEOUT_MS)]
    witness_timeout: u64,
}

impl WitnessArguments {
    /// Reads and checks them.
    pub(crate) fn read(&self) -> anyhow::Result<WitnessChoices> {
        let of = |witnesses: &Vec<WitnessTable>| {
            let (quorum, fail, timeout_ms) = (self.witness_quorum, self.witness_fail, self.witness_timeout);
            let table = WitnessesTable { quorum, fail, timeout_ms, witnesses: witnesses.clone() };
            (!witnesses.is_empty()).then(|| table.witnesses()).transpose()
        };
        let rekor2 = of(&self.witnesses).context("cannot use --witness")?;
        Ok(WitnessChoices { rekor2, ct: of(&self.ct_witnesses).context("cannot use --ct-witness")? })
    }
}

/// Parses `VKEY@URL`. A name may contain an `@`. The part between the last `+` and the URL does not.
fn witness(text: &str) -> Result<WitnessTable, String> {
    let expected = || "expected VKEY@URL".to_owned();
    let encoded = text.splitn(3, '+').nth(2).ok_or_else(expected)?;
    let (_, url) = encoded.split_once('@').ok_or_else(expected)?;
    let key = text.strip_suffix(url).and_then(|key| key.strip_suffix('@')).ok_or_else(expected)?;
    Witness::parse(key).map_err(|rejection| rejection.to_string())?;
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    Ok(WitnessTable { key: key.to_owned(), url, ca_file: None })
}

/// Registers the metrics of the witnesses of `logs`, including logs that start later.
pub(super) fn measure(metrics: &Metrics, logs: RunningLogs) -> anyhow::Result<()> {
    let requests = metrics.counters(
        "chancery_witness_requests_total",
        "Requests to witnesses, by result: cosigned, unreachable, refused, invalid, behind, unproven",
        &["log", "witness", "result"],
    )?;
    let states = metrics.gauges(
        "chancery_witness_state",
        "1 for how the last request to the witness has ended, 0 for the others: cosigned, or the result of a failure",
        &["log", "witness", "state"],
    )?;
    let lags = metrics.gauges(
        "chancery_witness_lag_entries",
        "Entries of the newest published checkpoint that the witness has not cosigned for this process",
        &["log", "witness"],
    )?;
    metrics.before_scrape(move || {
        for log in logs.logs() {
            let name = log.record().name.as_str();
            let published = log.published().map_or(0, |published| published.tree.size);
            for witness in log.witnesses() {
                for (result, count) in witness.outcomes {
                    requests.advance_to(&[name, &witness.name, result], count);
                }
                lags.set(&[name, &witness.name], published.saturating_sub(witness.size));
                let current = witness.fault.map_or("cosigned", |fault| fault.outcome);
                for state in STATES {
                    states.set(&[name, &witness.name, state], u64::from(state == current));
                }
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "example.org/w+74cab48a+BE74L7zW/hUjXBBzcByXyBhoa/hRfR47UAXqWMP1EAmr";

    #[test]
    fn a_witness_is_a_key_and_a_url() {
        let read = witness(&format!("{KEY}@https://witness.example.org/w")).unwrap();
        assert_eq!((read.key.as_str(), read.url.as_str()), (KEY, "https://witness.example.org/w"));
        for bad in [
            KEY.to_owned(),
            format!("{KEY}@here"),
            "https://witness.example.org".to_owned(),
            format!("x{KEY}@http://a"),
        ] {
            assert!(witness(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_policy_that_cannot_hold_is_refused() {
        let table = |quorum: usize, timeout_ms: u64, urls: &[&str]| WitnessesTable {
            quorum,
            fail: Fail::Open,
            timeout_ms,
            witnesses: urls.iter().map(|url| witness(&format!("{KEY}@{url}")).unwrap()).collect(),
        };
        assert!(table(1, 800, &["https://a.example"]).witnesses().is_ok());
        for (bad, why) in [
            (table(0, 800, &["https://a.example"]), "quorum"),
            (table(2, 800, &["https://a.example"]), "quorum"),
            (table(1, 800, &["https://a.example", "https://b.example"]), "differ"),
            (table(1, 0, &["https://a.example"]), "timeout_ms"),
            (table(1, 60_000, &["https://a.example"]), "timeout_ms"),
            (table(1, 800, &["https://me@a.example"]), "URL of a witness"),
            (table(1, 800, &["ftp://a.example"]), "URL of a witness"),
        ] {
            let error = format!("{:#}", bad.witnesses().err().unwrap());
            assert!(error.contains(why), "{why}: {error}");
        }
    }
}
