//! A copy of a `SQLite` database, made by the database itself in one read transaction, beside a server that writes.

use super::super::sqlite::SQLITE_MIGRATIONS;
use super::super::{VERSION, newest_version};
use super::{LogRow, SnapshotError, SnapshotLog, verify_current};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use std::path::Path;
use std::time::Duration;

const LOGS: &str = "SELECT logs.name, logs.origin, tree_heads.tree_size, tree_heads.root_hash,
        (SELECT note FROM checkpoints WHERE checkpoints.log_id = logs.log_id AND checkpoints.tree_size <= coalesce(
            (SELECT ended_logs.tree_size FROM ended_logs WHERE ended_logs.log_id = logs.log_id), 9223372036854775807
        ) ORDER BY checkpoints.tree_size DESC LIMIT 1)
    FROM logs JOIN tree_heads ON tree_heads.log_id = logs.log_id ORDER BY logs.log_id";

/// What is in a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteSnapshot {
    /// Version of its schema.
    pub schema: i64,
    /// Its logs.
    pub logs: Vec<SnapshotLog>,
}

/// Copies the database file at `path` into a new file, and says what is in the copy.
///
/// # Errors
/// Also where the schema is not the one that this program knows.
pub async fn copy_sqlite(path: &Path, to: &Path) -> Result<SqliteSnapshot, SnapshotError> {
    let name = to.to_str().ok_or(SnapshotError::Path)?;
    let mut connection = open(path).await?;
    let copied = sqlx::query("VACUUM INTO ?").bind(name).execute(&mut connection).await;
    connection.close().await?;
    copied?;
    let mut copy = open(to).await?;
    let schema: Option<i64> = sqlx::query_scalar(VERSION).fetch_one(&mut copy).await?;
    let schema = schema.unwrap_or_default();
    verify_current(schema, newest_version(SQLITE_MIGRATIONS))?;
    let rows: Vec<LogRow> = sqlx::query_as(LOGS).fetch_all(&mut copy).await?;
    copy.close().await?;
    Ok(SqliteSnapshot { schema, logs: rows.into_iter().map(SnapshotLog::from).collect() })
}

/// A connection that could write: one that cannot does not copy either. It does not make a file.
async fn open(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(5)).connect().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::open_sqlite;

    #[tokio::test]
    async fn a_copy_has_what_was_committed_and_its_server_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let (path, to) = (directory.path().join("chancery.db"), directory.path().join("copy.db"));
        let database = open_sqlite(&path).await.unwrap();
        let log = "INSERT INTO logs (log_id, name, origin, tree_id, key_fingerprint, created_ms)
            VALUES (1, 'rekor', 'log.example.org', 7, zeroblob(32), 5)";
        sqlx::query(log).execute(&database.writer).await.unwrap();
        // A batch that is not committed yet is not in the copy, and does not hinder it.
        let mut batch = database.writer.begin().await.unwrap();
        let part =
            "INSERT INTO bundle_parts (log_id, first_index, timestamp_ms, leaf_hashes, ends, contents, root_hash)
            VALUES (1, 0, 10, zeroblob(32), zeroblob(8), x'', zeroblob(32))";
        sqlx::query(part).execute(&mut *batch).await.unwrap();
        let snapshot = copy_sqlite(&path, &to).await.unwrap();
        batch.commit().await.unwrap();
        assert_eq!(snapshot.schema, newest_version(SQLITE_MIGRATIONS));
        let [SnapshotLog { name, tree_size: 0, checkpoint: None, .. }] = &snapshot.logs[..] else {
            panic!("{snapshot:?}")
        };
        assert_eq!(name, "rekor");
        let again = copy_sqlite(&path, &directory.path().join("second.db")).await.unwrap();
        assert_eq!(again.logs[0].tree_size, 1);
        database.close().await;
        assert!(copy_sqlite(&path, &to).await.is_err(), "nothing is overwritten");
        let missing = directory.path().join("missing.db");
        assert!(copy_sqlite(&missing, &directory.path().join("third.db")).await.is_err() && !missing.exists());
    }
}
