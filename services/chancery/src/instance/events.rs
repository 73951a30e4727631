//! Events about new entries of an instance: their receiver, their checks and metrics. The events themselves are
//! `chancery_search::events`'s. A receiver that is not told is a warning and never a failure, because no log depends on it.

mod webhook;

pub(crate) use webhook::Webhook;

use super::readiness::Checked;
use crate::role::Role;
use anyhow::Context as _;
use chancery_daemon::{
    health::{Finding, State},
    metrics::Metrics,
};
use chancery_log::{rekor_v1, rekor_v2, series};
use chancery_search::{
    Index, Sources,
    events::{Announcing, DATA_TYPE, DeliveryStatus, EVENT_TYPE, Events},
    store::Cursors,
};
use clap::Args;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use url::Url;

/// The logs with entries that can be announced.
pub(crate) const LOGS: [&str; 2] = [rekor_v1::NAME, rekor_v2::NAME];

/// Events that are late by more need a word: the receiver is slow, or does not take them.
const LONG: Duration = Duration::from_secs(10);

/// The option of `chancery dev` about it.
#[derive(Debug, Args)]
pub(crate) struct EventArguments {
    /// Tell this URL of every new entry in the Rekor logs, as `CloudEvents`
    #[arg(long = "events", value_name = "URL", help_heading = "Logs", conflicts_with = "disabled")]
    webhook: Option<Url>,
}

impl EventArguments {
    /// The receiver, which is told of every entry, each alone.
    pub(crate) fn settings(&self) -> anyhow::Result<Option<EventSettings>> {
        let Some(url) = &self.webhook else { return Ok(None) };
        let receiver = Webhook::new(url, None, None).context("--events")?;
        let announcing = Announcing { kinds: Vec::new(), batch: 1 };
        Ok(Some(EventSettings { receiver, logs: LOGS.map(str::to_owned).to_vec(), announcing }))
    }
}

/// Who is told of which entries.
pub(crate) struct EventSettings {
    pub(crate) receiver: Webhook,
    /// Names of logs, of [`LOGS`]; a name means all logs of its series.
    pub(crate) logs: Vec<String>,
    pub(crate) announcing: Announcing,
}

/// Begins to tell a receiver of entries that are in `index`. The task may be aborted at any moment.
pub(super) fn start(
    settings: EventSettings,
    index: Index,
    sources: Sources,
    cursors: Arc<dyn Cursors>,
    metrics: Option<&Metrics>,
) -> anyhow::Result<(Events, JoinHandle<()>)> {
    let EventSettings { receiver, logs, announcing } = settings;
    let chosen: Sources = Arc::new(move || {
        let mut sources = sources();
        sources.retain(|source| logs.iter().any(|log| series::split(&source.name()).0 == log.as_str()));
        sources
    });
    let events = Events::new(index, chosen, cursors, Arc::new(receiver), announcing);
    if let Some(metrics) = metrics {
        measure(metrics, events.clone())?;
    }
    let task = events.deliver();
    Ok((events, task))
}

/// Whether the receiver is told of the entries of each log.
pub(super) fn checks(events: Events) -> Checked {
    Checked::known(move || {
        let finding = |status: &DeliveryStatus| {
            Finding::new(Role::Log.name(), format!("{} events", status.name), state_of(status))
        };
        events.status().iter().map(finding).collect()
    })
}

fn state_of(status: &DeliveryStatus) -> State {
    let DeliveryStatus { name, behind_for, failing, .. } = status;
    let waiting = format!("the receiver of events has not been told of {} entries of the {name} log", status.lag());
    match failing {
        Some(reason) => State::Warning(format!("{waiting}: {reason}. It is tried again")),
        None if behind_for.is_some_and(|behind| behind > LONG) => {
            State::Warning(format!("{waiting}, and takes them more slowly than they are logged"))
        }
        None => State::Passed,
    }
}

fn measure(metrics: &Metrics, events: Events) -> anyhow::Result<()> {
    let lag = metrics.gauges(
        "chancery_events_lag_entries",
        "Indexed entries of which the receiver of events has not been told, by any replica",
        &["log"],
    )?;
    let delivered = metrics.counters(
        "chancery_events_delivered_total",
        "Events that the receiver has confirmed to this process",
        &["log"],
    )?;
    let failures = metrics.counters(
        "chancery_events_failures_total",
        "Attempts of this process to deliver events of the log that failed",
        &["log"],
    )?;
    let published = metrics.counters(
        "rekor_publish_events",
        "Events that the receiver has confirmed, and attempts that failed, of this process",
        &["event", "content_type", "status"],
    )?;
    metrics.before_scrape(move || {
        let (mut succeeded, mut failed) = (0_u64, 0_u64);
        for status in events.status() {
            let labels = [status.name.as_str()];
            lag.set(&labels, status.lag());
            delivered.advance_to(&labels, status.delivered);
            failures.advance_to(&labels, status.failures);
            (succeeded, failed) = (succeeded + status.delivered, failed + status.failures);
        }
        published.advance_to(&[EVENT_TYPE, DATA_TYPE, "SUCCESS"], succeeded);
        published.advance_to(&[EVENT_TYPE, DATA_TYPE, "ERROR"], failed);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_is_not_told_is_a_warning() {
        let status = |behind: Option<u64>, failing: Option<&str>| DeliveryStatus {
            name: "rekor".to_owned(),
            done: 7,
            indexed: 9,
            behind_for: behind.map(Duration::from_secs),
            failing: failing.map(str::to_owned),
            ..DeliveryStatus::default()
        };
        let warning = |status: &DeliveryStatus| match state_of(status) {
            State::Warning(warning) => warning,
            state => panic!("{state:?}"),
        };
        assert_eq!(state_of(&status(None, None)), State::Passed);
        assert_eq!(state_of(&status(Some(9), None)), State::Passed);
        let late = "the receiver of events has not been told of 2 entries of the rekor log";
        let slow = warning(&status(Some(11), None));
        assert_eq!(slow, format!("{late}, and takes them more slowly than they are logged"));
        let failing = warning(&status(Some(1), Some("it answers 500")));
        assert_eq!(failing, format!("{late}: it answers 500. It is tried again"));
    }
}
