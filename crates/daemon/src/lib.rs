//! The parts that every long-running role needs.
//!
//! Only this crate reads the clock, randomness and private keys. All other code takes `now`, `&dyn Random` or a
//! [`signer::Signer`]. This crate knows no protocol of Sigstore.

pub mod authority;
pub mod budget;
pub mod clock;
pub mod database;
pub mod disk;
pub mod durable;
pub mod expiry;
pub mod health;
pub mod http;
pub mod metrics;
pub mod random;
pub mod reload;
pub mod samples;
pub mod shutdown;
pub mod signer;
pub mod telemetry;
