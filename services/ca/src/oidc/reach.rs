//! Whether the keys of the configured issuers can be fetched now. For an operator, never for a request.
//!
//! The requests, their limits and the checks of the answers are those of a request for a certificate.

use super::{Authenticator, Issuer, Keys, Name, TokenRefusal};
use chancery_verify::Timestamp;
use std::sync::Arc;
use tokio::task::JoinSet;

/// An issuer that was asked for its keys.
#[derive(Debug)]
pub struct Reached {
    /// Its URL.
    pub issuer: String,
    /// Why tokens of it could not be verified, if they could not.
    pub verdict: Result<(), TokenRefusal>,
}

impl Authenticator {
    /// Fetches the keys of every issuer, all at once. Not of those whose keys are in a file, and not of those that match a
    /// pattern: only a token names one of them. Sorted by URL.
    pub async fn fetch_keys(&self, now: Timestamp) -> Vec<Reached> {
        let mut asking = JoinSet::new();
        for issuer in &self.issuers {
            let issuer = Arc::clone(issuer);
            asking.spawn(async move { issuer.fetch_keys(now).await });
        }
        let mut reached = Vec::new();
        while let Some(asked) = asking.join_next().await {
            reached.extend(asked.ok().flatten());
        }
        reached.sort_by(|one, other| one.issuer.cmp(&other.issuer));
        reached
    }
}

impl Issuer {
    async fn fetch_keys(&self, now: Timestamp) -> Option<Reached> {
        let Name::Exact(Keys::Fetched { location, cache }) = &self.name else { return None };
        let verdict = cache.fetch(location, self.fetcher.as_ref(), now).await;
        Some(Reached { issuer: self.settings.name.as_str().to_owned(), verdict })
    }
}
