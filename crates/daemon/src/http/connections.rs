//! Limits the open connections: all of a listener, because each may hold bytes that nobody has read, and those of one address,
//! so that no single client takes all that there are.
//!
//! What a client has sent and the server has not read waits outside of the [`Budget`](crate::budget::Budget): up to
//! [`BUFFER_BYTES`] on a connection of HTTP/1, and [`WINDOW_BYTES`] on one of HTTP/2, which counts as [`HTTP2_COUNTS`]. So
//! together it is [`BUFFER_BYTES`] times the limit, 64 MiB by default. What TLS takes for a connection is not counted.
//!
//! Behind a proxy every client has the proxy's address: there, set the limit for one address in the proxy and not here.

use super::{MAX_HEADER_BYTES, Peer, WINDOW_BYTES};
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The usual limit of all connections of a listener.
const DEFAULT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);
/// Bytes that an HTTP/1 connection may have waiting to be read: a whole header must fit.
pub(super) const BUFFER_BYTES: usize = MAX_HEADER_BYTES;
/// How many connections of HTTP/1 one of HTTP/2 counts as.
const HTTP2_COUNTS: usize = WINDOW_BYTES as usize / BUFFER_BYTES;

/// Limits of a listener's open connections.
#[derive(Debug)]
pub struct ConnectionLimit {
    all: NonZeroUsize,
    per_address: Option<NonZeroUsize>,
    open: Mutex<Open>,
    refused: AtomicU64,
}

/// The connections that are open.
#[derive(Debug, Default)]
struct Open {
    /// All, as connections of HTTP/1.
    all: usize,
    by_address: HashMap<Peer, usize>,
}

/// A connection that counts until this is dropped.
pub(super) struct Admitted {
    limit: Arc<ConnectionLimit>,
    peer: Peer,
    counts: usize,
}

impl Default for ConnectionLimit {
    fn default() -> Self {
        Self::new(None, None)
    }
}

impl ConnectionLimit {
    /// Allows so many open connections, 1024 if that is not given, and so many of one address. One of HTTP/2 counts as four.
    #[must_use]
    pub fn new(all: Option<NonZeroUsize>, per_address: Option<NonZeroUsize>) -> Self {
        let all = all.unwrap_or(DEFAULT);
        Self { all, per_address, open: Mutex::default(), refused: AtomicU64::new(0) }
    }

    /// Connections refused since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts a connection, or refuses it if a limit is reached.
    pub(super) fn admit(self: &Arc<Self>, peer: Peer) -> Option<Admitted> {
        let mut open = self.open();
        let of_address = open.by_address.get(&peer).copied().unwrap_or_default();
        if open.all >= self.all.get() || self.per_address.is_some_and(|limit| of_address >= limit.get()) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        open.all += 1;
        open.by_address.insert(peer, of_address + 1);
        Some(Admitted { limit: Arc::clone(self), peer, counts: 1 })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitted {
    /// Counts it as one of HTTP/2, which it has turned out to be. Returns whether there is room for that.
    pub(super) fn speaks_http2(&mut self) -> bool {
        let mut open = self.limit.open();
        let more = HTTP2_COUNTS - self.counts;
        if open.all + more > self.limit.all.get() {
            self.limit.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        open.all += more;
        self.counts += more;
        true
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.limit.open();
        open.all -= self.counts;
        if let Some(count) = open.by_address.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(all: usize, per_address: usize) -> Arc<ConnectionLimit> {
        Arc::new(ConnectionLimit::new(NonZeroUsize::new(all), NonZeroUsize::new(per_address)))
    }

    fn peer(address: &str) -> Peer {
        Peer::of(address.parse().unwrap())
    }

    #[test]
    fn each_address_has_its_own_count() {
        let limit = limit(1000, 2);
        let admit = |address: &str| limit.admit(peer(address));
        for [one, two, three, other] in [
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2"],
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3", "2001:db8:0:1::1"],
        ] {
            let [first, second] = [one, two].map(|address| admit(address).unwrap());
            assert!(admit(three).is_none());
            assert!(admit(other).is_some());
            drop(first);
            let again = admit(three).unwrap();
            assert!(admit(one).is_none());
            drop((second, again));
        }
        assert_eq!(limit.refused(), 4);
        let open = limit.open();
        assert!(open.by_address.is_empty() && open.all == 0, "nothing is kept of those who have gone");
    }

    #[test]
    fn what_waits_to_be_read_is_bounded_by_the_number_of_connections() {
        assert_eq!(DEFAULT.get() * BUFFER_BYTES, 64 << 20);
        assert_eq!(HTTP2_COUNTS * BUFFER_BYTES, WINDOW_BYTES as usize);
        let limit = limit(6, 0);
        let admit = |number: u8| limit.admit(peer(&format!("192.0.2.{number}")));
        let (mut first, mut second) = (admit(1).unwrap(), admit(2).unwrap());
        assert!(first.speaks_http2());
        assert!(!second.speaks_http2(), "it would be eight");
        let third = admit(3).unwrap();
        assert!(admit(4).is_none());
        drop(first);
        assert!(second.speaks_http2());
        drop((second, third));
        assert_eq!((limit.open().all, limit.refused()), (0, 2));
    }
}
