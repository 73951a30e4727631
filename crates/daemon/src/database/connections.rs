//! A pool of connections to `PostgreSQL` that checks only idle connections.
//!
//! sqlx's pool tests every returned connection: a second round trip for each statement, which costs server and database
//! as much as the statement itself. Here a connection is returned only after a statement that succeeded, and is tested
//! only after it was idle. A caller whose connection is dead all the same retries with another one. A connection to a primary
//! that another one has replaced is alive, and is not lent again.
//!
//! A statement that is given to [`Connections`] itself runs in a task of its own. If its caller is dropped, because a client
//! went away, only the result is abandoned: the statement ends, and its connection goes on to the next one. Closing it would let
//! clients that abort their requests make the server start processes without end. A caller that still waits for a
//! connection has started nothing, and leaves nothing behind.

use super::opener::{ACQUIRE_TIMEOUT, Opener};
use super::timeline::Told;
use futures_util::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection as _, Either, Execute, Executor, PgConnection, Postgres, SqlStr};
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};
use tracing::Instrument as _;

/// A connection that does not answer a test in this time is dead: its server may have vanished without a word.
const PING: Duration = Duration::from_millis(500);
/// A connection idle for longer is tested before use: the server may have been restarted meanwhile.
const TRUSTED_REST: Duration = Duration::from_secs(1);
/// How long a statement in a task of its own is waited for. The server's own limits end every statement before this; it is for
/// a server that vanished without a word, whose connections would otherwise be lent until TCP gives up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(45);

/// A bounded number of connections; clones share them.
#[derive(Debug, Clone)]
pub struct Connections {
    opener: Opener,
    permits: Arc<Semaphore>,
    resting: Resting,
}

/// A statement with its arguments, which no caller needs to keep.
type Statement = (SqlStr, Option<PgArguments>);
/// What a statement answers.
type Answers = Vec<Either<PgQueryResult, PgRow>>;

/// Idle connections; the longest idle is in front.
type Resting = Arc<Mutex<Vec<Rested>>>;

/// An idle connection.
#[derive(Debug)]
struct Rested {
    connection: PgConnection,
    /// What its server said of itself: that stays so as long as the connection lasts.
    told: Option<Told>,
    since: Instant,
}

impl Connections {
    /// Opens the first of at most `count` connections, so that an unreachable database is noticed at once.
    pub(super) async fn open(opener: Opener, count: u32) -> Result<Self, sqlx::Error> {
        let (connection, told) = opener.open().await?;
        let first = Rested { connection, told, since: Instant::now() };
        let (permits, resting) = (Arc::new(Semaphore::new(count as usize)), Arc::new(Mutex::new(vec![first])));
        Ok(Self { opener, permits, resting })
    }

    /// Lends a connection until the guard is dropped. Fails if none becomes free within five seconds.
    pub async fn acquire(&self) -> Result<Lent, sqlx::Error> {
        let lent = async { self.lend(self.permit().await?).await };
        timeout(ACQUIRE_TIMEOUT, lent).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, sqlx::Error> {
        self.permits.clone().acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)
    }

    async fn lend(&self, permit: OwnedSemaphorePermit) -> Result<Lent, sqlx::Error> {
        let lent = |connection, told| Lent { connection, told, resting: self.resting.clone(), _permit: permit };
        while let Some(Rested { mut connection, told, since }) = self.rested() {
            // Dropped, and so closed, where the server was replaced.
            if self.opener.is_newest(told)
                && (since.elapsed() <= TRUSTED_REST
                    || timeout(PING, connection.ping()).await.is_ok_and(|answer| answer.is_ok()))
            {
                return Ok(lent(connection, told));
            }
        }
        let (connection, told) = self.opener.open().await?;
        Ok(lent(connection, told))
    }

    /// Runs a statement on a connection of its own, in a task of its own.
    async fn run(self, statement: Result<Statement, sqlx::Error>) -> Result<Answers, sqlx::Error> {
        let statement = statement?;
        let deadline = tokio::time::Instant::now() + ACQUIRE_TIMEOUT;
        let permit = timeout_at(deadline, self.permit()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        let answered = async move {
            let lent = timeout_at(deadline, self.lend(permit)).await;
            let mut connection = lent.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
            let answers = timeout(ANSWER_TIMEOUT, connection.fetch_many(statement).try_collect()).await;
            let answers: Answers = answers.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))?;
            connection.give_back();
            Ok::<_, sqlx::Error>(answers)
        };
        // The task can only have ended early with its runtime, or in a panic.
        tokio::spawn(answered.in_current_span()).await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    /// Takes the connection with the shortest idle time.
    fn rested(&self) -> Option<Rested> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Closes the idle connections. No connection is lent after that.
    pub async fn close(&self) {
        self.permits.close();
        while let Some(Rested { connection, .. }) = self.rested() {
            // The connection is closed in any case, so the server's answer does not matter.
            let _closed = connection.close().await;
        }
    }
}

/// A connection on loan. Dropping it closes the connection and cancels its transaction.
#[derive(Debug)]
pub struct Lent {
    connection: PgConnection,
    told: Option<Told>,
    resting: Resting,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    /// Gives back a connection whose last statement succeeded.
    pub fn give_back(self) {
        let rested = Rested { connection: self.connection, told: self.told, since: Instant::now() };
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

fn statement<'q>(mut query: impl Execute<'q, Postgres>) -> Result<Statement, sqlx::Error> {
    let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?;
    Ok((query.sql(), arguments))
}

/// Runs each statement on a connection of its own, in a task of its own.
impl<'c> Executor<'c> for &Connections {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let answers = self.clone().run(statement(query));
        answers
            .map_ok(|answers| stream::iter(answers.into_iter().map(Ok::<_, sqlx::Error>)))
            .try_flatten_stream()
            .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let answers = self.clone().run(statement(query));
        answers.map_ok(|answers| answers.into_iter().find_map(Either::right)).boxed()
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
