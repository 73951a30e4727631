//! `SQLite`: one file, one process.

mod examine;
mod folding;

pub use examine::{FileFacts, examine_sqlite};

use self::folding::Folding;
use super::{DatabaseError, MigrationSource, VERSION, migrator, newest_version, verify_version};
use sqlx::SqlitePool;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The schema for `SQLite`, oldest first. Never edited once landed, only added to.
pub(super) const SQLITE_MIGRATIONS: &[MigrationSource] = &[
    (1, "initial schema", include_str!("../../../../migrations/sqlite/0001_initial_schema.sql")),
    (2, "bundle parts", include_str!("../../../../migrations/sqlite/0002_bundle_parts.sql")),
    (3, "frozen logs", include_str!("../../../../migrations/sqlite/0003_frozen_logs.sql")),
    (4, "logs in doubt", include_str!("../../../../migrations/sqlite/0004_logs_in_doubt.sql")),
    (5, "search", include_str!("../../../../migrations/sqlite/0005_search.sql")),
    (6, "attestations", include_str!("../../../../migrations/sqlite/0006_attestations.sql")),
    (7, "heads in parts", include_str!("../../../../migrations/sqlite/0007_heads_in_parts.sql")),
    (8, "frozen checkpoints", include_str!("../../../../migrations/sqlite/0008_frozen_checkpoints.sql")),
    (9, "event cursors", include_str!("../../../../migrations/sqlite/0009_event_cursors.sql")),
    (10, "attestation subjects", include_str!("../../../../migrations/sqlite/0010_attestation_subjects.sql")),
    (11, "unread attestations", include_str!("../../../../migrations/sqlite/0011_unread_attestations.sql")),
];

/// Bytes of a page of a file that is made now. Each commit writes every page that it changes, whole, first to the write-ahead log
/// and later to the file: a batch of one Rekor v1 entry changes six, and fills one. In a model of the tables it writes 19 KiB; with
/// pages of 4 KiB 25, and with pages of 1 KiB 14. But with these a bundle of small batches takes 41 % longer to read than with
/// 4 KiB (with 2 KiB: 18 %), and a batch of forty entries takes a quarter more of the processor than with 2 KiB.
const PAGE_BYTES: u32 = 2048;

/// Two pools on one file: `SQLite` has a single writer, so writers queue in memory for one connection instead of
/// spinning on the file lock, and readers never wait for them (write-ahead log).
#[derive(Debug, Clone)]
pub struct Sqlite {
    /// One connection.
    pub writer: SqlitePool,
    /// As many as read concurrently; they cannot write.
    pub readers: SqlitePool,
    /// Folds the write-ahead log into the file; `None` where nothing is written.
    folding: Option<Arc<Folding>>,
}

impl Sqlite {
    /// Reads from the file. Whether there is space on its disk is another question.
    pub async fn verify_usable(&self) -> Result<(), DatabaseError> {
        sqlx::query("/* usable */ SELECT count(*) FROM sqlite_master").execute(&self.readers).await?;
        Ok(())
    }

    /// Closes every connection; the last one folds the write-ahead log into the file and removes it.
    pub async fn close(&self) {
        if let Some(folding) = &self.folding {
            folding.stop().await;
        }
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Opens the database file at `path`, creating it if need be, with `synchronous=FULL`: a commit that returned is on disk.
pub async fn open_sqlite(path: &Path) -> Result<Sqlite, DatabaseError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        // A file that exists keeps the page size it has.
        .page_size(PAGE_BYTES)
        // macOS and some disks acknowledge fsync before the medium has the data.
        .pragma("fullfsync", "ON");
    // The other end is a thread of this process. Asking it before each use whether it is there would be a command more.
    let one = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
    let long = folding::LONG / i64::from(PAGE_BYTES);
    let writing = options.clone().pragma("wal_autocheckpoint", long.to_string());
    let writer = one.clone().connect_with(writing).await?;
    migrate(&writer).await?;
    let folding = one.connect_lazy_with(options.clone().busy_timeout(folding::PATIENCE));
    let folding = Some(Arc::new(Folding::start(folding, writer.clone())));
    let readers = SqlitePoolOptions::new().max_connections(8).connect_with(options.pragma("query_only", "ON")).await?;
    Ok(Sqlite { writer, readers, folding })
}

/// Opens an existing database file read-only, for inspection beside a running server.
pub async fn open_sqlite_read_only(path: &Path) -> Result<Sqlite, DatabaseError> {
    let options =
        SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(5)).pragma("query_only", "ON");
    let readers = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
    let version: Result<Option<i64>, sqlx::Error> = sqlx::query_scalar(VERSION).fetch_one(&readers).await;
    verify_version(version.ok().flatten(), SQLITE_MIGRATIONS)?;
    Ok(Sqlite { writer: readers.clone(), readers, folding: None })
}

async fn migrate(pool: &SqlitePool) -> Result<(), DatabaseError> {
    let known = newest_version(SQLITE_MIGRATIONS);
    // A file that is new has no such table.
    let version: Result<Option<i64>, sqlx::Error> = sqlx::query_scalar(VERSION).fetch_one(pool).await;
    if let Ok(Some(version)) = version
        && version < known
    {
        tracing::info!("bringing the database from version {version} to {known}; with many entries this takes a while");
    }
    match migrator(SQLITE_MIGRATIONS).run(pool).await {
        // A version in the database that the binary does not know: a newer chancery wrote it.
        Err(MigrateError::VersionMissing(found)) => Err(DatabaseError::NewerSchema { found, known }),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What version 4 has of a log of three entries in two batches, and of one without.
    const VERSION_4: &str = "
        INSERT INTO logs (log_id, name, origin, tree_id, key_fingerprint, created_ms)
            VALUES (1, 'rekor', 'log.example.org', 7, zeroblob(32), 5), (2, 'ct', 'ct.example.org', 8, zeroblob(32), 6);
        INSERT INTO tree_heads (log_id, tree_size, root_hash, timestamp_ms)
            SELECT 1, 3, CAST('a root hash of thirty-two bytes.' AS BLOB), 20 UNION ALL SELECT 2, 0, zeroblob(32), 6;
        INSERT INTO bundle_parts (log_id, first_index, timestamp_ms, leaf_hashes, ends, contents)
            VALUES (1, 0, 10, zeroblob(64), zeroblob(16), x''), (1, 2, 20, zeroblob(32), zeroblob(8), x'')";

    #[tokio::test]
    async fn a_database_of_version_4_keeps_its_heads() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("old.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let old = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        migrator(&SQLITE_MIGRATIONS[..4]).run(&old).await.unwrap();
        sqlx::raw_sql(VERSION_4).execute(&old).await.unwrap();
        old.close().await;
        let refused = open_sqlite_read_only(&path).await.unwrap_err();
        assert!(matches!(refused, DatabaseError::OlderSchema { found: 4, .. }), "{refused}");
        let database = open_sqlite(&path).await.unwrap();
        open_sqlite_read_only(&path).await.unwrap().close().await;
        let heads = "SELECT tree_size, root_hash, timestamp_ms FROM tree_heads ORDER BY log_id";
        let heads: Vec<(i64, Vec<u8>, i64)> = sqlx::query_as(heads).fetch_all(&database.readers).await.unwrap();
        let empty = chancery_verify::merkle::empty_root();
        assert_eq!(heads, [(3, b"a root hash of thirty-two bytes.".to_vec(), 20), (0, empty.to_vec(), 6)]);
        let kept = "SELECT first_index FROM bundle_parts WHERE root_hash IS NOT NULL";
        let kept: Vec<i64> = sqlx::query_scalar(kept).fetch_all(&database.readers).await.unwrap();
        assert_eq!(kept, [2], "of the heads before, none was there");
        let changed = sqlx::query("UPDATE bundle_parts SET root_hash = NULL").execute(&database.writer).await;
        assert!(changed.unwrap_err().to_string().contains("entries are immutable"));
        database.close().await;
    }
}
