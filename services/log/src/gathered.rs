//! Queries that several requests share.
//!
//! A read that arrives while queries are running joins the next query, with all other such reads. There is no timer, as
//! for batches. A read that arrives alone is sent at once, as its own query. Under load the reads share most of a
//! query's cost, at either end of its connection.
//!
//! A query belongs to no request: it runs in a task of its own. A request that is dropped abandons only its own result, and a
//! failure is that of all who wait for the query. If each asked again alone, a database in trouble would get as many
//! queries as there are requests.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio::task::yield_now;

/// The task of a query ended without an answer: with its runtime, or in a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

/// One kind of read, of what `K` names.
#[derive(Debug)]
pub(crate) struct Gathered<K, V, E>(Arc<Queue<K, V, E>>);

#[derive(Debug)]
struct Queue<K, V, E> {
    state: Mutex<State<K, V, E>>,
    /// Queries that run at a time.
    turns: usize,
    /// Keys in one query.
    max_keys: usize,
}

#[derive(Debug)]
struct State<K, V, E> {
    waiting: Vec<Asked<K, V, E>>,
    /// Tasks that ask for those who wait, until nobody does.
    running: usize,
}

/// A key, and where its answer goes.
type Asked<K, V, E> = (K, oneshot::Sender<Result<V, E>>);

/// The right to run queries, and the duty to give it back.
struct Turn<K, V, E> {
    queue: Arc<Queue<K, V, E>>,
    /// Whether [`Turn::next`] has given it back.
    is_over: bool,
}

impl<K, V, E> Gathered<K, V, E> {
    pub(crate) fn new(turns: usize, max_keys: usize) -> Self {
        let state = Mutex::new(State { waiting: Vec::new(), running: 0 });
        Self(Arc::new(Queue { state, turns, max_keys }))
    }
}

impl<K, V, E> Gathered<K, V, E>
where
    K: Send + 'static,
    V: Send + 'static,
    E: Clone + From<Lost> + Send + 'static,
{
    /// Returns the value that `query` finds for `key`. `query` returns the values for a list of keys, in their order.
    /// It begins after this is called. The query may be that of another read: all reads of one kind MUST pass the same.
    pub(crate) async fn read<Q, F>(&self, key: K, query: Q) -> Result<V, E>
    where
        Q: Fn(Vec<K>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<V>, E>> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        if let Some(turn) = self.join(key, sender) {
            tokio::spawn(turn.run(query));
        }
        answer.await.unwrap_or_else(|_| Err(Lost.into()))
    }

    /// Waits for an answer to `key`. Returns a turn, if one is free: it must run.
    fn join(&self, key: K, sender: oneshot::Sender<Result<V, E>>) -> Option<Turn<K, V, E>> {
        let mut state = self.0.state();
        state.waiting.push((key, sender));
        if state.running >= self.0.turns {
            return None;
        }
        state.running += 1;
        Some(Turn { queue: Arc::clone(&self.0), is_over: false })
    }
}

impl<K, V, E> Queue<K, V, E> {
    fn state(&self) -> MutexGuard<'_, State<K, V, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V, E: Clone> Turn<K, V, E> {
    /// Runs queries until no read waits.
    async fn run<F: Future<Output = Result<Vec<V>, E>>>(mut self, query: impl Fn(Vec<K>) -> F) {
        loop {
            // Yield once, so that requests already in the queue join this query.
            yield_now().await;
            let (keys, askers): (Vec<_>, Vec<_>) = self.next().into_iter().unzip();
            if keys.is_empty() {
                return;
            }
            // A request that was dropped meanwhile needs no answer.
            match query(keys).await {
                Ok(values) => {
                    for (asker, value) in askers.into_iter().zip(values) {
                        let _ = asker.send(Ok(value));
                    }
                }
                Err(error) => {
                    for asker in askers {
                        let _ = asker.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// The reads of the next query: those that have waited longest, without those whose request was dropped. If there are
    /// none, the turn is over: under the same lock, so that no read is left without one.
    fn next(&mut self) -> Vec<Asked<K, V, E>> {
        let mut state = self.queue.state();
        state.waiting.retain(|(_, asker)| !asker.is_closed());
        if state.waiting.is_empty() {
            state.running -= 1;
            self.is_over = true;
        }
        let count = state.waiting.len().min(self.queue.max_keys);
        state.waiting.drain(..count).collect()
    }
}

impl<K, V, E> Drop for Turn<K, V, E> {
    /// A task that ended early gives its turn back. If it was the only one, those who wait are told so.
    fn drop(&mut self) {
        if !self.is_over {
            let mut state = self.queue.state();
            state.running -= 1;
            if state.running == 0 {
                state.waiting.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    const MAX_KEYS: usize = 128;

    /// Why a query failed, with a number of its own.
    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Failure {
        Lost,
        Query(usize),
    }

    impl From<Lost> for Failure {
        fn from(Lost: Lost) -> Self {
            Self::Lost
        }
    }

    /// A database that answers a query with its keys when it is told to, and remembers what it was asked.
    struct Database {
        reads: Gathered<u32, u32, Failure>,
        queries: Mutex<Vec<Vec<u32>>>,
        go: Notify,
    }

    impl Database {
        fn new() -> Arc<Self> {
            let reads = Gathered::new(2, MAX_KEYS);
            Arc::new(Self { reads, queries: Mutex::default(), go: Notify::new() })
        }

        fn ask(self: &Arc<Self>, key: u32) -> JoinHandle<Result<u32, Failure>> {
            let database = Arc::clone(self);
            tokio::spawn(async move {
                let asked = Arc::clone(&database);
                let query = move |keys: Vec<u32>| {
                    let database = Arc::clone(&asked);
                    async move { database.answer(keys).await }
                };
                database.reads.read(key, query).await
            })
        }

        async fn answer(&self, keys: Vec<u32>) -> Result<Vec<u32>, Failure> {
            let number = {
                let mut queries = self.queries.lock().unwrap();
                queries.push(keys.clone());
                queries.len()
            };
            self.go.notified().await;
            assert_ne!(keys, [99], "a query that panics");
            if keys == [13, 14] { Err(Failure::Query(number)) } else { Ok(keys) }
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

    /// Asks for each of these keys when the last one waits.
    async fn ask_in_turn(
        database: &Arc<Database>,
        keys: impl IntoIterator<Item = u32>,
    ) -> Vec<JoinHandle<Result<u32, Failure>>> {
        let mut asked = Vec::new();
        for key in keys {
            asked.push(database.ask(key));
            settle().await;
        }
        asked
    }

    #[tokio::test]
    async fn who_asks_meanwhile_goes_into_one_query() {
        let database = Database::new();
        let asked = ask_in_turn(&database, 1..=5).await;
        assert_eq!(database.queries(), [vec![1], vec![2]], "two at a time");
        database.go.notify_one();
        settle().await;
        assert_eq!(database.queries()[2], [3, 4, 5]);
        for _ in 0..2 {
            database.go.notify_one();
            settle().await;
        }
        for (key, answer) in (1..).zip(asked) {
            assert_eq!(answer.await.unwrap(), Ok(key));
        }
        assert_eq!(database.queries().len(), 3);
    }

    #[tokio::test]
    async fn more_than_fit_into_one_query_are_all_answered() {
        let database = Database::new();
        let count = u32::try_from(3 * MAX_KEYS).unwrap();
        let asked: Vec<_> = (0..count).map(|key| database.ask(key)).collect();
        while !asked.iter().all(JoinHandle::is_finished) {
            database.go.notify_one();
            settle().await;
        }
        assert!(database.queries().iter().all(|keys| keys.len() <= MAX_KEYS));
        for (key, answer) in (0..).zip(asked) {
            assert_eq!(answer.await.unwrap(), Ok(key));
        }
    }

    #[tokio::test]
    async fn a_failure_is_that_of_all_who_wait_for_the_query() {
        let database = Database::new();
        let mut asked = ask_in_turn(&database, [1, 2, 13, 14]).await;
        for _ in 0..3 {
            database.go.notify_one();
            settle().await;
        }
        assert_eq!(database.queries()[2..], [vec![13, 14]], "nobody asks again alone");
        for answer in asked.drain(2..) {
            assert_eq!(answer.await.unwrap(), Err(Failure::Query(3)));
        }
        let next = database.ask(15);
        database.go.notify_one();
        assert_eq!(next.await.unwrap(), Ok(15), "a failure ends nothing");
    }

    #[tokio::test]
    async fn a_request_that_is_dropped_takes_nobody_with_it() {
        let database = Database::new();
        let mut asked = ask_in_turn(&database, [1, 2, 3, 4, 5]).await;
        // One whose query runs, and one that waits.
        for dropped in [0, 2] {
            asked[dropped].abort();
        }
        settle().await;
        assert_eq!(database.queries().len(), 2, "the query of the first one goes on");
        database.go.notify_one();
        settle().await;
        assert_eq!(database.queries()[2], [4, 5], "nobody waits for 3");
        for _ in 0..2 {
            database.go.notify_one();
            settle().await;
        }
        for key in [5, 4, 2] {
            let at = usize::try_from(key).unwrap() - 1;
            assert_eq!(asked.remove(at).await.unwrap(), Ok(key));
        }
        assert_eq!(database.queries().len(), 3);
    }

    #[tokio::test]
    async fn a_query_that_panics_leaves_nobody_waiting() {
        let database = Database::new();
        let asked = ask_in_turn(&database, [99]).await;
        database.go.notify_one();
        for answer in asked {
            assert_eq!(answer.await.unwrap(), Err(Failure::Lost));
        }
        let next = database.ask(7);
        settle().await;
        database.go.notify_one();
        assert_eq!(next.await.unwrap(), Ok(7));
    }
}
