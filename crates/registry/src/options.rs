//! How registries are asked: times, bounds, trust and where credentials are. Values only.

use crate::Locations;
use std::{fmt, sync::Arc, time::Duration};

/// How much longer to wait than a pause, so that many do not come back at once. Random values come from the caller.
pub type Jitter = Arc<dyn Fn(Duration) -> Duration + Send + Sync>;

/// How registries are asked.
#[derive(Clone)]
pub struct Options {
    /// A connection must stand after this time.
    pub connect: Duration,
    /// A request must be answered to the last byte after this time.
    pub request: Duration,
    /// Requests that are on their way at a time.
    pub concurrency: usize,
    /// Registries (`HOST` or `HOST:PORT`) that are spoken to without TLS, beside those on this machine.
    pub plain_hosts: Vec<String>,
    /// Certificates (PEM) that are trusted beside the system's.
    pub authorities: Option<Vec<u8>>,
    /// Where credentials are.
    pub credentials: Locations,
    /// Added to pauses.
    pub jitter: Jitter,
    /// Bounds of what is listed.
    pub limits: Limits,
}

/// Bounds of what one image may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pages of a list of referrers.
    pub pages: usize,
    /// Referrers that are listed.
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
        // Credentials stay out of it.
        f.debug_struct("Options").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}
