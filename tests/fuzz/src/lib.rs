//! Fuzz targets for `chancery-verify`, for the tokens of `chancery-ca`, for the TUF metadata of `chancery-trust`, for the questions to
//! `chancery-search` and its cases, and for what registries and logs answer, and the seeds they start from. See `run` beside this crate.
//!
//! The modules are also compiled into `fuzz_smoke.rs` in the tests of those crates, which call every target a few thousand
//! times on each test run; here libFuzzer calls them as often as one lets it.

pub mod cases;
pub mod kinds;
pub mod logs;
pub mod questions;
pub mod registry;
pub mod repository;
pub mod seeds;
pub mod targets;
pub mod terms;
pub mod tokens;
