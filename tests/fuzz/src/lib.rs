//! Fuzz targets for `chancery-verify` and for the tokens of `chancery-ca`, and the seeds they start from. See `run` beside
//! this crate.
//!
//! The modules are also compiled into `crates/verify/tests/fuzz_smoke.rs` and `services/ca/tests/fuzz_smoke.rs`, which call
//! every target a few thousand times on each test run; here libFuzzer calls them as often as one lets it.

pub mod seeds;
pub mod targets;
pub mod tokens;
