//! Reads of what other replicas may have changed.
//!
//! A read must see everything that was committed before it began. One query serves all reads that began before it:
//! under load a read costs a fraction of a query, and on an idle log it costs one.

use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

/// One thing that is read.
pub(crate) struct SharedRead<T> {
    /// Queries that have begun.
    begun: AtomicU64,
    /// The last query that was answered: its number, and what it found.
    answered: Mutex<Option<(u64, T)>>,
}

impl<T> Default for SharedRead<T> {
    fn default() -> Self {
        Self { begun: AtomicU64::default(), answered: Mutex::default() }
    }
}

impl<T: Copy> SharedRead<T> {
    /// What `query` finds, or what one found that began after this was called.
    pub(crate) async fn now<E>(&self, query: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut answered = self.answered.lock().await;
        if let Some((number, found)) = *answered
            && number > before
        {
            return Ok(found);
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let found = query().await?;
        *answered = Some((number, found));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use tokio::sync::Notify;
    use tokio::task::yield_now;

    #[tokio::test]
    async fn who_asks_while_a_query_runs_gets_the_next_one_and_shares_it() {
        let (read, queries, go) =
            (Arc::new(SharedRead::default()), Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let ask = || {
            let (read, queries, go) = (read.clone(), queries.clone(), go.clone());
            tokio::spawn(async move {
                let query = async || {
                    let number = queries.fetch_add(1, Ordering::SeqCst) + 1;
                    go.notified().await;
                    Ok::<_, Infallible>(number)
                };
                read.now(query).await.unwrap()
            })
        };
        let first = ask();
        while queries.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        let others: Vec<_> = (0..10).map(|_| ask()).collect();
        yield_now().await;
        go.notify_one();
        assert_eq!(first.await.unwrap(), 1);
        go.notify_one();
        for other in others {
            assert_eq!(other.await.unwrap(), 2);
        }
        go.notify_one();
        assert_eq!(ask().await.unwrap(), 3, "nobody is answered with what was found before they asked");
    }
}
