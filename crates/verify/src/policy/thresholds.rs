//! Thresholds: the evidence that a policy requires.

use serde::{Deserialize, Serialize};

/// Number of different operators for each kind of evidence. Two logs of one operator count once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PolicyThresholds {
    /// Transparency logs with the signature. Default: 1.
    pub logs: u8,
    /// Certificate transparency logs with the certificate. Default: 1.
    pub scts: u8,
    /// Sources of time: timestamp authorities, and logs that promise a time. Default: 1.
    pub times: u8,
    /// Timestamp authorities among the sources of time. Default: 0.
    pub timestamps: u8,
    /// Witnesses that have cosigned the log's checkpoint. Default: 0.
    pub witnesses: u8,
}

/// Maximum of a threshold.
pub(super) const MAX_THRESHOLD: u8 = 32;

impl Default for PolicyThresholds {
    fn default() -> Self {
        Self { logs: 1, scts: 1, times: 1, timestamps: 0, witnesses: 0 }
    }
}

impl PolicyThresholds {
    /// Each threshold with its name in the file.
    pub(super) const fn named(self) -> [(&'static str, u8); 5] {
        [
            ("logs", self.logs),
            ("scts", self.scts),
            ("times", self.times),
            ("timestamps", self.timestamps),
            ("witnesses", self.witnesses),
        ]
    }
}
