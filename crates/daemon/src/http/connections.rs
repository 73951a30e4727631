//! Limits the open connections of one address, so that no single client takes all that a process can have.
//!
//! Behind a proxy every client has the proxy's address: there, set this limit in the proxy and not here.

use super::Peer;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Open connections by address.
#[derive(Debug)]
pub struct ConnectionLimit {
    per_address: NonZeroUsize,
    open: Mutex<HashMap<Peer, usize>>,
    refused: AtomicU64,
}

/// A connection that counts until this is dropped.
pub(super) struct Admitted {
    limit: Arc<ConnectionLimit>,
    peer: Peer,
}

impl ConnectionLimit {
    /// Allows this many open connections of one address.
    #[must_use]
    pub fn new(per_address: NonZeroUsize) -> Self {
        Self { per_address, open: Mutex::default(), refused: AtomicU64::new(0) }
    }

    /// Connections refused since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts a connection, or refuses it if the limit is reached.
    pub(super) fn admit(self: &Arc<Self>, peer: Peer) -> Option<Admitted> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(peer).or_default();
        if *count >= self.per_address.get() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *count += 1;
        Some(Admitted { limit: Arc::clone(self), peer })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.limit.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_count() {
        let limit = Arc::new(ConnectionLimit::new(NonZeroUsize::new(2).unwrap()));
        let admit = |address: &str| limit.admit(Peer::of(address.parse().unwrap()));
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
        assert!(limit.open.lock().unwrap().is_empty(), "nothing is kept of those who have gone");
    }
}
