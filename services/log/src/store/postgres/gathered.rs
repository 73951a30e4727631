//! Reads of single rows that are made together.
//!
//! A read that arrives while queries are running joins the next query, with all other such reads. There is no timer, as
//! for batches. A read that arrives alone is sent at once, as its own query. Under load the reads share most of a
//! query's cost, at either end of its connection.

use super::StoreError;
use crate::Corrupt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::yield_now;

/// Queries that run at a time: while one is on its way to the database another is being answered.
const TURNS: usize = 2;
/// Keys in one query.
const MAX_KEYS: usize = 128;

/// One kind of read, of what `K` names.
#[derive(Debug)]
pub(super) struct Gathered<K, V> {
    waiting: Mutex<Vec<Asked<K, V>>>,
    turns: Semaphore,
}

/// A key, and who wants to know.
type Asked<K, V> = (K, oneshot::Sender<V>);

impl<K, V> Default for Gathered<K, V> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turns: Semaphore::new(TURNS) }
    }
}

impl<K: Copy, V> Gathered<K, V> {
    /// Returns the value that `query` finds for `key`. `query` returns the values for a list of keys, in their order.
    /// If it fails, the read that ran it fails, and every other read of the batch asks for its own key alone.
    pub(super) async fn read<F: Future<Output = Result<Vec<V>, StoreError>>>(
        &self,
        key: K,
        query: impl Fn(Vec<K>) -> F,
    ) -> Result<V, StoreError> {
        let (sender, mut answer) = oneshot::channel();
        self.waiting().push((key, sender));
        let mut is_taken = false;
        let answered = loop {
            tokio::select! {
                biased;
                answered = &mut answer => break answered.ok(),
                // Never closed.
                _turn = self.turns.acquire(), if !is_taken => {
                    // Yield once, so that requests already in the queue join this query.
                    yield_now().await;
                    let (keys, askers): (Vec<_>, Vec<_>) = self.next().into_iter().unzip();
                    // If the list is empty, another read's query includes this key.
                    is_taken = keys.is_empty();
                    if !is_taken {
                        for (asker, value) in askers.into_iter().zip(query(keys).await?) {
                            // Who has gone away needs no answer.
                            let _ = asker.send(value);
                        }
                    }
                }
            }
        };
        if let Some(value) = answered {
            return Ok(value);
        }
        let alone = query(vec![key]).await?.pop();
        Ok(alone.ok_or(Corrupt::new("a query answers every key"))?)
    }

    /// Those who are asked for next: who has waited longest first.
    fn next(&self) -> Vec<Asked<K, V>> {
        let mut waiting = self.waiting();
        let count = waiting.len().min(MAX_KEYS);
        waiting.drain(..count).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Asked<K, V>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    /// A database that answers a query with its keys when it is told to, and remembers what it was asked.
    #[derive(Default)]
    struct Database {
        reads: Gathered<u32, u32>,
        queries: Mutex<Vec<Vec<u32>>>,
        go: Notify,
    }

    impl Database {
        fn ask(self: &Arc<Self>, key: u32) -> JoinHandle<Result<u32, StoreError>> {
            let database = Arc::clone(self);
            tokio::spawn(async move {
                let query = |keys: Vec<u32>| async {
                    database.queries.lock().unwrap().push(keys.clone());
                    database.go.notified().await;
                    if keys == [13, 14] { Err(StoreError::Timeout) } else { Ok(keys) }
                };
                database.reads.read(key, query).await
            })
        }

        fn queries(&self) -> Vec<Vec<u32>> {
            self.queries.lock().unwrap().clone()
        }
    }

    /// Lets every task run until it waits.
    async fn settle() {
        for _ in 0..100 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_asks_meanwhile_goes_into_one_query() {
        let database = Arc::new(Database::default());
        let mut asked = Vec::new();
        for key in 1..=5 {
            asked.push(database.ask(key));
            settle().await;
        }
        assert_eq!(database.queries(), [vec![1], vec![2]], "two at a time");
        database.go.notify_one();
        settle().await;
        assert_eq!(database.queries()[2], [3, 4, 5]);
        for _ in 0..2 {
            database.go.notify_one();
            settle().await;
        }
        for (key, answer) in (1..).zip(asked) {
            assert_eq!(answer.await.unwrap().unwrap(), key);
        }
        assert_eq!(database.queries().len(), 3);
    }

    #[tokio::test]
    async fn more_than_fit_into_one_query_are_all_answered() {
        let database = Arc::new(Database::default());
        let count = u32::try_from(3 * MAX_KEYS).unwrap();
        let asked: Vec<_> = (0..count).map(|key| database.ask(key)).collect();
        while !asked.iter().all(JoinHandle::is_finished) {
            database.go.notify_one();
            settle().await;
        }
        assert!(database.queries().iter().all(|keys| keys.len() <= MAX_KEYS));
        for (key, answer) in (0..).zip(asked) {
            assert_eq!(answer.await.unwrap().unwrap(), key);
        }
    }

    #[tokio::test]
    async fn a_failure_is_that_of_who_made_the_query() {
        let database = Arc::new(Database::default());
        let mut asked = Vec::new();
        for key in [1, 2, 13, 14] {
            asked.push(database.ask(key));
            settle().await;
        }
        for _ in 0..3 {
            database.go.notify_one();
            settle().await;
        }
        assert_eq!(database.queries()[2..], [vec![13, 14], vec![14]]);
        database.go.notify_one();
        let last = asked.pop().unwrap().await.unwrap();
        assert_eq!(last.unwrap(), 14);
        assert!(asked.pop().unwrap().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn who_is_dropped_leaves_the_others_to_ask_alone() {
        let database = Arc::new(Database::default());
        let mut asked = Vec::new();
        for key in [1, 2, 3, 4] {
            asked.push(database.ask(key));
            settle().await;
        }
        database.go.notify_one();
        settle().await;
        assert_eq!(database.queries()[2], [3, 4]);
        asked[2].abort();
        settle().await;
        assert_eq!(database.queries()[3], [4]);
        database.go.notify_waiters();
        settle().await;
        assert_eq!(asked.pop().unwrap().await.unwrap().unwrap(), 4);
    }
}
