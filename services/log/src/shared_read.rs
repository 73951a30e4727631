//! Reads of what other replicas may have changed.
//!
//! Whoever asks must see what was committed before they asked. One query serves everyone who asked before it began: under
//! load a read costs a fraction of a query, and an idle log answers with one.

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
