//! The subjects and inputs of a kept statement, as terms of the search index. Pure.

use chancery_verify::terms::{TermKind, of_attestation};

/// The digests of subjects and inputs, in order, each once. None if the data is no in-toto statement.
pub(crate) fn subjects(data: &[u8]) -> Vec<Vec<u8>> {
    let Ok(terms) = of_attestation(data) else { return Vec::new() };
    let is_digest = |kind| matches!(kind, TermKind::ArtifactDigest | TermKind::MaterialDigest);
    let digests = terms.iter().filter(|term| is_digest(term.kind()));
    let mut subjects: Vec<Vec<u8>> = digests.map(|term| term.as_bytes().to_vec()).collect();
    subjects.sort_unstable();
    subjects
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_verify::terms::Term;

    #[test]
    fn a_statement_is_about_its_subjects_and_inputs() {
        let statement = br#"{
            "subject": [{ "digest": { "sha256": "bb" } }, { "digest": { "sha256": "aa" } }, { "digest": { "sha256": "aa" } }],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": { "buildDefinition": { "resolvedDependencies": [{ "digest": { "gitCommit": "cc" } }] } }
        }"#;
        let term = |kind, algorithm, digest: u8| Term::of_digest(kind, algorithm, &[digest]).as_bytes().to_vec();
        let expected = [
            term(TermKind::ArtifactDigest, "sha256", 0xaa),
            term(TermKind::ArtifactDigest, "sha256", 0xbb),
            term(TermKind::MaterialDigest, "gitcommit", 0xcc),
        ];
        assert_eq!(subjects(statement), expected);
        assert!(subjects(b"a COSE message").is_empty());
    }
}
