//! The terms of one entry: a sorted set of limited size, and the reasons why some may be missing.

use super::MAX_TERMS;
use super::kind::TermKind;
use super::term::Term;
use crate::Rejection;
use std::collections::{BTreeSet, btree_set};

/// Maximum reasons. There are about ten different ones.
const MAX_OMISSIONS: usize = 16;

/// Why an entry may have terms that are not among its terms. Each reason is there once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Omissions(Vec<Rejection>);

impl Omissions {
    pub(super) fn note(&mut self, reason: Rejection) {
        if self.0.len() < MAX_OMISSIONS && !self.0.contains(&reason) {
            self.0.push(reason);
        }
    }

    pub(super) fn note_all(&mut self, others: &Self) {
        for reason in &others.0 {
            self.note(*reason);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The terms of an entry, sorted, each once, at most [`MAX_TERMS`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    terms: BTreeSet<Term>,
    omissions: Omissions,
}

impl Terms {
    /// Starts with no terms and these reasons.
    pub(super) const fn with(omissions: Omissions) -> Self {
        Self { terms: BTreeSet::new(), omissions }
    }

    /// Adds a term. When there are [`MAX_TERMS`], all others are left out: so the terms that matter most come first.
    pub(super) fn add(&mut self, term: Term) {
        if self.terms.len() < MAX_TERMS {
            self.terms.insert(term);
        } else if !self.terms.contains(&term) {
            self.omissions.note(Rejection::EntryTooMany { what: "terms", limit: MAX_TERMS });
        }
    }

    /// Adds a term of text in its kind's form. Other text has no term.
    pub(super) fn add_text(&mut self, kind: TermKind, text: &str) {
        if let Some(term) = Term::of_text(kind, text) {
            self.add(term);
        }
    }

    /// These terms and others, e.g. those of the entry's attestation. These come first.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.omissions.note_all(&others.omissions);
        for term in others {
            self.add(term);
        }
        self
    }

    /// Why terms may be missing: a key or certificate could not be read, or a limit was reached. An entry with such a
    /// reason is found by all terms that it has here.
    #[must_use]
    pub fn omissions(&self) -> &[Rejection] {
        &self.omissions.0
    }

    /// The terms, in their order.
    pub fn iter(&self) -> btree_set::Iter<'_, Term> {
        self.terms.iter()
    }

    /// Returns whether the entry has this term.
    #[must_use]
    pub fn contains(&self, term: &Term) -> bool {
        self.terms.contains(term)
    }

    /// The number of terms.
    #[must_use]
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

impl IntoIterator for Terms {
    type Item = Term;
    type IntoIter = btree_set::IntoIter<Term>;

    fn into_iter(self) -> Self::IntoIter {
        self.terms.into_iter()
    }
}

impl<'a> IntoIterator for &'a Terms {
    type Item = &'a Term;
    type IntoIter = btree_set::Iter<'a, Term>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(numbers: std::ops::Range<usize>) -> Terms {
        let mut terms = Terms::default();
        for number in numbers {
            terms.add(Term::new(TermKind::Identity, &number.to_be_bytes()));
        }
        terms
    }

    #[test]
    fn the_first_terms_remain_and_the_limit_is_reported() {
        let full = numbered(0..MAX_TERMS);
        assert_eq!((full.len(), full.omissions()), (MAX_TERMS, &[][..]));
        assert_eq!(full.clone().and(full.clone()), full, "a term that is there already is not left out");
        let beyond = numbered(10..MAX_TERMS + 10).and(numbered(0..10));
        let limit = Rejection::EntryTooMany { what: "terms", limit: MAX_TERMS };
        assert_eq!((beyond.len(), beyond.omissions()), (MAX_TERMS, &[limit][..]));
        assert!(!beyond.contains(&Term::new(TermKind::Identity, &0_usize.to_be_bytes())));
        assert!(beyond.iter().is_sorted() && !beyond.is_empty());
    }
}
