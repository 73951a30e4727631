//! The configuration file of a monitor: TOML, strict. An unknown key is an error, and so is every value that would fail later.
//! Relative paths are relative to the file. `deploy/monitor.toml` explains every key.

use crate::{duration, listening::TlsFiles, logging::TelemetryTable};
use anyhow::{Context as _, ensure};
use chancery_address::is_protected;
use chancery_monitor::{Begin, Following, Patience, WatchTable, WebhookFormat};
use serde::Deserialize;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// Maximum bytes of the file: with room for thousands of watched digests.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// Time between two looks at a log.
const INTERVAL: Duration = Duration::from_mins(1);

/// A monitor's configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MonitorConfiguration {
    /// Directory for what is known of each log, and for evidence.
    pub(crate) data: PathBuf,
    /// Time between two looks at a log, such as `1m`.
    interval: Option<String>,
    /// Logs elsewhere.
    #[serde(default, rename = "log")]
    pub(crate) logs: Vec<LogTable>,
    /// What is watched for.
    #[serde(default, rename = "watch")]
    pub(super) watches: Vec<WatchTable>,
    /// Whose certificates are ours.
    #[serde(default)]
    pub(super) authorities: AuthoritiesTable,
    /// Servers that are told of alarms.
    #[serde(default, rename = "webhook")]
    pub(super) webhooks: Vec<WebhookTable>,
    /// Witnesses, other monitors, and files with saved checkpoints.
    #[serde(default)]
    pub(crate) gossip: Vec<String>,
    /// How long what may pass is waited for.
    #[serde(default)]
    patience: PatienceTable,
    /// Where others' gossip and Prometheus are answered.
    pub(crate) listen: Option<MonitorListen>,
    /// The log of the process.
    #[serde(default)]
    pub(crate) telemetry: TelemetryTable,
}

/// A log elsewhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogTable {
    /// Its name in alarms and metrics. It names the file with its state, and never changes.
    pub(crate) name: String,
    /// `rekor-v1`, `rekor-v2`, `rfc6962` or `static-ct`.
    pub(crate) protocol: String,
    /// Where it is.
    pub(crate) url: Url,
    /// File of its public key, in PEM. Or `vkey`.
    pub(crate) key: Option<PathBuf>,
    /// Its verifier key (C2SP signed-note).
    pub(crate) vkey: Option<String>,
    /// First line of its checkpoints.
    pub(crate) origin: Option<String>,
    /// Where following begins.
    #[serde(default)]
    from: Start,
    /// The longest time without a new tree or signature, such as `24h`.
    max_quiet: Option<String>,
    /// File with the token of a reader.
    pub(crate) token_file: Option<PathBuf>,
    /// File with the certificates, in PEM, that are trusted for the server. Default: the system's authorities.
    pub(crate) ca_file: Option<PathBuf>,
}

/// Where following a log begins.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Start {
    #[default]
    Beginning,
    Now,
}

/// Whose certificates are ours.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AuthoritiesTable {
    /// Files with certificates of authorities, in PEM.
    pub(super) certificates: Vec<PathBuf>,
    /// Trusted root whose certificate authorities are ours.
    pub(super) trusted_root: Option<PathBuf>,
}

/// A server that is told of alarms.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookTable {
    /// Its name. It remembers what was delivered, and never changes.
    pub(super) name: String,
    pub(super) url: Url,
    /// `json`, `cloudevents` or `alertmanager`.
    #[serde(default)]
    pub(super) format: WebhookFormat,
    /// File with a bearer token.
    pub(super) token_file: Option<PathBuf>,
    /// File with the certificates, in PEM, that are trusted for the server. Default: the system's authorities.
    pub(super) ca_file: Option<PathBuf>,
}

/// How long what may pass is waited for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PatienceTable {
    unreachable: Option<String>,
    rollback: Option<String>,
    hidden: Option<String>,
}

/// Where a monitor listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MonitorListen {
    /// Address and port for other monitors.
    pub(crate) address: SocketAddr,
    /// Address and port for Prometheus. Only Prometheus should reach it.
    pub(crate) metrics: Option<SocketAddr>,
    /// Certificate and key in PEM; without them a proxy in front must speak TLS.
    pub(crate) tls: Option<TlsFiles>,
}

impl MonitorConfiguration {
    /// Reads a file; relative paths are relative to it.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Self> {
            ensure!(fs::metadata(path)?.len() <= MAX_FILE_BYTES, "the file is larger than {MAX_FILE_BYTES} bytes");
            let configuration: Self = toml::from_str(&fs::read_to_string(path)?)?;
            let configuration = configuration.relative_to(path.parent().unwrap_or(Path::new("")));
            configuration.check()?;
            Ok(configuration)
        };
        read().with_context(|| format!("cannot use {}", path.display()))
    }

    /// Resolves every path against the directory of the file.
    fn relative_to(mut self, directory: &Path) -> Self {
        let tls = self.listen.iter_mut().filter_map(|listen| listen.tls.as_mut());
        let tls = tls.flat_map(|tls| [&mut tls.certificate, &mut tls.key]);
        let authorities = self.authorities.certificates.iter_mut().chain(&mut self.authorities.trusted_root);
        let files = [&mut self.data].into_iter().chain(tls).chain(authorities);
        let files = files.chain(self.watches.iter_mut().filter_map(|watch| watch.expected.as_mut()));
        let webhooks = self.webhooks.iter_mut();
        let files = files.chain(webhooks.flat_map(|webhook| webhook.token_file.iter_mut().chain(&mut webhook.ca_file)));
        let logs =
            self.logs.iter_mut().flat_map(|log| log.key.iter_mut().chain(&mut log.token_file).chain(&mut log.ca_file));
        for file in files.chain(logs) {
            *file = directory.join(&*file);
        }
        for peer in self.gossip.iter_mut().filter(|peer| !peer.contains("://")) {
            *peer = directory.join(&*peer).to_string_lossy().into_owned();
        }
        self
    }

    fn check(&self) -> anyhow::Result<()> {
        self.interval()?;
        self.following()?;
        for log in &self.logs {
            log.max_quiet().with_context(|| format!("[[log]] {}: max_quiet", log.name))?;
            ensure!(log.key.is_some() != log.vkey.is_some(), "[[log]] {}: write either key or vkey", log.name);
        }
        for WebhookTable { name, url, token_file, .. } in &self.webhooks {
            ensure!(
                token_file.is_none() || is_protected(url),
                "[[webhook]] {name}: over http everyone on the way can read the token of token_file; write https"
            );
        }
        Ok(())
    }

    /// Time between two looks at a log.
    pub(crate) fn interval(&self) -> anyhow::Result<Duration> {
        let interval = self.interval.as_deref().map_or(Ok(INTERVAL), duration::parse);
        let interval = interval.map_err(anyhow::Error::msg).context("interval")?;
        ensure!(!interval.is_zero(), "interval: write at least 1s");
        Ok(interval)
    }

    /// How logs are followed for which nothing else is configured.
    pub(crate) fn following(&self) -> anyhow::Result<Following> {
        let usual = Patience::default();
        let read = |name: &str, text: &Option<String>, usual: Duration| {
            let read = text.as_deref().map_or(Ok(usual), duration::parse);
            read.map_err(anyhow::Error::msg).with_context(|| format!("[patience] {name}"))
        };
        let PatienceTable { unreachable, rollback, hidden } = &self.patience;
        let patience = Patience {
            unreachable: read("unreachable", unreachable, usual.unreachable)?,
            rollback: read("rollback", rollback, usual.rollback)?,
            hidden: read("hidden", hidden, usual.hidden)?,
        };
        Ok(Following { patience, ..Following::default() })
    }
}

impl LogTable {
    fn max_quiet(&self) -> anyhow::Result<Option<Duration>> {
        self.max_quiet.as_deref().map(duration::parse).transpose().map_err(anyhow::Error::msg)
    }

    /// How it is followed, where others are followed as `usual`.
    pub(crate) fn following(&self, usual: Following) -> anyhow::Result<Following> {
        let begin = match self.from {
            Start::Beginning => Begin::Beginning,
            Start::Now => Begin::Now,
        };
        Ok(Following { begin, max_quiet: self.max_quiet()?, ..usual })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> anyhow::Result<MonitorConfiguration> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("monitor.toml");
        fs::write(&file, text).unwrap();
        MonitorConfiguration::load(&file)
    }

    #[test]
    fn the_file_in_deploy_can_be_used() {
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
        let configuration = MonitorConfiguration::load(&deploy.join("monitor.toml")).unwrap();
        assert!(configuration.logs.len() > 1 && configuration.watches.len() > 1 && configuration.webhooks.len() > 1);
        assert!(configuration.logs.iter().filter_map(|log| log.key.as_ref()).all(|key| key.starts_with(&deploy)));
        let log = &configuration.logs[0];
        assert_eq!(log.following(configuration.following().unwrap()).unwrap().begin, Begin::Beginning);
    }

    #[test]
    fn what_would_fail_later_is_refused_with_its_place() {
        let log = "[[log]]\nname = \"a\"\nprotocol = \"rekor-v2\"\nurl = \"https://a.example\"\nkey = \"a.pub\"\n";
        for (text, why) in [
            ("interval = \"1m\"\n".to_owned(), "data"),
            ("data = \"m\"\nperiod = \"1m\"\n".to_owned(), "period"),
            ("data = \"m\"\ninterval = \"1\"\n".to_owned(), "interval"),
            ("data = \"m\"\ninterval = \"0s\"\n".to_owned(), "at least 1s"),
            ("data = \"m\"\n[patience]\nrollback = \"soon\"\n".to_owned(), "rollback"),
            ("data = \"m\"\n[patience]\nforked = \"1m\"\n".to_owned(), "forked"),
            (format!("data = \"m\"\n{log}max_quiet = \"x\"\n"), "[[log]] a: max_quiet"),
            (format!("data = \"m\"\n{log}from = \"yesterday\"\n"), "yesterday"),
            (format!("data = \"m\"\n{log}colour = \"red\"\n"), "colour"),
            (format!("data = \"m\"\n{}", log.replace("key = \"a.pub\"", "")), "either key or vkey"),
            (
                "data = \"m\"\n[[webhook]]\nname = \"a\"\nurl = \"https://a.example\"\nformat = \"xml\"\n".to_owned(),
                "xml",
            ),
            (
                "data = \"m\"\n[[webhook]]\nname = \"a\"\nurl = \"http://a.example\"\ntoken_file = \"t\"\n".to_owned(),
                "[[webhook]] a: over http",
            ),
            ("data = \"m\"\n[[watch]]\nname = \"a\"\nidentitiy = \"x\"\n".to_owned(), "identitiy"),
        ] {
            let error = format!("{:#}", load(&text).unwrap_err());
            assert!(error.contains(why) && error.contains("monitor.toml"), "{why}: {error}");
        }
        let configuration = load(&format!("data = \"m\"\ngossip = [\"saved\", \"https://w.example\"]\n{log}")).unwrap();
        assert!(configuration.data.is_absolute() && configuration.gossip[0].ends_with("/saved"));
        assert_eq!(
            (configuration.interval().unwrap(), configuration.gossip[1].as_str()),
            (INTERVAL, "https://w.example")
        );
    }
}
