//! What the running server says of itself: the lines of `/readyz?verbose`.

use super::finding::Finding;
use crate::{
    cli::{health, status::check},
    configuration::Configuration,
    instance::{CheckResult, CheckStatus},
};
use chancery_address::BaseUrl;
use std::path::Path;

const CHECK: &str = "readiness";

/// The server of a configuration, on this machine. `start` is the command that starts it.
pub(super) async fn of_own(configuration: &Configuration, start: &str) -> Vec<Finding> {
    findings(&configuration.listen.address.to_string(), health::checks_of_own(configuration).await, start)
}

/// The server at a URL.
pub(super) async fn at(url: &BaseUrl, authorities: Option<&Path>, start: &str) -> Vec<Finding> {
    findings(url.as_str(), health::checks_at(url.as_str(), authorities).await, start)
}

fn findings(subject: &str, answer: anyhow::Result<String>, start: &str) -> Vec<Finding> {
    let text = match answer {
        Ok(text) => text,
        Err(error) => {
            let action = format!("start it, and read the last lines of its log: {start}");
            return vec![Finding::error(CHECK, subject, &format!("the server does not run here: {error:#}"), &action)];
        }
    };
    let checks: Vec<CheckStatus> = text.lines().filter_map(check).collect();
    let passed = checks.iter().filter(|check| check.result == CheckResult::Passed).count();
    let mut findings: Vec<Finding> = checks.iter().filter_map(|check| told(subject, check)).collect();
    findings.push(Finding::ok(CHECK, subject, &format!("the server answers, and {passed} of its checks pass")));
    findings
}

/// A check that does not pass.
fn told(subject: &str, CheckStatus { role, check, result, message }: &CheckStatus) -> Option<Finding> {
    let action = "do what the reason says; for each check there is more in docs/src/operate/runbook.md";
    let (subject, reason) = (format!("{subject} {role} {check}"), message.as_deref().unwrap_or_default());
    match result {
        CheckResult::Passed => None,
        CheckResult::Warning => Some(Finding::warning(CHECK, &subject, reason, action)),
        CheckResult::Failed => Some(Finding::error(CHECK, &subject, reason, action)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity;

    #[test]
    fn each_check_that_does_not_pass_is_a_finding() {
        let text = "[+]log rekor ok\n[!]log rekor2 witnesses warning: one is away\n[-]ca disk failed: it is full; make room\n\
                    readyz check failed\n";
        let found = findings("here", Ok(text.to_owned()), "chancery serve");
        let severities: Vec<_> = found.iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [Severity::Warning, Severity::Error, Severity::Ok]);
        assert_eq!((&*found[0].subject, &*found[0].message), ("here log rekor2 witnesses", "one is away"));
        assert_eq!((&*found[1].subject, &*found[1].message), ("here ca disk", "it is full; make room"));
        assert_eq!(found[2].message, "the server answers, and 1 of its checks pass");
        let [stopped] = findings("here", Err(anyhow::anyhow!("no server answers")), "chancery dev").try_into().unwrap();
        assert!(stopped.severity == Severity::Error && stopped.action.unwrap().ends_with("chancery dev"));
    }
}
