//! Reads transparency logs over HTTP, ours and others': heads, entries, proofs.
//!
//! | [`Protocol`] | specification |
//! |---|---|
//! | [`RekorV1`](Protocol::RekorV1) | Rekor's OpenAPI document: `/api/v1/log`, one tree of the shards below a URL |
//! | [`RekorV2`](Protocol::RekorV2) | C2SP tlog-tiles |
//! | [`Rfc6962`](Protocol::Rfc6962) | RFC 6962 §4 |
//! | [`StaticCt`](Protocol::StaticCt) | C2SP static-ct-api |
//!
//! # What is believed
//! Nothing but the key in the [`LogIdentity`]. A head is returned only if that key has signed it. Entries and proofs are the
//! server's word: **the caller must hash the entries into the tree of a head, and verify the proofs**, with
//! [`chancery_verify::merkle`]. A log is a stranger: every answer has a limit in bytes and in time, no redirect is followed,
//! and a server that asks to wait is not asked at once again.
//!
//! This crate has no database and no clock. It remembers only what saves requests.
//!
//! # Order of dependence
//! Each module uses only those that come before it.
//!
//! 1. `error`: why a log cannot be read. `identity`: what a log is known by. `answer`: what is read.
//! 2. [`json`]: answers in JSON, parsed. `fetch`: the only file that makes requests.
//! 3. `tiles`, `rekor_v1`, `rfc6962`: the protocols.
//! 4. `log`: a log of any of them.

mod answer;
mod error;
mod fetch;
mod identity;
pub mod json;
mod log;
mod rekor_v1;
mod rfc6962;
mod tiles;

pub use answer::{RemoteEntry, RemoteHead, Shard};
pub use error::ReadError;
pub use fetch::{Fetcher, Limits, Token};
pub use identity::{LogIdentity, Protocol};
pub use log::RemoteLog;
