//! Whole databases, for backups: a consistent copy beside a running server, and the way back.
//!
//! | database | copied as | put back |
//! |---|---|---|
//! | `SQLite` | a file, by `VACUUM INTO` ([`copy_sqlite`]) | the file |
//! | `PostgreSQL` | tables, by `COPY … TO STDOUT` in one snapshot ([`PostgresSnapshot`]) | `COPY … FROM STDIN` in one transaction ([`PostgresRestore`]), or into a `SQLite` file to check them ([`SqliteImport`]) |
//!
//! Neither needs a program of the database. Rows pass through one at a time. The tables are those of the schema as a whole, which
//! has its place here; what is in them is the business of the roles' stores. Not here: the file of a backup, and what a restore
//! means for a log.

mod import;
mod postgres;
mod restore;
mod rows;
mod sqlite;
mod tables;

pub use import::SqliteImport;
pub use postgres::PostgresSnapshot;
pub use restore::PostgresRestore;
pub use sqlite::{SqliteSnapshot, copy_sqlite};
pub use tables::{TABLES, Table};

use super::DatabaseError;
use std::io;

/// A log as a snapshot has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotLog {
    /// Its name in the instance.
    pub name: String,
    /// First line of its checkpoints.
    pub origin: String,
    /// Leaves of its committed head.
    pub tree_size: u64,
    /// Root hash of its committed head.
    pub root_hash: Vec<u8>,
    /// The newest checkpoint that is stored; of a log that was ended, the newest that is shown.
    pub checkpoint: Option<String>,
}

/// Columns of a question for the logs.
type LogRow = (String, String, i64, Vec<u8>, Option<String>);

impl From<LogRow> for SnapshotLog {
    fn from((name, origin, tree_size, root_hash, checkpoint): LogRow) -> Self {
        // The schema refuses a negative size.
        Self { name, origin, tree_size: u64::try_from(tree_size).unwrap_or_default(), root_hash, checkpoint }
    }
}

/// Why a database cannot be copied or put back.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The database refuses, or cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// What is copied cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The path of a file is not text.
    #[error("the path of a database must be text in UTF-8")]
    Path,
    /// The rows of a table are not what the database wrote.
    #[error("table {table}: {reason}")]
    Rows {
        /// The table.
        table: String,
        /// What is wrong.
        reason: String,
    },
}

impl From<sqlx::Error> for SnapshotError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Whether a name from a file may stand in a statement.
fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Refuses a schema that this program does not know as it is.
fn verify_current(found: i64, known: i64) -> Result<(), DatabaseError> {
    match found.cmp(&known) {
        std::cmp::Ordering::Less => Err(DatabaseError::OlderSchema { found, known }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(DatabaseError::NewerSchema { found, known }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_file_cannot_end_a_statement() {
        assert!(TABLES.iter().all(|table| is_identifier(table.name)));
        for bad in ["", "logs; DROP TABLE logs", "\"logs\"", "a b", "Logs", "a-b", "tree(1)"] {
            assert!(!is_identifier(bad), "{bad}");
        }
    }
}
