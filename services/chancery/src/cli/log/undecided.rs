//! Whether the failure of a command on a log says anything about the log: not if there was no answer, and not if the command was
//! given something that cannot be used.
//!
//! A server that hides something can be silent, too. So silence has an exit code of its own, which is not that of success. So have
//! wrong arguments: what calls a person need not call one for a typing error.

use crate::output;
use chancery_daemon::database::DatabaseError;
use chancery_log::{
    Error,
    check::{FileError, Finding},
    ending::EndError,
    store::StoreError,
};
use chancery_search::{Error as IndexError, Finding as IndexFinding};
use std::process::ExitCode;

/// Exit code if something does not hold.
const FAILED: u8 = 1;
/// Exit code if the arguments, or the files that they name, cannot be used.
const WRONG_USAGE: u8 = 2;
/// Exit code if there was no answer.
const UNDECIDED: u8 = 3;

/// Arguments that cannot be used: nothing was decided about a log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUsage(String);

/// The same failure, known as one of the arguments.
pub(in crate::cli) fn wrong_usage(error: &anyhow::Error) -> anyhow::Error {
    WrongUsage(format!("{error:#}")).into()
}

/// The exit code of what was `done`; says why where that failed.
pub(in crate::cli) fn told(done: anyhow::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| output::failed(&error, code(&error)))
}

fn code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<WrongUsage>().is_some() {
        WRONG_USAGE
    } else if is_undecided(error) {
        UNDECIDED
    } else {
        FAILED
    }
}

fn is_undecided(error: &anyhow::Error) -> bool {
    let is_silent_log = |error: &Error| matches!(error, Error::Store(error) if error.is_silent());
    let is_silent_index =
        |error: &IndexFinding| matches!(error, IndexFinding::Unreadable(IndexError::Store(error)) if error.is_silent());
    error.downcast_ref::<Finding>().is_some_and(Finding::is_silent)
        || error.downcast_ref::<FileError>().is_some_and(|error| error.is_silent)
        || error.downcast_ref::<EndError>().is_some_and(EndError::is_silent)
        || error.downcast_ref::<Error>().is_some_and(is_silent_log)
        || error.downcast_ref::<StoreError>().is_some_and(StoreError::is_silent)
        || error.downcast_ref::<DatabaseError>().is_some_and(DatabaseError::is_silent)
        || error.downcast_ref::<IndexFinding>().is_some_and(is_silent_index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context as _, anyhow};
    use std::io::ErrorKind;

    fn unreadable(is_silent: bool) -> FileError {
        FileError { path: "checkpoint".to_owned(), reason: "it says so".to_owned(), is_silent }
    }

    #[test]
    fn silence_is_no_finding_whatever_was_asked() {
        let undecided = [
            anyhow!(unreadable(true)),
            anyhow!(Finding::from(unreadable(true))),
            anyhow!(Finding::Interrupted),
            anyhow!(Finding::from(StoreError::Timeout)),
            anyhow!(StoreError::Timeout),
            anyhow!(Error::from(StoreError::Timeout)),
            anyhow!(EndError::from(StoreError::Timeout)),
            anyhow!(EndError::Mark { path: "mark".to_owned(), error: ErrorKind::PermissionDenied.into() }),
            anyhow!(DatabaseError::Standby),
        ];
        for error in undecided {
            let error = Err::<(), _>(error).context("log rekor").context("at its server").unwrap_err();
            assert!(is_undecided(&error), "{error:#}");
        }
        let found = [
            anyhow!(unreadable(false)),
            anyhow!(Finding::Gap { index: 7 }),
            anyhow!(EndError::Mark { path: "mark".to_owned(), error: ErrorKind::InvalidData.into() }),
            anyhow!(DatabaseError::OlderSchema { found: 1, known: 2 }),
            anyhow!("the saved checkpoint is of another log"),
        ];
        for error in found {
            let error = Err::<(), _>(error).context("log rekor").unwrap_err();
            assert!(!is_undecided(&error), "{error:#}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_no_finding() {
        let error = wrong_usage(&anyhow!("no such file").context("cannot read yesterday.checkpoint"));
        assert_eq!(error.to_string(), "cannot read yesterday.checkpoint: no such file");
        assert_eq!(code(&error.context("log rekor")), WRONG_USAGE);
        assert_eq!(code(&anyhow!(Finding::Interrupted)), UNDECIDED);
        assert_eq!(code(&anyhow!(Finding::Gap { index: 7 })), FAILED);
    }
}
