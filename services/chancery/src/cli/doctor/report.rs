//! Everything that was found, as text and as JSON, with one verdict.

use super::finding::{Finding, Severity};
use chancery_verify::{Timestamp, counted};
use serde_json::{Value, json};
use std::{cmp::Reverse, fmt::Write as _, process::ExitCode};

/// Version of the JSON form. Members may be added under the same number.
const VERSION: u32 = 1;
/// Exit code if there is an error.
const ERRORS: u8 = 1;
/// Exit code if there is no error, but a warning.
const WARNINGS: u8 = 4;
/// Columns for a severity.
const NAME_WIDTH: usize = 8;

/// The findings, the worst first.
pub(super) struct Report {
    findings: Vec<Finding>,
    at: Timestamp,
}

impl Report {
    /// Of one severity, findings stay in the order in which they were made.
    pub(super) fn new(mut findings: Vec<Finding>, at: Timestamp) -> Self {
        findings.sort_by_key(|finding| Reverse(finding.severity));
        Self { findings, at }
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    fn worst(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }

    /// By the worst finding. A note changes nothing.
    pub(super) fn code(&self) -> ExitCode {
        match self.worst() {
            Severity::Error => ExitCode::from(ERRORS),
            Severity::Warning => ExitCode::from(WARNINGS),
            Severity::Note | Severity::Ok => ExitCode::SUCCESS,
        }
    }

    /// `well`, `warnings` or `errors`.
    fn verdict(&self) -> &'static str {
        match self.worst() {
            Severity::Error => "errors",
            Severity::Warning => "warnings",
            Severity::Note | Severity::Ok => "well",
        }
    }

    /// As a program reads it.
    pub(super) fn json(&self) -> Value {
        json!({
            "version": VERSION,
            "program": env!("CARGO_PKG_VERSION"),
            "checked_at": self.at.rfc3339(),
            "verdict": self.verdict(),
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "findings": self.findings,
        })
    }

    /// As a person reads it: a line for each finding, and below it what to do. Writing to a String cannot fail.
    pub(super) fn text(&self) -> String {
        let checks = self.findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
        let plain = "\x1b[0m";
        let mut text = String::new();
        for Finding { check, subject, severity, message, action } in &self.findings {
            let (colour, name) = (colour(*severity), severity.name());
            let _ = writeln!(text, "{colour}{name:NAME_WIDTH$}{plain}{check:checks$}  {subject}: {message}");
            if let Some(action) = action {
                let _ = writeln!(text, "{}do: {action}", " ".repeat(NAME_WIDTH + checks + 2));
            }
        }
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let (errors, warnings) = (counted(errors, "error", "errors"), counted(warnings, "warning", "warnings"));
        let _ = writeln!(text, "\n{errors}, {warnings}, {} ok", self.count(Severity::Ok));
        text
    }
}

/// A terminal shows it; what is no terminal gets the text without.
const fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "\x1b[32m",
        Severity::Note => "\x1b[36m",
        Severity::Warning => "\x1b[33m",
        Severity::Error => "\x1b[31m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(findings: Vec<Finding>) -> Report {
        Report::new(findings, Timestamp::from_seconds(1_800_000_000))
    }

    #[test]
    fn the_worst_finding_is_first_and_decides_the_exit_code() {
        let (ok, note) = (Finding::ok("disk", "a", "fast"), Finding::note("clock", "b", "alone", "[tsa] ntp"));
        let warning = Finding::warning("tls", "c", "ends soon", "renew it");
        let error = Finding::error("dns", "d", "no address", "add one");
        for (findings, verdict, code) in [
            (vec![], "well", 0),
            (vec![ok.clone(), note.clone()], "well", 0),
            (vec![ok.clone(), warning.clone()], "warnings", WARNINGS),
            (vec![ok, note, warning, error], "errors", ERRORS),
        ] {
            let report = report(findings);
            assert_eq!(report.json()["verdict"], verdict);
            assert_eq!(report.code(), ExitCode::from(code));
        }
    }

    #[test]
    fn each_finding_has_a_line_and_what_to_do_another() {
        let report = report(vec![
            Finding::ok("certificates", "ca", "far"),
            Finding::error("dns", "sign.example.org", "no address", "add one"),
        ]);
        let shown = report.text().replace("\x1b[0m", "").replace("\x1b[31m", "").replace("\x1b[32m", "");
        let expected = "error   dns           sign.example.org: no address\n\
                        \x20                     do: add one\n\
                        ok      certificates  ca: far\n\n1 error, 0 warnings, 1 ok\n";
        assert_eq!(shown, expected);
        let document = report.json();
        assert_eq!(document["findings"][0]["severity"], "error");
        assert_eq!(document["findings"][1]["action"], Value::Null);
        assert_eq!((&document["errors"], &document["checked_at"]), (&json!(1), &json!("2027-01-15T08:00:00Z")));
    }
}
