//! A pool of connections to `PostgreSQL` that checks only idle connections.
//!
//! sqlx's pool tests every returned connection: a second round trip for each statement, which costs server and database
//! as much as the statement itself. Here a connection is returned only after a statement that succeeded, and is tested
//! only after it was idle. A caller whose connection is dead all the same retries with another one.

use futures_util::future::{BoxFuture, TryFutureExt as _};
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection as _, Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a request waits for a connection before it fails with «try again later».
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection idle for longer is tested before use: the server may have been restarted meanwhile.
const TRUSTED_REST: Duration = Duration::from_secs(1);

/// A bounded number of connections; clones share them.
#[derive(Debug, Clone)]
pub struct Connections {
    /// Opens connections. Waits for a server that is starting. The connections never return to this pool.
    pool: PgPool,
    permits: Arc<Semaphore>,
    resting: Resting,
}

/// Idle connections and since when; the longest idle is in front.
type Resting = Arc<Mutex<Vec<(PgConnection, Instant)>>>;

impl Connections {
    pub(super) fn new(pool: PgPool, count: u32) -> Self {
        Self { pool, permits: Arc::new(Semaphore::new(count as usize)), resting: Resting::default() }
    }

    /// Lends a connection until the guard is dropped. Fails if none becomes free within five seconds.
    pub async fn acquire(&self) -> Result<Lent, sqlx::Error> {
        timeout(ACQUIRE_TIMEOUT, self.lend()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn lend(&self) -> Result<Lent, sqlx::Error> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let lent = |connection| Lent { connection, resting: self.resting.clone(), _permit: permit };
        while let Some((mut connection, since)) = self.rested() {
            if since.elapsed() <= TRUSTED_REST || connection.ping().await.is_ok() {
                return Ok(lent(connection));
            }
        }
        Ok(lent(self.pool.acquire().await?.detach()))
    }

    /// Takes the connection with the shortest idle time.
    fn rested(&self) -> Option<(PgConnection, Instant)> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Closes the idle connections. No connection is lent after that.
    pub async fn close(&self) {
        self.permits.close();
        while let Some((connection, _)) = self.rested() {
            // The connection is closed in any case, so the server's answer does not matter.
            let _closed = connection.close().await;
        }
        self.pool.close().await;
    }
}

/// A connection on loan. Dropping it closes the connection and cancels its transaction.
#[derive(Debug)]
pub struct Lent {
    connection: PgConnection,
    resting: Resting,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    /// Gives back a connection whose last statement succeeded.
    pub fn give_back(self) {
        let rested = (self.connection, Instant::now());
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).push(rested);
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// Runs each statement on a connection of its own.
impl<'c> Executor<'c> for &Connections {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let connections = self.clone();
        let all = async move {
            let mut connection = connections.acquire().await?;
            let all: Vec<_> = connection.fetch_many(query).try_collect().await?;
            connection.give_back();
            Ok(stream::iter(all.into_iter().map(Ok)))
        };
        all.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let connections = self.clone();
        Box::pin(async move {
            let mut connection = connections.acquire().await?;
            let row = connection.fetch_optional(query).await?;
            connection.give_back();
            Ok(row)
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        let connections = self.clone();
        Box::pin(async move {
            let mut connection = connections.acquire().await?;
            let statement = connection.prepare_with(sql, parameters).await?;
            connection.give_back();
            Ok(statement)
        })
    }
}
