//! Why following ends, by what a caller can do: the exit codes of `chancery search follow`.

use std::process::ExitCode;

/// Why following ends.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli::search) enum Failure {
    /// The log shows what is not true.
    #[error("{0}")]
    Untrue(String),
    /// The arguments, the trust root or the database cannot be used.
    #[error(transparent)]
    Unusable(anyhow::Error),
    /// The log cannot be read now.
    #[error("{0}")]
    Unread(String),
}

impl Failure {
    /// Says why, and returns the exit code.
    pub(super) fn told(&self) -> ExitCode {
        let code = match self {
            Self::Untrue(reason) => {
                eprintln!("error: {reason}");
                1
            }
            Self::Unusable(error) => {
                eprintln!("error: {error:#}");
                2
            }
            Self::Unread(reason) => {
                eprintln!("error: {reason}");
                3
            }
        };
        ExitCode::from(code)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Unusable(error)
    }
}
