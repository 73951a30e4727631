//! Where logs are kept, and an open database of either kind: the one place that chooses between them.

use super::{PostgresStore, SqliteStore, Store};
use chancery_daemon::database::{self, DatabaseError, Postgres, Sqlite};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where logs are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A `SQLite` file.
    File(PathBuf),
    /// The URL of a `PostgreSQL` database; see [`database::open_postgres`] for its form.
    Server(String),
}

/// Without the URL, which may contain a password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(_) => f.write_str("the PostgreSQL database"),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An open database.
#[derive(Debug, Clone)]
pub enum Database {
    /// `SQLite`.
    Sqlite(Sqlite),
    /// `PostgreSQL`.
    Postgres(Postgres),
}

impl Database {
    /// Opens it for serving, with its schema brought up to date. A file that is missing is made.
    pub async fn open(location: &Location) -> Result<Self, DatabaseError> {
        Ok(match location {
            Location::File(path) => Self::Sqlite(database::open_sqlite(path).await?),
            Location::Server(url) => Self::Postgres(database::open_postgres(url).await?),
        })
    }

    /// Opens it for inspection beside a running server. Nothing is made or changed.
    pub async fn open_read_only(location: &Location) -> Result<Self, DatabaseError> {
        Ok(match location {
            Location::File(path) => Self::Sqlite(database::open_sqlite_read_only(path).await?),
            Location::Server(url) => Self::Postgres(database::open_postgres_read_only(url).await?),
        })
    }

    /// The logs in it.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(database) => Arc::new(SqliteStore::new(database.clone())),
            Self::Postgres(database) => Arc::new(PostgresStore::new(database.clone())),
        }
    }

    /// Asks the database whether it can be used now. Nothing is changed.
    pub async fn verify_usable(&self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(database) => database.verify_usable().await,
            Self::Postgres(database) => database.verify_usable().await,
        }
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}
