//! What the bodies of requests may cost a process at once: memory, and threads that check them.
//!
//! There is one [`Budget`] per process. A body counts from its first bytes until its handler is done with its parsed form:
//! that is the life of a [`Load`]. What does not fit is refused at once and never waits, because waiting bodies are the
//! memory that the budget saves. Bodies of at most [`SMALL_BYTES`] have a share of their own: ordinary requests go on while
//! large ones use up theirs.
//!
//! [`Load::run`] does the work on a body. More than [`QUICK_BYTES`] may cost milliseconds (hashing, hundreds of
//! signature checks), so it is done on a thread that serves no connection. Large bodies get at most half of the cores.
//! A bounded number of requests waits for a thread.
//!
//! The memory behind a budget of B bytes: large bodies have ¾ B, small ones ¼ B. While a large body of n bytes is parsed,
//! it takes up to 4 n more: the longest case is a DSSE envelope, which is a string in JSON and has a payload in base64. Its
//! text is read through a buffer of up to 2 n; later there are its text, its payload as text, its payload, and the bytes
//! that are signed. Of large bodies, ½ B may be parsed at once. Together that is 3 B, and 384 MiB by default.
//!
//! What clients have sent and nobody has read yet waits in the buffers of connections. It is not counted here, but bounded by
//! the number of connections: 64 MiB by default ([`ConnectionLimit`](crate::http::ConnectionLimit)). With these defaults, what
//! clients send takes at most 448 MiB, which leaves 64 MiB of 512 for the process itself.
//!
//! This module knows no HTTP. What neither counts: TLS, headers of requests that are being answered, answers, and what entries
//! take in the pool of a log. Each of these has a limit of its own, or is bounded by the number of connections.

mod share;

use crate::metrics::{MetricError, Metrics};
use share::Share;
use std::sync::Arc;
use std::thread::available_parallelism;
use tracing::Span;

/// Bodies up to this size are small. A request for a certificate is, and almost every entry of a log.
pub const SMALL_BYTES: usize = 64 * 1024;
/// Work on bodies up to this size is done at once. Sixteen keys and signatures have more.
pub const QUICK_BYTES: usize = 4 * 1024;
/// The usual budget.
pub const DEFAULT_BYTES: usize = 128 << 20;
/// Half of it must be able to hold the largest body of any route.
pub const MIN_BYTES: usize = 64 << 20;

/// The budget is used up. The same request may succeed a second later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server has too many large or slow requests at the moment; try again in a second")]
pub struct Busy;

/// Seconds after which a client should retry after [`Busy`].
pub const RETRY_AFTER_SECONDS: u64 = 1;

/// The budget of a process. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Shares>);

#[derive(Debug)]
struct Shares {
    small: Share,
    large: Share,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(DEFAULT_BYTES)
    }
}

impl Budget {
    /// A budget of `bytes`, which is raised to [`MIN_BYTES`].
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self::of(bytes.max(MIN_BYTES), available_parallelism().map_or(1, usize::from))
    }

    fn of(bytes: usize, cores: usize) -> Self {
        let for_small = bytes / 4;
        Self(Arc::new(Shares {
            small: Share::new(for_small, cores.saturating_mul(SMALL_BYTES), cores),
            large: Share::new(bytes - for_small, bytes / 2, (cores / 2).max(1)),
        }))
    }

    /// Measures the budget.
    pub fn measure(&self, metrics: &Metrics) -> Result<(), MetricError> {
        let in_flight = metrics.gauges(
            "chancery_request_bytes_in_flight",
            "Bytes of request bodies that are read or checked, by size: small (up to 64 KiB) or large",
            &["size"],
        )?;
        let refused = metrics.counters(
            "chancery_requests_refused_busy_total",
            "Requests answered 503 because the budget had no bytes or no threads left, by size of the body",
            &["size", "reason"],
        )?;
        let budget = self.clone();
        metrics.before_scrape(move || {
            for (size, share) in [("small", &budget.0.small), ("large", &budget.0.large)] {
                in_flight.set(&[size], u64::try_from(share.in_flight_bytes()).unwrap_or(u64::MAX));
                let (bytes, threads) = share.refused();
                refused.advance_to(&[size, "bytes"], bytes);
                refused.advance_to(&[size, "threads"], threads);
            }
        });
        Ok(())
    }

    /// The share for a body of this size.
    fn share(&self, bytes: usize) -> &Share {
        if bytes <= SMALL_BYTES { &self.0.small } else { &self.0.large }
    }
}

/// The bytes of a body that is still arriving. They are given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Arriving {
    /// `None` outside of a server, in tests of routes.
    budget: Option<Budget>,
    bytes: usize,
}

impl Arriving {
    pub(crate) const fn new(budget: Option<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Counts `bytes` in total. A body that becomes large moves to the share of large bodies.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Busy> {
        if bytes <= self.bytes {
            return Ok(());
        }
        if let Some(budget) = &self.budget {
            let becomes_large = self.bytes > 0 && self.bytes <= SMALL_BYTES && bytes > SMALL_BYTES;
            let more = if becomes_large { bytes } else { bytes - self.bytes };
            budget.share(bytes).take(more)?;
            if becomes_large {
                budget.share(self.bytes).give(self.bytes);
            }
        }
        self.bytes = bytes;
        Ok(())
    }

    /// The body has arrived.
    pub(crate) fn arrived(self) -> Load {
        Load(Arc::new(self))
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget
            && self.bytes > 0
        {
            budget.share(self.bytes).give(self.bytes);
        }
    }
}

/// What a body that has arrived takes of the budget, until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Load(Arc<Arriving>);

impl Load {
    /// Does `work` on the body, in the span of the caller: at once if it is quick, else on a thread that serves no connection.
    /// The body counts until the work is done, even if the client has gone meanwhile.
    pub async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let bytes = self.0.bytes;
        let Some(budget) = self.0.budget.as_ref().filter(|_| bytes > QUICK_BYTES) else { return Ok(work()) };
        let thread = budget.share(bytes).thread(bytes).await?;
        let span = Span::current();
        let done = tokio::task::spawn_blocking(move || {
            let done = span.in_scope(work);
            drop((self, thread));
            done
        });
        match done.await {
            Ok(done) => Ok(done),
            // The shell handles panics. Only the end of the process cancels the task.
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => std::future::pending().await,
            },
        }
    }
}

#[cfg(test)]
mod tests;
