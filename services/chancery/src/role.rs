//! The roles that the program has. A process has all of them or some.
//!
//! Not the keys that are rotated: those are [`crate::rotation::Role`].

use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// A role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Certificate authority (Fulcio)
    Ca,
    /// Signature logs (Rekor) and certificate log
    Log,
    /// Timestamp authority
    Tsa,
    /// Trust root: TUF repository and trust files
    Trust,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Ca, Self::Log, Self::Tsa, Self::Trust];

    /// As in the configuration, and as a label.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Log => "log",
            Self::Tsa => "tsa",
            Self::Trust => "trust",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
