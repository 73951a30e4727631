//! Terms of an in-toto statement: subjects, inputs of the build and predicate type.
//!
//! Logs have only the hash of a statement, so it is read where it is at hand. It is read more generously than
//! [`crate::statement`] does, which decides what a statement proves: here every digest counts, by whatever algorithm, no
//! field is required, and of a repeated name the last counts, as in upstream's parser.
//!
//! Specification: in-toto Attestation Framework; slsa.dev/provenance/v0.2 and /v1.

use super::MAX_TERMS;
use super::kind::TermKind;
use super::set::{Omissions, Terms};
use super::term::Term;
use crate::Rejection;
use serde_json::Value;

/// Where statements list their artifacts, and provenance of either version its inputs.
const LISTS: [(&str, TermKind); 3] = [
    ("/subject", TermKind::ArtifactDigest),
    ("/predicate/materials", TermKind::MaterialDigest),
    ("/predicate/buildDefinition/resolvedDependencies", TermKind::MaterialDigest),
];
/// Maximum characters of an algorithm's name.
const MAX_ALGORITHM: usize = 64;

/// The parts of a statement that are indexed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attestation {
    pub(super) predicate_type: Option<String>,
    /// Digests of subjects, then of inputs, in the order of the statement.
    pub(super) digests: Vec<Term>,
    omissions: Omissions,
}

impl Attestation {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`Rejection::StatementMalformed`] if it is not JSON, or has neither subjects nor a predicate type.
    pub(super) fn read(payload: &[u8]) -> Result<Self, Rejection> {
        let document: Value = serde_json::from_slice(payload).map_err(|_| Rejection::StatementMalformed)?;
        let predicate_type = document.get("predicateType").and_then(Value::as_str).map(str::to_owned);
        if predicate_type.is_none() && !document.get("subject").is_some_and(Value::is_array) {
            return Err(Rejection::StatementMalformed);
        }
        let mut attestation = Self { predicate_type, ..Self::default() };
        for (place, kind) in LISTS {
            let list = document.pointer(place).and_then(Value::as_array);
            for element in list.into_iter().flatten() {
                attestation.add_digests(kind, element);
            }
        }
        Ok(attestation)
    }

    fn add_digests(&mut self, kind: TermKind, element: &Value) {
        let digests = element.get("digest").and_then(Value::as_object);
        for (algorithm, digest) in digests.into_iter().flatten() {
            match digest.as_str() {
                Some(_) if self.digests.len() == MAX_TERMS => {
                    self.omissions.note(Rejection::EntryTooMany { what: "digests", limit: MAX_TERMS });
                    return;
                }
                Some(digest) if is_algorithm(algorithm) => {
                    self.digests.push(Term::of_digest_text(kind, algorithm, digest));
                }
                _ => self.omissions.note(Rejection::SubjectMalformed),
            }
        }
    }

    /// Returns whether a part could not be read or was left out.
    pub(super) const fn is_incomplete(&self) -> bool {
        !self.omissions.is_empty()
    }

    pub(super) fn terms(&self) -> Terms {
        let mut terms = Terms::with(self.omissions.clone());
        if let Some(predicate_type) = &self.predicate_type {
            terms.add_text(TermKind::PredicateType, predicate_type);
        }
        for digest in &self.digests {
            terms.add(digest.clone());
        }
        terms
    }
}

/// Returns whether a name cannot be taken for something else between the parts of a term.
fn is_algorithm(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b':' | b'=');
    !name.is_empty() && name.len() <= MAX_ALGORITHM && name.bytes().all(plain)
}

/// The terms of a payload, if it is an in-toto statement.
///
/// # Errors
/// [`Rejection::StatementMalformed`] if it is none.
pub fn of_attestation(payload: &[u8]) -> Result<Terms, Rejection> {
    Attestation::read(payload).map(|attestation| attestation.terms())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(statement: &Value) -> Vec<String> {
        let terms = of_attestation(statement.to_string().as_bytes()).unwrap();
        terms.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn subjects_inputs_and_predicate_type_are_terms() {
        let sha256 = "ab".repeat(32);
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "app", "digest": { "sha256": sha256.to_uppercase(), "dirHash": "h1:Q=" } }, { "name": "x" }],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": { "buildDefinition": { "resolvedDependencies": [{ "digest": { "gitCommit": "0a" } }] } },
        });
        let expected = [
            format!("artifact=sha256:{sha256}"),
            "artifact=dirhash:h1:q=".to_owned(),
            "material=gitcommit:0a".to_owned(),
            "predicate-type=https://slsa.dev/provenance/v1".to_owned(),
        ];
        let mut found = texts(&statement);
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(found, expected);
        let old = json!({ "predicateType": "x", "predicate": { "materials": [{ "digest": { "sha1": "0b" } }] } });
        assert_eq!(texts(&old), ["material=sha1:0b", "predicate-type=x"]);
    }

    #[test]
    fn what_is_no_statement_is_refused_and_odd_digests_are_reported() {
        for payload in ["", "[]", "{}", r#"{"subject":{}}"#, r#"{"subject":[]} x"#] {
            assert_eq!(of_attestation(payload.as_bytes()), Err(Rejection::StatementMalformed), "{payload}");
        }
        let odd = json!({ "subject": [{ "digest": { "sha256": 1, "a:b": "ab", "": "ab", "md5": "00" } }] });
        let terms = of_attestation(odd.to_string().as_bytes()).unwrap();
        assert_eq!((terms.len(), terms.omissions()), (1, &[Rejection::SubjectMalformed][..]));
    }

    #[test]
    fn the_number_of_digests_is_limited() {
        let subjects: Vec<_> = (0..2000).map(|n| json!({ "digest": { "sha1": format!("{n:040x}") } })).collect();
        let terms = of_attestation(json!({ "subject": subjects }).to_string().as_bytes()).unwrap();
        let limit = Rejection::EntryTooMany { what: "digests", limit: MAX_TERMS };
        assert_eq!((terms.len(), terms.omissions()), (MAX_TERMS, &[limit][..]));
    }
}
