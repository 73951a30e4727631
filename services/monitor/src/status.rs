//! The present status of each log: for metrics, for the gossip of other monitors, and for readiness.

use crate::alarm::AlarmKind;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What is known of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// First line of its checkpoints, once one was seen.
    pub origin: Option<String>,
    /// The newest checkpoint that extends all earlier ones.
    pub checkpoint: Option<String>,
    /// Its size.
    pub size: u64,
    /// Entries that were verified and looked at.
    pub followed: u64,
    /// Entries of these that could not be read, or not wholly, since the start.
    pub unreadable: u64,
    /// Alarms by kind, since the start.
    pub alarms: BTreeMap<AlarmKind, u64>,
    /// Alarms that wait for an output.
    pub pending: u64,
    /// Alarms that were put aside, because an output refuses them.
    pub refused: u64,
    /// Conditions that were alarmed and last.
    pub lasting: BTreeMap<AlarmKind, String>,
    /// When the last round ended that could tell everything, in seconds since the epoch.
    pub checked_at: Option<u64>,
}

/// The status of every log by its name. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Statuses(Arc<Mutex<BTreeMap<String, LogStatus>>>);

impl Statuses {
    /// Changes the status of a log.
    pub(crate) fn update(&self, log: &str, change: impl FnOnce(&mut LogStatus)) {
        let mut statuses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(statuses.entry(log.to_owned()).or_default());
    }

    /// The status of every log, by name.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, LogStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
