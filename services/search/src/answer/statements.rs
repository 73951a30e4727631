//! Statements that a log keeps beside entries, which have only a hash of them: by their subjects and inputs, entries are found, too.
//!
//! A kept statement may be deleted, so the index has nothing of it. It has the hash, which is in the entry. So a digest that is asked
//! for leads to the statements that name it, and their hashes lead to entries. As everywhere, the entry decides: the statement is
//! read, its hash is compared with the one in the entry, and its digests must meet the condition. One that was deleted leads nowhere.
//! A predicate type leads nowhere either, because very many statements have the same: every entry that another condition leads to,
//! or that may have a statement at all, is looked at with its statement.

use super::AskError;
use super::entry::Found;
use super::logs::AskedLog;
use crate::query::{Condition, Unusable};
use crate::source::LogKind;
use bytes::Bytes;
use chancery_verify::HashAlgorithm;
use chancery_verify::terms::{Term, TermKind};
use std::collections::BTreeMap;

/// Statements that one question may lead to by their hashes, in one log.
const MAX_STATEMENTS: usize = 512;
/// Entries whose statements are read with one query. Each has up to 100 KiB, or what the operator says.
pub(super) const STATEMENTS_AT_ONCE: usize = 64;

/// Kinds of entries beside which statements are kept.
const KINDS: [&str; 2] = ["dsse", "intoto"];

/// What to do where more statements name a digest than a question may lead to. Whoever may write can log as many as they like, so
/// a search must not fail by them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beyond {
    /// Look at every entry that may have a statement, which takes many pages.
    LookAtAll,
    /// Refuse the question.
    Refuse,
}

/// The conditions as the index can meet them: with the hashes of the statements that name their digests, and, where only a
/// statement can meet one, with the kinds of entries that have statements. `None` if the conditions are as they were.
pub(super) async fn widened(
    log: &AskedLog,
    conditions: &[Condition],
    beyond: Beyond,
) -> Result<Option<Vec<Condition>>, AskError> {
    if log.kind != LogKind::Rekor || !log.source.keeps_statements() {
        return Ok(None);
    }
    let statements = match (naming(log, conditions).await?, beyond) {
        (Some(statements), _) => statements,
        (None, Beyond::LookAtAll) => return Ok(Some(conditions.iter().map(or_beside_entries).collect())),
        (None, Beyond::Refuse) => {
            let reason = format!("more than {MAX_STATEMENTS} kept statements name it; search for it alone");
            return Err(Unusable::new("digest", reason).into());
        }
    };
    if statements.is_empty() && !conditions.iter().any(is_of_statements) {
        return Ok(None);
    }
    let widen = |condition: &Condition| {
        if is_of_statements(condition) { beside_entries() } else { with(condition, &statements) }
    };
    Ok(Some(conditions.iter().map(widen).collect()))
}

/// For each digest that is asked for the hashes of the statements that name it. `None` if there are too many.
async fn naming(log: &AskedLog, conditions: &[Condition]) -> Result<Option<BTreeMap<Vec<u8>, Vec<Term>>>, AskError> {
    let mut statements: BTreeMap<Vec<u8>, Vec<Term>> = BTreeMap::new();
    let digests = conditions.iter().flat_map(|condition| &condition.exact).filter(|term| is_named(term.kind()));
    let asked: Vec<Vec<u8>> = digests.map(|term| term.as_bytes().to_vec()).collect();
    if asked.is_empty() {
        return Ok(Some(statements));
    }
    let limit = MAX_STATEMENTS.max(asked.len());
    let count = u32::try_from(limit.saturating_add(1)).unwrap_or(u32::MAX);
    let found = log.source.statements_about(asked, count).await?;
    if found.len() > limit {
        return Ok(None);
    }
    for (term, hash) in found {
        let hash = Term::of_digest(TermKind::AttestationDigest, HashAlgorithm::Sha256.name(), &hash);
        statements.entry(term).or_default().push(hash);
    }
    Ok(Some(statements))
}

/// Whether no entry meets it by itself. The index then has nothing to look for: very many statements have one type.
fn is_of_statements(condition: &Condition) -> bool {
    condition.exact.iter().chain(&condition.prefixes).all(|term| term.kind() == TermKind::PredicateType)
}

/// Holds for every entry that may have a statement beside it.
fn beside_entries() -> Condition {
    Condition::one_of(KINDS.into_iter().filter_map(|kind| Term::of_text(TermKind::EntryKind, kind)).collect())
}

/// The condition; if a statement may meet it, it also holds for every entry that may have one.
fn or_beside_entries(condition: &Condition) -> Condition {
    let mut condition = condition.clone();
    if is_of_statements(&condition) || condition.exact.iter().any(|term| is_named(term.kind())) {
        condition.exact.extend(beside_entries().exact);
    }
    condition
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

/// Adds to each entry the statement that is kept beside it, where the entry alone is no answer. Returns how many were read.
pub(super) async fn complete(
    log: &AskedLog,
    entries: &mut [Found],
    is_answer: impl Fn(&Found) -> bool,
) -> Result<usize, AskError> {
    let mut read = 0;
    let mut missing: Vec<&mut Found> = entries.iter_mut().filter(|found| !is_answer(found)).collect();
    for some in missing.chunks_mut(STATEMENTS_AT_ONCE) {
        let leaves: Vec<Bytes> = some.iter().map(|found| found.leaf.clone()).collect();
        for (found, statement) in some.iter_mut().zip(log.source.statements(&leaves).await?) {
            read += usize::from(statement.is_some());
            if let Some(statement) = statement {
                found.attest(statement);
            }
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice;

    #[test]
    fn a_condition_gets_the_statements_that_name_its_own_digests() {
        let digest = |kind, byte: u8| Term::of_digest(kind, "sha256", &[byte; 32]);
        let subject = digest(TermKind::ArtifactDigest, 1);
        let statement = digest(TermKind::AttestationDigest, 2);
        let known = BTreeMap::from([(subject.as_bytes().to_vec(), vec![statement.clone(), statement.clone()])]);
        let widened = with(&Condition::one_of(vec![subject.clone()]), &known);
        assert!(widened.holds(slice::from_ref(&statement)) && widened.holds(slice::from_ref(&subject)));
        let other = Condition::one_of(vec![digest(TermKind::ArtifactDigest, 3)]);
        assert_eq!(with(&other, &known), other);
        let both = Condition::one_of(vec![subject, statement]);
        assert_eq!(with(&both, &known), both);
    }

    #[test]
    fn a_predicate_type_is_met_by_statements_alone() {
        let term = |kind, text| Term::of_text(kind, text).unwrap();
        let types = vec![term(TermKind::PredicateType, "https://slsa.dev/provenance/v1")];
        assert!(is_of_statements(&Condition::one_of(types.clone())));
        assert!(is_of_statements(&Condition { exact: Vec::new(), prefixes: types }));
        assert!(!is_of_statements(&Condition::one_of(vec![term(TermKind::Identity, "a@b.test")])));
        let kind = |kind| [term(TermKind::EntryKind, kind)];
        let holds = ["dsse", "intoto", "hashedrekord"].map(|name| beside_entries().holds(&kind(name)));
        assert_eq!(holds, [true, true, false]);
        let digest = Term::of_digest(TermKind::ArtifactDigest, "sha256", &[1; 32]);
        let all = or_beside_entries(&Condition::one_of(vec![digest.clone()]));
        assert!(all.holds(&[digest]) && all.holds(&kind("dsse")) && !all.holds(&kind("hashedrekord")));
        let signer = Condition::one_of(vec![term(TermKind::Identity, "a@b.test")]);
        assert_eq!(or_beside_entries(&signer), signer);
    }
}
