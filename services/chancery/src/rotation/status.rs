//! How far the rotations of a process are, as its metrics and its audit log tell it.

use super::{Generation, Progress, Role};
use crate::role as process;
use chancery_ca::audit::AuditLog;
use chancery_daemon::{
    health::{Finding, State},
    metrics::{MetricError, Metrics},
};
use chancery_verify::Timestamp;
use serde_json::json;
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// What is told about every rotation of a process. Clones are the same.
#[derive(Clone)]
pub(crate) struct Statuses {
    roles: Arc<Mutex<BTreeMap<Role, (Progress, bool)>>>,
    audit: Option<Arc<AuditLog>>,
}

impl Statuses {
    /// Nothing is told yet. What becomes of each generation is put into `audit`, too.
    pub(crate) fn new(audit: Option<Arc<AuditLog>>) -> Self {
        Self { roles: Arc::default(), audit }
    }

    /// Where it is recorded.
    pub(crate) fn audit(&self) -> Option<Arc<AuditLog>> {
        self.audit.clone()
    }

    /// Records that the process has done what the ring says of a generation.
    pub(super) fn record(&self, role: Role, generation: &Generation, now: Timestamp) -> io::Result<()> {
        let Some(audit) = &self.audit else { return Ok(()) };
        let members = json!({
            "role": role.name(),
            "generation": generation.number,
            "state": generation.state,
            "key_fingerprint": generation.fingerprint,
            "ends": generation.ends_seconds.map(|seconds| Timestamp::from_seconds(seconds).rfc3339()),
        });
        audit.changed("key", members, now)
    }

    /// Says how far a role is, and whether its ring is at fault.
    pub(super) fn set(&self, role: Role, progress: &Progress, at_fault: bool) {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).insert(role, (progress.clone(), at_fault));
    }

    /// The generations that cannot be used. If that is the one that signs, its role does not do its work.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        let of_role = |(role, (progress, _)): (&Role, &(Progress, bool))| {
            let process = match role {
                Role::Ca => process::Role::Ca,
                Role::Tsa => process::Role::Tsa,
                Role::Ct | Role::Rekor | Role::Rekor2 => process::Role::Log,
            };
            let found = |(number, reason): (&u64, &String)| {
                let state = if *number == progress.signing { State::Failed } else { State::Warning };
                Finding::new(process.name(), format!("{} key {number}", role.name()), state(reason.clone()))
            };
            progress.obstacles.iter().map(found).collect::<Vec<_>>()
        };
        roles.iter().flat_map(of_role).collect()
    }

    /// Which generation of each key signs, and how many things are in the way of what is wanted.
    pub(crate) fn measure(&self, metrics: &Metrics) -> Result<(), MetricError> {
        let generations =
            metrics.gauges("chancery_key_generation", "Generation of the signing key, counted from 1", &["role"])?;
        let obstacles = metrics.gauges(
            "chancery_key_obstacles",
            "Key generations that cannot be used. chancery keys list shows why",
            &["role"],
        )?;
        let statuses = self.clone();
        metrics.before_scrape(move || {
            for (role, (progress, at_fault)) in &*statuses.roles.lock().unwrap_or_else(PoisonError::into_inner) {
                generations.set(&[role.name()], progress.signing);
                let count = progress.obstacles.len() + usize::from(*at_fault);
                obstacles.set(&[role.name()], count.try_into().unwrap_or(u64::MAX));
            }
        });
        Ok(())
    }
}
