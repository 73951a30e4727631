//! `PostgreSQL`, 14 or newer: production, and several replicas over one database.
//!
//! Checked before the first request: the server is a primary and new enough, a commit that returned is on disk, and the
//! schema is exactly the one this binary was built with. A role without the right to create tables can serve a schema
//! that its owner has migrated.

mod examine;

pub use examine::{POSTGRES_CONNECTIONS, ServerFacts, examine_postgres};

use super::connections::Connections;
use super::durability::{self, COMMIT_SETTING};
use super::opener::Opener;
use super::servers::{Servers, Target};
use super::timeline::{self, Timeline};
use super::{DatabaseError, MigrationSource, VERSION, migrator, newest_version, verify_version};
use sqlx::Connection as _;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The schema, oldest version first. Never edited once landed, only added to.
pub(super) const POSTGRES_MIGRATIONS: &[MigrationSource] = &[
    (1, "initial schema", include_str!("../../../../migrations/postgres/0001_initial_schema.sql")),
    (2, "frozen logs", include_str!("../../../../migrations/postgres/0002_frozen_logs.sql")),
    (3, "append-only tables", include_str!("../../../../migrations/postgres/0003_append_only_tables.sql")),
    (4, "logs in doubt", include_str!("../../../../migrations/postgres/0004_logs_in_doubt.sql")),
    (5, "heads are added", include_str!("../../../../migrations/postgres/0005_heads_are_added.sql")),
    (6, "search", include_str!("../../../../migrations/postgres/0006_search.sql")),
    (7, "attestations", include_str!("../../../../migrations/postgres/0007_attestations.sql")),
    (8, "frozen checkpoints", include_str!("../../../../migrations/postgres/0008_frozen_checkpoints.sql")),
    (9, "event cursors", include_str!("../../../../migrations/postgres/0009_event_cursors.sql")),
    (10, "attestation subjects", include_str!("../../../../migrations/postgres/0010_attestation_subjects.sql")),
    (11, "unread attestations", include_str!("../../../../migrations/postgres/0011_unread_attestations.sql")),
    (
        12,
        "statements of older servers",
        include_str!("../../../../migrations/postgres/0012_statements_of_older_servers.sql"),
    ),
];

/// `server_version_num` of the oldest server that is tested.
const OLDEST_SERVER: u32 = 140_000;
/// One connection for each log that appends, and a few for other writes.
const WRITERS: u32 = 6;
/// Concurrent reads of one process. Two replicas with both pools stay far below the server's default of 100
/// connections.
const READERS: u32 = 12;

/// The setting by which it is seen that a session has those of [`SESSION`].
const SEEN: (&str, &str) = ("lock_timeout", "15s");
/// What `PgBouncer` says of settings that it does not know.
const UNSUPPORTED: &str = "unsupported startup parameter";

/// Settings of every connection.
const SESSION: [(&str, &str); 9] = [
    // A statement that waited for the lock on a head must see what was committed meanwhile: that the log was frozen or ended.
    ("default_transaction_isolation", "read committed"),
    // Our statements take milliseconds. A slower one waits for something that will not happen.
    ("statement_timeout", "30s"),
    // Another replica holds the lock on a head for milliseconds. If that replica was stopped meanwhile, the next
    // setting ends its transaction.
    SEEN,
    // A replica that is stopped (SIGSTOP, a frozen VM) inside a transaction loses it, and with it the lock on the head.
    ("idle_in_transaction_session_timeout", "5s"),
    // A batch of 1024 leaves of 8 KiB passes through unnest in memory instead of a temporary file.
    ("work_mem", "32MB"),
    // Our few statements need the same plan for all parameters; planning costs more than running them.
    ("plan_cache_mode", "force_generic_plan"),
    // Every statement finds its rows by key. A plan made while a table was empty would scan the table instead.
    ("enable_seqscan", "off"),
    // Compiling a plan takes longer than any of ours runs.
    ("jit", "off"),
    // Notices a replica that disappeared without closing its connection, and releases its locks.
    ("tcp_keepalives_idle", "30"),
];

/// Two pools for one database, so that a flood of reads never delays an append.
#[derive(Debug, Clone)]
pub struct Postgres {
    /// For appends.
    pub writers: Connections,
    /// For everything else; their transactions are read-only.
    pub readers: Connections,
    /// Of both.
    timeline: Timeline,
    /// Looks for a newer primary, until the last clone is dropped.
    _watch: Arc<JoinSet<()>>,
}

impl Postgres {
    /// Whether the server is on the timeline it was on, or every process that knows of something that is missing has had the time
    /// to say so. MUST be asked before anything is added to a log, with a writer at hand: a new one has asked the server.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.timeline.is_settled(Instant::now())
    }

    /// Notes that the server may have been promoted, or the database restored, `ago` before it was opened here.
    pub fn has_changed(&self, ago: Duration) {
        self.timeline.has_changed(ago);
    }

    /// The server's timeline. `None` where it does not tell this role, or is a standby.
    pub async fn timeline(&self) -> Result<Option<u32>, sqlx::Error> {
        timeline::current(&self.readers).await
    }

    /// Asks the server, through a connection that writes, whether it is a primary that takes writes.
    pub async fn verify_usable(&self) -> Result<(), DatabaseError> {
        let question = "/* usable */ SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool";
        let is_read_only: bool = sqlx::query_scalar(question).fetch_one(&self.writers).await?;
        if is_read_only { Err(DatabaseError::Standby) } else { Ok(()) }
    }

    /// Closes all.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

/// Opens the database at `url` (`postgres://user@host/database?sslmode=verify-full&sslrootcert=…`, or with
/// `?host=/run/postgresql` through a Unix socket), and migrates an older schema.
pub async fn open_postgres(url: &str) -> Result<Postgres, DatabaseError> {
    let opener = opener(url, Target::Primary)?;
    // Migrations use a connection of their own: they may take longer than the limit for the server's statements.
    let (mut connection, _) = opener.attempt().await.map_err(explained)?;
    let commit = verify_server(&mut connection).await?;
    migrate(&mut connection, POSTGRES_MIGRATIONS).await?;
    connection.close().await?;
    // As it was found, whatever is set later for the server, the database or the role: a session would follow that.
    let timeline = Timeline::watch(Instant::now());
    let opener = opener.noting(timeline.clone());
    let writing = opener.with(|options| options.options(SESSION).options([(COMMIT_SETTING, &commit)])).durable();
    let writers = Connections::open(writing, WRITERS).await.map_err(explained)?;
    verify_session(&writers).await?;
    let readers = Connections::open(opener.with(read_only).of_primary(), READERS).await?;
    let mut watch = JoinSet::new();
    watch.spawn(opener.watch());
    Ok(Postgres { writers, readers, timeline, _watch: Arc::new(watch) })
}

/// Checks the options in the URL of a database, without connecting to it.
pub fn check_postgres_url(url: &str) -> Result<(), DatabaseError> {
    Servers::check(url)
}

/// Opens the database at `url` for inspection: every transaction is read-only and the schema is not migrated. A standby
/// is enough.
pub async fn open_postgres_read_only(url: &str) -> Result<Postgres, DatabaseError> {
    let opener = opener(url, Target::Any)?;
    let readers = Connections::open(opener.with(read_only), READERS).await.map_err(explained)?;
    let version: Result<Option<i64>, sqlx::Error> = sqlx::query_scalar(VERSION).fetch_one(&readers).await;
    verify_version(version.ok().flatten(), POSTGRES_MIGRATIONS)?;
    let timeline = Timeline::watch(Instant::now());
    Ok(Postgres { writers: readers.clone(), readers, timeline, _watch: Arc::default() })
}

/// Says what to do about a certificate that would be accepted if it were made otherwise, and about a pooler.
pub(super) fn explained(error: sqlx::Error) -> DatabaseError {
    let text = format!("{error:?}");
    if text.contains("CaUsedAsEndEntity") {
        DatabaseError::ServerIsAuthority
    } else if text.contains(UNSUPPORTED) {
        DatabaseError::Pooler
    } else {
        error.into()
    }
}

/// Checks that sessions have the settings that were asked for. Without them, a replica that was stopped would keep its lock.
async fn verify_session<'c>(database: impl sqlx::PgExecutor<'c>) -> Result<(), DatabaseError> {
    let (name, wanted) = SEEN;
    let found: String = sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(database).await?;
    if found == wanted { Ok(()) } else { Err(DatabaseError::Pooler) }
}

/// Opens connections to the servers of a URL. `usual` is the choice among several if the URL makes none.
pub(super) fn opener(url: &str, usual: Target) -> Result<Opener, DatabaseError> {
    let Servers { options, target } = Servers::read(url)?;
    options.iter().for_each(warn_if_unverified);
    // A server that is alone is asked later, and refused with what to do.
    let is_alone = options.len() == 1;
    let target = target.filter(|_| usual == Target::Any).unwrap_or(usual);
    Ok(Opener::new(options, if is_alone { Target::Any } else { target }))
}

fn read_only(options: PgConnectOptions) -> PgConnectOptions {
    options.options(SESSION).options([("default_transaction_read_only", "on")])
}

/// Only `verify-ca` and `verify-full` prove the identity of the server that receives the password and the log's
/// entries.
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
    // sqlx adds the file of sslrootcert to the public authorities.
    if !local && matches!(options.get_ssl_mode(), PgSslMode::VerifyCa) {
        tracing::warn!(
            database.host = options.get_host(),
            "the database server's name is not verified, and certificates of public authorities are accepted beside those of \
             sslrootcert, whatever their name; write sslmode=verify-full in the database URL"
        );
    }
}

/// Returns the server's [`COMMIT_SETTING`].
pub(super) async fn verify_server(connection: &mut PgConnection) -> Result<String, DatabaseError> {
    if connection.server_version_num().is_none_or(|version| version < OLDEST_SERVER) {
        let found = sqlx::query_scalar("SELECT current_setting('server_version')").fetch_one(connection).await?;
        return Err(DatabaseError::OldServer { found });
    }
    if sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut *connection).await? {
        return Err(DatabaseError::Standby);
    }
    durability::verify(connection).await
}

/// Applies missing migrations under the migrator's lock, so that replicas may start together. If none is missing it
/// only reads, so the serving role needs no further rights.
pub(super) async fn migrate(connection: &mut PgConnection, sources: &[MigrationSource]) -> Result<(), DatabaseError> {
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

/// Returns the newest version in the database; 0 if there is no schema yet.
pub(super) async fn applied_version(connection: &mut PgConnection) -> Result<i64, DatabaseError> {
    let exists: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    if !exists {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
    Ok(sqlx::query_scalar(newest).fetch_one(connection).await?)
}
