//! Reading: entries and their proofs, the receipt of a new entry, and the log as files.
//!
//! Everything is verified before it leaves. Which heads may be shown is decided by [`crate::Log`].

pub(crate) mod proofs;
pub(crate) mod receipt;
pub(crate) mod tiles;

pub use receipt::{Outcome, Receipt};
pub use tiles::Files;
