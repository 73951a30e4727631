//! What the search index costs, and how fast it answers, over as many entries as one likes: synthetic ones, which are made whenever they
//! are read and take no disk. They are parsed, indexed and proven as real ones are; no signature in them verifies, which an index does
//! not need. So `artifacts/` is asked here without a trust root, of which the cost does not depend on how many entries there are:
//! `search-read` measures it over entries of a real server.
//!
//! Six of ten entries are of Rekor v1, one is of Rekor v2, three are certificates.
//!
//! ```text
//! search-index build --entries 10000000 --hashes /tmp/hashes --database /tmp/index.db
//! search-index ask --entries 10000000 --hashes /tmp/hashes --database /tmp/index.db
//! search-index build --check --entries 20000 --hashes /tmp/few --database /tmp/few.db    # whether it is right, in seconds
//! ```

mod answers;
mod ask;
mod build;
mod certificate;
mod direct;
mod entry;
mod expected;
mod identity;
mod kind;
mod log;
mod questions;
mod timed;
mod tree;

use chancery_daemon::database::{Postgres, Sqlite, open_postgres, open_sqlite};
use chancery_search::store::{PostgresStore, SqliteStore, Store};
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::sync::Arc;

// As the server does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure the search index over synthetic logs
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the index, and say how fast
    Build {
        #[command(flatten)]
        over: Over,
        /// Derive it a second time, and compare
        #[arg(long)]
        check: bool,
    },
    /// Ask an index that was built before
    Ask {
        #[command(flatten)]
        over: Over,
        /// Questions of each kind; batches are fewer
        #[arg(long, default_value_t = 1000)]
        requests: u64,
    },
}

#[derive(Debug, Args)]
struct Over {
    /// Entries of all logs together
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1000..1 << 31))]
    entries: u64,
    /// File of the leaf hashes; it is made if there is none, and may be kept for the next index of as many entries
    #[arg(long)]
    hashes: PathBuf,
    /// Where the index is: a SQLite file, or postgres://…
    #[arg(long)]
    database: String,
}

enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    async fn open(address: &str) -> anyhow::Result<Self> {
        Ok(if address.starts_with("postgres://") {
            Self::Postgres(open_postgres(address).await?)
        } else {
            Self::Sqlite(open_sqlite(Path::new(address)).await?)
        })
    }

    fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(database) => Arc::new(SqliteStore::new(database.clone())),
            Self::Postgres(database) => Arc::new(PostgresStore::new(database.clone())),
        }
    }

    async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let task = Arguments::parse().task;
    let (Task::Build { over, .. } | Task::Ask { over, .. }) = &task;
    let logs = log::logs(&over.hashes, over.entries).await?;
    let database = Database::open(&over.database).await?;
    match task {
        Task::Build { check, .. } => build::build(database.store(), &logs, check).await?,
        Task::Ask { requests, .. } => ask::ask(database.store(), &logs, requests).await?,
    }
    database.close().await;
    Ok(())
}
