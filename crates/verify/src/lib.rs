//! The shared verification crate: what is true, written once.
//!
//! Bytes in, verdict out. Everything a service answers has been accepted by this crate first, and clients and
//! auditors can depend on it alone. It performs no I/O, reads no clock (every check that depends on time takes
//! `now`), draws no randomness and holds no private key.
//!
//! | module | decides | specification |
//! |---|---|---|
//! | [`key`] | which public keys exist, whether a signature verifies | RFC 5280 SPKI, RFC 8410, SEC 1 |
//! | [`merkle`], [`tile`] | hashes, proofs and tiles of a log | RFC 6962 §2.1, C2SP tlog-tiles |
//! | [`note`], [`checkpoint`] | signed tree heads | C2SP signed-note, tlog-checkpoint; Rekor v1's variant |
//! | [`verifier_key`] | keys that sign notes, as operators exchange them | C2SP signed-note |
//! | [`cosignature`], [`witness`] | what witnesses say about tree heads, and when they say it | C2SP tlog-cosignature, tlog-witness |
//! | [`certificate`], [`extension`] | the certificate profile and who a certificate names | Fulcio's certificate specification |
//! | [`sct`] | certificate transparency structures | RFC 6962 §3 |
//! | [`timestamping`] | timestamps and their authorities | RFC 3161, RFC 5816 |
//! | [`rekor`] | entry types of Rekor v1 and v2, their canonical bodies, inclusion promises | Rekor's OpenAPI and type schemas; rekor-tiles' protobuf files |
//! | [`bundle`] | the formats a signature travels in, with its evidence | Sigstore's protobuf specifications; cosign's older forms |
//! | [`trust_root`] | the authorities and logs that are trusted, and when | Sigstore's protobuf specifications |
//! | [`claims`] | whom a certificate names, and every claim it makes of them | Fulcio's `oid-info.md` |
//! | [`statement`] | in-toto statements, their subjects and provenance | in-toto Attestation Framework, SLSA |
//! | [`signer`] | who has signed | this crate |
//! | [`policy`] | which signatures are enough | this crate; `deploy/policy.toml` shows every setting |
//! | [`verifier`] | whether a bundle proves that its signer signed an artifact | Sigstore's client specification |
//! | [`protojson`] | requests in protobuf's JSON form | protobuf.dev, «ProtoJSON Format» |

pub mod bundle;
pub mod certificate;
pub mod checkpoint;
pub mod claims;
pub mod cosignature;
pub mod extension;
pub mod hash;
pub mod key;
pub mod merkle;
pub mod note;
pub mod pem;
pub mod policy;
pub mod protojson;
mod refusal;
mod rejection;
pub mod rekor;
pub mod sct;
pub mod signer;
pub mod statement;
pub mod tile;
pub mod timestamp;
pub mod timestamping;
pub mod trust_root;
pub mod verifier;
pub mod verifier_key;
pub mod witness;

pub use hash::{Hash, HashAlgorithm};
pub use key::PublicKey;
pub use refusal::{JSON_VERSION, Refusal, Step, shown};
pub use rejection::Rejection;
pub use timestamp::Timestamp;
