//! Reads of a committed head that other replicas may have moved.
//!
//! Whoever asks must see what was committed before they asked. One query serves everyone who asked before it began: under
//! load a read costs a fraction of a query, and an idle log answers with one.

use crate::store::{CommittedHead, Store, StoreError};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

#[derive(Default)]
pub(crate) struct HeadReads {
    /// Queries that have begun.
    begun: AtomicU64,
    /// The last query that was answered: its number, and what it found.
    answered: Mutex<Option<(u64, CommittedHead)>>,
}

impl HeadReads {
    /// The head as it is committed now.
    pub(crate) async fn read(&self, store: &dyn Store, log_id: i64) -> Result<CommittedHead, StoreError> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut answered = self.answered.lock().await;
        if let Some((number, head)) = *answered
            && number > before
        {
            return Ok(head);
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let head = store.head(log_id).await?;
        *answered = Some((number, head));
        Ok(head)
    }
}
