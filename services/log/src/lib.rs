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
//! 3. The sequencer takes everything that waits, and in one transaction (`heads`, in `SQLite` `tree_heads`, `bundle_parts`,
//!    `identities`, `tiles`) drops duplicates, assigns indices, extends the tree and advances the head. **The commit is the
//!    durability point.**
//! 4. It signs the committed head and wakes the submitters. The head is published once it is in the high-water mark, which
//!    is a synced file outside the database. Where the log has witnesses, they cosign before it is published, see
//!    [`witnessing`].
//! 5. The submitter computes its inclusion proof from the tiles of the batch, verifies it, and answers.
//!
//! A crash before 3 loses nothing that was acknowledged; after 3, the next start signs the committed head, which is what
//! every start does once the stored state has passed its guard. One that does not pass it is [`quarantine`]d.

mod activity;
mod cache;
pub mod check;
mod corrupt;
pub mod ct;
mod derive;
pub mod ending;
mod engine;
mod error;
mod gathered;
mod guard;
mod head;
mod mark;
pub mod mirror;
mod pool;
mod proofs;
pub mod quarantine;
mod receipt;
pub mod rekor_v1;
pub mod rekor_v2;
mod seed;
mod sequencer;
pub mod series;
mod shared_read;
pub mod store;
mod tiles;
mod tree;
pub mod witnessing;

pub use activity::Measures;
pub use corrupt::{Corrupt, failed_checks};
pub use engine::{CHECKPOINT_PERIOD, Log, OpenError, Settings};
pub use error::Error;
pub use head::Published;
pub use receipt::{Outcome, Receipt};
pub use tiles::Files;
pub use tree::{Pending, Sealed};
