//! Why following ends, by what a caller can do: the exit codes of `chancery search follow`.

use super::evidence::Evidence;
use crate::output;
use chancery_log::store::Location;
use std::process::ExitCode;

/// Why following ends.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli::search) enum Failure {
    /// The log contradicts itself.
    #[error("{reason}")]
    Untrue {
        /// What it shows.
        reason: String,
        /// What proves it, as far as checkpoints do.
        evidence: Evidence,
    },
    /// The arguments, the trust root or the database cannot be used.
    #[error(transparent)]
    Unusable(anyhow::Error),
    /// The log cannot be read now.
    #[error("{0}")]
    Unread(String),
}

impl Failure {
    /// Keeps the evidence, if there is any, beside the database. The reason then says where.
    pub(super) fn keeping(self, database: &Location) -> Self {
        match self {
            Self::Untrue { reason, evidence } => {
                let lines = [vec![reason], evidence.keep(database)].concat();
                Self::Untrue { reason: lines.join("\n"), evidence }
            }
            other => other,
        }
    }

    /// Says why, and returns the exit code.
    pub(super) fn told(self) -> ExitCode {
        match self {
            Self::Untrue { reason, evidence } => {
                let code = output::failed(&anyhow::Error::msg(reason), 1);
                for checkpoint in evidence.checkpoints() {
                    output::note(&format!("signed by the key of the log:\n{}", checkpoint.trim_end()));
                }
                code
            }
            Self::Unusable(error) => output::failed(&error, 2),
            Self::Unread(reason) => output::failed(&anyhow::Error::msg(reason), 3),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Unusable(error)
    }
}
