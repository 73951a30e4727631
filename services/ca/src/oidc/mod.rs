//! From a token to verified claims. The only part of the authority that fetches anything.
//!
//! ```text
//! token::UnverifiedToken  →  exact issuer  →  keyset::KeyCache (discovery, fetcher)  →  signature  →  claims::verify
//! ```
//! One parser reads the token once; routing and verification see the same `iss`. A token of an unknown issuer causes no
//! request to anybody. Specifications: RFC 7515, RFC 7519, OpenID Connect Core §3.1.3.7 and Discovery §4.

mod claims;
mod discovery;
mod fetcher;
mod keyset;
mod refusal;
mod token;

pub use claims::VerifiedClaims;
pub use discovery::InvalidIssuer;
pub use fetcher::{Fetch, FetchError, Fetched, HttpFetcher};
pub use refusal::TokenRefusal;

use crate::IssuerSettings;
use crate::identity::Principal;
use chancery_verify::Timestamp;
use discovery::IssuerUrl;
use keyset::KeyCache;
use std::sync::Arc;
use token::UnverifiedToken;

/// Knows the issuers and turns their tokens into principals.
pub struct Authenticator {
    issuers: Vec<Issuer>,
    fetcher: Arc<dyn Fetch>,
}

struct Issuer {
    settings: IssuerSettings,
    url: IssuerUrl,
    keys: KeyCache,
}

impl Authenticator {
    /// Takes the issuers as configured; fetches nothing.
    ///
    /// # Errors
    /// [`InvalidIssuer`] for a URL that cannot be an issuer's, or that is configured twice.
    pub fn new(issuers: Vec<IssuerSettings>, fetcher: Arc<dyn Fetch>) -> Result<Self, InvalidIssuer> {
        let mut known: Vec<Issuer> = Vec::with_capacity(issuers.len());
        for settings in issuers {
            if known.iter().any(|other| other.settings.url == settings.url) {
                return Err(InvalidIssuer::Duplicate { url: settings.url });
            }
            let url = IssuerUrl::parse(&settings.url, settings.allow_loopback_http)?;
            known.push(Issuer { settings, url, keys: KeyCache::default() });
        }
        Ok(Self { issuers: known, fetcher })
    }

    /// The issuers as configured.
    pub fn issuers(&self) -> impl Iterator<Item = &IssuerSettings> {
        self.issuers.iter().map(|issuer| &issuer.settings)
    }

    /// The configured issuer that `token` names, whether or not the token is any good.
    pub(crate) fn configured_issuer(&self, token: &str) -> Option<&str> {
        let token = UnverifiedToken::parse(token).ok()?;
        self.issuers().map(|issuer| issuer.url.as_str()).find(|url| *url == token.unverified_issuer())
    }

    /// Verifies `token` and says who asks.
    ///
    /// 1. Parse, strictly and within bounds.
    /// 2. Find the issuer by the exact text of `iss`.
    /// 3. Verify the signature by a key of that issuer, of the family the algorithm names.
    /// 4. Verify audience and times at `now`.
    /// 5. Ask the kind of issuer what the claims say about the signer.
    pub async fn authenticate(&self, token: &str, now: Timestamp) -> Result<Principal, TokenRefusal> {
        let token = UnverifiedToken::parse(token)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.settings.url == token.unverified_issuer());
        let issuer = issuer.ok_or(TokenRefusal::IssuerUnknown)?;
        issuer.keys.verify(&token, &issuer.url, self.fetcher.as_ref(), now).await?;
        let claims = claims::verify(token, &issuer.settings, now)?;
        issuer.settings.kind.principal(&claims)
    }
}
