//! How far the rotations of a process are, as its metrics tell it.

use super::{Progress, Role};
use chancery_daemon::metrics::{MetricError, Metrics};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What is told about every rotation of a process. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Statuses(Arc<Mutex<BTreeMap<Role, (Progress, bool)>>>);

impl Statuses {
    /// Says how far a role is, and whether its ring is at fault.
    pub(super) fn set(&self, role: Role, progress: &Progress, at_fault: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(role, (progress.clone(), at_fault));
    }

    /// Which generation of each key signs, and how many things are in the way of what is wanted.
    pub(crate) fn measure(&self, metrics: &Metrics) -> Result<(), MetricError> {
        let generations =
            metrics.gauges("chancery_key_generation", "Generation of the key that signs, from 1", &["role"])?;
        let obstacles = metrics.gauges(
            "chancery_key_obstacles",
            "Generations of a key that cannot be used, and faults of the ring; chancery keys list tells them",
            &["role"],
        )?;
        let statuses = self.clone();
        metrics.before_scrape(move || {
            for (role, (progress, at_fault)) in &*statuses.0.lock().unwrap_or_else(PoisonError::into_inner) {
                generations.set(&[role.name()], progress.signing);
                let count = progress.obstacles.len() + usize::from(*at_fault);
                obstacles.set(&[role.name()], count.try_into().unwrap_or(u64::MAX));
            }
        });
        Ok(())
    }
}
