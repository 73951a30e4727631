//! A TUF repository with the trust files, which renews its own metadata (TUF 1.0, consistent snapshots).
//!
//! `cosign initialize`, sigstore-python's `trust-instance`, policy-controller's `TrustRoot` and the rest start from one
//! root metadata file and learn everything else, and every change, from here. So the repository may never go back or
//! expire: versions only grow, a restart changes nothing, and metadata is renewed long before it expires.
//!
//! The metadata is written here and not by a library: it is small, keys may be remote and answer later, offline
//! signatures arrive one by one, and the order of writes must survive a power cut. The tests verify it with clients of
//! other implementations (go-tuf of both generations, python-tuf, tuf-js, tough).
//!
//! | module | |
//! |---|---|
//! | [`canonical`] | the bytes that are signed |
//! | [`role`] | the roles, and their lifetimes |
//! | [`key`], [`root`] | the trusted keys of each role |
//! | [`key_source`] | the keys that can sign now |
//! | [`metadata`] | documents: read, verified, written |
//! | [`publication`] | the targets, made from the trust files |
//! | [`repository`] | the whole repository, verified as clients do |
//! | [`directory`] | the files on disk |
//! | [`succession`] | the next version of the metadata that must change |
//! | [`publisher`] | one change at a time, by server or command line |
//! | [`offline`] | signatures made by offline keys |
//! | [`review`] | what the owners of those keys see before they sign |
//! | [`mark`] | the newest versions that were served |
//! | [`service`] | the running server: renewal, alarms |
//! | [`http`] | `/tuf/…` |

pub mod canonical;
pub mod directory;
pub mod http;
pub mod key;
pub mod key_source;
pub mod mark;
pub mod metadata;
pub mod offline;
pub mod publication;
pub mod publisher;
pub mod repository;
pub mod review;
pub mod role;
pub mod root;
pub mod service;
pub mod succession;

pub use directory::Directory;
pub use key_source::{HeldKeys, KeySource, KeysHeld};
pub use mark::Mark;
pub use metadata::{Metadata, TargetName};
pub use publication::Publication;
pub use publisher::Publisher;
pub use repository::Repository;
pub use review::Review;
pub use role::{Lifetimes, Role, Urgency};
pub use root::{RoleKeys, Root};
pub use service::Service;

use chancery_daemon::{clock::ClockFault, signer::SignerError};
use chancery_verify::counted;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why metadata is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// Larger than clients accept, or more signatures than the limit.
    #[error("it is larger than clients accept")]
    TooLarge,
    /// Not a JSON object with `signed` and `signatures`.
    #[error("it is not a JSON document")]
    NotJson,
    /// Canonical JSON has no form for numbers that are not whole.
    #[error("it has a number that is not an integer")]
    NotWhole,
    /// A member is missing or has a wrong value.
    #[error("member `{name}` is missing or has a wrong value")]
    Member {
        /// The member.
        name: &'static str,
    },
    /// Two signatures of one key id.
    #[error("key {key_id} has signed it twice")]
    SignedTwice {
        /// The key id.
        key_id: String,
    },
    /// A key id that does not match the key, or is listed twice.
    #[error("key {key_id} is listed twice, or its key id does not match the key")]
    KeyId {
        /// The key id.
        key_id: String,
    },
    /// A key of a kind that not every client verifies.
    #[error("a key is not ECDSA P-256, the one kind that every TUF client verifies")]
    KeyKind,
    /// A threshold of zero, or of more than the role's keys.
    #[error("the threshold {threshold} is impossible with {keys}", keys = counted(*.keys, "key", "keys"))]
    ImpossibleThreshold {
        /// Signatures.
        threshold: usize,
        /// Keys.
        keys: usize,
    },
    /// A target name that is not a plain file name.
    #[error("a target name is not a plain file name")]
    TargetName,
    /// The metadata is of another role.
    #[error("it is {found} metadata, not {expected}")]
    OtherRole {
        /// Wanted.
        expected: Role,
        /// Found.
        found: Role,
    },
    /// The version is not the next one.
    #[error("it is version {found} of the {role} metadata; the next is {expected}")]
    Version {
        /// The role.
        role: Role,
        /// The next version.
        expected: u64,
        /// The version found.
        found: u64,
    },
    /// Too few keys have signed.
    #[error("too few keys of the {role} role have signed it: {signed} of {threshold}")]
    TooFewSignatures {
        /// The role.
        role: Role,
        /// Keys with valid signatures.
        signed: usize,
        /// The threshold.
        threshold: usize,
    },
    /// Signed documents that contradict each other.
    #[error("length or hash of {name} is not the one in {by}")]
    Differs {
        /// The file.
        name: String,
        /// The metadata that describes the file.
        by: Role,
    },
    /// Expired.
    #[error("it expired on {expires}")]
    Expired {
        /// RFC 3339.
        expires: String,
    },
    /// Imported so late, or made for so short a time, that it would have to be renewed at once.
    #[error("it expires on {expires}, which is too soon; export it again, sign it and import it earlier")]
    ExpiresSoon {
        /// RFC 3339.
        expires: String,
    },
}

/// Why a repository cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TufError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file of the repository is refused.
    #[error("{path}: {source}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: InvalidMetadata,
    },
    /// Metadata that was about to be written, or was imported, is refused.
    #[error("the {role} metadata is refused: {source}")]
    Refused {
        /// The role.
        role: Role,
        /// The cause.
        source: InvalidMetadata,
    },
    /// Too few keys are available, or they do not answer.
    #[error(
        "too few signatures of the {role} metadata could be made here: {signed} of {threshold}{}",
        because(failures)
    )]
    KeysMissing {
        /// The role.
        role: Role,
        /// Signatures made.
        signed: usize,
        /// The threshold.
        threshold: usize,
        /// Errors of keys that could not be used.
        failures: Vec<SignerError>,
    },
    /// The clock cannot be trusted, so nothing is dated.
    #[error(transparent)]
    Clock(#[from] ClockFault),
    /// The trust files do not have the expected form.
    #[error("the trust files do not have the expected form")]
    TrustFiles,
    /// Another process has held the lock for too long.
    #[error("{path} has been locked for too long; another process is changing the repository")]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// The repository is older than what was served.
    #[error(
        "{path} has version {found} of the {role} metadata, but {mark} says that version {served} was served, and clients refuse an \
         older one; put the newest copy of {path} back. {}",
        if_lost(*.role, *.found, *.served, .mark)
    )]
    RolledBack {
        /// Its directory.
        path: PathBuf,
        /// The role.
        role: Role,
        /// The version that is there; 0 if there is none.
        found: u64,
        /// The version that was served.
        served: u64,
        /// The file that says so.
        mark: PathBuf,
    },
    /// The repository does not exist.
    #[error("{path}: there is no TUF repository; start the server to make it")]
    Missing {
        /// Its directory.
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

/// What to do if the newest copy of a repository is lost.
fn if_lost(role: Role, found: u64, served: u64, mark: &Path) -> String {
    if found == 0 {
        let mark = mark.display();
        return format!(
            "If it is lost, a new one can be made: remove {mark}, and give every client the new root, because the one that it has leads \
             no further"
        );
    }
    format!(
        "If it is lost, sign newer versions until they have passed version {served}: chancery trust renew --role {role}"
    )
}

#[cfg(test)]
mod tests;
