//! A server that monitors its own logs: it finds signatures of others in its operator's name, and not that the server lies.
//!
//! Its alarms go to the log of the process, to webhooks and to metrics. No log depends on it.

use super::readiness::Checked;
use crate::{
    monitor::{MonitorConfiguration, state_of},
    role::Role,
};
use anyhow::Context as _;
use chancery_daemon::{clock::Clock, health::Finding, metrics::Metrics};
use chancery_monitor::{
    Answer, FollowedLog, LogKind, Monitor, ProcessLog, Settings, Source, SourceEntry, SourceError, SourceHead,
    Statuses, measure,
};
use chancery_search::{Source as Read, Sources};
use chancery_verify::{Hash, Rejection, leaves, merkle::TreeHead};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// How often it is looked whether there is a new log.
const LOOK: Duration = Duration::from_secs(10);

/// What keeps a monitor of the logs of this process.
struct Keeper {
    configuration: Arc<MonitorConfiguration>,
    sources: Sources,
    clock: Arc<dyn Clock>,
    statuses: Statuses,
}

/// Begins to monitor the logs of this process, and those that are made later. The task may be aborted at any moment.
pub(super) fn start(
    configuration: &Arc<MonitorConfiguration>,
    sources: Sources,
    clock: &Arc<dyn Clock>,
    metrics: Option<&Metrics>,
) -> anyhow::Result<(Checked, JoinHandle<()>)> {
    let (configuration, clock, statuses) = (Arc::clone(configuration), Arc::clone(clock), Statuses::default());
    let keeper = Keeper { configuration, sources, clock, statuses: statuses.clone() };
    if let Some(metrics) = metrics {
        measure(metrics, statuses.clone())?;
    }
    // What is wrong with the file is said at once. What is wrong with a state is no reason not to start.
    keeper.settings(&keeper.names()).context("[monitor] config")?;
    Ok((checks(statuses), tokio::spawn(keeper.keep())))
}

impl Keeper {
    /// The logs that are monitored: an ended one never grows, and may be shorter than it was.
    fn followed(&self) -> Vec<Arc<dyn Read>> {
        (self.sources)().into_iter().filter(|log| !log.is_ended()).collect()
    }

    fn names(&self) -> BTreeSet<String> {
        self.followed().iter().map(|log| log.name()).collect()
    }

    fn settings(&self, names: &BTreeSet<String>) -> anyhow::Result<Settings> {
        self.configuration.settings(Arc::new(ProcessLog), &[], names, self.statuses.clone())
    }

    fn open(&self) -> anyhow::Result<(Monitor, BTreeSet<String>)> {
        let (logs, usual) = (self.followed(), self.configuration.following()?);
        let names = logs.iter().map(|log| log.name()).collect();
        let mut monitor = Monitor::open(self.settings(&names)?, Arc::clone(&self.clock))?;
        for log in logs {
            monitor.add(FollowedLog { name: log.name(), source: Arc::new(OwnSource(log)), following: usual })?;
        }
        Ok((monitor, names))
    }

    async fn keep(self) {
        let interval = self.configuration.interval().unwrap_or(LOOK);
        loop {
            match self.open() {
                Ok((monitor, names)) => tokio::select! {
                    () = monitor.run(interval) => tokio::time::sleep(LOOK).await,
                    () = self.changed(&names) => {}
                },
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(error, "the logs are not monitored; it is tried again");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Returns once there are other logs.
    async fn changed(&self, names: &BTreeSet<String>) {
        while self.names() == *names {
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn checks(statuses: Statuses) -> Checked {
    Checked::known(move || {
        let finding = |(log, status)| Finding::new(Role::Log.name(), format!("{log} monitor"), state_of(status));
        statuses.all().into_iter().map(finding).collect()
    })
}

/// A log of this process, as it is read for the search index, too.
struct OwnSource(Arc<dyn Read>);

fn unreadable(error: chancery_search::SourceError) -> SourceError {
    SourceError { reason: error.reason, is_refusal: false }
}

impl Source for OwnSource {
    fn kind(&self) -> LogKind {
        self.0.kind()
    }

    fn head(&self) -> Answer<'_, SourceHead> {
        Box::pin(async move {
            let head = self.0.head().await.map_err(unreadable)?;
            let tree = TreeHead { size: head.size, root: head.root };
            Ok(SourceHead { tree, checkpoint: head.checkpoint, timestamp_ms: None, successor: None })
        })
    }

    fn open_checkpoint(&self, checkpoint: &str) -> Result<TreeHead, Rejection> {
        self.0.open_checkpoint(checkpoint)
    }

    fn entries(&self, first: u64, end: u64) -> Answer<'_, Vec<SourceEntry>> {
        Box::pin(async move {
            let entries = self.0.entries(first, end).await.map_err(unreadable)?;
            let source = |entry: chancery_search::SourceEntry| {
                let chancery_search::SourceEntry { leaf, extra, timestamp_ms } = entry;
                SourceEntry { leaf, extra, timestamp_ms }
            };
            Ok(entries.into_iter().map(source).collect())
        })
    }

    fn consistency_proof(&self, old: u64, new: u64) -> Answer<'_, Vec<Hash>> {
        Box::pin(async move {
            // A database that was put back does not have the tree.
            let size = self.0.head().await.map_err(unreadable)?.size;
            if new > size {
                let reason = format!("it has no tree of {}: its newest has {size}", leaves(new));
                return Err(SourceError { reason, is_refusal: true });
            }
            self.0.consistency_proof(old, new).await.map_err(unreadable)
        })
    }
}
