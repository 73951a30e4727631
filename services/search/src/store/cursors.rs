//! How far events have been delivered. Unlike the index this is not derived: after the loss of a row, a receiver is told of
//! entries that are logged from then on. An attacker who can change it can have events delivered again, or left out.

use super::convert::{to_i64, to_u64};
use super::postgres::read;
use super::{Answer, PostgresStore, SqliteStore, StoreError};

const IS_KNOWN: &str = "/* events */ SELECT EXISTS (SELECT 1 FROM event_cursors WHERE receiver = $1)";
const CURSOR: &str = "/* events */ SELECT version, next_index FROM event_cursors WHERE receiver = $1 AND log_id = $2";
const BEGIN: &str = "INSERT INTO event_cursors (receiver, log_id, version, next_index) VALUES ($1, $2, 0, $3)
     ON CONFLICT DO NOTHING";
const BEGIN_ALL: &str = "INSERT INTO event_cursors (receiver, log_id, version, next_index)
     SELECT $1, place.log_id, 0, place.next_index FROM unnest($2::bigint[], $3::bigint[]) AS place (log_id, next_index)
     ON CONFLICT DO NOTHING";
const ADVANCE: &str = "/* events */ UPDATE event_cursors SET version = version + 1, next_index = $4
     WHERE receiver = $1 AND log_id = $2 AND version = $3 AND next_index <= $4";

/// Where a receiver is in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Changes with every step.
    pub version: i64,
    /// The first entry of which the receiver has not confirmed the event.
    pub next: u64,
}

/// A database that keeps how far events have been delivered.
pub trait Cursors: Send + Sync {
    /// Whether the receiver has a cursor in any log.
    fn is_known<'a>(&'a self, receiver: &'a str) -> Answer<'a, bool>;

    /// Where the receiver is in a log; `None` where it was never begun.
    fn cursor<'a>(&'a self, receiver: &'a str, log_id: i64) -> Answer<'a, Option<Cursor>>;

    /// Begins the cursors of the receiver, each in a log and at an index: all of them, or none. One that exists stays as it is.
    fn begin<'a>(&'a self, receiver: &'a str, places: &'a [(i64, u64)]) -> Answer<'a, ()>;

    /// Moves the cursor to `next`, or leaves it there, and changes its version. `false` where the version is another by now, or the
    /// cursor would go back, and nothing was written.
    fn advance<'a>(&'a self, receiver: &'a str, log_id: i64, version: i64, next: u64) -> Answer<'a, bool>;
}

fn cursor((version, next): (i64, i64)) -> Result<Cursor, StoreError> {
    Ok(Cursor { version, next: to_u64(next)? })
}

impl Cursors for SqliteStore {
    fn is_known<'a>(&'a self, receiver: &'a str) -> Answer<'a, bool> {
        Box::pin(
            async move { Ok(sqlx::query_scalar(IS_KNOWN).bind(receiver).fetch_one(&self.database.readers).await?) },
        )
    }

    fn cursor<'a>(&'a self, receiver: &'a str, log_id: i64) -> Answer<'a, Option<Cursor>> {
        Box::pin(async move {
            let query = sqlx::query_as(CURSOR).bind(receiver).bind(log_id);
            let row: Option<(i64, i64)> = query.fetch_optional(&self.database.readers).await?;
            row.map(cursor).transpose()
        })
    }

    fn begin<'a>(&'a self, receiver: &'a str, places: &'a [(i64, u64)]) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut transaction = self.database.writer.begin_with("BEGIN IMMEDIATE").await?;
            for (log_id, next) in places {
                let insert = sqlx::query(BEGIN).bind(receiver).bind(*log_id).bind(to_i64(*next)?);
                insert.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(())
        })
    }

    fn advance<'a>(&'a self, receiver: &'a str, log_id: i64, version: i64, next: u64) -> Answer<'a, bool> {
        Box::pin(async move {
            let advance = sqlx::query(ADVANCE).bind(receiver).bind(log_id).bind(version).bind(to_i64(next)?);
            Ok(advance.execute(&self.database.writer).await?.rows_affected() == 1)
        })
    }
}

impl Cursors for PostgresStore {
    fn is_known<'a>(&'a self, receiver: &'a str) -> Answer<'a, bool> {
        Box::pin(
            async move { read(|| sqlx::query_scalar(IS_KNOWN).bind(receiver).fetch_one(&self.database.readers)).await },
        )
    }

    fn cursor<'a>(&'a self, receiver: &'a str, log_id: i64) -> Answer<'a, Option<Cursor>> {
        Box::pin(async move {
            let query = || sqlx::query_as(CURSOR).bind(receiver).bind(log_id).fetch_optional(&self.database.readers);
            let row: Option<(i64, i64)> = read(query).await?;
            row.map(cursor).transpose()
        })
    }

    fn begin<'a>(&'a self, receiver: &'a str, places: &'a [(i64, u64)]) -> Answer<'a, ()> {
        Box::pin(async move {
            let logs: Vec<i64> = places.iter().map(|(log_id, _)| *log_id).collect();
            let next = places.iter().map(|(_, next)| to_i64(*next)).collect::<Result<Vec<_>, _>>()?;
            sqlx::query(BEGIN_ALL).bind(receiver).bind(logs).bind(next).execute(&self.database.writers).await?;
            Ok(())
        })
    }

    fn advance<'a>(&'a self, receiver: &'a str, log_id: i64, version: i64, next: u64) -> Answer<'a, bool> {
        Box::pin(async move {
            let advance = sqlx::query(ADVANCE).bind(receiver).bind(log_id).bind(version).bind(to_i64(next)?);
            Ok(advance.execute(&self.database.writers).await?.rows_affected() == 1)
        })
    }
}
