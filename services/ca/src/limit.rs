//! Limits the certificates per minute of one identity, and of all identities of one issuer.
//!
//! Only requests with verified tokens count, so no caller can use up another identity's share, and memory use is
//! bounded. A keyed hash maps identities to a fixed number of slots. Two identities in one slot share its rate.

use crate::error::{Error, Share};
use crate::identity::Principal;
use chancery_daemon::clock::Clock;
use governor::clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Slots for identities. With a thousand busy identities, four in a thousand share a slot with another.
const PLACES: u64 = 1 << 18;

/// Requests with a verified token per minute; a burst may use them all at once. `None` means no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Of one identity at one issuer.
    pub per_identity: Option<NonZeroU32>,
    /// Of all identities of one issuer.
    pub per_issuer: Option<NonZeroU32>,
}

/// The limits, and their current use.
pub(crate) struct Limits {
    identities: Option<Limiter>,
    issuers: Option<Limiter>,
    places: RandomState,
    time: Time,
}

type Limiter = RateLimiter<u64, HashMapStateStore<u64>, Time, NoOpMiddleware<Duration>>;

/// The authority's clock in the limiter's form: time since 1970.
#[derive(Clone)]
struct Time(Arc<dyn Clock>);

impl clock::Clock for Time {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now().millis())
    }
}

impl Limits {
    /// Starts with nothing used.
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
    /// [`Error::Limited`] if the limit is reached.
    pub(crate) fn admit(&self, principal: &Principal) -> Result<(), Error> {
        let issuer = principal.issuer.as_str();
        // The narrower limit first: an identity over its limit must not use up the limit that all share.
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
