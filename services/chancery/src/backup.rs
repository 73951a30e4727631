//! The file of a backup: what is in it, and how it is written and read. `chancery backup` and `chancery restore` are its users.
//!
//! ```text
//! manifest.json      versions, when, the logs, and every member with its size and SHA-256, in order
//! data/…             files of the data directory: marks first, because they must not be newer than the database
//! audit/…            files of the audit log, if asked for
//! database/…         chancery.db, or a file of rows for each table of PostgreSQL
//! manifest.sha256    SHA-256 of the manifest
//! ```
//!
//! A tar in exactly one form ([`archive`]): every byte of the file is compared with something, so that none can be changed
//! unseen. But anybody can make another backup: what its logs say is proven by their signatures, not by the file.
//!
//! Not here: the database ([`chancery_daemon::database::snapshot`]), and what a restore means for a log
//! ([`chancery_log::restoring`]).

mod archive;
mod contents;
mod manifest;
mod secrets;

pub(crate) use archive::{Content, Reader, Writer};
pub(crate) use contents::{Contents, audit_files};
pub(crate) use manifest::{
    AUDIT, DATA, DATABASE_FILE, DatabaseFacts, FORMAT, Kind, LogFacts, MAX_FILE, Manifest, rows_of,
};
pub(crate) use secrets::{Passphrase, is_private_key};
