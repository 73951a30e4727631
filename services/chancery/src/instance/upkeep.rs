//! Maintains the audit log and monitors the disk space, beside the roles of a process.
//!
//! A fault here does not stop a role. A certificate needs its line in the audit log, and an entry needs space in the
//! database. `/readyz` shows the reason why they fail, until they can be written again.

use super::readiness::Checked;
use crate::role::Role;
use anyhow::Context as _;
use chancery_ca::audit::AuditLog;
use chancery_daemon::{clock::Clock, disk, health::Finding, reload::Hangups};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinHandle;

/// Time between two checks of the disk.
const LOOK: Duration = Duration::from_secs(1);
/// Time between two checks while the disk is full. The process is ready again soon after there is space.
const LOOK_WHEN_FULL: Duration = Duration::from_millis(100);

/// The audit log, if the process has one, and the disk of its data directory.
pub(super) struct Upkeep {
    audit: Option<Arc<AuditLog>>,
    disk: Arc<Disk>,
    clock: Arc<dyn Clock>,
}

impl Upkeep {
    pub(super) fn new(data: &Path, audit: Option<Arc<AuditLog>>, clock: &Arc<dyn Clock>) -> Self {
        let disk = Disk { directory: data.to_owned(), fault: Mutex::default() };
        Self { audit, disk: Arc::new(disk), clock: Arc::clone(clock) }
    }

    /// The tasks. They run until they are aborted.
    pub(super) fn start(&self) -> anyhow::Result<Vec<JoinHandle<()>>> {
        let mut tasks = vec![tokio::spawn(Arc::clone(&self.disk).watch())];
        if let Some(audit) = &self.audit {
            tasks.push(tokio::spawn(Arc::clone(audit).keep(Arc::clone(&self.clock))));
            let mut hangups = Hangups::catch().context("cannot wait for SIGHUP")?;
            let audit = Arc::clone(audit);
            tasks.push(tokio::spawn(async move {
                loop {
                    hangups.received().await;
                    audit.reopen();
                }
            }));
        }
        Ok(tasks)
    }

    /// Whether the roles that write can do so.
    pub(super) fn checks(&self, roles: &BTreeSet<Role>) -> Checked {
        let write = [Role::Log, Role::Ca, Role::Trust].into_iter().filter(|role| roles.contains(role));
        let (write, disk) = (write.collect::<Vec<_>>(), Arc::clone(&self.disk));
        let finding = move |role: &Role| Finding::unless(role.name(), "disk", disk.obstacle());
        let mut checked = Checked::known(move || write.iter().map(&finding).collect());
        let recorded = [Role::Ca, Role::Tsa, Role::Trust].into_iter().find(|role| roles.contains(role));
        if let (Some(audit), Some(role)) = (self.audit.clone(), recorded) {
            checked.extend(Checked::known(move || vec![Finding::unless(role.name(), "audit", audit.obstacle())]));
        }
        checked
    }

    /// Syncs the audit log to disk.
    pub(super) fn stop(&self) {
        if let Some(audit) = &self.audit {
            audit.close(self.clock.now());
        }
    }
}

/// Whether the data directory can be written.
struct Disk {
    directory: PathBuf,
    /// The reason from the last check, if it cannot.
    fault: Mutex<Option<String>>,
}

impl Disk {
    async fn watch(self: Arc<Self>) {
        loop {
            let disk = Arc::clone(&self);
            let Ok(is_full) = tokio::task::spawn_blocking(move || disk.look()).await else { return };
            tokio::time::sleep(if is_full { LOOK_WHEN_FULL } else { LOOK }).await;
        }
    }

    /// Returns whether there is a fault.
    fn look(&self) -> bool {
        let fault = disk::try_to_write(&self.directory).err().map(|error| error.to_string());
        let mut known = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*known, &fault) {
            (None, Some(error)) => tracing::error!(error, "the data directory cannot be written"),
            (Some(_), None) => tracing::info!("the data directory can be written again"),
            _ => {}
        }
        *known = fault;
        known.is_some()
    }

    fn obstacle(&self) -> Option<String> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = self.directory.display();
        fault.as_ref().map(|fault| format!("{directory} cannot be written ({fault}); make room on its disk"))
    }
}
