//! Trees as such: an entry that is to be in one, what a batch makes of one, and the proofs from its tiles.
//!
//! Pure: nothing here reads a clock, a key or a database, and nothing waits. Of the store only its plain types are used:
//! what was found of a tree, and what is to be written.

mod extension;
mod pending;
mod proof;

pub(crate) use extension::{Extended, Integrated, Place, checked_edge, deduplicate, extend_tree, rehearsal};
pub use pending::{Pending, Sealed};
pub(crate) use proof::{planned_tiles, prove_consistency, prove_inclusion};
