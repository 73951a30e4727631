//! The log engine and its personalities.
//!
//! One engine hosts every tree: a bounded pool, one sequencer, a store. A personality decides what may enter a log and
//! how it is spoken to: [`rekor_v1`] and [`rekor_v2`] log signatures, [`ct`] logs certificates (RFC 6962). All formats,
//! hashes and proofs are `chancery-verify`'s. Nothing leaves this crate before it has been verified there, with one
//! exception: of the checkpoints, promises and SCTs, at most ten a second of each kind have their own signature
//! verified (a sample).
//!
//! # Life of an entry
//! 1. A personality checks the submission and makes a [`Pending`] of it.
//! 2. [`Log::append`] puts it into the pool; a full pool is [`Error::Busy`].
//! 3. The sequencer takes everything that waits, assigns indices and extends the tree. The store writes the extension in one
//!    transaction (`bundle_parts`, `identities`, `tiles`, in `PostgreSQL` also `heads`), if the head is still the one that
//!    was extended and none of the entries is logged. **The commit is the durability point.** Otherwise the store says what
//!    there is, and the sequencer extends that.
//! 4. It signs the committed head and wakes the submitters. The head is published once it is in the high-water mark, which
//!    is a synced file outside the database. Where the log has witnesses, they cosign before it is published, see
//!    [`witnessing`].
//! 5. The submitter computes its inclusion proof from the tiles of the batch, verifies it, and answers.
//!
//! A crash before 3 loses nothing that was acknowledged; after 3, the next start signs the committed head, which is what
//! every start does once the stored state has passed its guard. One that does not pass it is [`quarantine`]d.
//!
//! # Order of dependence
//! Each module uses only those that come before it. A test reads the `use` lines.
//!
//! 1. `gathered` and `shared_read`: queries that several requests share. `activity`: what is counted.
//!    `corrupt`: a self-check that failed. [`quarantine`]: why a log is in doubt. [`store`]: where logs are kept.
//!    `error`: what a caller is told of these.
//! 2. `subjects`: pure; what a kept statement is about. `unread`: statements that an earlier version kept are read for it.
//!    `tree`: pure; pending entries, the extension of a head by a batch, proofs. `derive`: a tree from its entries. `head`:
//!    published heads, how one is signed, and how a newer one is asked for.
//! 3. `trust`: guard, high-water mark, witnesses. `append`: pool and sequencer.
//! 4. `cache`: full tiles in memory. `destination`: where copies of files go. `engine`: a [`Log`], opened from all of these.
//! 5. [`admission`]: which entries a log takes beside being valid. [`reader`]: who may read them. `access`: both.
//! 6. `read`: proofs, receipts, and the log as files. [`mirror`]: these files in another place.
//! 7. `personality`: Rekor v1, Rekor v2, CT. [`check`]: what an auditor does. [`ending`]: the end of a log in doubt.
//!    [`restoring`]: what a restored backup means for a log. `stored`: a log that is read without its sequencer.

mod access;
mod activity;
pub mod admission;
mod append;
mod cache;
pub mod check;
mod corrupt;
mod derive;
mod destination;
pub mod ending;
mod engine;
mod error;
mod gathered;
mod head;
pub mod mirror;
mod personality;
pub mod quarantine;
mod read;
pub mod reader;
pub mod restoring;
mod shared_read;
pub mod store;
mod stored;
mod subjects;
mod tree;
mod trust;
mod unread;

pub use access::Access;
pub use activity::Measures;
pub use corrupt::{Corrupt, failed_checks};
pub use engine::{CHECKPOINT_PERIOD, Log, OpenError, Settings};
pub use error::Error;
pub use head::Published;
pub use personality::{ct, rekor_v1, rekor_v2, series};
pub use read::{Files, Outcome, Receipt};
pub use stored::StoredLog;
pub use tree::{Pending, Sealed};
pub use trust::witnessing;
pub use unread::read_attestations;
