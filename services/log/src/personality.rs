//! Personalities: the entries that a log admits, and the protocol that it speaks.

pub mod ct;
pub mod rekor_v1;
pub mod rekor_v2;
mod seed;
pub mod series;
