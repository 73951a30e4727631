//! An entry of a log, read for search: its terms and its summary come from the same parts.

use super::attestation::Attestation;
use super::kind::TermKind;
use super::set::{Omissions, Terms};
use super::signer::{EntrySigner, Signer};
use super::summary::{Summary, bounded, listed};
use super::term::Term;
use crate::statement::PAYLOAD_TYPE;
use crate::{Hash, Rejection, Timestamp};

/// A parsed entry. Its signatures are not verified, and its certificates neither: an entry is found by what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    kind: String,
    /// Empty in a certificate transparency log.
    version: String,
    leaf_hash: Hash,
    /// Terms of the entry itself: its digests, and what else upstream indexes.
    pub(super) terms: Vec<Term>,
    pub(super) payload_type: Option<String>,
    pub(super) signers: Vec<Signer>,
    pub(super) omissions: Omissions,
    attestation: Option<Attestation>,
}

/// What the entries of a log are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// Bodies of Rekor v1 or v2.
    Rekor,
    /// Leaves of a certificate log (RFC 6962), with the chain beside them.
    Certificates,
}

/// What a digest is for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestRole {
    /// That of the artifact that the entry is about.
    Artifact,
    /// That of the payload or envelope that was signed.
    Attestation,
    /// That of a subject of the statement, which is the payload.
    Subject,
}

impl Entry {
    pub(super) fn new(kind: &str, version: &str, leaf_hash: Hash) -> Self {
        Self {
            kind: kind.to_owned(),
            version: version.to_owned(),
            leaf_hash,
            terms: Vec::new(),
            payload_type: None,
            signers: Vec::new(),
            omissions: Omissions::default(),
            attestation: None,
        }
    }

    /// Parses an entry of a log of this kind: its leaf, and what the log has beside it.
    ///
    /// # Errors
    /// As [`Self::of_rekor`] and [`Self::of_certificate_log`].
    pub fn of(kind: LogKind, leaf: &[u8], extra: &[u8]) -> Result<Self, Rejection> {
        match kind {
            LogKind::Rekor => Self::of_rekor(leaf),
            LogKind::Certificates => Self::of_certificate_log(leaf, extra),
        }
    }

    /// Adds the in-toto statement whose hash the entry has. The caller has compared the hash.
    ///
    /// # Errors
    /// [`Rejection::DssePayloadType`] if the entry says that its payload is something else: who signed that has stated nothing,
    /// whatever it looks like. [`Rejection::StatementMalformed`] if the payload is no such statement.
    pub fn attested(mut self, payload: &[u8]) -> Result<Self, Rejection> {
        if self.payload_type.as_deref().is_some_and(|payload_type| payload_type != PAYLOAD_TYPE) {
            return Err(Rejection::DssePayloadType);
        }
        self.attestation = Some(Attestation::read(payload)?);
        Ok(self)
    }

    /// What a digest is for this entry. `None` if the entry is not about it. An input of a build is not what is attested.
    #[must_use]
    pub fn role_of(&self, algorithm: &str, digest: &[u8]) -> Option<DigestRole> {
        let term = |kind| Term::of_digest(kind, algorithm, digest);
        let (artifact, payload) = (term(TermKind::ArtifactDigest), term(TermKind::AttestationDigest));
        let is_subject = || self.attestation.as_ref().is_some_and(|statement| statement.digests.contains(&artifact));
        if self.terms.contains(&artifact) {
            Some(DigestRole::Artifact)
        } else if self.terms.contains(&payload) {
            Some(DigestRole::Attestation)
        } else {
            is_subject().then_some(DigestRole::Subject)
        }
    }

    /// The type of the statement, if it was added and states one.
    #[must_use]
    pub fn predicate_type(&self) -> Option<&str> {
        self.attestation.as_ref()?.predicate_type.as_deref()
    }

    /// The leaf hash.
    #[must_use]
    pub const fn leaf_hash(&self) -> &Hash {
        &self.leaf_hash
    }

    /// The terms of the entry itself, without those of its signers: its digests, and what else upstream indexes. A few, which
    /// were made when the entry was read.
    #[must_use]
    pub fn own_terms(&self) -> &[Term] {
        &self.terms
    }

    /// The signers. Of a certificate transparency log: the subject of the certificate.
    pub fn signers(&self) -> impl Iterator<Item = EntrySigner<'_>> {
        self.signers.iter().map(EntrySigner::new)
    }

    /// Returns whether a part of the entry could not be read, so that it may say more than is known here.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        !self.omissions.is_empty() || self.attestation.as_ref().is_some_and(Attestation::is_incomplete)
    }

    /// The terms. Those that matter most come first: if there are too many, the others are left out.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let mut terms = Terms::with(self.omissions.clone());
        terms.add(Term::of_bytes(TermKind::LeafHash, &self.leaf_hash));
        terms.add_text(TermKind::EntryKind, &self.kind);
        if !self.version.is_empty() {
            terms.add_text(TermKind::EntryKind, &format!("{}/{}", self.kind, self.version));
        }
        for term in &self.terms {
            terms.add(term.clone());
        }
        for add in [Signer::add_keys, Signer::add_names, Signer::add_claims, Signer::add_domains] {
            for signer in &self.signers {
                add(signer, &mut terms);
            }
        }
        match &self.attestation {
            Some(attestation) => terms.and(attestation.terms()),
            None => terms,
        }
    }

    /// From the first to the last moment at which a certificate in the entry is valid, by the certificates' own word. `None`
    /// without certificates.
    #[must_use]
    pub fn validity(&self) -> Option<(Timestamp, Timestamp)> {
        let periods = self.signers.iter().filter_map(Signer::validity);
        periods.reduce(|(first, last), (earlier, later)| (first.min(earlier), last.max(later)))
    }

    /// The summary.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let attestation = self.attestation.as_ref();
        let digests = |kind: TermKind| {
            let attested = attestation.into_iter().flat_map(|attestation| &attestation.digests);
            listed(self.terms.iter().chain(attested).filter(|term| term.kind() == kind).map(Term::text))
        };
        Summary {
            kind: bounded(&self.kind),
            version: (!self.version.is_empty()).then(|| bounded(&self.version)),
            digests: digests(TermKind::ArtifactDigest),
            attestation_digests: digests(TermKind::AttestationDigest),
            payload_type: self.payload_type.as_deref().map(bounded),
            predicate_type: attestation.and_then(|found| found.predicate_type.as_deref()).map(bounded),
            signers: self.signers.iter().map(Signer::summary).collect(),
            incomplete: self.is_incomplete(),
        }
    }
}
