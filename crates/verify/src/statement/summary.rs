//! SLSA verification summaries: another verifier's verdict about an artifact.
//!
//! Specification: `slsa.dev/verification_summary/v1`.

use super::Statement;
use crate::{Refusal, Rejection, Step};
use serde_json::Value;

/// Predicate type of a verification summary.
pub const VERIFICATION_SUMMARY_V1: &str = "https://slsa.dev/verification_summary/v1";
/// Maximum levels of a summary.
const MAX_LEVELS: usize = 64;

/// A parsed verification summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationSummary<'a> {
    /// Id of the verifier.
    pub verifier: &'a str,
    /// URI of the verified resource.
    pub resource: &'a str,
    /// URI of the applied policy.
    pub policy: Option<&'a str>,
    /// Time of the verification, as written.
    pub time: Option<&'a str>,
    /// Whether the result is `PASSED`. Any other word means failed.
    pub passed: bool,
    /// The verified SLSA levels.
    pub levels: Vec<&'a str>,
}

impl<'a> VerificationSummary<'a> {
    /// The summary of a statement. `None` for other predicates.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of(statement: &'a Statement) -> Result<Option<Self>, Refusal> {
        Self::read(statement.predicate_type(), statement.predicate())
    }

    /// Reads a predicate. `None` if its type is not a summary.
    ///
    /// # Errors
    /// [`Rejection::PredicateMalformed`] with the field that is missing or of another type.
    pub fn read(predicate_type: &str, predicate: &'a Value) -> Result<Option<Self>, Refusal> {
        if predicate_type != VERIFICATION_SUMMARY_V1 {
            return Ok(None);
        }
        let text = |pointer: &str| predicate.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let malformed = |field: &'static str| {
            Refusal::new(Rejection::PredicateMalformed { field }, Step::Statement).at(format!("predicate.{field}"))
        };
        let levels = predicate.get("verifiedLevels").and_then(Value::as_array).filter(|list| list.len() <= MAX_LEVELS);
        let levels = levels.and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        let result = text("/verificationResult").ok_or_else(|| malformed("verificationResult"))?;
        Ok(Some(Self {
            verifier: text("/verifier/id").ok_or_else(|| malformed("verifier.id"))?,
            resource: text("/resourceUri").ok_or_else(|| malformed("resourceUri"))?,
            policy: text("/policy/uri"),
            time: text("/timeVerified"),
            passed: result == "PASSED",
            levels: levels.ok_or_else(|| malformed("verifiedLevels"))?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_summary_has_a_verifier_a_resource_a_result_and_levels() {
        let predicate = json!({
            "verifier": { "id": "https://verifier.example" }, "resourceUri": "pkg:oci/app", "timeVerified": "2026-11-29T04:00:00Z",
            "policy": { "uri": "https://policy.example" }, "verificationResult": "PASSED", "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
        });
        let summary = VerificationSummary::read(VERIFICATION_SUMMARY_V1, &predicate).unwrap().unwrap();
        assert!(summary.passed);
        assert_eq!((summary.verifier, summary.resource), ("https://verifier.example", "pkg:oci/app"));
        assert_eq!((summary.levels, summary.policy), (vec!["SLSA_BUILD_LEVEL_3"], Some("https://policy.example")));
        for (name, field) in [
            ("verifier", "verifier.id"),
            ("resourceUri", "resourceUri"),
            ("verificationResult", "verificationResult"),
            ("verifiedLevels", "verifiedLevels"),
        ] {
            let mut predicate = predicate.clone();
            predicate[name] = json!(1);
            let refusal = VerificationSummary::read(VERIFICATION_SUMMARY_V1, &predicate).unwrap_err();
            assert_eq!(refusal.rejection(), Rejection::PredicateMalformed { field });
        }
        let mut failed = predicate.clone();
        failed["verificationResult"] = json!("passed");
        assert!(!VerificationSummary::read(VERIFICATION_SUMMARY_V1, &failed).unwrap().unwrap().passed);
        assert_eq!(VerificationSummary::read("other", &predicate).unwrap(), None);
    }
}
