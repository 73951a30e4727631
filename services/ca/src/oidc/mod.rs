//! From a token to verified claims. The only part of the authority that fetches documents.
//!
//! ```text
//! token::UnverifiedToken  →  issuer, exact or by pattern  →  keyset (discovery, fetcher)  →  signature  →  claims::verify
//! ```
//! The token is parsed once, so routing and verification see the same `iss`. A token of an unknown issuer causes no
//! outgoing request. Specifications: RFC 7515, RFC 7519, OpenID Connect Core §3.1.3.7 and Discovery §4.

mod address;
mod claims;
mod discovery;
mod explain;
mod failures;
mod fetcher;
mod keyset;
mod pattern;
mod reach;
mod token;

pub use crate::claims::VerifiedClaims;
pub use crate::refusal::{FetchError, InvalidIssuer, TokenRefusal};
pub use explain::{Explanation, Step};
pub use fetcher::{AccessError, Fetch, Fetched, HttpFetcher};
pub use keyset::KeyState;
pub(crate) use keyset::key_set_reads;
pub use reach::Reached;

use crate::identity::Principal;
use crate::{Access, IssuerName, IssuerSettings, KeySource};
use chancery_verify::Timestamp;
use discovery::{IssuerUrl, KeyLocation};
use keyset::{KeyCache, KeySet};
use pattern::{Family, IssuerPattern};
use std::sync::Arc;
use token::UnverifiedToken;

/// Seconds after which a configured issuer without keys is asked again.
const RETRY_SECONDS: u64 = 1;

/// Makes the fetcher of one issuer. Outside of tests this is [`http_fetcher`].
pub type Fetchers<'a> = &'a dyn Fn(&Access) -> Result<Arc<dyn Fetch>, String>;

/// Makes a fetcher over HTTP.
///
/// # Errors
/// A text for a person that says what cannot be set up.
pub fn http_fetcher(access: &Access) -> Result<Arc<dyn Fetch>, String> {
    match HttpFetcher::new(access) {
        Ok(fetcher) => Ok(Arc::new(fetcher)),
        Err(error) => Err(error.to_string()),
    }
}

/// Knows the issuers and turns their tokens into principals.
pub struct Authenticator {
    issuers: Vec<Arc<Issuer>>,
}

struct Issuer {
    settings: IssuerSettings,
    name: Name,
    fetcher: Arc<dyn Fetch>,
}

/// How to find an issuer and its keys.
enum Name {
    Exact(Keys),
    Pattern { pattern: IssuerPattern, family: Family, jwks_hosts: Vec<String> },
}

enum Keys {
    Static(KeySet),
    Fetched { location: Box<KeyLocation>, cache: KeyCache },
}

impl Authenticator {
    /// Takes the configured issuers; fetches nothing. If patterns overlap, the first one is used; an exact name comes
    /// before all patterns.
    ///
    /// # Errors
    /// [`InvalidIssuer`] for a URL that cannot be an issuer's, an issuer that is configured twice, or keys or an access
    /// that cannot be used.
    pub fn new(issuers: Vec<IssuerSettings>, fetchers: Fetchers<'_>) -> Result<Self, InvalidIssuer> {
        Self { issuers: Vec::new() }.reconfigured(issuers, fetchers)
    }

    /// As [`Self::new`], but keeps the cached keys of every issuer whose settings have not changed.
    pub fn reconfigured(&self, issuers: Vec<IssuerSettings>, fetchers: Fetchers<'_>) -> Result<Self, InvalidIssuer> {
        let mut known: Vec<Arc<Issuer>> = Vec::with_capacity(issuers.len());
        for settings in issuers {
            if known.iter().any(|other| other.settings.name == settings.name) {
                return Err(InvalidIssuer::Duplicate { url: settings.name.as_str().to_owned() });
            }
            let kept = self.issuers.iter().find(|issuer| issuer.settings == settings);
            known.push(match kept {
                Some(kept) => Arc::clone(kept),
                None => Arc::new(Issuer::new(settings, fetchers)?),
            });
        }
        Ok(Self { issuers: known })
    }

    /// Returns the issuers as configured.
    pub fn issuers(&self) -> impl Iterator<Item = &IssuerSettings> {
        self.issuers.iter().map(|issuer| &issuer.settings)
    }

    /// Returns the status of the keys of every issuer whose keys are fetched.
    #[must_use]
    pub fn key_states(&self) -> Vec<KeyState> {
        let mut states = Vec::new();
        for issuer in &self.issuers {
            let configured = issuer.settings.name.as_str();
            match &issuer.name {
                Name::Exact(Keys::Static(_)) => {}
                Name::Exact(Keys::Fetched { cache, .. }) => {
                    states.push(cache.state(configured, configured.to_owned()));
                }
                Name::Pattern { family, .. } => {
                    let members = family.members().into_iter();
                    states.extend(members.map(|(name, matched)| matched.keys.state(configured, name)));
                }
            }
        }
        states
    }

    /// Verifies `token` and returns the signer.
    pub async fn authenticate(&self, token: &str, now: Timestamp) -> Result<Principal, TokenRefusal> {
        self.judge(token, now).await.1
    }

    /// As [`Self::authenticate`], and also returns until when the token is accepted.
    pub async fn authenticate_until(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<(Principal, Timestamp), TokenRefusal> {
        let token = UnverifiedToken::parse(token)?;
        let issuer = self.find(token.unverified_issuer()).ok_or(TokenRefusal::IssuerUnknown)?;
        issuer.principal_until(token, now).await
    }

    /// As [`Self::authenticate`], and also returns the configured name or pattern of the issuer that `token` names,
    /// whether or not the token is accepted.
    ///
    /// 1. Parse, strictly and within limits.
    /// 2. Find the issuer by the exact `iss`.
    /// 3. Verify the signature with a key of that issuer, of the family that the algorithm names.
    /// 4. Verify audience, times and the issuer's conditions at `now`.
    /// 5. Map the claims to a signer, by the kind of issuer.
    pub(crate) async fn judge(&self, token: &str, now: Timestamp) -> (Option<&str>, Result<Principal, TokenRefusal>) {
        let token = match UnverifiedToken::parse(token) {
            Ok(token) => token,
            Err(refusal) => return (None, Err(refusal)),
        };
        match self.find(token.unverified_issuer()) {
            Some(issuer) => (Some(issuer.settings.name.as_str()), issuer.principal(token, now).await),
            None => (None, Err(TokenRefusal::IssuerUnknown)),
        }
    }

    fn find(&self, iss: &str) -> Option<&Issuer> {
        let exact = |issuer: &&Arc<Issuer>| matches!(&issuer.settings.name, IssuerName::Exact(url) if url == iss);
        let by_pattern =
            |issuer: &&Arc<Issuer>| matches!(&issuer.name, Name::Pattern { pattern, .. } if pattern.matches(iss));
        self.issuers.iter().find(exact).or_else(|| self.issuers.iter().find(by_pattern)).map(AsRef::as_ref)
    }
}

impl Issuer {
    fn new(settings: IssuerSettings, fetchers: Fetchers<'_>) -> Result<Self, InvalidIssuer> {
        let url = settings.name.as_str().to_owned();
        let unusable = |reason: &str| InvalidIssuer::Access { url: url.clone(), reason: reason.to_owned() };
        let loopback = settings.access.loopback_http;
        let name = match (&settings.name, &settings.keys) {
            (IssuerName::Exact(url), keys) => {
                let issuer = IssuerUrl::parse(url, loopback)?;
                let fetched =
                    |location| Keys::Fetched { location: Box::new(location), cache: KeyCache::new(RETRY_SECONDS) };
                Name::Exact(match keys {
                    KeySource::Static(jwks) => Keys::Static(KeySet::parse(jwks.as_bytes())?),
                    KeySource::At(keys) => fetched(KeyLocation::at(keys, loopback)?),
                    KeySource::Discovery { jwks_hosts } => {
                        fetched(KeyLocation::Discovered { issuer, jwks_hosts: jwks_hosts.clone() })
                    }
                })
            }
            (IssuerName::Pattern(pattern), KeySource::Discovery { jwks_hosts }) => Name::Pattern {
                pattern: IssuerPattern::parse(pattern)?,
                family: Family::default(),
                jwks_hosts: jwks_hosts.clone(),
            },
            (IssuerName::Pattern(_), _) => {
                return Err(unusable("each issuer of a pattern has its own keys, which are discovered"));
            }
        };
        let fetcher = fetchers(&settings.access).map_err(|reason| unusable(&reason))?;
        Ok(Self { settings, name, fetcher })
    }

    /// Steps 3 to 5 of [`Authenticator::judge`].
    async fn principal(&self, token: UnverifiedToken, now: Timestamp) -> Result<Principal, TokenRefusal> {
        self.principal_until(token, now).await.map(|(principal, _)| principal)
    }

    /// As [`Self::principal`], and also returns until when the token is accepted.
    async fn principal_until(
        &self,
        token: UnverifiedToken,
        now: Timestamp,
    ) -> Result<(Principal, Timestamp), TokenRefusal> {
        self.verify_signature(&token, now).await?;
        let until = claims::accepted_until(token.unverified_claims(), &self.settings);
        // First, so that a refusal has the reason that it has everywhere.
        let claims = claims::verify(token, &self.settings, now)?;
        Ok((self.settings.kind.principal(&claims)?, until?))
    }

    async fn verify_signature(&self, token: &UnverifiedToken, now: Timestamp) -> Result<(), TokenRefusal> {
        let fetcher = self.fetcher.as_ref();
        match &self.name {
            Name::Exact(Keys::Static(keys)) => keys.verify(token),
            Name::Exact(Keys::Fetched { location, cache }) => cache.verify(token, location, fetcher, now).await,
            Name::Pattern { family, jwks_hosts, .. } => {
                let matched = family.member(token.unverified_issuer(), jwks_hosts)?;
                matched.keys.verify(token, &matched.location, fetcher, now).await
            }
        }
    }
}
