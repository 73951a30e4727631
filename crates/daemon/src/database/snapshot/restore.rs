//! Puts the tables of a [`super::PostgresSnapshot`] into an empty database: first the schema of the version that they were read
//! from, then the rows, in one transaction. The next start brings the schema up to date.
//!
//! The triggers of the schema see every row, so a head that does not extend the one before it is refused here, too.

use super::super::postgres::{POSTGRES_MIGRATIONS, applied_version, explained, migrate, opener, verify_server};
use super::super::servers::Target;
use super::super::{DatabaseError, newest_version};
use super::tables::{self, RUNS, UNREAD};
use super::{SnapshotError, is_identifier};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::io::Read;

/// Bytes that are sent at once.
const PIECE: usize = 64 * 1024;
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
/// Tables whose rows the database numbers, with that column. It must go on after the rows that are put back.
const NUMBERED: [(&str, &str); 2] = [("logs", "log_id"), (RUNS, "run_id")];

/// A database that is being filled. Nothing stays of it if it is dropped before [`Self::commit`], but the empty tables.
#[derive(Debug)]
pub struct PostgresRestore {
    connection: PgConnection,
    filled: Vec<String>,
}

impl PostgresRestore {
    /// Makes the schema of version `schema` in the database at `url`, whose owner connects.
    ///
    /// # Errors
    /// [`DatabaseError::NotEmpty`] where something is in it; [`DatabaseError::NewerSchema`] for a version that is not known.
    pub async fn begin(url: &str, schema: i64) -> Result<Self, SnapshotError> {
        let known = newest_version(POSTGRES_MIGRATIONS);
        if schema > known {
            return Err(DatabaseError::NewerSchema { found: schema, known }.into());
        }
        let (mut connection, _) = opener(url, Target::Primary)?.attempt().await.map_err(explained)?;
        verify_server(&mut connection).await?;
        verify_empty(&mut connection, schema).await?;
        let count = POSTGRES_MIGRATIONS.iter().take_while(|(version, ..)| *version <= schema).count();
        migrate(&mut connection, &POSTGRES_MIGRATIONS[..count]).await?;
        sqlx::raw_sql(BEGIN).execute(&mut connection).await?;
        Ok(Self { connection, filled: Vec::new() })
    }

    /// Fills a table from its rows in the binary form of `COPY`.
    pub async fn fill(
        &mut self,
        table: &str,
        columns: &[String],
        rows: &mut (impl Read + ?Sized),
    ) -> Result<(), SnapshotError> {
        // A backup from elsewhere must not fill the tables of the database itself.
        if tables::table(table).is_none() || columns.is_empty() || !columns.iter().all(|column| is_identifier(column)) {
            return Err(SnapshotError::Rows { table: table.to_owned(), reason: "it has no such table".to_owned() });
        }
        if table == UNREAD {
            // A trigger has noted every statement, because what each is about was not there yet.
            sqlx::query("DELETE FROM unread_attestations").execute(&mut self.connection).await?;
        }
        let statement = format!("COPY {table} ({}) FROM STDIN (FORMAT binary)", columns.join(", "));
        let mut copy = self.connection.copy_in_raw(&statement).await?;
        let mut piece = vec![0; PIECE];
        loop {
            match rows.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => {
                    copy.send(&piece[..length]).await?;
                }
                Err(error) => {
                    copy.abort("the backup cannot be read").await?;
                    return Err(error.into());
                }
            }
        }
        copy.finish().await?;
        self.filled.push(table.to_owned());
        Ok(())
    }

    /// Keeps what was filled. **This is the commit point.**
    pub async fn commit(mut self) -> Result<(), SnapshotError> {
        for (table, column) in NUMBERED.into_iter().filter(|(table, _)| self.filled.iter().any(|name| name == table)) {
            let statement = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), greatest(max({column}), 1), max({column}) IS NOT NULL) \
                 FROM {table}"
            );
            sqlx::query(AssertSqlSafe(statement)).execute(&mut self.connection).await?;
        }
        sqlx::raw_sql("COMMIT").execute(&mut self.connection).await?;
        Ok(self.connection.close().await?)
    }
}

/// Refuses a database with tables of others, with logs, or with a later schema.
async fn verify_empty(connection: &mut PgConnection, schema: i64) -> Result<(), DatabaseError> {
    let found = applied_version(connection).await?;
    if found > schema {
        return Err(DatabaseError::NotEmpty {
            found: "it has the tables of a later version of chancery than the backup",
        });
    }
    let (question, found) = if found == 0 {
        ("SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema())", "it has tables")
    } else {
        ("SELECT EXISTS (SELECT 1 FROM logs)", "it has logs")
    };
    if sqlx::query_scalar(question).fetch_one(connection).await? {
        return Err(DatabaseError::NotEmpty { found });
    }
    Ok(())
}
