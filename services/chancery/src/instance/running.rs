//! Every log that runs in a process, with its sequencer and the copy of its files: those the process was started with, and those
//! that are made while it answers.

use crate::{command, role::Role};
use anyhow::Context as _;
use chancery_daemon::{
    health::{Finding, Probe, State},
    shutdown::{self, Shutdown, Trigger},
};
use chancery_log::{
    Files, Log,
    mirror::{Destination, Mirror},
    quarantine::Obstacle,
};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::task::JoinHandle;

/// The logs. Clones are the same.
#[derive(Clone)]
pub(super) struct RunningLogs(Arc<Inner>);

struct Inner {
    logs: RwLock<Vec<Running>>,
    /// Where their files are copied to.
    tiles: Option<Destination>,
    stop: Trigger,
    stopping: Shutdown,
    mirrors_stop: Trigger,
    mirrors_stopping: Shutdown,
}

struct Running {
    log: Log,
    sequencer: JoinHandle<()>,
    mirror: Option<(Mirror, JoinHandle<()>)>,
}

impl Running {
    fn findings(&self, check_command: &str) -> Vec<Finding> {
        let (log, role, name) = (&self.log, Role::Log.name(), self.log.record().name.as_str());
        let obstacle = log.obstacle().map(|obstacle| with_command(&obstacle, check_command)).or_else(|| {
            let reason = log.trouble()?;
            Some(format!(
                "the {name} log does not take entries: {reason}; see the server's log. It tries again by itself"
            ))
        });
        let mut findings = vec![Finding::unless(role, name, obstacle)];
        if let Some((mirror, _)) = &self.mirror {
            findings.push(Finding::new(role, format!("{name} mirror"), state_of(mirror)));
        }
        if !log.witnesses().is_empty() {
            let warnings = log.warnings().into_iter().map(State::Warning).collect::<Vec<_>>();
            let states = if warnings.is_empty() { vec![State::Passed] } else { warnings };
            let witnesses = || format!("{name} witnesses");
            findings.extend(states.into_iter().map(|state| Finding::new(role, witnesses(), state)));
        }
        findings
    }
}

/// Says why a log takes no entries, and of a quarantined one what to run.
fn with_command(obstacle: &Obstacle, check_command: &str) -> String {
    match obstacle {
        Obstacle::Quarantined { reason, .. } => {
            let command = command::compare(check_command, reason.evidence());
            format!("{obstacle}. To see what is wrong, run: {command}")
        }
        Obstacle::Clock { .. }
        | Obstacle::Stopped { .. }
        | Obstacle::Unmarked { .. }
        | Obstacle::Unwitnessed { .. } => obstacle.to_string(),
    }
}

/// What a mirror's fault means. What somebody else has put into the store is no fault of the log; a larger tree there, or
/// another one, is.
fn state_of(mirror: &Mirror) -> State {
    match mirror.obstacle() {
        Some(contradiction) => State::Failed(contradiction.to_owned()),
        None => mirror.warning().map_or(State::Passed, State::Warning),
    }
}

/// Reads the head of a log.
fn head(log: Log) -> Probe {
    let name = &log.record().name;
    Probe {
        role: Role::Log.name(),
        check: format!("{name} head"),
        fault: format!("the head of the {name} log is not as it should be"),
        advice: "see that the database can be read, and run chancery log check",
        asking: Box::pin(async move { log.verify_head().await }),
    }
}

impl RunningLogs {
    /// None yet. The files of each will be copied to a place of its name below `tiles`, if that is given.
    pub(super) fn new(tiles: Option<Destination>) -> Self {
        let ((stop, stopping), (mirrors_stop, mirrors_stopping)) = (shutdown::channel(), shutdown::channel());
        Self(Arc::new(Inner { logs: RwLock::default(), tiles, stop, stopping, mirrors_stop, mirrors_stopping }))
    }

    /// What tells sequencers to stop.
    pub(super) fn stopping(&self) -> Shutdown {
        self.0.stopping.clone()
    }

    /// Where the files of the log of this name are copied to.
    pub(super) fn copy(&self, name: &str) -> Option<Destination> {
        self.0.tiles.as_ref().map(|tiles| tiles.below(name))
    }

    /// Adds a log that was opened, and has its files copied. A quarantined or ended log is not copied: its copy may have more.
    pub(super) async fn add(&self, files: Files, sequencer: JoinHandle<()>) -> anyhow::Result<()> {
        let log = files.log().clone();
        let name = &log.record().name;
        let mirror = match self.copy(name) {
            Some(place) if log.quarantine().is_none() && !log.is_ended() => {
                let started = Mirror::start(files, place, self.0.mirrors_stopping.clone()).await;
                Some(started.with_context(|| format!("cannot copy the {name} log to --tiles"))?)
            }
            _ => None,
        };
        self.0.logs.write().unwrap_or_else(PoisonError::into_inner).push(Running { log, sequencer, mirror });
        Ok(())
    }

    /// The logs, in the order they were added in.
    pub(super) fn logs(&self) -> Vec<Log> {
        let logs = self.0.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.iter().map(|running| running.log.clone()).collect()
    }

    /// What is known of every log: whether it takes entries, is copied and is witnessed. `check_command` is what to run where
    /// one is quarantined.
    pub(super) fn findings(&self, check_command: &str) -> Vec<Finding> {
        let logs = self.0.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.iter().flat_map(|running| running.findings(check_command)).collect()
    }

    /// Of each log that is quarantined: why, and what to run.
    pub(super) fn quarantined(&self, check_command: &str) -> Vec<String> {
        let obstacles = self.logs().into_iter().filter_map(|log| log.obstacle());
        let quarantined = obstacles.filter(|obstacle| matches!(obstacle, Obstacle::Quarantined { .. }));
        quarantined.map(|obstacle| with_command(&obstacle, check_command)).collect()
    }

    /// Reads the head of every log that is neither quarantined, of which all is said already, nor ended, whose head is what was
    /// in doubt.
    pub(super) fn probes(&self) -> Vec<Probe> {
        self.logs().into_iter().filter(|log| log.quarantine().is_none() && !log.is_ended()).map(head).collect()
    }

    /// The logs that are copied, with their copies.
    pub(super) fn mirrors(&self) -> Vec<(Log, Mirror)> {
        let logs = self.0.logs.read().unwrap_or_else(PoisonError::into_inner);
        let copied = |running: &Running| Some((running.log.clone(), running.mirror.as_ref()?.0.clone()));
        logs.iter().filter_map(copied).collect()
    }

    /// Lets the logs answer who still waits, then the mirrors copy what that added.
    pub(super) async fn stop(&self) {
        self.0.stop.stop();
        let logs = std::mem::take(&mut *self.0.logs.write().unwrap_or_else(PoisonError::into_inner));
        let mut mirrors = Vec::new();
        for Running { log, sequencer, mirror } in logs {
            let name = log.record().name.clone();
            if let Err(error) = sequencer.await {
                tracing::error!(log.name = name, %error, "a log did not stop cleanly");
            }
            mirrors.extend(mirror.map(|(_, task)| (name, task)));
        }
        self.0.mirrors_stop.stop();
        for (name, task) in mirrors {
            if let Err(error) = task.await {
                tracing::error!(log.name = name, %error, "a log's copy did not stop cleanly");
            }
        }
    }
}
