//! Fuzz targets for `chancery-verify`, and the seeds they start from. See `run` beside this crate.
//!
//! Both modules are also compiled into `crates/verify/tests/fuzz_smoke.rs`, which calls every target a few thousand times
//! on each test run; here libFuzzer calls them as often as one lets it.

pub mod seeds;
pub mod targets;
