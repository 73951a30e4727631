//! Re-derives a whole log from its entries, as an auditor does. Every test scenario ends with it.
//!
//! Entries → leaf hashes → identity hashes → tiles → root hashes at every stored checkpoint and head → signatures → the
//! tables that lead to entries. No stored value is trusted, and the first wrong one is reported. [`check`] reads
//! through the [`Store`] and changes nothing, so it may run beside a server. [`check_files`] reads the public files:
//! checkpoint, tiles and entry bundles, from a server or a directory.
//!
//! Not checked: SETs and SCTs, because they are not stored: each answer has a new one. The check cannot find these
//! changes, because nothing else in the database contradicts them:
//!
//! | changed | why nothing follows from it |
//! |---|---|
//! | `bundle_parts.timestamp_ms` of a Rekor log, to a time between those of its neighbours, if the time of its head is not kept beside it (in `SQLite`, and from before heads were kept) | the time of an entry is not hashed into the tree; clients have the one that was promised |
//! | `logs.created_ms`, to a time before the first entry, if the head of the empty tree is not kept | it is only shown |
//! | `bundle_parts.root_hash` (`SQLite`) of another than the newest head, that is null | heads from before version 7 are not kept; nothing is derived from them |
//! | `frozen_logs`, `quarantined_logs` | that a log is frozen or in doubt is a decision, not a fact about the tree |
//! | `ended_logs.ended_ms`, and `published_size` upwards | no other record says how much was lost |
//! | a row of `checkpoints` that is missing | not every checkpoint is stored |
//! | a row of `frozen_checkpoints` that is missing | the next start of the server signs it again |
//! | a row of `issuers` that no entry names | it is stored before the entry is logged |
//! | rows of `attestation_subjects` without their row of `attestations` | nothing is found by them, because the statement decides |
//! | rows of `unread_attestations`, with the rows of `attestation_subjects` of the same statement gone | the next start of the server adds these again |
//! | a row of `attestations` that is missing, or that no entry names | which of them are kept is a decision, not a fact about the tree |

mod files;
mod heads;
mod identities;
mod signatures;
mod stored;
mod tables;
mod tree;

pub use files::{FileError, Files, Opened, Published, Reading, check_files, open_checkpoint, verify_extends};

use crate::personality::{ct, rekor_v1, rekor_v2, series};
use crate::store::{LogRecord, Store, StoreError};
use crate::subjects::subjects;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::TreeHead;
use chancery_verify::tile::TileId;
use chancery_verify::{Hash, PublicKey, Rejection, entries, hash, leaves};
use serde::Serialize;
use std::collections::HashMap;
use std::num::NonZeroU32;

/// Attestations that are read at once, each of up to megabytes.
const ATTESTATIONS_AT_ONCE: u32 = 16;

/// The rules that a log's entries follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personality {
    /// Rekor v1.
    RekorV1,
    /// Rekor v2.
    RekorV2,
    /// Certificate transparency.
    Ct,
}

/// A log to check: its record, the key that must have signed its checkpoints, and its rules.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its record from its creation.
    pub record: LogRecord,
    /// Its public key, from outside the database.
    pub key: PublicKey,
    /// The names of its checkpoints.
    pub scheme: Scheme,
    /// Its rules.
    pub personality: Personality,
}

impl Subject {
    /// The log of `record`. The record's name decides the rules, and its origin the names of the checkpoints.
    pub fn new(record: LogRecord, key: PublicKey) -> Result<Self, Finding> {
        let unnamed = |_| Finding::Log("its origin is not one");
        let (scheme, personality) = match series::split(&record.name).0 {
            rekor_v1::NAME => {
                let host = record.origin.strip_suffix(&format!(" - {}", record.tree_id)).unwrap_or_default();
                (rekor_v1::scheme(host, record.tree_id).map_err(unnamed)?, Personality::RekorV1)
            }
            rekor_v2::NAME => {
                (rekor_v2::scheme(&record.origin, record.tree_id).map_err(unnamed)?, Personality::RekorV2)
            }
            ct::NAME => (ct::scheme(&record.origin, record.tree_id).map_err(unnamed)?, Personality::Ct),
            _ => return Err(Finding::Log("it is of no known kind")),
        };
        Ok(Self { record, key, scheme, personality })
    }
}

/// The stored checkpoints whose signatures are verified. The contents of all checkpoints are compared with the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signatures {
    /// Every one.
    #[default]
    All,
    /// One of this many, and the newest.
    OneIn(NonZeroU32),
}

/// Options of a check.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The signatures to verify.
    pub signatures: Signatures,
    /// Earlier trees from verified checkpoints. The log must extend each of them.
    pub saved: Vec<TreeHead>,
}

impl Options {
    /// Compares the tree of `size` leaves with the earlier trees of that size.
    fn compare(&self, size: u64, root: impl Fn() -> Hash) -> Result<(), Finding> {
        let mut saved = self.saved.iter().filter(|saved| saved.size == size);
        if saved.all(|saved| saved.root == root()) { Ok(()) } else { Err(Finding::Forked { size }) }
    }
}

/// The result for a log without a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its role.
    pub log: String,
    /// First line of its checkpoints.
    pub origin: String,
    /// Number of leaves.
    pub tree_size: u64,
    /// Root hash in hexadecimal.
    pub root_hash: String,
    /// Checkpoints whose root hash was re-derived.
    pub checkpoints: u64,
    /// Of these, the checkpoints whose signature was verified.
    pub signatures: u64,
    /// Sizes of the earlier trees that it extends.
    pub extends: Vec<u64>,
    /// Of a log that was ended, the number of entries that were published and cannot be proven any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
}

/// The first fault.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// The entry at this index is missing, or another is in its place.
    #[error("entry {index}: the entry is missing")]
    Gap {
        /// The entry's index.
        index: u64,
    },
    /// An entry does not follow from its leaf.
    #[error("entry {index}: {what}")]
    Entry {
        /// The entry's index.
        index: u64,
        /// The value that does not follow.
        what: &'static str,
    },
    /// A stored tile differs from the one derived from the entries.
    #[error("tile {}/{}: the stored hashes are not those of the entries", .id.level, .id.index)]
    Tile {
        /// The tile.
        id: TileId,
    },
    /// A stored checkpoint does not verify, or has another root hash than the entries.
    #[error("checkpoint {size}: {rejection}")]
    Checkpoint {
        /// Its tree size.
        size: u64,
        /// The reason.
        rejection: Rejection,
    },
    /// The committed head is not that of the entries.
    #[error(
        "head: it states {stated} and another root hash than that of the {derived}",
        stated = leaves(*.stated),
        derived = entries(*.derived)
    )]
    Head {
        /// Leaves that it states.
        stated: u64,
        /// Stored entries.
        derived: u64,
    },
    /// A larger tree was published: the database was restored to an earlier state.
    #[error(
        "head: it states {head}, but a checkpoint of {published} was published",
        head = leaves(*.head),
        published = leaves(*.published)
    )]
    RolledBack {
        /// Leaves that it states.
        head: u64,
        /// Leaves of the newest stored checkpoint.
        published: u64,
    },
    /// The log does not extend an earlier tree.
    #[error(
        "checkpoint {size}: the entries give another root hash than the checkpoint that was saved earlier: the log was \
         forked or rolled back"
    )]
    Forked {
        /// Leaves of the earlier tree.
        size: u64,
    },
    /// A file of the log is missing, or has other contents than its name requires.
    #[error("{path}: {what}")]
    File {
        /// Its path below the log's.
        path: String,
        /// The fault.
        what: &'static str,
    },
    /// The key or origin is of another log.
    #[error("log: {0}")]
    Log(&'static str),
    /// What is kept beside entries is not what it is named by.
    #[error("attestation {}: its contents have another hash", hex::encode(.digest))]
    Attestation {
        /// The hash that names it.
        digest: Hash,
    },
    /// What is kept beside entries is not found by what it is about, or is found by something else.
    #[error(
        "attestation {}: the rows of `attestation_subjects` are not those of its contents. Log its envelope again to add those that \
         are missing",
        hex::encode(.digest)
    )]
    AttestationSubjects {
        /// The hash that names it.
        digest: Hash,
    },
    /// The database has rows of a log that is not listed.
    #[error("log number {log_id}: it has entries, and its row of `logs` is missing")]
    Unlisted {
        /// Its number in the database.
        log_id: i64,
    },
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be fetched.
    #[error(transparent)]
    Unreadable(#[from] FileError),
    /// The temporary directory could not be used.
    #[error("cannot use the temporary directory: {0}")]
    Scratch(#[from] std::io::Error),
    /// The check ended before it was complete.
    #[error("the check was interrupted")]
    Interrupted,
}

impl Finding {
    /// Whether nothing was found out, because there was no answer, or no end.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        match self {
            Self::Store(error) => error.is_silent(),
            Self::Unreadable(error) => error.is_silent,
            Self::Scratch(_) | Self::Interrupted => true,
            _ => false,
        }
    }
}

/// The fault that an entry is logged twice.
const fn repeated(index: u64) -> Finding {
    Finding::Entry { index, what: "an equal entry has a lower index" }
}

/// Checks that every log with rows in the database is listed.
pub async fn check_listing(store: &dyn Store) -> Result<(), Finding> {
    let unlisted = store.unlisted().await?;
    unlisted.first().map_or(Ok(()), |log_id| Err(Finding::Unlisted { log_id: *log_id }))
}

/// Checks that everything that is kept beside entries has the hash that it is named by, and is found by what it is about.
pub async fn check_attestations(store: &dyn Store) -> Result<(), Finding> {
    let mut after = None;
    loop {
        let attestations = store.attestations(after, ATTESTATIONS_AT_ONCE).await?;
        let Some((last, _)) = attestations.last() else { return Ok(()) };
        after = Some(*last);
        if let Some((digest, _)) = attestations.iter().find(|(digest, data)| hash::sha256(data) != *digest) {
            return Err(Finding::Attestation { digest: *digest });
        }
        let digests = attestations.iter().map(|(digest, _)| *digest).collect();
        let mut about: HashMap<Hash, Vec<Vec<u8>>> = HashMap::new();
        for (subject, digest) in store.attestation_subjects(digests).await? {
            about.entry(digest).or_default().push(subject);
        }
        for (digest, data) in &attestations {
            let stored = about.remove(digest).unwrap_or_default();
            if stored == subjects(data) {
                continue;
            }
            // Where an earlier version kept it, and no server has read it since, there is nothing yet.
            if !stored.is_empty() || !store.is_unread(*digest).await? {
                return Err(Finding::AttestationSubjects { digest: *digest });
            }
        }
    }
}

/// Re-derives one log and verifies everything. Calls `progress` with the number of checked entries and their total.
pub async fn check(
    store: &dyn Store,
    subject: &Subject,
    progress: impl FnMut(u64, u64) + Send,
) -> Result<Report, Finding> {
    check_with(store, subject, &Options::default(), progress).await
}

/// As [`check`], with options. An entry that is logged twice is reported last, if there is no other fault.
pub async fn check_with(
    store: &dyn Store,
    subject: &Subject,
    options: &Options,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Report, Finding> {
    stored::check(store, subject, options, &mut progress).await
}
