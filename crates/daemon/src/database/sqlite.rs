//! `SQLite`: one file, one process.

mod folding;

use self::folding::Folding;
use super::{DatabaseError, MigrationSource, migrator, newest_version};
use sqlx::SqlitePool;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The schema for `SQLite`, oldest first. Never edited once landed, only added to.
const SQLITE_MIGRATIONS: &[MigrationSource] = &[
    (1, "initial schema", include_str!("../../../../migrations/sqlite/0001_initial_schema.sql")),
    (2, "bundle parts", include_str!("../../../../migrations/sqlite/0002_bundle_parts.sql")),
    (3, "frozen logs", include_str!("../../../../migrations/sqlite/0003_frozen_logs.sql")),
    (4, "logs in doubt", include_str!("../../../../migrations/sqlite/0004_logs_in_doubt.sql")),
    (6, "attestations", include_str!("../../../../migrations/sqlite/0006_attestations.sql")),
];

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
        // A batch changes a few pages, and each is written whole. A file that exists keeps the page size it has.
        .page_size(4096)
        // macOS and some disks acknowledge fsync before the medium has the data.
        .pragma("fullfsync", "ON");
    // The other end is a thread of this process. Asking it before each use whether it is there would be a command more.
    let one = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
    let writing = options.clone().pragma("wal_autocheckpoint", folding::LONG.to_string());
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
    Ok(Sqlite { writer: readers.clone(), readers, folding: None })
}

async fn migrate(pool: &SqlitePool) -> Result<(), DatabaseError> {
    match migrator(SQLITE_MIGRATIONS).run(pool).await {
        // A version in the database that the binary does not know: a newer chancery wrote it.
        Err(MigrateError::VersionMissing(found)) => {
            Err(DatabaseError::NewerSchema { found, known: newest_version(SQLITE_MIGRATIONS) })
        }
        result => Ok(result?),
    }
}
