//! Puts the tables of a [`super::PostgresSnapshot`] into a new `SQLite` file, so that a backup is checked without a server: the
//! checks read a log from either database.
//!
//! Every row of the logs is put there, and the schema of `SQLite` refuses entries with a gap between them. What differs is where
//! heads are: each becomes the root hash of the part that ends with it, and one that ends with none is refused. What is derived
//! from the logs, the search index, is left out.

use super::super::{Sqlite, newest_version, open_sqlite, postgres::POSTGRES_MIGRATIONS};
use super::rows::{Field, Rows, integer};
use super::tables::{HEADS, Kind, PARTS, Table, table};
use super::{SnapshotError, verify_current};
use sqlx::{AssertSqlSafe, Transaction};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

const HEADS_TABLE: &str = "CREATE TEMPORARY TABLE heads (
    log_id INTEGER NOT NULL, previous_size INTEGER NOT NULL, tree_size INTEGER NOT NULL, root_hash BLOB NOT NULL,
    timestamp_ms INTEGER NOT NULL, PRIMARY KEY (log_id, tree_size)
) WITHOUT ROWID";
const INSERT_PART: &str = "INSERT INTO bundle_parts
    (log_id, first_index, timestamp_ms, leaf_hashes, identity_hashes, ends, contents, root_hash)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
        (SELECT root_hash FROM heads WHERE log_id = ?1 AND tree_size = ?2 + length(?4) / 32))";
/// How many heads no part ends with. The table goes with its connection.
const STRAY_HEADS: &str = "SELECT (SELECT count(*) FROM heads WHERE tree_size > 0)
    - (SELECT count(*) FROM bundle_parts WHERE root_hash IS NOT NULL)";

/// A file that is being filled.
#[derive(Debug)]
pub struct SqliteImport {
    database: Sqlite,
    transaction: Transaction<'static, sqlx::Sqlite>,
    has_heads: bool,
}

impl SqliteImport {
    /// Makes the file at `path`, for tables of this version of `PostgreSQL`'s schema.
    ///
    /// # Errors
    /// Also where that is not the version that this program knows.
    pub async fn begin(path: &Path, schema: i64) -> Result<Self, SnapshotError> {
        verify_current(schema, newest_version(POSTGRES_MIGRATIONS))?;
        let database = open_sqlite(path).await?;
        let transaction = database.writer.begin().await?;
        Ok(Self { database, transaction, has_heads: false })
    }

    /// Fills a table from its rows in the binary form of `COPY`.
    pub async fn fill(&mut self, name: &str, rows: &mut (impl Read + ?Sized)) -> Result<(), SnapshotError> {
        let unknown = || SnapshotError::Rows { table: name.to_owned(), reason: "it has no such table".to_owned() };
        let table = table(name).ok_or_else(unknown)?;
        if name == HEADS {
            sqlx::query(HEADS_TABLE).execute(&mut *self.transaction).await?;
            self.has_heads = true;
        }
        let refused = |reason: String| SnapshotError::Rows { table: name.to_owned(), reason };
        let mut rows = Rows::begin(rows).map_err(|error| refused(error.to_string()))?;
        let statement: Arc<str> = insert(table).into();
        while let Some(row) = rows.read_row(table.columns.len()).map_err(|error| refused(error.to_string()))? {
            if !table.is_derived {
                let inserted = self.insert(&statement, table, row).await;
                inserted.map_err(|error| refused(error.to_string()))?;
            }
        }
        Ok(())
    }

    async fn insert(&mut self, statement: &Arc<str>, table: &Table, row: Vec<Field>) -> Result<(), sqlx::Error> {
        let mut query = sqlx::query::<sqlx::Sqlite>(AssertSqlSafe(Arc::clone(statement)));
        for ((_, kind), field) in table.columns.iter().zip(row) {
            query = match kind {
                Kind::Integer => query.bind(field.as_deref().map(number).transpose()?),
                Kind::Bytes => query.bind(field),
                Kind::Text => query.bind(field.map(String::from_utf8).transpose().map_err(decode)?),
            };
        }
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// Keeps what was filled.
    pub async fn commit(mut self) -> Result<(), SnapshotError> {
        if self.has_heads {
            let stray: i64 = sqlx::query_scalar(STRAY_HEADS).fetch_one(&mut *self.transaction).await?;
            if stray != 0 {
                let reason = "a head does not end with an entry that is there".to_owned();
                return Err(SnapshotError::Rows { table: HEADS.to_owned(), reason });
            }
        }
        self.transaction.commit().await?;
        self.database.close().await;
        Ok(())
    }
}

/// The statement that adds a row.
fn insert(table: &Table) -> String {
    if table.name == PARTS {
        return INSERT_PART.to_owned();
    }
    let places = vec!["?"; table.columns.len()].join(", ");
    format!("INSERT INTO {} ({}) VALUES ({places})", table.name, table.list())
}

fn number(field: &[u8]) -> Result<i64, sqlx::Error> {
    integer(field).ok_or_else(|| decode("a number has an impossible length"))
}

fn decode(error: impl Into<sqlx::error::BoxDynError>) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}
