//! Runs a monitor: once, or until it is stopped.

use super::{ALARMED, Arguments, UNKNOWN, WRONG_USAGE, logs};
use crate::{
    durable,
    listening::Listening,
    monitor::{MonitorConfiguration, MonitorListen, state_of},
    output,
};
use anyhow::Context as _;
use chancery_daemon::{
    clock::SystemClock,
    health::{Checks, Finding},
    http::openapi::{self, Document, describe_metrics, describe_shell},
    metrics::Metrics,
    reload::Hangups,
    shutdown::Signals,
};
use chancery_monitor::{LineFormat, Lines, Monitor, Round, Statuses, http, measure};
use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// Why the command ends without an answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The arguments or the configuration are wrong.
    Usage(anyhow::Error),
    /// The state of a log cannot be read or written, or the sockets cannot be used.
    Broken(anyhow::Error),
}

impl Failure {
    pub(super) const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => WRONG_USAGE,
            Self::Broken(_) => UNKNOWN,
        }
    }

    pub(super) fn into_reason(self) -> anyhow::Error {
        let (Self::Usage(error) | Self::Broken(error)) = self;
        error
    }
}

pub(super) async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let configuration = arguments.configuration().map_err(Failure::Usage)?;
    let interval = configuration.interval().map_err(Failure::Usage)?;
    let format = if arguments.json { LineFormat::Json } else { LineFormat::Text };
    let monitor = open(&configuration, format, &arguments.gossip)?;
    if arguments.once {
        return once(monitor, arguments).await;
    }
    let served = match configuration.listen {
        Some(listen) => serve(monitor, listen, interval).await,
        None => follow(monitor, interval).await,
    };
    served.map_err(Failure::Broken)?;
    Ok(ExitCode::SUCCESS)
}

fn open(configuration: &MonitorConfiguration, format: LineFormat, gossip: &[String]) -> Result<Monitor, Failure> {
    let settings = || -> anyhow::Result<_> {
        let lines = Arc::new(Lines::new("stdout", format, output::kept()));
        configuration.settings(lines, gossip, &logs::names(configuration)?, Statuses::default())
    };
    let settings = settings().map_err(Failure::Usage)?;
    let monitor = Monitor::open(settings, Arc::new(SystemClock));
    let mut monitor = monitor.context("cannot open the monitor").map_err(Failure::Broken)?;
    logs::add(&mut monitor, configuration).map_err(|error| match error.downcast_ref() {
        Some(chancery_monitor::Error::State(_)) => Failure::Broken(error),
        _ => Failure::Usage(error),
    })?;
    Ok(monitor)
}

async fn once(monitor: Monitor, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let statuses = monitor.statuses();
    let round = monitor.once().await.context("the state of a log cannot be written").map_err(Failure::Broken)?;
    let round = with_metrics(round, arguments.metrics_file.as_deref(), &statuses);
    for reason in &round.unknown {
        output::note(&format!("not known: {reason}"));
    }
    for (log, status) in statuses.all() {
        for (kind, message) in &status.lasting {
            output::note(&format!("{log}: {} lasts: {message}", kind.name()));
        }
    }
    Ok(ExitCode::from(code(&round)))
}

/// Writes metrics to `file`. That they cannot be written takes no alarm away.
fn with_metrics(mut round: Round, file: Option<&Path>, statuses: &Statuses) -> Round {
    let write = |file: &Path| -> anyhow::Result<()> {
        let metrics = Metrics::default();
        measure(&metrics, statuses.clone())?;
        durable::write(file, metrics.text()?.as_bytes())
    };
    if let Some(Err(error)) = file.map(write) {
        round.unknown.push(format!("{error:#}"));
    }
    round
}

const fn code(round: &Round) -> u8 {
    if round.alarms > 0 || round.is_accused {
        ALARMED
    } else if round.unknown.is_empty() {
        0
    } else {
        UNKNOWN
    }
}

/// Follows until SIGTERM or SIGINT.
async fn follow(monitor: Monitor, interval: Duration) -> anyhow::Result<()> {
    let mut signals = Signals::catch().context("cannot wait for signals")?;
    let following = tokio::spawn(monitor.run(interval));
    tracing::info!("monitor ready");
    signals.received().await;
    end(following).await;
    Ok(())
}

/// The same, and shows what was seen.
async fn serve(monitor: Monitor, listen: MonitorListen, interval: Duration) -> anyhow::Result<()> {
    let hangups = Hangups::catch().context("cannot wait for SIGHUP")?;
    let metrics = listen.metrics.map(|_| Metrics::default());
    let statuses = monitor.statuses();
    if let Some(metrics) = &metrics {
        measure(metrics, statuses.clone())?;
    }
    let listening = Listening::on(listen.address, listen.metrics, hangups).await?.with_tls(listen.tls.as_ref())?;
    let address = listening.address()?;
    let described = openapi::router(&description(metrics.is_some()).into_json());
    let routes = http::router(statuses.clone()).merge(described);
    let following = tokio::spawn(monitor.run(interval));
    let ready = || tracing::info!(%address, "monitor ready");
    let served = listening.serve(routes, None, checks(statuses), metrics.as_ref(), |routes| routes, ready).await;
    end(following).await;
    served
}

async fn end(following: JoinHandle<()>) {
    following.abort();
    // An error says that it was aborted.
    let _ = following.await;
}

fn checks(statuses: Statuses) -> Checks {
    Arc::new(move || {
        let finding = |(log, status)| Finding::new("monitor", log, state_of(status));
        statuses.all().into_iter().map(finding).collect()
    })
}

fn description(has_metrics: bool) -> Document {
    let mut document = Document::new("Chancery monitor", env!("CARGO_PKG_VERSION"));
    http::describe(&mut document);
    describe_shell(&mut document);
    if has_metrics {
        describe_metrics(&mut document);
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_wins_over_what_is_not_known() {
        let round = |alarms, unknown: &[&str], is_accused| {
            code(&Round { alarms, unknown: unknown.iter().map(|reason| (*reason).to_owned()).collect(), is_accused })
        };
        assert_eq!([round(0, &[], false), round(2, &[], false), round(0, &["away"], false)], [0, 1, 3]);
        let unwritten = with_metrics(
            Round { alarms: 1, ..Round::default() },
            Some(Path::new("/nowhere/at/all")),
            &Statuses::default(),
        );
        assert_eq!((code(&unwritten), unwritten.unknown.len()), (ALARMED, 1));
        assert_eq!([round(1, &["away"], false), round(0, &["away"], true), round(0, &[], true)], [1, 1, 1]);
    }
}
