//! What a check has found: how bad it is, what it means, and what to do.

use super::redact;
use serde::Serialize;

/// How bad a finding is, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// Checked, and well.
    Ok,
    /// Not checked, or nothing to act on today. The text says why.
    Note,
    /// Everything works. Something will not, or is less safe than it could be.
    Warning,
    /// Something does not work, or is not safe.
    Error,
}

impl Severity {
    /// As it is printed.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding of one check. No text in it has a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Name of the check, from a closed set.
    pub(super) check: &'static str,
    /// What was checked: a URL, a file, a log.
    pub(super) subject: String,
    /// How bad it is.
    pub(super) severity: Severity,
    /// What was found, and what it means.
    pub(super) message: String,
    /// The command or the setting that changes it. `None` if there is nothing to do.
    pub(super) action: Option<String>,
}

impl Finding {
    /// All is well.
    pub(super) fn ok(check: &'static str, subject: &str, message: &str) -> Self {
        Self::new(check, subject, Severity::Ok, message, None)
    }

    /// Something that was not checked, or that nobody need change today.
    pub(super) fn note(check: &'static str, subject: &str, message: &str, action: &str) -> Self {
        Self::new(check, subject, Severity::Note, message, Some(action))
    }

    /// Something that will not work, or is less safe than it could be.
    pub(super) fn warning(check: &'static str, subject: &str, message: &str, action: &str) -> Self {
        Self::new(check, subject, Severity::Warning, message, Some(action))
    }

    /// Something that does not work, or is not safe.
    pub(super) fn error(check: &'static str, subject: &str, message: &str, action: &str) -> Self {
        Self::new(check, subject, Severity::Error, message, Some(action))
    }

    fn new(check: &'static str, subject: &str, severity: Severity, message: &str, action: Option<&str>) -> Self {
        let (subject, message) = (redact::text(subject), redact::text(message));
        Self { check, subject, severity, message, action: action.map(redact::text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_has_no_secret_and_the_worst_is_the_greatest() {
        let found = Finding::error("database", "postgres://a:hunter2@b/c", "?password=hunter2", "?token=hunter2");
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
        let all = [Severity::Ok, Severity::Note, Severity::Warning, Severity::Error];
        assert!(all.is_sorted() && all.iter().max() == Some(&Severity::Error));
    }
}
