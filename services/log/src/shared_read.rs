//! Reads of what other replicas may have changed.
//!
//! A read must see everything that was committed before it began. One query serves all reads that began before it:
//! under load a read costs a fraction of a query, and on an idle log it costs one. How queries are shared is said in
//! [`crate::gathered`].

use crate::gathered::{Gathered, Lost};
use std::future::Future;

/// One thing that is read.
pub(crate) struct SharedRead<T, E>(Gathered<(), T, E>);

impl<T, E> Default for SharedRead<T, E> {
    fn default() -> Self {
        // One at a time: a read that arrives during a query needs the next one.
        Self(Gathered::new(1, usize::MAX))
    }
}

impl<T, E> SharedRead<T, E>
where
    T: Clone + Send + 'static,
    E: Clone + From<Lost> + Send + 'static,
{
    /// What a `query` finds that began after this was called. All reads MUST pass the same.
    pub(crate) async fn now<Q, F>(&self, query: Q) -> Result<T, E>
    where
        Q: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let query = move |asked: Vec<()>| {
            let found = query();
            async move { Ok::<_, E>(vec![found.await?; asked.len()]) }
        };
        self.0.read((), query).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Notify;
    use tokio::task::yield_now;

    #[tokio::test]
    async fn who_asks_while_a_query_runs_gets_the_next_one_and_shares_it() {
        let (read, queries, go) =
            (Arc::new(SharedRead::default()), Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let ask = || {
            let (read, queries, go) = (read.clone(), queries.clone(), go.clone());
            tokio::spawn(async move {
                let query = move || {
                    let (queries, go) = (queries.clone(), go.clone());
                    async move {
                        let number = queries.fetch_add(1, Ordering::SeqCst) + 1;
                        go.notified().await;
                        if number == 4 { Err(Lost) } else { Ok(number) }
                    }
                };
                read.now(query).await
            })
        };
        let first = ask();
        while queries.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        let others: Vec<_> = (0..10).map(|_| ask()).collect();
        yield_now().await;
        go.notify_one();
        assert_eq!(first.await.unwrap(), Ok(1));
        go.notify_one();
        for other in others {
            assert_eq!(other.await.unwrap(), Ok(2));
        }
        go.notify_one();
        assert_eq!(ask().await.unwrap(), Ok(3), "nobody is answered with what was found before they asked");
        let together: Vec<_> = (0..3).map(|_| ask()).collect();
        go.notify_one();
        for asked in together {
            assert_eq!(asked.await.unwrap(), Err(Lost), "a failure is shared");
        }
        assert_eq!(queries.load(Ordering::SeqCst), 4);
    }
}
