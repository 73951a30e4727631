//! A bounded cache of facts about a digest. Verdicts are never cached.
//!
//! A manifest never changes, but its referrers do, so facts expire. Concurrent requests for the same fact share one
//! reading. A failure is kept for a short time, so that not every request goes to a registry that is down.

use moka::sync::Cache;
use std::{hash::Hash, sync::Arc, time::Duration};
use tokio::sync::OnceCell;

/// Limits of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum bytes of all facts together.
    pub bytes: u64,
    /// How long a fact is kept.
    pub life: Duration,
    /// How long a failure is kept.
    pub failure_life: Duration,
}

impl Default for Bounds {
    /// 64 MiB, one minute, two seconds.
    fn default() -> Self {
        Self { bytes: 64 * 1024 * 1024, life: Duration::from_mins(1), failure_life: Duration::from_secs(2) }
    }
}

/// Maximum number of failures, and of readings in flight.
const MAX_SMALL: u64 = 4096;

type Flight<V, E> = Arc<OnceCell<Result<Arc<V>, E>>>;

/// A cache of facts `V` by `K`. `E` is the error of a reading.
pub struct Facts<K, V, E> {
    known: Cache<K, Arc<V>>,
    failures: Cache<K, E>,
    flights: Cache<K, Flight<V, E>>,
}

impl<K, V, E> std::fmt::Debug for Facts<K, V, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts").finish_non_exhaustive()
    }
}

impl<K, V, E> Facts<K, V, E>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// Makes an empty cache. `weight` returns the size of a fact in bytes.
    pub fn new(bounds: Bounds, weight: impl Fn(&V) -> usize + Send + Sync + 'static) -> Self {
        let weigh = move |_: &K, fact: &Arc<V>| u32::try_from(weight(fact)).unwrap_or(u32::MAX).max(1);
        let known = Cache::builder().max_capacity(bounds.bytes).weigher(weigh).time_to_live(bounds.life).build();
        let failures = Cache::builder().max_capacity(MAX_SMALL).time_to_live(bounds.failure_life).build();
        Self { known, failures, flights: Cache::builder().max_capacity(MAX_SMALL).build() }
    }

    /// Returns the fact about `key`, from the cache or from `read`. Concurrent calls for one key wait for the same reading.
    pub async fn get<F: Future<Output = Result<V, E>>>(&self, key: K, read: impl FnOnce() -> F) -> Result<Arc<V>, E> {
        if let Some(fact) = self.known.get(&key) {
            return Ok(fact);
        }
        if let Some(failure) = self.failures.get(&key) {
            return Err(failure);
        }
        let flight = self.flights.get_with(key.clone(), Flight::default);
        let answer = flight
            .get_or_init(|| async {
                // Another reading may have ended since the check above.
                if let Some(fact) = self.known.get(&key) {
                    return Ok(fact);
                }
                let answer = read().await.map(Arc::new);
                match &answer {
                    Ok(fact) => self.known.insert(key.clone(), Arc::clone(fact)),
                    Err(failure) => self.failures.insert(key.clone(), failure.clone()),
                }
                self.flights.invalidate(&key);
                answer
            })
            .await;
        answer.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn many_share_one_reading() {
        let facts = Facts::<u8, u64, String>::new(Bounds::default(), |_| 8);
        let readings = AtomicUsize::new(0);
        let read = || async {
            readings.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(7)
        };
        let (a, b, c) = tokio::join!(facts.get(1, read), facts.get(1, read), facts.get(1, read));
        assert_eq!((a.unwrap(), b.unwrap(), c.unwrap()), (Arc::new(7), Arc::new(7), Arc::new(7)));
        assert_eq!(*facts.get(1, read).await.unwrap(), 7);
        assert_eq!(readings.load(Ordering::SeqCst), 1);
        assert_eq!(*facts.get(2, read).await.unwrap(), 7);
        assert_eq!(readings.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_failure_is_kept_shortly_and_a_reader_that_left_does_not_block() {
        let bounds = Bounds { failure_life: Duration::from_millis(30), ..Bounds::default() };
        let facts = Facts::<u8, u64, String>::new(bounds, |_| 8);
        assert_eq!(facts.get(1, || async { Err("down".to_owned()) }).await.unwrap_err(), "down");
        assert_eq!(facts.get(1, || async { Ok(1) }).await.unwrap_err(), "down");
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(*facts.get(1, || async { Ok(1) }).await.unwrap(), 1);
        let hangs = facts.get(2, || async { std::future::pending().await });
        assert!(tokio::time::timeout(Duration::from_millis(10), hangs).await.is_err());
        assert_eq!(*facts.get(2, || async { Ok(2) }).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn what_is_large_leaves() {
        let facts = Facts::<u32, Vec<u8>, ()>::new(Bounds { bytes: 1000, ..Bounds::default() }, Vec::len);
        for key in 0..100 {
            facts.get(key, || async { Ok(vec![0; 100]) }).await.unwrap();
        }
        facts.known.run_pending_tasks();
        assert!(facts.known.weighted_size() <= 1000);
        assert_eq!(facts.flights.iter().count(), 0);
    }
}
