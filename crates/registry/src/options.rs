//! Settings of a client: times, bounds, trust and the places of credentials. Values only.

use crate::Locations;
use std::{fmt, sync::Arc, time::Duration};

/// Returns the extra time to wait after a pause, so that many clients do not retry at once. The caller makes it random.
pub type Jitter = Arc<dyn Fn(Duration) -> Duration + Send + Sync>;

/// Settings of a client.
#[derive(Clone)]
pub struct Options {
    /// Maximum time to connect.
    pub connect: Duration,
    /// Maximum time of a request, until the last byte of its answer.
    pub request: Duration,
    /// Maximum requests in flight.
    pub concurrency: usize,
    /// Registries (`HOST` or `HOST:PORT`) that are used without TLS, in addition to those on this machine.
    pub plain_hosts: Vec<String>,
    /// Certificates (PEM) that are trusted, in place of the system's authorities.
    pub authorities: Option<Vec<u8>>,
    /// Sources of credentials.
    pub credentials: Locations,
    /// The extra time of pauses.
    pub jitter: Jitter,
    /// Limits of lists.
    pub limits: Limits,
}

/// Limits of the lists of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum pages of a list of referrers.
    pub pages: usize,
    /// Maximum referrers.
    pub referrers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pages: 16, referrers: 1024 }
    }
}

impl Default for Options {
    /// 5 seconds to connect, 30 for an answer, 8 requests at a time, no credentials and no jitter.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(30),
            concurrency: 8,
            plain_hosts: Vec::new(),
            authorities: None,
            credentials: Locations::default(),
            jitter: Arc::new(|_| Duration::ZERO),
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without credentials.
        f.debug_struct("Options").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}
