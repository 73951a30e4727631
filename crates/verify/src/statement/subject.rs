//! Subjects of a statement, and the rule for matching one with the artifact.

use super::{MAX_DIGESTS, MAX_SUBJECTS};
use crate::{HashAlgorithm, Refusal, Rejection, Step};
use serde_json::Value;
use std::collections::BTreeMap;

/// A subject: the attester's name for it, and its SHA-2 digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    name: Option<String>,
    digests: Vec<(HashAlgorithm, Vec<u8>)>,
    annotations: BTreeMap<String, String>,
}

impl Subject {
    /// The attester's name for it. It proves nothing.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its SHA-256, SHA-384 and SHA-512 digests. Others are not kept.
    #[must_use]
    pub fn digests(&self) -> &[(HashAlgorithm, Vec<u8>)] {
        &self.digests
    }

    /// The subject's annotations whose values are texts. cosign's `sign -a NAME=VALUE` writes them.
    #[must_use]
    pub const fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// Returns whether this is the artifact. `None` if they have no algorithm in common.
    fn is(&self, artifact: &[(HashAlgorithm, &[u8])]) -> Option<bool> {
        let mut verdict = None;
        for (algorithm, digest) in &self.digests {
            for (_, known) in artifact.iter().filter(|(known, _)| known == algorithm) {
                verdict = Some(verdict.unwrap_or(true) && known == digest);
            }
        }
        verdict
    }
}

pub(super) fn all(subjects: &[Value]) -> Result<Vec<Subject>, Refusal> {
    let refuse = |rejection| Refusal::new(rejection, Step::Statement).at("statement.subject");
    if subjects.is_empty() {
        return Err(refuse(Rejection::SubjectMissing));
    }
    if subjects.len() > MAX_SUBJECTS {
        let too_many = refuse(Rejection::BundleTooMany { what: "subjects", limit: MAX_SUBJECTS });
        return Err(too_many.expected(format!("at most {MAX_SUBJECTS} subjects"), subjects.len().to_string()));
    }
    subjects.iter().enumerate().map(|(index, subject)| one(index, subject)).collect()
}

fn one(index: usize, subject: &Value) -> Result<Subject, Refusal> {
    let refuse = |rejection| Refusal::new(rejection, Step::Statement).at(format!("statement.subject[{index}].digest"));
    let digests = subject.get("digest").and_then(Value::as_object).filter(|digests| !digests.is_empty());
    let digests = digests.ok_or_else(|| refuse(Rejection::SubjectMalformed).expected("at least one digest", "none"))?;
    if digests.len() > MAX_DIGESTS {
        let too_many = refuse(Rejection::BundleTooMany { what: "digests", limit: MAX_DIGESTS });
        return Err(too_many.expected(format!("at most {MAX_DIGESTS} digests"), digests.len().to_string()));
    }
    let mut counted = Vec::new();
    for (name, value) in digests {
        let Some(algorithm) = HashAlgorithm::from_name(name) else { continue };
        let text = value.as_str().unwrap_or_default();
        let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let well_formed = text.len() == 2 * algorithm.size_bytes() && text.bytes().all(hexadecimal);
        let digest = hex::decode(text).ok().filter(|_| well_formed).ok_or_else(|| {
            let digits = 2 * algorithm.size_bytes();
            refuse(Rejection::SubjectMalformed)
                .expected(format!("{digits} lower-case hexadecimal digits of {name}"), text)
        })?;
        counted.push((algorithm, digest));
    }
    let name = subject.get("name").and_then(Value::as_str).map(str::to_owned);
    let annotations = subject.get("annotations").and_then(Value::as_object).into_iter().flatten();
    let annotations = annotations.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    Ok(Subject { name, digests: counted, annotations: annotations.collect() })
}

pub(super) fn matched(subjects: &[Subject], artifact: &[(HashAlgorithm, &[u8])]) -> Result<usize, Refusal> {
    let verdicts: Vec<_> = subjects.iter().map(|subject| subject.is(artifact)).collect();
    if let Some(position) = verdicts.iter().position(|verdict| *verdict == Some(true)) {
        return Ok(position);
    }
    let rejection = if subjects.iter().all(|subject| subject.digests.is_empty()) {
        Rejection::SubjectWeak
    } else if verdicts.iter().all(Option::is_none) {
        Rejection::ArtifactBytesNeeded
    } else {
        Rejection::SubjectMismatch
    };
    let digest = |(algorithm, digest): &(HashAlgorithm, &[u8])| format!("{}:{}", algorithm.name(), hex::encode(digest));
    let wanted = artifact.iter().map(digest).collect::<Vec<_>>().join(", ");
    let found = subjects.iter().take(4).flat_map(|subject| &subject.digests);
    let found = found.map(|(algorithm, value)| digest(&(*algorithm, value))).collect::<Vec<_>>().join(", ");
    let found = if found.is_empty() { "no SHA-2 digest".to_owned() } else { found };
    Err(Refusal::new(rejection, Step::Statement).at("statement.subject").expected(wanted, found))
}
