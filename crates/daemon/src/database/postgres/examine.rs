//! What a `PostgreSQL` server says of itself, for an operator who looks for a fault. Nothing is written or migrated, and every
//! refusal is one that a server of this program would meet at its start.

use super::{
    POSTGRES_MIGRATIONS, READERS, SESSION, WRITERS, applied_version, explained, newest_version, opener, verify_server,
    verify_session,
};
use crate::database::DatabaseError;
use crate::database::servers::Target;
use chancery_verify::Timestamp;
use sqlx::{Connection as _, PgConnection};
use std::time::{Duration, Instant};

/// Most connections that one process opens.
pub const POSTGRES_CONNECTIONS: u32 = WRITERS + READERS;

/// Statements by which it is seen that a connection leads to one session, and how long a statement takes.
const STATEMENTS: usize = 9;

const FACTS: &str = "/* facts */ SELECT current_setting('server_version'),
    current_setting('max_connections')::int4 - current_setting('superuser_reserved_connections')::int4,
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
    (SELECT coalesce(sum(numbackends), 0)::int8 FROM pg_stat_database),
    (extract(epoch FROM clock_timestamp()) * 1000)::int8";

/// A server, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its version, as it writes it.
    pub version: String,
    /// Connections that the user of the URL can have.
    pub max_connections: u32,
    /// The setting that limits them.
    pub limited_by: &'static str,
    /// Connections that are open, of all users.
    pub used_connections: u32,
    /// Version of the schema; 0 if there is none.
    pub schema: i64,
    /// The newest version that this program knows.
    pub known_schema: i64,
    /// Median time of a statement that reads nothing.
    pub round_trip: Duration,
    /// Its clock.
    pub now: Timestamp,
}

/// Asks the primary at `url`.
///
/// # Errors
/// [`DatabaseError`], as [`super::open_postgres`] has it, but for an older schema, which a server brings up to date.
pub async fn examine_postgres(url: &str) -> Result<ServerFacts, DatabaseError> {
    let opener = opener(url, Target::Primary)?.with(|options| options.options(SESSION));
    let (mut connection, _) = opener.attempt().await.map_err(explained)?;
    let facts = examine(&mut connection).await;
    // It is closed in any case, so the server's answer does not matter.
    let _closed = connection.close().await;
    facts
}

async fn examine(connection: &mut PgConnection) -> Result<ServerFacts, DatabaseError> {
    verify_server(connection).await?;
    verify_session(&mut *connection).await?;
    let round_trip = verify_one_session(connection).await?;
    let (version, server, database, role, used, now): (String, i32, i32, i32, i64, i64) =
        sqlx::query_as(FACTS).fetch_one(&mut *connection).await?;
    let schema = applied_version(connection).await?;
    let known_schema = newest_version(POSTGRES_MIGRATIONS);
    if schema > known_schema {
        return Err(DatabaseError::NewerSchema { found: schema, known: known_schema });
    }
    let (max_connections, limited_by) = limit(server, database, role);
    Ok(ServerFacts {
        version,
        max_connections,
        limited_by,
        used_connections: u32::try_from(used).unwrap_or(u32::MAX),
        schema,
        known_schema,
        round_trip,
        now: Timestamp::from_millis(u64::try_from(now).unwrap_or_default()),
    })
}

/// The lowest of the limits; a negative one is none.
fn limit(server: i32, database: i32, role: i32) -> (u32, &'static str) {
    let limits = [
        (server, "max_connections"),
        (database, "ALTER DATABASE … CONNECTION LIMIT"),
        (role, "ALTER ROLE … CONNECTION LIMIT"),
    ];
    let known = limits.into_iter().filter_map(|(limit, setting)| Some((u32::try_from(limit).ok()?, setting)));
    known.min_by_key(|(limit, _)| *limit).unwrap_or((0, "max_connections"))
}

/// Refuses a pooler that lends a session for one statement or one transaction. Returns the median time of a statement.
async fn verify_one_session(connection: &mut PgConnection) -> Result<Duration, DatabaseError> {
    let (mut sessions, mut times) = (Vec::new(), [Duration::ZERO; STATEMENTS]);
    for time in &mut times {
        let begun = Instant::now();
        let session: i32 =
            sqlx::query_scalar("/* session */ SELECT pg_backend_pid()").fetch_one(&mut *connection).await?;
        *time = begun.elapsed();
        sessions.push(session);
    }
    sessions.dedup();
    times.sort_unstable();
    if sessions.len() == 1 { Ok(times[STATEMENTS / 2]) } else { Err(DatabaseError::Pooler) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_limit_counts_and_minus_one_is_none() {
        assert_eq!(limit(97, -1, -1), (97, "max_connections"));
        assert_eq!(limit(97, 10, -1), (10, "ALTER DATABASE … CONNECTION LIMIT"));
        assert_eq!(limit(97, 10, 5), (5, "ALTER ROLE … CONNECTION LIMIT"));
    }
}
