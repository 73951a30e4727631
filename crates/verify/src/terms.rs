//! Terms: what the entries of logs are found by.
//!
//! An [`Entry`] is parsed once, for its [`Terms`] (an index) and its [`Summary`] (a list of results). The same entry
//! always gives the same terms. Nothing in it is verified: an entry is found by what it says, also if no verifier
//! accepts it. Indexes and queries are not here.
//!
//! A [`Term`] is a kind and a value, normalised by the kind's form ([`Form`]). Values of 512 bytes or more are cut
//! ([`Term::new`]), and an entry has at most 1024 terms. What could not be read, and what was left out, is among
//! [`Terms::omissions`].
//!
//! | number | name | form | example |
//! |---|---|---|---|
//! | 0x01 | `leaf` | hex | `78470eff2921878c2141726b650bf349099c37850a731f287a6accf35d40441f` |
//! | 0x02 | `kind` | folded | `hashedrekord/0.0.1` |
//! | 0x10 | `artifact` | digest | `sha256:632579b5183d418ff3dc443994fd35e0e1a2a6ce89a1ee22fdca577f8e8bc9c3` |
//! | 0x11 | `attestation` | digest | `sha256:15692616e9c435907c41411466e493f195a39ca68c973a4f5390df3d301398bd` |
//! | 0x12 | `material` | digest | `gitcommit:0bf8ca0f2d3dbcc9fb14e9ea3b27b0d0b6d0f8a7` |
//! | 0x13 | `predicate-type` | text | `https://slsa.dev/provenance/v1` |
//! | 0x20 | `certificate` | hex | `1d2d5c5a4f06a9c1c9f3b8f2bd6a01a5e1ac8aa8c2c4c3c3f9a8e7a1b0c9d8e7` |
//! | 0x21 | `serial` | hex | `4a101a4dd4d6c0a9a3f2f1c8bd01f4e6d6ad0a5b` |
//! | 0x22 | `key` | hex | `c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d` |
//! | 0x23 | `rekor-key` | hex | `5608b4de7a5ca1c9c9f3b8f2bd6a01a5e1ac8aa8c2c4c3c3f9a8e7a1b0c9d8e7` |
//! | 0x24 | `key-id` | folded | `d0e5a4c1f2b39687` |
//! | 0x25 | `key-email` | folded | `alice@example.com` |
//! | 0x26 | `issuer-key` | hex | `e5aa7b2f1f8a1a3f0c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70819203` |
//! | 0x27 | `tuf` | folded | `timestamp` |
//! | 0x30 | `identity` | folded | `alice@dev.example.com` |
//! | 0x31 | `identity-kind` | text | `email` |
//! | 0x32 | `domain` | folded | `example.com` |
//! | 0x40 | `issuer` | text | `https://token.actions.githubusercontent.com` |
//! | 0x41 | `repository` | folded | `https://github.com/acme/app` |
//! | 0x42 | `repository-id` | text | `632596897` |
//! | 0x43 | `repository-owner` | folded | `https://github.com/acme` |
//! | 0x44 | `repository-owner-id` | text | `131804563` |
//! | 0x45 | `ref` | text | `refs/tags/v1.2.3` |
//! | 0x46 | `commit` | folded | `0bf8ca0f2d3dbcc9fb14e9ea3b27b0d0b6d0f8a7` |
//! | 0x47 | `workflow` | text | `Release` |
//! | 0x48 | `workflow-ref` | text | `https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.2.3` |
//! | 0x49 | `workflow-commit` | folded | `0bf8ca0f2d3dbcc9fb14e9ea3b27b0d0b6d0f8a7` |
//! | 0x4a | `build-signer` | text | `https://github.com/acme/workflows/.github/workflows/sign.yml@refs/heads/main` |
//! | 0x4b | `build-signer-commit` | folded | `9f3b8f2bd6a01a5e1ac8aa8c2c4c3c3f9a8e7a1b` |
//! | 0x4c | `trigger` | text | `push` |
//! | 0x4d | `run-url` | text | `https://github.com/acme/app/actions/runs/4735384265/attempts/1` |
//! | 0x4e | `environment` | text | `production` |
//! | 0x4f | `runner` | text | `github-hosted` |
//! | 0x50 | `visibility` | text | `private` |
//! | 0x51 | `token-subject` | text | `repo:acme/app:ref:refs/heads/main` |
//!
//! What the kinds mean is at [`TermKind`].
//!
//! Specification: Rekor's types; Fulcio's `docs/oid-info.md` for claims; RFC 6962 for certificate transparency logs.

mod attestation;
mod certificate_log;
mod entry;
pub mod index_key;
mod key_names;
mod kind;
mod names;
mod rekor;
mod set;
mod signer;
mod summary;
mod term;
mod tuf;

pub use crate::rekor::KeyFormat;
pub use attestation::of_attestation;
pub use entry::{DigestRole, Entry, LogKind};
pub use kind::{Form, TermKind};
pub use set::Terms;
pub use signer::EntrySigner;
pub use summary::{IdentitySummary, SignerSummary, Summary};
pub use term::{KEPT_BYTES, MAX_VALUE_BYTES, Term};

use crate::Rejection;

/// Maximum terms of an entry. One with a certificate of a build has about forty; a statement about a large release has
/// some hundreds of subjects.
pub const MAX_TERMS: usize = 1024;
/// Maximum bytes of a body, as that of entries that are verified.
const MAX_BODY_BYTES: usize = 1 << 20;
/// Maximum signers of an entry: more than any log accepts.
const MAX_SIGNERS: usize = 32;
/// Maximum names in a certificate, ids of a key, and addresses in a key. A certificate of Fulcio has one name.
const MAX_NAMES: usize = 64;

/// The terms of a body of Rekor v1 or v2, without those of a statement that is stored elsewhere ([`of_attestation`]).
///
/// # Errors
/// As [`Entry::of_rekor`].
pub fn of_rekor(body: &[u8]) -> Result<Terms, Rejection> {
    Entry::of_rekor(body).map(|entry| entry.terms())
}

/// The terms of an entry of a certificate transparency log: its leaf, and the data beside it.
///
/// # Errors
/// As [`Entry::of_certificate_log`].
pub fn of_certificate_entry(leaf: &[u8], extra: &[u8]) -> Result<Terms, Rejection> {
    Entry::of_certificate_log(leaf, extra).map(|entry| entry.terms())
}

/// The certificates of the signers of a body of Rekor v1 or v2, in the order of [`Entry::signers`]: each signer's in DER, its own
/// first and those of its issuers after it, as far as they are logged. None for a signer without a certificate. Nothing is
/// verified.
///
/// # Errors
/// As [`Entry::of_rekor`].
pub fn certificates_of_rekor(body: &[u8]) -> Result<Vec<Vec<Vec<u8>>>, Rejection> {
    rekor::certificates(body)
}

/// The certificate of an entry of a certificate transparency log in DER, and those of its issuers: of a precertificate the one
/// that was submitted. Empty where that is not at hand, or is not the one of the leaf. Nothing is verified.
///
/// # Errors
/// As [`Entry::of_certificate_log`].
pub fn certificates_of_certificate_entry(leaf: &[u8], extra: &[u8]) -> Result<Vec<Vec<u8>>, Rejection> {
    certificate_log::certificates(leaf, extra)
}

/// The summary of a body of Rekor v1 or v2.
///
/// # Errors
/// As [`Entry::of_rekor`].
pub fn summary_of_rekor(body: &[u8]) -> Result<Summary, Rejection> {
    Entry::of_rekor(body).map(|entry| entry.summary())
}

/// The summary of an entry of a certificate transparency log.
///
/// # Errors
/// As [`Entry::of_certificate_log`].
pub fn summary_of_certificate_entry(leaf: &[u8], extra: &[u8]) -> Result<Summary, Rejection> {
    Entry::of_certificate_log(leaf, extra).map(|entry| entry.summary())
}

/// The term of an entry that cannot be parsed: it is still found by its leaf hash.
#[must_use]
pub fn of_leaf_hash(leaf_hash: &crate::Hash) -> Term {
    Term::of_bytes(TermKind::LeafHash, leaf_hash)
}
