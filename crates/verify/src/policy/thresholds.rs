//! How much evidence a policy asks verification for.

use serde::{Deserialize, Serialize};

/// Distinct operators that each kind of evidence must come from. Two logs of one operator count once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PolicyThresholds {
    /// Transparency logs that have the signature. 1 if nothing is said.
    pub logs: u8,
    /// Certificate transparency logs that have the certificate. 1 if nothing is said.
    pub scts: u8,
    /// Sources of time: timestamp authorities, and logs that promise a time. 1 if nothing is said.
    pub times: u8,
    /// Timestamp authorities among the sources of time. 0 if nothing is said.
    pub timestamps: u8,
    /// Witnesses that have cosigned the log's checkpoint. 0 if nothing is said.
    pub witnesses: u8,
}

/// Operators that a policy may ask for.
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
