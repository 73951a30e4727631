//! Why following ends, by what a caller can do: the exit codes of `chancery search follow`.

use crate::output;
use std::process::ExitCode;

/// Why following ends.
#[derive(Debug)]
pub(super) enum Failure {
    /// The log shows what is not true.
    Untrue(String),
    /// The arguments, the trust root or the database cannot be used.
    Unusable(anyhow::Error),
    /// The log cannot be read now.
    Unread(String),
}

impl Failure {
    /// Says why, and returns the exit code.
    pub(super) fn told(self) -> ExitCode {
        match self {
            Self::Untrue(reason) => output::failed(&anyhow::Error::msg(reason), 1),
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
