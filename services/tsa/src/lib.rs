//! The timestamp authority: signs that a hash existed at a time (RFC 3161).
//!
//! Implements the protocol of Sigstore's timestamp authority, which other clients of RFC 3161 over HTTP also
//! understand. It stores nothing and knows no users: a hash comes in and is returned, signed with the time. It must
//! never sign a wrong time, and most of this crate prevents that.
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
//! [`chain`] makes or loads the authority's own certificates. [`chancery_daemon::clock::ClockGuard`] decides whether
//! the clock can be trusted, and may ask time servers.

pub mod authority;
pub mod chain;
mod encoding;
mod error;
pub mod http;
mod policy;
mod profile;

pub use authority::TimestampAuthority;
pub use error::Error;
pub use http::{measured_router, router};
pub use policy::{DEFAULT_POLICY, Policies};
pub use profile::Profile;
