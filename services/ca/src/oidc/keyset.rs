//! An issuer's keys: parsed from its JWK set (RFC 7517), cached, and fetched again at a limited rate.
//!
//! Readers take the current set without waiting. Only one task at a time fetches. A task that needs a newer set waits
//! for that fetch and starts none of its own; a task that the current set satisfies does not wait. The caller passes
//! the time.

use super::discovery::KeyLocation;
use super::failures::Host;
use super::fetcher::Fetch;
use super::token::UnverifiedToken;
use super::{InvalidIssuer, TokenRefusal};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_verify::key::KeyKind;
use chancery_verify::{PublicKey, Rejection, Timestamp};
use openidconnect::JsonWebKey as _;
use openidconnect::core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJsonWebKeyUse};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// A set older than this, in seconds, is fetched again before it is used. A key removed by its issuer is accepted for
/// this long.
const FRESH_SECONDS: u64 = 600;
/// A set older than this, in seconds, is not used, even if the issuer cannot be reached.
const MAX_STALENESS_SECONDS: u64 = 24 * 3600;
/// Minimum time between two fetches, in seconds, because anyone can write a token with a new `kid`.
const REFRESH_INTERVAL_SECONDS: u64 = 30;
/// Keys of one issuer that are read.
const MAX_KEYS: usize = 64;

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    public: PublicKey,
}

impl KeySet {
    /// Parses a JWK set. Skips keys that cannot verify a token (symmetric, for encryption, weak, unknown).
    pub(super) fn parse(document: &[u8]) -> Result<Self, InvalidIssuer> {
        let set: CoreJsonWebKeySet = serde_json::from_slice(document).map_err(|_| InvalidIssuer::NotAKeySet)?;
        let keys: Vec<Key> = set.keys().iter().take(MAX_KEYS).filter_map(Key::from_jwk).collect();
        if keys.is_empty() { Err(InvalidIssuer::NotAKeySet) } else { Ok(Self { keys }) }
    }

    /// Returns the keys that may have signed `token`: those with its `kid`, or all if it has none.
    fn candidates<'a>(&'a self, token: &'a UnverifiedToken) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(|key| {
            let named = token.key_id().is_none_or(|id| key.id.as_deref() == Some(id));
            let meant = key.algorithm.as_deref().is_none_or(|algorithm| algorithm == token.algorithm_name());
            named && meant && token.algorithm().fits(key.public.kind())
        })
    }

    /// Verifies the signature with each key that may have made it.
    pub(super) fn verify(&self, token: &UnverifiedToken) -> Result<(), TokenRefusal> {
        let mut refusal = TokenRefusal::KeyUnknown;
        for key in self.candidates(token) {
            match token.verify(&key.public) {
                Ok(()) => return Ok(()),
                Err(rejection) => refusal = TokenRefusal::Signature(rejection),
            }
        }
        Err(refusal)
    }
}

impl Key {
    fn from_jwk(jwk: &CoreJsonWebKey) -> Option<Self> {
        if !matches!(jwk.key_use(), None | Some(CoreJsonWebKeyUse::Signature)) {
            return None;
        }
        // openidconnect keeps the parameters private, so they are read from its own serialization.
        let fields = serde_json::to_value(jwk).ok()?;
        let public = public_key(&fields).ok()?;
        let algorithm = fields.get("alg").and_then(Value::as_str).map(str::to_owned);
        Some(Self { id: jwk.key_id().map(|id| id.as_str().to_owned()), algorithm, public })
    }
}

fn public_key(fields: &Value) -> Result<PublicKey, Rejection> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let bytes = |name| text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(Rejection::KeyMalformed);
    match (text("kty"), text("crv")) {
        (Some("RSA"), _) => PublicKey::from_rsa(&bytes("n")?, &bytes("e")?),
        (Some("EC"), Some("P-256")) => PublicKey::from_ec(KeyKind::P256, &bytes("x")?, &bytes("y")?),
        (Some("EC"), Some("P-384")) => PublicKey::from_ec(KeyKind::P384, &bytes("x")?, &bytes("y")?),
        (Some("EC"), Some("P-521")) => PublicKey::from_ec(KeyKind::P521, &bytes("x")?, &bytes("y")?),
        (Some("OKP"), Some("Ed25519")) => PublicKey::from_ed25519(&bytes("x")?),
        _ => Err(Rejection::KeyUnsupported),
    }
}

/// Tokens that were verified with keys at hand, and tokens for which keys were needed first, of all issuers.
static HITS: AtomicU64 = AtomicU64::new(0);
static MISSES: AtomicU64 = AtomicU64::new(0);

/// Hits and misses of the cached keys of all issuers of this process.
pub(crate) fn key_set_reads() -> (u64, u64) {
    (HITS.load(Ordering::Relaxed), MISSES.load(Ordering::Relaxed))
}

/// The cached keys of one issuer.
#[derive(Debug)]
pub(super) struct KeyCache {
    /// Only the task that holds `last_attempt` writes it; all tasks read it.
    current: RwLock<Option<Snapshot>>,
    /// Since when, and why, fetches have failed. Written like `current`.
    failure: RwLock<Option<(Timestamp, &'static str)>>,
    /// When a fetch last began. Held during a whole fetch, so that there is only one at a time.
    last_attempt: tokio::sync::Mutex<Option<Timestamp>>,
    /// While there are no keys at all, a failed fetch is retried after this time, in seconds.
    retry_seconds: u64,
    /// Where failures are counted while there are no keys, if the issuer may be made up.
    host: Option<Host>,
}

/// Status of one issuer's keys, for metrics and alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// Name or pattern in the configuration. It is a label, so it must come from a closed set.
    pub configured: String,
    /// The issuer.
    pub issuer: String,
    /// When the keys in use were fetched; `None` if there are none.
    pub fetched: Option<Timestamp>,
    /// Since when fetches have failed, and the code of the last failure. If [`Self::fetched`] is also set, tokens are
    /// verified with keys that cannot be refreshed.
    pub failing: Option<(Timestamp, &'static str)>,
}

impl KeyState {
    /// Returns whether tokens of this issuer can be verified at `now` without fetching anything.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.fetched.is_some_and(|fetched| now.seconds() < fetched.seconds().saturating_add(MAX_STALENESS_SECONDS))
    }
}

#[derive(Debug, Clone)]
struct Snapshot {
    keys: Arc<KeySet>,
    fetched: Timestamp,
}

impl Snapshot {
    fn is_younger_than(&self, seconds: u64, now: Timestamp) -> bool {
        now.seconds() < self.fetched.seconds().saturating_add(seconds)
    }
}

impl KeyCache {
    pub(super) fn new(retry_seconds: u64) -> Self {
        Self {
            current: RwLock::default(),
            failure: RwLock::default(),
            last_attempt: tokio::sync::Mutex::default(),
            retry_seconds,
            host: None,
        }
    }

    /// Of an issuer that may be made up, at this host.
    pub(super) fn at(self, host: Host) -> Self {
        Self { host: Some(host), ..self }
    }

    /// When the current keys were fetched.
    pub(super) fn fetched(&self) -> Option<Timestamp> {
        self.snapshot().map(|snapshot| snapshot.fetched)
    }

    /// Returns the status, for the issuer called `issuer`.
    pub(super) fn state(&self, configured: &str, issuer: String) -> KeyState {
        let failing = *self.failure.read().unwrap_or_else(PoisonError::into_inner);
        KeyState { configured: configured.to_owned(), issuer, fetched: self.fetched(), failing }
    }

    /// Verifies the signature of `token` with the issuer's keys. Fetches them if that is needed and due.
    pub(super) async fn verify(
        &self,
        token: &UnverifiedToken,
        location: &KeyLocation,
        fetcher: &dyn Fetch,
        now: Timestamp,
    ) -> Result<(), TokenRefusal> {
        let usable = || self.snapshot().filter(|snapshot| snapshot.is_younger_than(MAX_STALENESS_SECONDS, now));
        let known = usable();
        if let Some(known) = &known {
            // Keys due for a refresh are used until the running fetch has ended.
            if known.is_younger_than(FRESH_SECONDS, now) || self.last_attempt.try_lock().is_err() {
                match known.keys.verify(token) {
                    // A new key may have appeared since. Every other verdict is final.
                    Err(TokenRefusal::KeyUnknown) => {}
                    verdict => {
                        HITS.fetch_add(1, Ordering::Relaxed);
                        return verdict;
                    }
                }
            }
        }
        MISSES.fetch_add(1, Ordering::Relaxed);
        let fresh = known.filter(|known| known.is_younger_than(FRESH_SECONDS, now));
        let refreshed = self.refresh(location, fetcher, fresh.as_ref(), now).await;
        match (usable(), refreshed) {
            (Some(snapshot), _) => snapshot.keys.verify(token),
            (None, Err(refusal)) => Err(refusal),
            (None, Ok(())) => Err(TokenRefusal::IssuerStale),
        }
    }

    /// Fetches a set, unless there is a fresh one or the last attempt is too recent.
    pub(super) async fn fetch(
        &self,
        location: &KeyLocation,
        fetcher: &dyn Fetch,
        now: Timestamp,
    ) -> Result<(), TokenRefusal> {
        self.refresh(location, fetcher, None, now).await
    }

    /// Fetches a set newer than `seen`, unless another task has just done so, or the last attempt is too recent.
    async fn refresh(
        &self,
        location: &KeyLocation,
        fetcher: &dyn Fetch,
        seen: Option<&Snapshot>,
        now: Timestamp,
    ) -> Result<(), TokenRefusal> {
        let mut last_attempt = self.last_attempt.lock().await;
        let current = self.snapshot();
        let newer = match (&current, seen) {
            (Some(current), Some(seen)) => !Arc::ptr_eq(&current.keys, &seen.keys),
            (Some(current), None) => current.is_younger_than(FRESH_SECONDS, now),
            (None, _) => false,
        };
        let interval = if current.is_some() { REFRESH_INTERVAL_SECONDS } else { self.retry_seconds };
        let too_soon = last_attempt.is_some_and(|last| now.seconds() < last.seconds().saturating_add(interval));
        if newer || too_soon {
            return Ok(());
        }
        let host = self.host.as_ref().filter(|_| current.is_none());
        let _permit = host.map(|host| host.begin(now)).transpose()?;
        *last_attempt = Some(now);
        let fetched = location.key_set(fetcher).await.and_then(|document| Ok(KeySet::parse(&document)?));
        match fetched {
            Ok(keys) => {
                let snapshot = Snapshot { keys: Arc::new(keys), fetched: now };
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
                if self.failure.write().unwrap_or_else(PoisonError::into_inner).take().is_some() {
                    tracing::info!("an issuer's keys could be refreshed again");
                }
                Ok(())
            }
            Err(refusal) => {
                if let Some(host) = host {
                    host.failed(now);
                }
                let age_seconds = current.map(|current| now.seconds().saturating_sub(current.fetched.seconds()));
                tracing::warn!(
                    code = refusal.code(), %refusal, age_seconds,
                    "an issuer's keys cannot be refreshed; the previous ones are used for a day"
                );
                let mut failure = self.failure.write().unwrap_or_else(PoisonError::into_inner);
                let since = failure.map_or(now, |(since, _)| since);
                *failure = Some((since, refusal.code()));
                Err(refusal)
            }
        }
    }

    fn snapshot(&self) -> Option<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
