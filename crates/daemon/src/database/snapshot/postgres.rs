//! One snapshot of a `PostgreSQL` database, read table by table. The server goes on to write; what it commits meanwhile is not in
//! the snapshot. A standby is enough, and so is the right to read.

use super::super::postgres::{POSTGRES_MIGRATIONS, applied_version, explained, opener};
use super::super::servers::Target;
use super::super::{DatabaseError, newest_version};
use super::{LogRow, SnapshotError, SnapshotLog, Table, verify_current};
use futures_util::TryStreamExt as _;
use sqlx::{Connection as _, PgConnection};
use std::io;

/// A backup takes as long as it takes, whatever limits the role has. Rows that must be sorted are read through their index.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL enable_sort = off";
const LOGS: &str = "SELECT logs.name, logs.origin, head.tree_size, head.root_hash,
        (SELECT note FROM checkpoints WHERE checkpoints.log_id = logs.log_id AND checkpoints.tree_size <= coalesce(
            (SELECT ended_logs.tree_size FROM ended_logs WHERE ended_logs.log_id = logs.log_id), 9223372036854775807
        ) ORDER BY checkpoints.tree_size DESC LIMIT 1)
    FROM logs CROSS JOIN LATERAL (
        SELECT tree_size, root_hash FROM heads WHERE heads.log_id = logs.log_id ORDER BY previous_size DESC LIMIT 1
    ) AS head ORDER BY logs.log_id";

/// An open snapshot.
#[derive(Debug)]
pub struct PostgresSnapshot {
    connection: PgConnection,
    schema: i64,
}

impl PostgresSnapshot {
    /// Opens a snapshot of the database at `url`: of what is committed now.
    ///
    /// # Errors
    /// Also where the schema is not the one that this program knows.
    pub async fn open(url: &str) -> Result<Self, SnapshotError> {
        let (mut connection, _) = opener(url, Target::Any)?.attempt().await.map_err(explained)?;
        let schema = applied_version(&mut connection).await?;
        verify_current(schema, newest_version(POSTGRES_MIGRATIONS))?;
        sqlx::raw_sql(BEGIN).execute(&mut connection).await?;
        Ok(Self { connection, schema })
    }

    /// Version of its schema.
    #[must_use]
    pub const fn schema(&self) -> i64 {
        self.schema
    }

    /// Its logs.
    pub async fn logs(&mut self) -> Result<Vec<SnapshotLog>, SnapshotError> {
        let rows: Vec<LogRow> = sqlx::query_as(LOGS).fetch_all(&mut self.connection).await?;
        Ok(rows.into_iter().map(SnapshotLog::from).collect())
    }

    /// Hands the rows of a table to `take`, piece by piece, in the binary form of `COPY`.
    pub async fn copy(
        &mut self,
        table: &Table,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), SnapshotError> {
        let statement = table.copy_out();
        let mut pieces = self.connection.copy_out_raw(&statement).await?;
        while let Some(piece) = pieces.try_next().await? {
            take(&piece)?;
        }
        Ok(())
    }

    /// Ends it.
    pub async fn close(self) -> Result<(), DatabaseError> {
        Ok(self.connection.close().await?)
    }
}
