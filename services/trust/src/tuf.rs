//! A TUF repository with the trust files in it, which renews itself (TUF 1.0, consistent snapshots).
//!
//! `cosign initialize`, sigstore-python's `trust-instance`, policy-controller's `TrustRoot` and the rest start from one root
//! metadata file and learn everything else, and every change, from here. So nothing here may ever go back or end: versions
//! only grow, a restart changes nothing, and what is about to expire is signed anew long before.
//!
//! The metadata is written here and not by a library: it is little, keys may be anywhere and answer later, offline
//! signatures come in pieces, and the order of writes has to survive a power cut. Clients of other implementations
//! (go-tuf of both generations, python-tuf, tuf-js, tough) are the judges in the tests.
//!
//! | module | |
//! |---|---|
//! | [`canonical`] | the bytes that are signed |
//! | [`role`] | who signs what, and for how long |
//! | [`key`], [`root`] | whose signatures count |
//! | [`metadata`] | documents: read, verified, written |
//! | [`publication`] | the files, made from the trust files |
//! | [`repository`] | all of it as clients see it, verified like they do |
//! | [`directory`] | how it is on disk |
//! | [`succession`] | the next version of whatever must change |
//! | [`publisher`] | one change at a time, by whoever: server or command line |
//! | [`offline`] | signatures that are made elsewhere |
//! | [`service`] | the running server's: renewal, alarms |
//! | [`http`] | `/tuf/…` |

pub mod canonical;
pub mod directory;
pub mod http;
pub mod key;
pub mod metadata;
pub mod offline;
pub mod publication;
pub mod publisher;
pub mod repository;
pub mod role;
pub mod root;
pub mod service;
pub mod succession;

pub use directory::Directory;
pub use metadata::Metadata;
pub use publication::{Publication, TargetName};
pub use publisher::{HeldKeys, KeySource, KeysHeld, Publisher};
pub use repository::Repository;
pub use role::{Lifetimes, Role, Urgency};
pub use root::{RoleKeys, Root};
pub use service::Service;

use chancery_daemon::signer::SignerError;
use std::{io, path::PathBuf};

/// Why metadata is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// More than clients read, or than anybody signs.
    #[error("it is larger than clients accept")]
    TooLarge,
    /// No JSON object with `signed` and `signatures`.
    #[error("it is no JSON document")]
    NotJson,
    /// Numbers that are not whole have no canonical form.
    #[error("it has a number that is not whole")]
    NotWhole,
    /// A member that is missing or not what it must be.
    #[error("member `{name}` is missing or not what it must be")]
    Member {
        /// Which.
        name: &'static str,
    },
    /// Two signatures under one name.
    #[error("key {key_id} has signed it twice")]
    SignedTwice {
        /// Which key.
        key_id: String,
    },
    /// A key whose name is not that of its bytes, or that is listed twice.
    #[error("key {key_id} is listed twice, or under a name that is not its own")]
    KeyId {
        /// The name.
        key_id: String,
    },
    /// A key of another kind than every client verifies.
    #[error("a key is not ECDSA P-256, the one kind that every TUF client verifies")]
    KeyKind,
    /// A threshold that anybody, or nobody, meets.
    #[error("a threshold of {threshold} signatures of {keys} keys is impossible")]
    ImpossibleThreshold {
        /// Signatures.
        threshold: usize,
        /// Keys.
        keys: usize,
    },
    /// A target name that is no plain file name.
    #[error("a target name is not a plain file name")]
    TargetName,
    /// Other metadata than was asked for.
    #[error("it is {found} metadata, not {expected}")]
    OtherRole {
        /// Wanted.
        expected: Role,
        /// Found.
        found: Role,
    },
    /// Not the version that comes next.
    #[error("it is version {found} of the {role} metadata; the next is {expected}")]
    Version {
        /// Of which role.
        role: Role,
        /// Wanted.
        expected: u64,
        /// Found.
        found: u64,
    },
    /// Signatures of too few keys.
    #[error("{signed} keys of the {role} role have signed it, {threshold} must")]
    TooFewSignatures {
        /// Of which role.
        role: Role,
        /// Valid ones.
        signed: usize,
        /// Needed.
        threshold: usize,
    },
    /// Signed documents that do not belong together.
    #[error("{name} is not what {by} says it is")]
    Differs {
        /// Which file.
        name: String,
        /// Who says so.
        by: Role,
    },
    /// Already past its end.
    #[error("it has expired on {expires}")]
    Expired {
        /// RFC 3339.
        expires: String,
    },
}

/// Why a repository cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TufError {
    /// The disk.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the repository.
    #[error("{path}: {source}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Why it is refused.
        source: InvalidMetadata,
    },
    /// What was about to be written, or was handed in.
    #[error("the {role} metadata is refused: {source}")]
    Refused {
        /// Of which role.
        role: Role,
        /// Why.
        source: InvalidMetadata,
    },
    /// Not enough keys are at hand, or they do not answer.
    #[error("the {role} metadata needs {threshold} signatures, and {signed} could be made here{}", because(failures))]
    KeysMissing {
        /// Of which role.
        role: Role,
        /// Made.
        signed: usize,
        /// Needed.
        threshold: usize,
        /// What keys said that could not be used.
        failures: Vec<SignerError>,
    },
    /// The trust files are not what they should be.
    #[error("the trust files cannot be taken apart")]
    TrustFiles,
    /// Somebody else has been changing the repository for too long.
    #[error("{path} has been locked for too long; another process is changing the repository")]
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// There is no repository.
    #[error("{path}: no TUF repository; it is made by the server's next start")]
    Missing {
        /// Where.
        path: PathBuf,
    },
}

fn because(failures: &[SignerError]) -> String {
    let mut text = String::new();
    for failure in failures {
        text.extend(["; ", &failure.to_string()]);
    }
    text
}

#[cfg(test)]
mod tests;
