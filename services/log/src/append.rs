//! Appending: the waiting batch, and the one loop that makes a tree grow and signs its head.

pub(crate) mod pool;
pub(crate) mod sequencer;
