//! The filters of a query: one for each kind of term, under the kind's own name, and a few that mean more than one kind.
//!
//! The one table of their names, from which they are read and described.

use super::{Condition, Digest};
use chancery_verify::terms::{Form, Term, TermKind};

/// Digits of an entry's full name in Rekor v1, and those of the leaf hash at its end.
const ENTRY_ID_DIGITS: (usize, usize) = (80, 64);

/// Kinds of which the beginning is worth asking for. Digests and numbers are known as a whole.
const WITH_PREFIX: [TermKind; 8] = [
    TermKind::Identity,
    TermKind::Repository,
    TermKind::Ref,
    TermKind::WorkflowRef,
    TermKind::BuildSigner,
    TermKind::RunUrl,
    TermKind::PredicateType,
    TermKind::TokenSubject,
];

/// A filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    /// The entry has this term.
    Term(TermKind),
    /// The entry has a term that begins like this.
    Prefix(TermKind),
    /// A digest of what the entry is about, or of the evidence in it.
    Digest,
    /// The name of the entry.
    Id,
}

impl Filter {
    /// Every filter.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        // The leaf hash is asked for as `id`.
        let kinds = TermKind::ALL.iter().copied().filter(|kind| *kind != TermKind::LeafHash);
        let prefixes = WITH_PREFIX.into_iter().map(Self::Prefix);
        [Self::Digest, Self::Id].into_iter().chain(kinds.map(Self::Term)).chain(prefixes)
    }

    /// The name of its parameter.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Term(kind) => kind.name().to_owned(),
            Self::Prefix(kind) => format!("{}-prefix", kind.name()),
            Self::Digest => "digest".to_owned(),
            Self::Id => "id".to_owned(),
        }
    }

    /// What it finds, for the description of the API.
    pub(crate) fn about(self) -> String {
        match self {
            Self::Term(kind) => {
                let case = if kind.form() == Form::Folded { " Letter case does not matter." } else { "" };
                format!("For example `{}`.{case}", kind.example())
            }
            Self::Prefix(kind) => format!("The beginning of `{}`.", kind.name()),
            Self::Digest => {
                "`artifact` or `attestation`. The algorithm may be left out for SHA-1 and SHA-2.".to_owned()
            }
            Self::Id => "The leaf hash (64 digits), or an entry id of Rekor v1 (80 digits).".to_owned(),
        }
    }

    /// The condition that this value stands for. The error says what would be right.
    pub(crate) fn read(self, value: &str) -> Result<Condition, String> {
        match self {
            Self::Term(kind) => term(kind, value).map(|term| Condition::one_of(vec![term])),
            Self::Prefix(kind) => {
                let prefixes = vec![term(kind, value)?];
                Ok(Condition { exact: Vec::new(), prefixes })
            }
            Self::Digest => Digest::parse(value).map(|digest| of_digest(&digest)).map_err(|error| error.to_string()),
            Self::Id => {
                let (all, leaf) = ENTRY_ID_DIGITS;
                let digits = if value.len() == all { value.get(all - leaf..).unwrap_or(value) } else { value };
                let term = Some(digits).filter(|digits| digits.len() == leaf);
                let term = term.and_then(|digits| Term::of_text(TermKind::LeafHash, digits));
                let wrong = || format!("write {leaf} or {all} hexadecimal digits");
                term.map(|term| Condition::one_of(vec![term])).ok_or_else(wrong)
            }
        }
    }
}

fn term(kind: TermKind, value: &str) -> Result<Term, String> {
    // No host is written like this, so nothing would be found, which reads as if nobody had signed.
    if kind == TermKind::Domain && (value.starts_with(['.', '*', '@']) || value.ends_with('.')) {
        return Err(format!("write it like {}, without * and @, and without a dot at an end", kind.example()));
    }
    Term::of_text(kind, value).ok_or_else(|| format!("write it like {}", kind.example()))
}

/// Holds for entries about this artifact, and for attestations with this payload or envelope.
pub(crate) fn of_digest(digest: &Digest) -> Condition {
    let term = |kind| Term::of_digest(kind, digest.algorithm(), digest.bytes());
    Condition::one_of(vec![term(TermKind::ArtifactDigest), term(TermKind::AttestationDigest)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_filter_has_a_name_of_its_own_and_reads_what_it_shows() {
        let names: BTreeSet<String> = Filter::all().map(Filter::name).collect();
        assert_eq!(names.len(), Filter::all().count());
        for domain in [".example.com", "*.example.com", "@example.com", "example.com."] {
            assert!(Filter::Term(TermKind::Domain).read(domain).is_err(), "{domain}");
        }
        for kind in TermKind::ALL {
            if *kind != TermKind::LeafHash {
                let condition = Filter::Term(*kind).read(kind.example()).unwrap();
                assert!(condition.holds(&[Term::of_text(*kind, kind.example()).unwrap()]), "{}", kind.name());
            }
        }
        for kind in WITH_PREFIX {
            assert!(matches!(kind.form(), Form::Text | Form::Folded), "{}", kind.name());
            let term = Term::of_text(kind, kind.example()).unwrap();
            let half: String = kind.example().chars().take(kind.example().len() / 2).collect();
            assert!(Filter::Prefix(kind).read(&half).unwrap().holds(std::slice::from_ref(&term)), "{}", kind.name());
            assert!(!Filter::Prefix(kind).read("nothing like it").unwrap().holds(&[term]), "{}", kind.name());
        }
    }

    #[test]
    fn an_entry_is_named_by_its_leaf_hash_with_or_without_its_tree() {
        let leaf = Term::new(TermKind::LeafHash, &[0xab; 32]);
        for id in ["ab".repeat(32), format!("{:016x}{}", 7, "AB".repeat(32))] {
            assert_eq!(Filter::Id.read(&id), Ok(Condition::one_of(vec![leaf.clone()])), "{id}");
        }
        for id in [String::new(), "ab".repeat(31), "zz".repeat(32), "ü".repeat(40)] {
            assert!(Filter::Id.read(&id).is_err(), "{id}");
        }
    }

    #[test]
    fn a_digest_is_that_of_an_artifact_or_of_the_evidence() {
        let condition = Filter::Digest.read(&"ab".repeat(32)).unwrap();
        for kind in [TermKind::ArtifactDigest, TermKind::AttestationDigest] {
            assert!(condition.holds(&[Term::of_digest(kind, "sha256", &[0xab; 32])]));
        }
        assert!(!condition.holds(&[Term::of_digest(TermKind::MaterialDigest, "sha256", &[0xab; 32])]));
    }
}
