//! An index on a database of its own. The same for both databases.

use crate::log::FakeLog;
use crate::postgres;
use chancery_daemon::database::{self, open_postgres, open_sqlite};
use chancery_search::Index;
use chancery_search::store::{Cursors, PostgresStore, SqliteStore, Store};
use std::sync::Arc;
use tempfile::TempDir;

/// Where an index is kept.
pub(crate) enum Bench {
    Sqlite(TempDir),
    Postgres { server: &'static postgres::Server, database: String },
}

/// An open database of either kind.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(database::Sqlite),
    Postgres(database::Postgres),
}

impl Bench {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        let server = postgres::server();
        Self::Postgres { server, database: server.database() }
    }

    /// A file, or the URL of a `PostgreSQL` database.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Sqlite(directory) => directory.path().join("chancery.db").to_str().unwrap().to_owned(),
            Self::Postgres { server, database } => server.url(database, None),
        }
    }

    pub(crate) async fn open(&self) -> Database {
        Database::open(&self.address()).await
    }
}

impl Database {
    pub(crate) async fn open(address: &str) -> Self {
        if address.starts_with("postgres") {
            Self::Postgres(open_postgres(address).await.unwrap())
        } else {
            Self::Sqlite(open_sqlite(address.as_ref()).await.unwrap())
        }
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(database) => Arc::new(SqliteStore::new(database.clone())),
            Self::Postgres(database) => Arc::new(PostgresStore::new(database.clone())),
        }
    }

    pub(crate) fn cursors(&self) -> Arc<dyn Cursors> {
        match self {
            Self::Sqlite(database) => Arc::new(SqliteStore::new(database.clone())),
            Self::Postgres(database) => Arc::new(PostgresStore::new(database.clone())),
        }
    }

    pub(crate) fn index(&self, log: &Arc<FakeLog>) -> Index {
        Index::new(self.store(), log.sources())
    }

    /// Runs a statement as someone with all rights. Returns how many rows it changed.
    pub(crate) async fn execute(&self, statement: &str) -> u64 {
        let statement = sqlx::AssertSqlSafe(statement);
        match self {
            Self::Sqlite(database) => sqlx::query(statement).execute(&database.writer).await.unwrap().rows_affected(),
            Self::Postgres(database) => {
                sqlx::query(statement).execute(&database.writers).await.unwrap().rows_affected()
            }
        }
    }

    pub(crate) async fn number(&self, question: &str) -> i64 {
        let question = sqlx::AssertSqlSafe(question);
        match self {
            Self::Sqlite(database) => sqlx::query_scalar(question).fetch_one(&database.readers).await.unwrap(),
            Self::Postgres(database) => sqlx::query_scalar(question).fetch_one(&database.readers).await.unwrap(),
        }
    }

    /// Every page.
    pub(crate) async fn pages(&self) -> Vec<(i64, Vec<u8>, Vec<u8>)> {
        let pages = "SELECT run_id, first_key, page FROM search_pages ORDER BY run_id, first_key";
        match self {
            Self::Sqlite(database) => sqlx::query_as(pages).fetch_all(&database.readers).await.unwrap(),
            Self::Postgres(database) => sqlx::query_as(pages).fetch_all(&database.readers).await.unwrap(),
        }
    }

    /// Replaces what a page has.
    pub(crate) async fn replace(&self, run_id: i64, key: &[u8], page: &[u8]) {
        let update = "UPDATE search_pages SET page = $3 WHERE run_id = $1 AND first_key = $2";
        match self {
            Self::Sqlite(database) => {
                let update = sqlx::query(update).bind(run_id).bind(key).bind(page);
                update.execute(&database.writer).await.unwrap();
            }
            Self::Postgres(database) => {
                let update = sqlx::query(update).bind(run_id).bind(key).bind(page);
                update.execute(&database.writers).await.unwrap();
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}
