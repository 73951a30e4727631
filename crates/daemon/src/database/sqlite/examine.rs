//! What a database file is, for an operator who looks for a fault. Nothing is written or migrated.

use super::{SQLITE_MIGRATIONS, open_sqlite_read_only};
use crate::database::{DatabaseError, VERSION, newest_version};
use std::path::Path;

/// How `SQLite` writes a file that a server has made.
const JOURNAL: &str = "wal";

/// A database file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Bytes of the tables, without the write-ahead log.
    pub bytes: u64,
    /// Whether readers need not wait for writers, as a server has it: the journal is a write-ahead log.
    pub is_write_ahead: bool,
}

/// Reads the file at `path`; a server may be writing to it.
///
/// # Errors
/// [`DatabaseError`], also for a schema that is older or newer than this program.
pub async fn examine_sqlite(path: &Path) -> Result<FileFacts, DatabaseError> {
    let database = open_sqlite_read_only(path).await?;
    let question = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let bytes: Result<i64, sqlx::Error> = sqlx::query_scalar(question).fetch_one(&database.readers).await;
    let journal: Result<String, sqlx::Error> =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&database.readers).await;
    let version: Result<Option<i64>, sqlx::Error> = sqlx::query_scalar(VERSION).fetch_one(&database.readers).await;
    database.close().await;
    let (found, known) = (version.ok().flatten().unwrap_or_default(), newest_version(SQLITE_MIGRATIONS));
    if found > known {
        return Err(DatabaseError::NewerSchema { found, known });
    }
    Ok(FileFacts { bytes: u64::try_from(bytes?).unwrap_or_default(), is_write_ahead: journal? == JOURNAL })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::open_sqlite;

    #[tokio::test]
    async fn a_server_s_file_is_read_beside_the_server_and_another_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chancery.db");
        assert!(examine_sqlite(&path).await.is_err(), "nothing is made");
        assert!(!path.exists());
        let server = open_sqlite(&path).await.unwrap();
        let facts = examine_sqlite(&path).await.unwrap();
        assert!(facts.is_write_ahead && facts.bytes > 0, "{facts:?}");
        sqlx::query("UPDATE _sqlx_migrations SET version = version + 1000").execute(&server.writer).await.unwrap();
        let refused = examine_sqlite(&path).await.unwrap_err();
        assert!(matches!(refused, DatabaseError::NewerSchema { .. }), "{refused}");
        server.close().await;
        let other = directory.path().join("other.db");
        std::fs::write(&other, "no database at all, but a file of more than one hundred bytes. ".repeat(4)).unwrap();
        assert!(examine_sqlite(&other).await.is_err());
    }
}
