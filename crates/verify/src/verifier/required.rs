//! The counts of evidence that one bundle must have. [`super::demands`] decides them.

use crate::policy::PolicyThresholds;

/// The required counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Required {
    pub(super) log_entries: usize,
    pub(super) times: usize,
    pub(super) timestamps: usize,
    pub(super) scts: usize,
    /// Cosignatures by the witnesses of the options. No other witnesses are known.
    pub(super) witnesses: usize,
}

impl Required {
    pub(super) fn of_policy(thresholds: PolicyThresholds, quorum: usize) -> Self {
        Self {
            log_entries: thresholds.logs.into(),
            times: thresholds.times.into(),
            timestamps: thresholds.timestamps.into(),
            scts: thresholds.scts.into(),
            witnesses: quorum.max(thresholds.witnesses.into()),
        }
    }
}
