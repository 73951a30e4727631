//! What benchmarks share: requests made beforehand, a load generator, the floor, and what a process has used.
//!
//! Figures compare only within one run: every program here measures the floor on the machine it runs on, and reports
//! ratios to it. `benches/run` starts what is measured and writes `benches/results/`.

pub mod disk;
pub mod draw;
pub mod entries;
pub mod floor;
pub mod lag;
pub mod load;
pub mod measure;
pub mod process;
