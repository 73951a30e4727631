//! The lock on the head of a log, for a replica that would lose every race without it.

use super::StoreError;
use chancery_daemon::database::{Connections, Lent};
use sqlx::{AssertSqlSafe, Executor as _};
use std::time::Duration;
use tokio::time::timeout;

/// How long the answer to giving a lock back is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lock on the head of a log. It only makes the competition of several replicas fair: what prevents a fork is the
/// compare-and-swap on the head. If it is dropped, its connection is closed, and the server gives the lock back.
#[derive(Debug)]
#[must_use]
pub struct Lock(Option<Lent>);

impl Lock {
    /// Of a database with one writing process: there is nobody to lock out.
    pub(super) const fn nobody_out() -> Self {
        Self(None)
    }

    /// Begins a transaction of `PostgreSQL` in which the head is locked.
    pub(super) async fn take(writers: &Connections, log_id: i64) -> Result<Lent, StoreError> {
        let mut connection = writers.acquire().await?;
        // In one round trip. The lock is a statement of its own: one that waited for it would still read the entries as
        // they were before it waited. The only thing in the text that varies is a number.
        let begin = format!("/* integrate: lock */ BEGIN; SELECT lock_head({log_id})");
        connection.execute(AssertSqlSafe(begin)).await?;
        Ok(connection)
    }

    /// Commits the transaction.
    pub(super) async fn commit(mut connection: Lent) -> Result<(), StoreError> {
        connection.execute("COMMIT").await?;
        connection.give_back();
        Ok(())
    }

    /// The lock of this transaction.
    pub(super) fn held(connection: Lent) -> Self {
        Self(Some(connection))
    }

    /// The transaction; `None` where nobody is locked out.
    pub(super) fn into_transaction(self) -> Option<Lent> {
        self.0
    }

    /// Gives the lock back where nothing is to be written under it. Nothing depends on it, so that no failure is one.
    pub async fn release(self) {
        let Some(mut connection) = self.0 else { return };
        let released = timeout(PATIENCE, connection.execute("ROLLBACK")).await;
        if matches!(released, Ok(Ok(_))) {
            connection.give_back();
        }
    }
}
