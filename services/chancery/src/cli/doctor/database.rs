//! The database of the logs: reachable, durable, of a known schema, with enough connections, and not behind a pooler that shares
//! sessions. Nothing is written, and the refusals are those of a server's start.

use super::finding::Finding;
use chancery_daemon::{
    clock::{Clock as _, SystemClock},
    database::{DatabaseError, FileFacts, POSTGRES_CONNECTIONS, ServerFacts, examine_postgres, examine_sqlite},
};
use chancery_log::store::Location;
use chancery_verify::Timestamp;
use std::{path::Path, time::Duration};

const CHECK: &str = "database";
/// What is shown of a server. Its URL may have a password.
const SERVER: &str = "PostgreSQL";
/// A server that says nothing is given up after this time.
const DEADLINE: Duration = Duration::from_secs(15);
/// A batch takes some round trips.
const SLOW: Duration = Duration::from_millis(20);
/// Of the connections, so many may be in use, in tenths.
const MANY_TENTHS: u32 = 8;
/// Largest difference between its clock and this one, in seconds.
const CLOCKS_SECONDS: u64 = 5;

/// Examines the database at `location`.
pub(super) async fn examine(location: &Location) -> Vec<Finding> {
    match location {
        Location::File(path) => vec![file(path).await],
        Location::Server(url) => {
            let begun = SystemClock.now();
            match tokio::time::timeout(DEADLINE, examine_postgres(url)).await {
                Ok(Ok(facts)) => vec![reached(&facts), connections(&facts), clocks(&facts, begun, SystemClock.now())],
                Ok(Err(error)) => vec![refused(SERVER, &error)],
                Err(_) => vec![silent()],
            }
        }
    }
}

async fn file(path: &Path) -> Finding {
    let subject = path.display().to_string();
    if !path.exists() {
        let message = "there is no database file, so the instance has no logs here";
        let action = "put it back from a backup, or set [database] url if the logs are in PostgreSQL";
        return Finding::error(CHECK, &subject, message, action);
    }
    match examine_sqlite(path).await {
        Ok(FileFacts { bytes, is_write_ahead: true }) => {
            Finding::ok(CHECK, &subject, &format!("SQLite with {} MiB, written ahead", bytes >> 20))
        }
        Ok(FileFacts { .. }) => Finding::warning(
            CHECK,
            &subject,
            "SQLite has no write-ahead log for this file, so readers wait for writers",
            "start the server once; it sets the mode, unless the file is on a network file system: put it on a local disk",
        ),
        Err(error) => refused(&subject, &error),
    }
}

fn refused(subject: &str, error: &DatabaseError) -> Finding {
    let message = format!("the database of the logs cannot be used: {error}");
    Finding::error(CHECK, subject, &message, &advice(error))
}

fn silent() -> Finding {
    let message = format!("the database of the logs has not answered within {} s", DEADLINE.as_secs());
    let action = "see that PostgreSQL runs, that nothing holds it up (pg_stat_activity), and that no firewall drops packets to it";
    Finding::error(CHECK, SERVER, &message, action)
}

/// What to do about a refusal. Most of them say it, too.
fn advice(error: &DatabaseError) -> String {
    let action = match error {
        DatabaseError::Pooler => {
            "connect to PostgreSQL itself in [database] url, or set pool_mode = session in PgBouncer and have it pass on `options`"
        }
        DatabaseError::NotDurable { setting, .. } => {
            return format!("ALTER SYSTEM SET {setting} = on; SELECT pg_reload_conf();");
        }
        DatabaseError::PasswordFile { path, .. } => {
            return format!("chmod 600 {0}, and make the server's user its owner: chown USER {0}", path.display());
        }
        DatabaseError::ServerIsAuthority => "make the database server another certificate, as the message says",
        DatabaseError::OldServer { .. } => "upgrade PostgreSQL to 14 or newer (pg_upgrade)",
        DatabaseError::Standby => "name the primary in [database] url, or all servers: postgres://user@a,b/database",
        DatabaseError::Superseded { .. } => "stop that server, or make it a standby of the other one (pg_rewind)",
        DatabaseError::NewerSchema { .. } => "run the newer chancery that wrote it",
        DatabaseError::OlderSchema { .. } => "start the server once: chancery serve brings the schema up to date",
        // Only a restore is refused for it.
        DatabaseError::NotEmpty { .. } => "restore into a new database (createdb NAME)",
        DatabaseError::Schema(_) => "run the chancery that wrote the database, or restore a backup",
        DatabaseError::Parameter { .. } | DatabaseError::Value { .. } => "correct [database] url",
        DatabaseError::Open(_) => {
            "see that the database runs and can be reached from here; then correct host, port, user and database in [database] url, \
             and the password in PGPASSWORD, ~/.pgpass or passfile"
        }
    };
    action.to_owned()
}

fn reached(ServerFacts { version, schema, known_schema, round_trip, .. }: &ServerFacts) -> Finding {
    let milliseconds = round_trip.as_secs_f64() * 1e3;
    if schema < known_schema {
        let message =
            format!("PostgreSQL {version}: the schema is of version {schema}, and this chancery writes {known_schema}");
        let action = "start the server once, as the owner of the tables: chancery serve brings the schema up to date";
        return Finding::warning(CHECK, SERVER, &message, action);
    }
    if *round_trip > SLOW {
        let message =
            format!("PostgreSQL {version}: a statement takes {milliseconds:.1} ms, and every new entry waits for some");
        return Finding::warning(CHECK, SERVER, &message, "run the database nearer to the server");
    }
    Finding::ok(CHECK, SERVER, &format!("PostgreSQL {version}, a statement takes {milliseconds:.1} ms"))
}

fn connections(facts: &ServerFacts) -> Finding {
    let ServerFacts { max_connections, limited_by, used_connections, .. } = *facts;
    let used = format!("{used_connections} of {max_connections} connections are open");
    if max_connections < POSTGRES_CONNECTIONS {
        let message = format!(
            "{limited_by} allows {max_connections} connections, and one server opens up to {POSTGRES_CONNECTIONS}"
        );
        let action = format!("raise {limited_by} to at least {POSTGRES_CONNECTIONS} for each server of the instance");
        return Finding::error(CHECK, SERVER, &message, &action);
    }
    if u64::from(used_connections) * 10 >= u64::from(max_connections) * u64::from(MANY_TENTHS) {
        let message = format!("{used}; without a free one, requests get 503");
        let action = format!("raise {limited_by}, or close what others have open: SELECT * FROM pg_stat_activity");
        return Finding::warning(CHECK, SERVER, &message, &action);
    }
    Finding::ok(CHECK, SERVER, &used)
}

/// Its clock was read between `begun` and `ended` of this one.
fn clocks(facts: &ServerFacts, begun: Timestamp, ended: Timestamp) -> Finding {
    let is_near = begun.minus_seconds(CLOCKS_SECONDS) <= facts.now && facts.now <= ended.plus_seconds(CLOCKS_SECONDS);
    if is_near {
        return Finding::ok(CHECK, SERVER, "its clock agrees with this one");
    }
    let message =
        format!("its clock shows {}, and this one {}: one of them is wrong", facts.now.rfc3339(), ended.rfc3339());
    Finding::warning("clock", SERVER, &message, "have both machines follow a time server: timedatectl set-ntp true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity;

    fn facts(max_connections: u32, used_connections: u32) -> ServerFacts {
        ServerFacts {
            version: "17.2".to_owned(),
            max_connections,
            limited_by: "max_connections",
            used_connections,
            schema: 12,
            known_schema: 12,
            round_trip: Duration::from_millis(1),
            now: Timestamp::from_seconds(1_800_000_000),
        }
    }

    #[test]
    fn too_few_connections_and_a_slow_or_old_database_are_told() {
        let slow = ServerFacts { round_trip: SLOW * 2, ..facts(100, 10) };
        let old = ServerFacts { schema: 11, ..facts(100, 10) };
        let at = |seconds: u64| Timestamp::from_seconds(1_800_000_000 + seconds);
        for (found, severity) in [
            (reached(&facts(100, 10)), Severity::Ok),
            (reached(&slow), Severity::Warning),
            (reached(&old), Severity::Warning),
            (connections(&facts(100, 10)), Severity::Ok),
            (connections(&facts(100, 80)), Severity::Warning),
            (connections(&facts(POSTGRES_CONNECTIONS - 1, 0)), Severity::Error),
            (clocks(&facts(100, 10), at(0), at(1)), Severity::Ok),
            (clocks(&facts(100, 10), at(6), at(7)), Severity::Warning),
            (refused(SERVER, &DatabaseError::Pooler), Severity::Error),
        ] {
            assert_eq!(found.severity, severity, "{found:?}");
        }
        assert!(advice(&DatabaseError::Pooler).contains("pool_mode = session"));
    }
}
