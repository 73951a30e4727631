//! Connections to `PostgreSQL` that are used again at once.
//!
//! sqlx's pool asks every connection that comes back whether it is still there: a second round trip for each statement,
//! which costs server and database as much as the statement itself. Here a connection comes back only from a statement
//! that succeeded, and is asked only after it has rested; whoever finds it dead all the same tries again with another.

use futures_util::future::{BoxFuture, TryFutureExt as _};
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection as _, Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A request waits this long for a connection, and is then told to come back.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that rested longer is tried before it is used: the server may have been restarted meanwhile.
const TRUSTED_REST: Duration = Duration::from_secs(1);

/// A bounded number of connections; clones share them.
#[derive(Debug, Clone)]
pub struct Connections {
    /// Opens them, and waits for a server that starts. They do not go back to it.
    pool: PgPool,
    permits: Arc<Semaphore>,
    resting: Resting,
}

/// Those that wait for work, and since when; the one that has waited longest in front.
type Resting = Arc<Mutex<Vec<(PgConnection, Instant)>>>;

impl Connections {
    pub(super) fn new(pool: PgPool, count: u32) -> Self {
        Self { pool, permits: Arc::new(Semaphore::new(count as usize)), resting: Resting::default() }
    }

    /// A connection, for as long as the answer is kept. Fails where none becomes free within five seconds.
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

    /// The one that rested for the shortest time.
    fn rested(&self) -> Option<(PgConnection, Instant)> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Closes those that rest; nobody is lent another.
    pub async fn close(&self) {
        self.permits.close();
        while let Some((connection, _)) = self.rested() {
            // What the server thinks of it makes no difference any more.
            let _closed = connection.close().await;
        }
        self.pool.close().await;
    }
}

/// A connection on loan. Dropped, it is closed, and with it ends whatever it was about to do.
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
