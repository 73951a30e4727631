//! `chancery witness serve`: a witness in a process of its own, so that it shares nothing with the logs it looks after.

use super::configuration::WitnessConfiguration;
use super::logs;
use crate::listening::Listening;
use anyhow::Context as _;
use chancery_daemon::{
    clock::{ClockGuard, SystemClock, SystemUptime},
    health::{Checks, Finding},
    http::openapi::{self, Document, describe_metrics, describe_shell},
    metrics::Metrics,
    reload::Hangups,
};
use chancery_verify::{Timestamp, witness::Log};
use chancery_witness::{Settings, Witness};
use std::{path::Path, sync::Arc};

/// Cosigns until SIGTERM or SIGINT.
pub(crate) async fn run(configuration: WitnessConfiguration) -> anyhow::Result<()> {
    let hangups = Hangups::catch().context("cannot wait for SIGHUP")?;
    let logs = logs::read(&configuration)?;
    let WitnessConfiguration { name, data, listen, .. } = &configuration;
    let metrics = listen.metrics.map(|_| Metrics::default());
    let clock = ClockGuard::new(Arc::new(SystemClock), Arc::new(SystemUptime), Timestamp::from_seconds(0));
    let clock = Arc::new(clock);
    let witness = open(name, data, logs.clone(), metrics.as_ref(), Arc::clone(&clock))?;
    let key = witness.verifier_key();
    let listening = Listening::on(listen.address, listen.metrics, hangups).await?.with_tls(listen.tls.as_ref())?;
    let address = listening.address()?;
    let described = openapi::router(&description(metrics.is_some()).into_json());
    let routes = chancery_witness::http::router(witness.clone()).merge(described);
    let watched = Arc::clone(&clock);
    let checks: Checks = Arc::new(move || {
        let fault = watched.check().err();
        let obstacle = fault.map(|fault| format!("the witness cosigns nothing ({}): {fault}", fault.code()));
        vec![Finding::unless("witness", "clock", obstacle)]
    });
    let watch = tokio::spawn(clock.watch());
    let following = logs::follow(configuration.clone(), logs, witness)?;
    let ready = || tracing::info!(%address, verifier_key = key, "witness ready");
    let served = listening.serve(routes, None, checks, metrics.as_ref(), |routes| routes, ready).await;
    watch.abort();
    if let Some(following) = following {
        following.abort();
    }
    served
}

/// Describes the HTTP API of a witness.
pub(crate) fn description(has_metrics: bool) -> Document {
    let mut document = Document::new("Chancery witness", env!("CARGO_PKG_VERSION"));
    chancery_witness::http::describe(&mut document);
    describe_shell(&mut document);
    if has_metrics {
        describe_metrics(&mut document);
    }
    document
}

fn open(
    name: &str,
    data: &Path,
    logs: Vec<Log>,
    metrics: Option<&Metrics>,
    clock: Arc<ClockGuard>,
) -> anyhow::Result<Witness> {
    let requests = metrics.map(|metrics| {
        metrics.counters(
            "chancery_witness_checkpoints_total",
            "Requests for cosignatures, by log and result",
            &["origin", "result"],
        )
    });
    Witness::open(Settings { data, name, logs }, clock, requests.transpose()?).context("cannot open the witness")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_file_in_deploy_can_be_used() {
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
        let configuration = WitnessConfiguration::load(&deploy.join("witness.toml")).unwrap();
        assert_eq!(logs::read(&configuration).unwrap().len(), configuration.logs.len());
        let listen = configuration.listen;
        assert!(listen.tls.is_some_and(|tls| tls.key.starts_with(&deploy)) && listen.metrics.is_some());
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("witness.toml");
        let text = fs::read_to_string(deploy.join("witness.toml")).unwrap();
        fs::write(&file, format!("quorum = 1\n{text}")).unwrap();
        let error = format!("{:#}", WitnessConfiguration::load(&file).unwrap_err());
        assert!(error.contains("quorum") && error.contains("witness.toml"), "{error}");
    }
}
