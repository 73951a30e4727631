//! The certificate authority: a verified OIDC token and a key become a ten-minute code-signing certificate.
//!
//! Implements Fulcio's HTTP protocol, v2 and v1. It knows tokens, keys and certificates. It does not know what is
//! signed with them, it stores nothing, and it never imports the log: [`transparency::CertificateLog`] is its interface
//! to one.
//!
//! A request runs through these modules, in this order:
//!
//! | step | module | |
//! |---|---|---|
//! | 1 | [`http`] | body and token out of the request; statuses and texts of every error |
//! | 2 | [`oidc`] | token → verified claims; the only code that fetches anything |
//! | 3 | [`identity`] | verified claims → [`identity::Principal`]: name and certificate contents |
//! | 4 | [`challenge`] | key and proof that the caller holds it |
//! | 5 | [`profile`] | principal and key → the bytes to sign; pure |
//! | 6 | [`issue`] | precertificate → log → certificate → self-check |
//!
//! Every decision is recorded: [`audit`], [`Counts`]. [`chain`] makes or loads the authority's own certificates, and
//! [`CertificateAuthority::replace_pipeline`] replaces them while requests run. [`config`] reads the trusted issuers.

pub mod audit;
pub mod chain;
pub mod challenge;
mod claims;
mod client_algorithms;
pub mod config;
mod error;
pub mod http;
pub mod identity;
pub mod issue;
mod json;
mod limit;
mod measure;
mod minute;
pub mod oidc;
pub mod profile;
mod refusal;
mod request;
mod rotation;
mod settings;
pub mod transparency;

pub use client_algorithms::{ClientAlgorithm, ClientAlgorithms, UnknownAlgorithm};
pub use error::{Error, Share};
pub use http::{GRPC_SERVICE, measured_router, router};
pub use limit::Rates;
pub use measure::measure;
pub use request::{Counts, Records};
pub use rotation::NotPublished;
pub use settings::{Access, Bearer, DEFAULT_AUDIENCE, DEFAULT_MAX_AGE_SECONDS, IssuerName, IssuerSettings, KeySource};

use chancery_daemon::clock::{Clock, ClockFault, ClockGuard};
use issue::Pipeline;
use limit::Limits;
use oidc::Authenticator;
use rotation::Issuing;
use std::sync::{Arc, PoisonError, RwLock};

/// The role: the state that request handlers need.
pub struct CertificateAuthority {
    /// Replaced as a whole by [`Self::replace_authenticator`]. A request keeps the value it began with.
    authenticator: RwLock<Arc<Authenticator>>,
    /// Replaced by [`Self::replace_pipeline`], in the same way.
    issuing: RwLock<Issuing>,
    clock: Arc<ClockGuard>,
    client_algorithms: ClientAlgorithms,
    limits: Option<Limits>,
    records: Records,
}

impl CertificateAuthority {
    /// Puts the parts together. Nothing is fetched: an issuer may start later than the authority that trusts it.
    #[must_use]
    pub fn new(authenticator: Authenticator, pipeline: Pipeline, clock: Arc<ClockGuard>) -> Self {
        let authenticator = RwLock::new(Arc::new(authenticator));
        let issuing = RwLock::new(Issuing::new(pipeline));
        let client_algorithms = ClientAlgorithms::default();
        Self { authenticator, issuing, clock, client_algorithms, limits: None, records: Records::default() }
    }

    /// Sets limits to the requests.
    #[must_use]
    pub fn limited(self, rates: Rates) -> Self {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let limits = Some(Limits::new(rates, clock));
        Self { limits, ..self }
    }

    /// Records decisions to `records`.
    #[must_use]
    pub fn recorded(self, records: Records) -> Self {
        Self { records, ..self }
    }

    /// Issues only for these kinds of keys.
    #[must_use]
    pub fn with_client_algorithms(mut self, permitted: ClientAlgorithms) -> Self {
        self.client_algorithms = permitted;
        self
    }

    /// Returns why no certificate can be dated now, if so.
    #[must_use]
    pub fn obstacle(&self) -> Option<ClockFault> {
        self.clock.check().err()
    }

    /// Returns the trusted issuers.
    #[must_use]
    pub fn authenticator(&self) -> Arc<Authenticator> {
        Arc::clone(&self.authenticator.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Trusts other issuers from the next request on.
    pub fn replace_authenticator(&self, authenticator: Authenticator) {
        *self.authenticator.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(authenticator);
    }
}
