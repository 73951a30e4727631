//! `PostgreSQL`, 14 or newer: production, and several replicas over one database.
//!
//! What is checked before the first byte is served: the server is a primary, is new enough, and has a commit on disk
//! when it says so; the schema is exactly the one this binary was built with. A role that may not create tables can serve
//! a schema that its owner has brought up to date.

use super::connections::{ACQUIRE_TIMEOUT, Connections};
use super::{DatabaseError, MigrationSource, migrator, newest_version};
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use std::str::FromStr as _;

/// The schema, oldest version first. Never edited once landed, only added to.
const POSTGRES_MIGRATIONS: &[MigrationSource] = &[
    (1, "initial schema", include_str!("../../../../migrations/postgres/0001_initial_schema.sql")),
    (2, "frozen logs", include_str!("../../../../migrations/postgres/0002_frozen_logs.sql")),
    (3, "append-only tables", include_str!("../../../../migrations/postgres/0003_append_only_tables.sql")),
];

/// `server_version_num` of the oldest server that is tested.
const OLDEST_SERVER: u32 = 140_000;
/// Settings without which a commit that returned may be lost. Any `synchronous_commit` but `off` waits for the disk.
const DURABILITY_SETTINGS: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];
/// One per log that appends, and a few for what is done beside it.
const WRITERS: u32 = 6;
/// Reads that run at once in one process. Two replicas with both pools stay far below the server's default of 100.
const READERS: u32 = 12;

/// What every connection is opened with.
const SESSION: [(&str, &str); 8] = [
    // A statement of ours takes milliseconds; one that takes this long waits for something that will not come.
    ("statement_timeout", "30s"),
    // Another replica holds a head for milliseconds, and one that was stopped meanwhile for the next line's time.
    ("lock_timeout", "15s"),
    // A replica that is stopped (SIGSTOP, a frozen VM) inside a transaction loses it, and with it the lock on the head.
    ("idle_in_transaction_session_timeout", "5s"),
    // A batch of 1024 leaves of 8 KiB passes through unnest in memory instead of a temporary file.
    ("work_mem", "32MB"),
    // Plans of the few statements there are do not depend on their parameters; planning anew costs more than running.
    ("plan_cache_mode", "force_generic_plan"),
    // Every statement finds its rows by key. A plan that was made while a table was empty would otherwise scan it.
    ("enable_seqscan", "off"),
    // Compiling a plan takes longer than any of ours runs.
    ("jit", "off"),
    // A replica that went away without a word is noticed, and its locks are released.
    ("tcp_keepalives_idle", "30"),
];

/// Two kinds of connections to one database, so that a flood of reads never keeps a batch waiting.
#[derive(Debug, Clone)]
pub struct Postgres {
    /// For appending.
    pub writers: Connections,
    /// For everything else; their transactions are read-only.
    pub readers: Connections,
}

impl Postgres {
    /// Closes all.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

/// Opens the database at `url` (`postgres://user@host/database?sslmode=verify-full&sslrootcert=…`, or with
/// `?host=/run/postgresql` through a Unix socket), and brings its schema up to date if it is of an older version.
pub async fn open_postgres(url: &str) -> Result<Postgres, DatabaseError> {
    let options = PgConnectOptions::from_str(url)?.application_name("chancery");
    warn_if_unverified(&options);
    // Migrations have a connection of their own: they may take longer than a statement of the server should.
    let mut connection = options.connect().await?;
    verify_server(&mut connection).await?;
    migrate(&mut connection, POSTGRES_MIGRATIONS).await?;
    connection.close().await?;
    let writers = connections(WRITERS, options.clone().options(SESSION)).await?;
    let readers = connections(READERS, read_only(options)).await?;
    Ok(Postgres { writers, readers })
}

/// Opens the database at `url` for inspection: every transaction is read-only, and its schema stays as it is. A standby
/// will do.
pub async fn open_postgres_read_only(url: &str) -> Result<Postgres, DatabaseError> {
    let options = PgConnectOptions::from_str(url)?.application_name("chancery");
    warn_if_unverified(&options);
    let readers = connections(READERS, read_only(options)).await?;
    Ok(Postgres { writers: readers.clone(), readers })
}

fn read_only(options: PgConnectOptions) -> PgConnectOptions {
    options.options(SESSION).options([("default_transaction_read_only", "on")])
}

/// Opens the first of them, so that a database that cannot be reached is noticed at once.
async fn connections(count: u32, options: PgConnectOptions) -> Result<Connections, sqlx::Error> {
    let pool =
        PgPoolOptions::new().max_connections(count).acquire_timeout(ACQUIRE_TIMEOUT).connect_with(options).await?;
    Ok(Connections::new(pool, count))
}

/// Only `verify-ca` and `verify-full` prove to whom the password and the log are sent.
fn warn_if_unverified(options: &PgConnectOptions) {
    let local = options.get_socket().is_some()
        || options.get_host().starts_with('/')
        || options.get_host() == "localhost"
        || options.get_host().parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if !local && !matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
        tracing::warn!(
            database.host = options.get_host(),
            "the database server's certificate is not verified; add sslmode=verify-full to the database URL"
        );
    }
}

async fn verify_server(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    if connection.server_version_num().is_none_or(|version| version < OLDEST_SERVER) {
        let found = sqlx::query_scalar("SELECT current_setting('server_version')").fetch_one(connection).await?;
        return Err(DatabaseError::OldServer { found });
    }
    if sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut *connection).await? {
        return Err(DatabaseError::Standby);
    }
    for setting in DURABILITY_SETTINGS {
        let value: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&mut *connection).await?;
        if value == "off" {
            return Err(DatabaseError::NotDurable { setting, value });
        }
    }
    Ok(())
}

/// Applies what is missing, under the migrator's lock, so that replicas may start together. Where nothing is missing it
/// only reads: the role that serves need not be allowed more.
async fn migrate(connection: &mut PgConnection, sources: &[MigrationSource]) -> Result<(), DatabaseError> {
    let known = newest_version(sources);
    let found = applied_version(connection).await?;
    if found > known {
        return Err(DatabaseError::NewerSchema { found, known });
    }
    let migrator = migrator(sources);
    if found < known {
        migrator.run(&mut *connection).await?;
    }
    let applied: Vec<(i64, bool, Vec<u8>)> =
        sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version")
            .fetch_all(connection)
            .await?;
    for migration in migrator.iter() {
        match applied.iter().find(|(version, ..)| *version == migration.version) {
            Some((_, true, checksum)) if **checksum == *migration.checksum => {}
            Some((_, true, _)) => return Err(MigrateError::VersionMismatch(migration.version).into()),
            Some((_, false, _)) => return Err(MigrateError::Dirty(migration.version).into()),
            None => return Err(MigrateError::VersionMissing(migration.version).into()),
        }
    }
    Ok(())
}

/// Newest version in the database; 0 where there is no schema yet.
async fn applied_version(connection: &mut PgConnection) -> Result<i64, DatabaseError> {
    let exists: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !exists {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
    Ok(sqlx::query_scalar(newest).fetch_one(connection).await?)
}
