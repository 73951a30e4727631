//! Opening a database: durability settings and schema version, checked before anything else.
//!
//! SQL of a role lives in that role's store; this module only knows how to reach a database and bring its schema to the
//! version the binary was built with.

mod connections;
mod durability;
mod opener;
mod parameters;
mod password_file;
mod postgres;
mod servers;
mod silence;
pub mod snapshot;
mod sqlite;
mod timeline;

pub use connections::{Connections, Lent};
pub use postgres::{
    POSTGRES_CONNECTIONS, Postgres, ServerFacts, check_postgres_url, examine_postgres, open_postgres,
    open_postgres_read_only,
};
pub use silence::is_silent;
pub use sqlite::{FileFacts, Sqlite, examine_sqlite, open_sqlite, open_sqlite_read_only};

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use std::path::PathBuf;

/// Why a database cannot be used. Every message says how to fix it.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be opened.
    #[error("cannot open the database: {0}")]
    Open(#[from] sqlx::Error),
    /// A parameter of the URL does not exist, or is not supported.
    #[error("the database URL has the unknown parameter `{name}`; correct or remove it. Known are {known}")]
    Parameter {
        /// The parameter.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// webpki takes no certificate of an authority for that of a server, and sqlx has no other verifier.
    #[error(
        "the database server's certificate signs itself and is an authority (CA:TRUE), and cannot be verified: make it with \
         `openssl req -x509 … -addext basicConstraints=critical,CA:FALSE`, or have an authority issue it and name that in \
         sslrootcert"
    )]
    ServerIsAuthority,
    /// A pooler does not pass on the settings of a session, or shares sessions between its clients.
    #[error(
        "sessions of the database do not get the settings that chancery asks for, because a connection pooler such as PgBouncer is in \
         between: connect to PostgreSQL itself, or through a pooler in session mode that passes on the startup parameter `options`"
    )]
    Pooler,
    /// A parameter of the URL has a value that is not supported.
    #[error("the database URL cannot be used because of `{name}`: {reason}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What is supported.
        reason: &'static str,
    },
    /// The password file that the URL names cannot be used.
    #[error("cannot use the password file {path}: {reason}", path = .path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// This binary does not know the schema.
    #[error("the database's schema does not fit this version of chancery: {0}")]
    Schema(#[from] MigrateError),
    /// A newer chancery has migrated the database.
    #[error(
        "the database's schema is of version {found}, this chancery knows versions up to {known}: start the newer \
         chancery that wrote it, or restore the backup from before the upgrade"
    )]
    NewerSchema {
        /// Version in the database.
        found: i64,
        /// Newest version this binary knows.
        known: i64,
    },
    /// An older chancery wrote the database, and it is only to be read.
    #[error(
        "the database's schema is of version {found}, and this chancery reads version {known}: start its server once, \
         which brings the schema up to date, or read with the chancery that wrote it"
    )]
    OlderSchema {
        /// Version in the database.
        found: i64,
        /// Newest version this binary knows.
        known: i64,
    },
    /// A backup is restored into a database that has something already.
    #[error(
        "the database is not empty: {found}. Restore into a new one (createdb NAME), so that nothing is mixed or lost"
    )]
    NotEmpty {
        /// What it has.
        found: &'static str,
    },
    /// A setting lets a commit return before it is on disk.
    #[error(
        "the database server runs with {setting} = {value}, so that an acknowledged entry could be lost in a power \
         failure: set {setting} = on for it (ALTER SYSTEM SET {setting} = on; SELECT pg_reload_conf();) and for this \
         database and role (ALTER DATABASE … RESET {setting}; ALTER ROLE … RESET {setting})"
    )]
    NotDurable {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// The server is too old for the schema or the store.
    #[error("the database server is PostgreSQL {found}; chancery needs 14 or newer")]
    OldServer {
        /// Its version.
        found: String,
    },
    /// The server is a standby.
    #[error("the database server is a standby and cannot be written to: connect to its primary")]
    Standby,
    /// The server was a primary before another one was promoted, and does not know it.
    #[error(
        "the database server is on timeline {found}, and another one in the URL is on timeline {newest}: it was replaced by that \
         one and still takes writes. Stop it, or make it a standby of the other (pg_rewind). If older files were put back on all \
         of them on purpose, restart chancery"
    )]
    Superseded {
        /// Its timeline.
        found: u32,
        /// That of the newest primary.
        newest: u32,
    },
}

/// A numbered migration: version, name, plain SQL.
pub type MigrationSource = (i64, &'static str, &'static str);

fn migrator(sources: &[MigrationSource]) -> Migrator {
    let migrations = sources
        .iter()
        .map(|(version, name, sql)| {
            Migration::new(*version, (*name).into(), MigrationType::Simple, sqlx::SqlStr::from_static(sql), false)
        })
        .collect();
    Migrator::with_migrations(migrations)
}

fn newest_version(sources: &[MigrationSource]) -> i64 {
    sources.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}

/// The newest version in a database.
const VERSION: &str = "SELECT max(version) FROM _sqlx_migrations";

/// Refuses to read from tables as older versions had them. Where the version cannot be read, the statements that follow say what is
/// missing.
fn verify_version(found: Option<i64>, sources: &[MigrationSource]) -> Result<(), DatabaseError> {
    let known = newest_version(sources);
    match found {
        Some(found) if found < known => Err(DatabaseError::OlderSchema { found, known }),
        _ => Ok(()),
    }
}
