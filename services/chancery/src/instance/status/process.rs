//! The state of an instance as one of its processes knows it.
//!
//! The logs are those that run here, with what their database need not be asked for: the answer comes also while that is down.
//! Processes of other roles are named and not asked: a reader must not be able to make a server ask others.

use super::{
    directory::{Files, put_tuf},
    document::{CheckStatus, InstanceStatus, ServerStatus, Source},
    logs,
};
use crate::{
    instance::{running::RunningLogs, setup::Setup},
    role::Role,
};
use chancery_daemon::{
    clock::Clock,
    health::{self, Checks},
};
use chancery_trust::tuf::Service;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use tokio::{sync::Mutex, task::spawn_blocking};

/// A process, and the sources of what it says of itself.
pub(in crate::instance) struct Process {
    files: Files,
    /// This one first, without its checks.
    servers: Vec<ServerStatus>,
    checks: Checks,
    logs: Option<RunningLogs>,
    tuf: Option<Arc<Service>>,
    clock: Arc<dyn Clock>,
    /// One reader at a time: each reads files.
    reading: Mutex<()>,
}

impl Process {
    /// The process with these parts.
    pub(in crate::instance) fn new(
        setup: &Setup<'_>,
        checks: Checks,
        logs: Option<RunningLogs>,
        tuf: Option<Arc<Service>>,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let files = Files { data: setup.data.path().to_owned(), tls: setup.tls.map(Path::to_owned) };
        let (servers, clock, reading) = (servers(setup)?, Arc::clone(clock), Mutex::default());
        Ok(Self { files, servers, checks, logs, tuf, clock, reading })
    }

    /// Reads it.
    pub(super) async fn status(&self) -> InstanceStatus {
        let _reading = self.reading.lock().await;
        let now = self.clock.now();
        let mut status = InstanceStatus::new(Source::Server, now);
        status.servers.clone_from(&self.servers);
        if let Some(own) = status.servers.first_mut() {
            let findings = (self.checks)();
            own.ready = Some(health::obstacle(&findings, None).is_none());
            own.checks = findings.iter().map(CheckStatus::from).collect();
        }
        status.logs = self.logs.as_ref().map(|running| logs::running(running, now)).unwrap_or_default();
        let files = self.files.clone();
        match spawn_blocking(move || files.read(now)).await {
            Ok(found) => found.put_into(&mut status),
            Err(error) => status.unread.push(format!("keys and certificates: {error}")),
        }
        if let Some(service) = &self.tuf {
            put_tuf(&mut status, service.publisher(), &service.repository(), now).await;
        }
        status
    }
}

/// This process, and those that have the other roles.
fn servers(setup: &Setup<'_>) -> anyhow::Result<Vec<ServerStatus>> {
    let mut own = ServerStatus {
        url: setup.addresses.base().to_string(),
        roles: Vec::new(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ready: None,
        checks: Vec::new(),
        unknown_because: None,
    };
    let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for role in Role::ALL {
        let (url, name) = (setup.addresses.url(role)?.to_string(), role.name().to_owned());
        if setup.roles.contains(&role) {
            if own.roles.is_empty() {
                own.url = url;
            }
            own.roles.push(name);
        } else {
            others.entry(url).or_default().push(name);
        }
    }
    let other = |(url, roles)| ServerStatus {
        url,
        roles,
        version: None,
        ready: None,
        checks: Vec::new(),
        unknown_because: Some("another process has these roles; ask it, or run chancery status --config".to_owned()),
    };
    Ok(std::iter::once(own).chain(others.into_iter().map(other)).collect())
}
