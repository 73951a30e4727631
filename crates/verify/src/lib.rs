//! Verifies Sigstore bundles offline: the specification, written once as code.
#![doc = include_str!("../README.md")]
//! ## Modules
//!
//! A service of this project answers only after this crate has accepted the answer. Every check that depends on time
//! takes `now`.
//!
//! | module | decides | specification |
//! |---|---|---|
//! | [`key`] | which public keys are usable, whether a signature verifies | RFC 5280 SPKI, RFC 8410, SEC 1 |
//! | [`merkle`], [`tile`] | hashes, proofs and tiles of a log | RFC 6962 §2.1, C2SP tlog-tiles |
//! | [`note`], [`checkpoint`] | signed tree heads | C2SP signed-note, tlog-checkpoint; Rekor v1's variant |
//! | [`verifier_key`] | keys that sign notes, as operators exchange them | C2SP signed-note |
//! | [`cosignature`], [`witness`] | cosignatures of tree heads, and the rules by which a witness gives them | C2SP tlog-cosignature, tlog-witness |
//! | [`certificate`], [`extension`] | the certificate profile and its extensions | Fulcio's certificate specification |
//! | `given`, with the feature `issue` | what is wrong with a chain that another authority made for our key | RFC 5280, RFC 3161 §2.3 |
//! | [`sct`] | certificate transparency structures | RFC 6962 §3 |
//! | [`timestamping`] | timestamps and their authorities | RFC 3161, RFC 5816 |
//! | [`rekor`] | entry types of Rekor v1 and v2, their canonical bodies, inclusion promises | Rekor's OpenAPI and type schemas; rekor-tiles' protobuf files |
//! | [`bundle`] | the files that carry a signature and its evidence | Sigstore's protobuf specifications; cosign's older forms |
//! | [`trust_root`] | the trusted authorities and logs, and their windows of trust | Sigstore's protobuf specifications |
//! | [`claims`] | the identity in a certificate, and its claims | Fulcio's `oid-info.md` |
//! | [`statement`] | in-toto statements, their subjects and provenance | in-toto Attestation Framework, SLSA |
//! | [`signer`] | the identity or key that signed | this crate |
//! | [`policy`] | which signers and how much evidence are enough | this crate; `deploy/policy.toml` shows every setting |
//! | [`verifier`] | whether a bundle proves that its signer signed an artifact | Sigstore's client specification |
//! | [`terms`] | what entries of logs are found by, and their summaries | this crate; Rekor's index keys |
//! | [`protojson`] | requests in protobuf's JSON form | protobuf.dev, «ProtoJSON Format» |

pub mod bundle;
pub mod certificate;
pub mod checkpoint;
pub mod claims;
pub mod cosignature;
pub mod extension;
#[cfg(feature = "issue")]
pub mod given;
pub mod hash;
pub mod key;
pub mod merkle;
pub mod note;
mod numbers;
pub mod pem;
pub mod policy;
pub mod protojson;
mod refusal;
mod rejection;
pub mod rekor;
pub mod sct;
pub mod signer;
pub mod statement;
pub mod terms;
pub mod tile;
pub mod timestamp;
pub mod timestamping;
pub mod trust_root;
pub mod verifier;
pub mod verifier_key;
pub mod witness;

/// Re-exported because predicates of statements are its types ([`statement::Statement::predicate`]).
pub use serde_json;
/// Re-exported because fields of certificates are its types ([`certificate::Certificate::tbs`]). Object identifiers are
/// those of its `der::oid`, algorithm identifiers those of its `spki`.
pub use x509_cert;

pub use hash::{Hash, HashAlgorithm};
pub use key::PublicKey;
pub use numbers::{counted, entries, leaves};
pub use refusal::{JSON_VERSION, Refusal, Step, shown};
pub use rejection::Rejection;
pub use timestamp::Timestamp;
