//! How many certificates one identity, and all identities of one issuer, may ask for in a minute.
//!
//! Only verified tokens count: nobody can use up somebody else's share, and what is remembered is bounded. Identities share
//! a fixed number of places by a keyed hash, so that their number never grows; two that meet in one place share its rate.

use crate::Error;
use crate::identity::Principal;
use chancery_daemon::clock::Clock;
use governor::clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Places for identities. At a thousand busy ones, four in a thousand share theirs with another.
const PLACES: u64 = 1 << 18;

/// Requests with a verified token per minute; a burst may take all of them at once. `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Of one identity at one issuer.
    pub per_identity: Option<NonZeroU32>,
    /// Of all identities of one issuer.
    pub per_issuer: Option<NonZeroU32>,
}

/// Whose share of the authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Of one identity at one issuer.
    Identity,
    /// Of all identities of one issuer.
    Issuer,
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::Issuer => "issuer",
        })
    }
}

/// The limits and how much of them is used.
pub(crate) struct Limits {
    identities: Option<Limiter>,
    issuers: Option<Limiter>,
    places: RandomState,
    time: Time,
}

type Limiter = RateLimiter<u64, HashMapStateStore<u64>, Time, NoOpMiddleware<Duration>>;

/// The authority's clock, as the limiter wants it: time since 1970.
#[derive(Clone)]
struct Time(Arc<dyn Clock>);

impl clock::Clock for Time {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now().millis())
    }
}

impl Limits {
    /// Nothing is used yet.
    pub(crate) fn new(rates: Rates, clock: Arc<dyn Clock>) -> Self {
        let time = Time(clock);
        let limiter =
            |rate: NonZeroU32| Limiter::new(Quota::per_minute(rate), HashMapStateStore::default(), time.clone());
        let (identities, issuers) = (rates.per_identity.map(limiter), rates.per_issuer.map(limiter));
        Self { identities, issuers, places: RandomState::new(), time }
    }

    /// Counts a request of `principal`.
    ///
    /// # Errors
    /// [`Error::Limited`] where it is one too many.
    pub(crate) fn admit(&self, principal: &Principal) -> Result<(), Error> {
        let issuer = principal.issuer.as_str();
        // The narrower limit first: who is over it must not use up what all share.
        self.check(self.identities.as_ref(), Share::Identity, (issuer, principal.identity.as_str()))?;
        self.check(self.issuers.as_ref(), Share::Issuer, (issuer, ""))
    }

    fn check(&self, limiter: Option<&Limiter>, share: Share, key: (&str, &str)) -> Result<(), Error> {
        let Some(limiter) = limiter else { return Ok(()) };
        limiter.check_key(&(self.places.hash_one(key) % PLACES)).map_err(|until| {
            let wait = until.wait_time_from(clock::Clock::now(&self.time));
            Error::Limited {
                share,
                retry_after_seconds: wait.as_millis().div_ceil(1000).try_into().unwrap_or(60).max(1),
            }
        })
    }
}
