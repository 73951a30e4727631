//! The timestamp authority: says under a signature that something existed at a time (RFC 3161).
//!
//! Speaks what Sigstore's timestamp authority speaks, and so what its clients and any other client of RFC 3161 over HTTP
//! expect. It stores nothing and knows nobody: a hash comes in, and goes out signed with the time. What it must never do is
//! sign a wrong time, so everything here is about that.
//!
//! A request runs through these modules, in this order:
//!
//! | step | module | |
//! |---|---|---|
//! | 1 | [`http`] | body out of the request, in DER or JSON; statuses and texts of every error |
//! | 2 | [`chancery_verify::timestamping`] | bytes → [`Request`](chancery_verify::timestamping::Request) |
//! | 3 | [`authority`] | policy, clock and chain are asked; the answer is signed, and verified before it leaves |
//! | 4 | `encoding` | request, time and signature → `TimeStampResp`; the only code that writes one |
//!
//! [`chain`] makes or loads the authority's own certificates; [`chancery_daemon::clock::ClockGuard`] says whether the clock
//! may be believed, which it may ask time servers about.

pub mod authority;
pub mod chain;
mod encoding;
mod error;
pub mod http;
mod policy;

pub use authority::TimestampAuthority;
pub use error::Error;
pub use http::{measured_router, router};
pub use policy::{DEFAULT_POLICY, Policies};
