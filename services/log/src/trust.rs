//! Trust: whether what is stored may be signed, and what is remembered of a log outside its database.
//!
//! The guard judges a stored log before anything is signed. The high-water mark and the witnesses have seen what was
//! published before, whatever the database shows now. Nothing here changes a tree.

pub(crate) mod guard;
pub(crate) mod mark;
pub mod witnessing;
