//! Personalities: what may enter a log, and how it is spoken to.

pub mod ct;
pub mod rekor_v1;
pub mod rekor_v2;
mod seed;
pub mod series;
