//! Statements that a log keeps beside entries, which have only a hash of them: by their subjects and inputs, entries are found, too.
//!
//! A kept statement may be deleted, so the index has nothing of it. It has the hash, which is in the entry. So a digest that is asked
//! for leads to the statements that name it, and their hashes lead to entries. As everywhere, the entry decides: the statement is
//! read, its hash is compared with the one in the entry, and its digests must meet the condition. One that was deleted leads nowhere.

use super::AskError;
use super::entry::Found;
use super::logs::AskedLog;
use crate::query::{Condition, Unusable};
use crate::source::LogKind;
use chancery_verify::HashAlgorithm;
use chancery_verify::terms::{Term, TermKind};
use std::collections::BTreeMap;

/// Statements that one question may lead to, in one log.
const MAX_STATEMENTS: usize = 512;

/// The conditions as the index can meet them: with the hashes of the statements that name their digests. `None` if there is no such
/// statement, so that the conditions are as they were.
pub(super) async fn widened(log: &AskedLog, conditions: &[Condition]) -> Result<Option<Vec<Condition>>, AskError> {
    if log.kind != LogKind::Rekor {
        return Ok(None);
    }
    let digests = conditions.iter().flat_map(|condition| &condition.exact).filter(|term| is_named(term.kind()));
    let asked: Vec<Vec<u8>> = digests.map(|term| term.as_bytes().to_vec()).collect();
    if asked.is_empty() {
        return Ok(None);
    }
    let limit = MAX_STATEMENTS.max(asked.len());
    let count = u32::try_from(limit.saturating_add(1)).unwrap_or(u32::MAX);
    let found = log.source.statements_about(asked, count).await?;
    if found.len() > limit {
        let reason =
            format!("more than {limit} kept statements name it; ask for the hash of one of them (attestation)");
        return Err(Unusable::new("digest", reason).into());
    }
    if found.is_empty() {
        return Ok(None);
    }
    let mut statements: BTreeMap<Vec<u8>, Vec<Term>> = BTreeMap::new();
    for (term, hash) in found {
        let hash = Term::of_digest(TermKind::AttestationDigest, HashAlgorithm::Sha256.name(), &hash);
        statements.entry(term).or_default().push(hash);
    }
    Ok(Some(conditions.iter().map(|condition| with(condition, &statements)).collect()))
}

/// Whether statements name digests of this kind.
const fn is_named(kind: TermKind) -> bool {
    matches!(kind, TermKind::ArtifactDigest | TermKind::MaterialDigest)
}

fn with(condition: &Condition, statements: &BTreeMap<Vec<u8>, Vec<Term>>) -> Condition {
    let mut condition = condition.clone();
    let hashes = condition.exact.iter().filter_map(|term| statements.get(term.as_bytes())).flatten();
    let hashes: Vec<Term> = hashes.filter(|hash| !condition.exact.contains(*hash)).cloned().collect();
    condition.exact.extend(hashes);
    condition
}

/// Adds to each entry the statement that is kept beside it, where the entry alone is no answer.
pub(super) async fn complete(
    log: &AskedLog,
    entries: &mut [Found],
    is_answer: impl Fn(&Found) -> bool,
) -> Result<(), AskError> {
    for found in entries {
        if is_answer(found) {
            continue;
        }
        let statement = log.source.statement(&found.leaf).await?;
        if let Some(statement) = statement {
            found.attest(statement);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_gets_the_statements_that_name_its_own_digests() {
        let digest = |kind, byte: u8| Term::of_digest(kind, "sha256", &[byte; 32]);
        let subject = digest(TermKind::ArtifactDigest, 1);
        let statement = digest(TermKind::AttestationDigest, 2);
        let known = BTreeMap::from([(subject.as_bytes().to_vec(), vec![statement.clone(), statement.clone()])]);
        let widened = with(&Condition::one_of(vec![subject.clone()]), &known);
        assert!(widened.holds(&[statement.clone()]) && widened.holds(&[subject.clone()]));
        let other = Condition::one_of(vec![digest(TermKind::ArtifactDigest, 3)]);
        assert_eq!(with(&other, &known), other);
        let both = Condition::one_of(vec![subject, statement]);
        assert_eq!(with(&both, &known), both);
    }
}
