//! The part of a [`Budget`](super::Budget) for bodies of one size.

use super::Busy;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a body for one permit of [`Share::threads`].
const PERMIT_BYTES: usize = 1024;
/// Requests that may wait for a thread. Their bodies are in memory, so the bytes limit them, too.
pub(super) const MAX_WAITING: usize = 256;

#[derive(Debug)]
pub(super) struct Share {
    limit_bytes: usize,
    in_flight_bytes: AtomicUsize,
    /// Permits for bodies that are being parsed and verified.
    threads: Arc<Semaphore>,
    /// All permits.
    permits: u32,
    /// Permits that even the smallest work takes, so that there are not more threads than allowed.
    least_permits: u32,
    waiting: AtomicUsize,
    refused_for_bytes: AtomicU64,
    refused_for_threads: AtomicU64,
}

/// A request that waits for a thread, until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Share {
    /// A share of `limit_bytes`. At most `threads` threads work at once, on bodies of together `worked_bytes`.
    pub(super) fn new(limit_bytes: usize, worked_bytes: usize, threads: usize) -> Self {
        let permits = permits(worked_bytes).max(1);
        let threads = u32::try_from(threads).unwrap_or(u32::MAX).max(1);
        Self {
            limit_bytes,
            in_flight_bytes: AtomicUsize::new(0),
            threads: Arc::new(Semaphore::new(usize::try_from(permits).unwrap_or(Semaphore::MAX_PERMITS))),
            permits,
            least_permits: (permits / threads).max(1),
            waiting: AtomicUsize::new(0),
            refused_for_bytes: AtomicU64::new(0),
            refused_for_threads: AtomicU64::new(0),
        }
    }

    pub(super) fn in_flight_bytes(&self) -> usize {
        self.in_flight_bytes.load(Ordering::Relaxed)
    }

    /// Refusals since the start: for bytes, and for threads.
    pub(super) fn refused(&self) -> (u64, u64) {
        (self.refused_for_bytes.load(Ordering::Relaxed), self.refused_for_threads.load(Ordering::Relaxed))
    }

    /// Takes `bytes`, which must be given back.
    pub(super) fn take(&self, bytes: usize) -> Result<(), Busy> {
        let with = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= self.limit_bytes);
        if self.in_flight_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with).is_ok() {
            return Ok(());
        }
        self.refused_for_bytes.fetch_add(1, Ordering::Relaxed);
        Err(Busy)
    }

    pub(super) fn give(&self, bytes: usize) {
        self.in_flight_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Waits for a thread for work on a body of `bytes`, in the order of arrival.
    pub(super) async fn thread(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Busy> {
        let permits = permits(bytes).clamp(self.least_permits, self.permits);
        if let Ok(thread) = Arc::clone(&self.threads).try_acquire_many_owned(permits) {
            return Ok(thread);
        }
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            self.refused_for_threads.fetch_add(1, Ordering::Relaxed);
            return Err(Busy);
        }
        let thread = Arc::clone(&self.threads).acquire_many_owned(permits).await;
        drop(waiting);
        // The semaphore is never closed.
        thread.map_err(|_closed| Busy)
    }
}

/// Permits for `bytes`.
fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX)
}
