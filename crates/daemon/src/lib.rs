//! What any long-running role needs and none should write twice.
//!
//! The clock, randomness and private keys are read here and nowhere else; everybody else takes `now`, `&dyn Random` or
//! a [`signer::Signer`]. No protocol of Sigstore is known here.

pub mod authority;
pub mod clock;
pub mod database;
pub mod durable;
pub mod expiry;
pub mod http;
pub mod metrics;
pub mod random;
pub mod samples;
pub mod shutdown;
pub mod signer;
pub mod telemetry;
