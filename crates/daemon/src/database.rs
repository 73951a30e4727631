//! Opening a database: durability settings and schema version, checked before anything else.
//!
//! SQL of a role lives in that role's store; this module only knows how to reach a database and bring its schema to the
//! version the binary was built with.

use sqlx::SqlitePool;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::path::Path;
use std::time::Duration;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be opened.
    #[error("cannot open the database: {0}")]
    Open(#[from] sqlx::Error),
    /// Its schema is not one this binary knows.
    #[error("the database's schema does not fit this version of chancery: {0}")]
    Schema(#[from] MigrateError),
}

/// A numbered migration: version, name, plain SQL.
pub type MigrationSource = (i64, &'static str, &'static str);

/// The schema for `SQLite`, oldest first. Never edited once landed, only added to.
const SQLITE_MIGRATIONS: &[MigrationSource] =
    &[(1, "initial schema", include_str!("../../../migrations/sqlite/0001_initial_schema.sql"))];

/// Two pools on one file: `SQLite` has a single writer, so writers queue in memory for one connection instead of
/// spinning on the file lock, and readers never wait for them (write-ahead log).
#[derive(Debug, Clone)]
pub struct Sqlite {
    /// One connection.
    pub writer: SqlitePool,
    /// As many as read concurrently; they cannot write.
    pub readers: SqlitePool,
}

impl Sqlite {
    /// Closes both pools; the write-ahead log is folded into the file.
    pub async fn close(&self) {
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
        .pragma("page_size", "8192")
        // macOS and some disks acknowledge fsync before the medium has the data.
        .pragma("fullfsync", "ON");
    let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    migrate(&writer).await?;
    let readers = SqlitePoolOptions::new().max_connections(8).connect_with(options.pragma("query_only", "ON")).await?;
    Ok(Sqlite { writer, readers })
}

/// Opens an existing database file without any right to change it, for inspection beside a running server.
pub async fn open_sqlite_read_only(path: &Path) -> Result<Sqlite, DatabaseError> {
    let options =
        SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(5)).pragma("query_only", "ON");
    let readers = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
    Ok(Sqlite { writer: readers.clone(), readers })
}

async fn migrate(pool: &SqlitePool) -> Result<(), MigrateError> {
    let migrations = SQLITE_MIGRATIONS
        .iter()
        .map(|(version, name, sql)| {
            Migration::new(*version, (*name).into(), MigrationType::Simple, sqlx::SqlStr::from_static(sql), false)
        })
        .collect();
    // A version in the database that the binary does not know (a newer chancery wrote it) is an error of `run`.
    Migrator::with_migrations(migrations).run(pool).await
}
