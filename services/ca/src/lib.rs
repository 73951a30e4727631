//! The certificate authority: a verified OIDC token and a key become a ten-minute code-signing certificate.
//!
//! Speaks Fulcio's HTTP protocol, v2 and v1. It knows tokens, keys and certificates; it does not know what is signed with
//! them, it stores nothing, and it never imports the log: what it needs from one is [`transparency::CertificateLog`].
//!
//! A request runs through these modules, in this order:
//!
//! | step | module | |
//! |---|---|---|
//! | 1 | [`http`] | body and token out of the request; statuses and texts of every error |
//! | 2 | [`oidc`] | token → verified claims; the only code that fetches anything |
//! | 3 | [`identity`] | verified claims → [`identity::Principal`]: who is named, and what else is said |
//! | 4 | [`challenge`] | key and proof that the caller holds it |
//! | 5 | [`profile`] | principal and key → what will be signed; pure |
//! | 6 | [`issue`] | precertificate → log → certificate → self-check |
//!
//! What was decided is recorded, whatever it was: [`audit`], [`Counts`]. [`chain`] makes or loads the authority's own certificates.

pub mod audit;
pub mod chain;
pub mod challenge;
mod error;
pub mod http;
pub mod identity;
pub mod issue;
mod json;
mod limit;
pub mod oidc;
pub mod profile;
mod request;
pub mod transparency;

pub use error::Error;
pub use http::{measured_router, router};
pub use limit::{Rates, Share};
pub use request::{Counts, Records};

use chancery_daemon::clock::Clock;
use identity::IssuerKind;
use issue::Pipeline;
use limit::Limits;
use oidc::Authenticator;
use std::sync::Arc;

/// One OIDC issuer that is trusted to say who somebody is.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    /// Compared with the token's `iss` letter by letter; discovery starts here.
    pub url: String,
    /// Must be among the token's `aud`.
    pub audience: String,
    /// What its tokens say about a signer, and how that becomes a name.
    pub kind: IssuerKind,
    /// Allows `http://` where the host is this machine. For development only.
    pub allow_loopback_http: bool,
}

/// The role: everything a request handler needs.
pub struct CertificateAuthority {
    authenticator: Authenticator,
    pipeline: Pipeline,
    clock: Arc<dyn Clock>,
    limits: Option<Limits>,
    records: Records,
}

impl CertificateAuthority {
    /// Puts the parts together. Nothing is fetched: an issuer may start after the authority that trusts it.
    #[must_use]
    pub fn new(authenticator: Authenticator, pipeline: Pipeline, clock: Arc<dyn Clock>) -> Self {
        Self { authenticator, pipeline, clock, limits: None, records: Records::default() }
    }

    /// The same, with at most so many requests.
    #[must_use]
    pub fn limited(self, rates: Rates) -> Self {
        let limits = Some(Limits::new(rates, Arc::clone(&self.clock)));
        Self { limits, ..self }
    }

    /// The same, recording what it decides.
    #[must_use]
    pub fn recorded(self, records: Records) -> Self {
        Self { records, ..self }
    }
}
