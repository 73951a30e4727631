//! Every log that runs in a process, with its sequencer and the copy of its files: those the process was started with, and those
//! that are made while it answers.

use crate::command;
use anyhow::Context as _;
use chancery_daemon::shutdown::{self, Shutdown, Trigger};
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

    /// Adds a log that was opened, and has its files copied. A quarantined log is not copied.
    pub(super) async fn add(&self, files: Files, sequencer: JoinHandle<()>) -> anyhow::Result<()> {
        let log = files.log().clone();
        let name = &log.record().name;
        let mirror = match self.copy(name) {
            Some(place) if log.quarantine().is_none() => {
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

    /// Says why a log takes no entries, or is not copied, and, of a quarantined log, what to run.
    pub(super) fn obstacle(&self, check_command: &str) -> Option<String> {
        let logs = self.0.logs.read().unwrap_or_else(PoisonError::into_inner);
        let obstacle = logs.iter().find_map(|running| running.log.obstacle()).map(|obstacle| match obstacle {
            Obstacle::Quarantined { ref reason, .. } => {
                let command = command::compare(check_command, reason.evidence());
                format!("{obstacle}. To see what is wrong, run: {command}")
            }
            Obstacle::Clock { .. }
            | Obstacle::Stopped { .. }
            | Obstacle::Unmarked { .. }
            | Obstacle::Unwitnessed { .. } => obstacle.to_string(),
        });
        let mut mirrors = logs.iter().filter_map(|running| running.mirror.as_ref());
        obstacle.or_else(|| mirrors.find_map(|(mirror, _)| mirror.obstacle()).map(str::to_owned))
    }

    /// What an operator should look at although every log takes entries.
    pub(super) fn warnings(&self) -> Vec<String> {
        let copies = self.mirrors().into_iter().filter_map(|mirror| mirror.warning());
        self.logs().iter().flat_map(Log::warnings).chain(copies).collect()
    }

    /// The copies of the logs.
    pub(super) fn mirrors(&self) -> Vec<Mirror> {
        let logs = self.0.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.iter().filter_map(|running| running.mirror.as_ref()).map(|(mirror, _)| mirror.clone()).collect()
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
