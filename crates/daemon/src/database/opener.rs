//! Opens connections to the servers of a database, of which one may be the primary.
//!
//! The server that the last connection led to is asked first: after a failover, that is the new primary. A server that does
//! not answer, or is a standby where a primary is wanted, is passed over, as in libpq; one that refuses the user or the
//! password is not. The next one is then asked first, so that a caller who gives up in the middle is not followed by one who
//! begins anew: however many servers have vanished, the others are reached. A server that starts is waited for.
//!
//! An old primary that comes back, or was never told, still says that it is one. It is passed over as well: see
//! [`super::timeline`].

use super::servers::Target;
use super::timeline::{Timeline, Told};
use super::{DatabaseError, durability};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How long a request waits for a connection before it fails with «try again later».
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one of several servers may take. A server that vanished without a word must leave time for the others.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Pause between looks for a newer primary: well below the time for which nothing is added after one is found, see
/// [`super::timeline`].
const LOOK: Duration = Duration::from_secs(5);
/// Pauses between attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Opens connections; clones share what they have found.
#[derive(Clone)]
pub(super) struct Opener {
    servers: Arc<[PgConnectOptions]>,
    target: Target,
    /// The number of the server that is asked first, counted on beyond the last one.
    first: Arc<AtomicUsize>,
    /// Is told of each new connection.
    timeline: Option<Timeline>,
    /// Whether what is committed through each new connection must be kept.
    must_be_durable: bool,
}

/// A new connection, and what its server said of itself where it was asked.
pub(super) type Opened = (PgConnection, Option<Told>);

/// Without the options, which may have a password.
impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Opener {
    /// Opens connections to `servers`, of which there is at least one.
    pub(super) fn new(servers: Vec<PgConnectOptions>, target: Target) -> Self {
        Self { servers: servers.into(), target, first: Arc::default(), timeline: None, must_be_durable: false }
    }

    /// The same servers, asked with other options.
    pub(super) fn with(&self, change: impl Fn(PgConnectOptions) -> PgConnectOptions) -> Self {
        Self { servers: self.servers.iter().cloned().map(change).collect(), ..self.clone() }
    }

    /// Has the timeline of each new connection noted.
    pub(super) fn noting(self, timeline: Timeline) -> Self {
        Self { timeline: Some(timeline), ..self }
    }

    /// Refuses a standby, even one that is alone: what it has not replayed yet would look like a database that was put back. A
    /// primary becomes one only after a restart, which ends its connections, so each is asked once.
    pub(super) fn of_primary(self) -> Self {
        Self { target: Target::Primary, ..self }
    }

    /// Has each new connection refused whose server may lose what it has committed.
    pub(super) fn durable(self) -> Self {
        Self { must_be_durable: true, ..self }
    }

    /// Whether a server that said this of itself is the newest primary, as far as is known.
    pub(super) fn is_newest(&self, told: Option<Told>) -> bool {
        self.timeline.as_ref().is_none_or(|timeline| timeline.is_newest(told))
    }

    /// Asks the servers that are not in use what they say of themselves, until it is dropped. Where an old primary was not stopped,
    /// no connection to it breaks, and nothing else would lead to the new one.
    pub(super) async fn watch(self) {
        while self.servers.len() > 1 {
            sleep(LOOK).await;
            let used = self.first.load(Ordering::Relaxed) % self.servers.len();
            for (_, options) in self.servers.iter().enumerate().filter(|(number, _)| *number != used) {
                // One that does not answer, is a standby or was replaced is nothing new.
                if let Ok((connection, _)) = self.connect(options).await {
                    let _closed = timeout(PATIENCE, connection.close()).await;
                }
            }
        }
    }

    /// Opens a connection. Waits up to five seconds for a server that is starting, or for a new primary.
    pub(super) async fn open(&self) -> Result<Opened, sqlx::Error> {
        let deadline = Instant::now() + ACQUIRE_TIMEOUT;
        let mut pause = FIRST_PAUSE;
        loop {
            let attempt = timeout_at(deadline, self.attempt()).await;
            let error = match attempt.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
                Err(error) if self.may_pass(&error) => error,
                result => return result,
            };
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Asks each server once.
    pub(super) async fn attempt(&self) -> Result<Opened, sqlx::Error> {
        let (count, first) = (self.servers.len(), self.first.load(Ordering::Relaxed));
        let mut last = sqlx::Error::PoolClosed;
        for (number, options) in self.servers.iter().enumerate().cycle().skip(first % count.max(1)).take(count) {
            match self.connect(options).await {
                Ok(opened) => {
                    self.first.store(number, Ordering::Relaxed);
                    return Ok(opened);
                }
                Err(error) if count > 1 && passes_over(&error) => {
                    tracing::warn!(database.host = options.get_host(), %error, "the database server is passed over");
                    self.first.store(number + 1, Ordering::Relaxed);
                    last = error;
                }
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    async fn connect(&self, options: &PgConnectOptions) -> Result<Opened, sqlx::Error> {
        if self.servers.len() == 1 {
            return self.prepared(options).await;
        }
        match timeout(PATIENCE, self.prepared(options)).await {
            Ok(result) => result,
            Err(_) => Err(sqlx::Error::Io(ErrorKind::TimedOut.into())),
        }
    }

    async fn prepared(&self, options: &PgConnectOptions) -> Result<Opened, sqlx::Error> {
        let mut connection = options.connect().await?;
        match self.ask(&mut connection).await {
            Ok(told) => Ok((connection, told)),
            Err(refused) => {
                // It is closed in any case, so the server's answer does not matter.
                let _closed = connection.close().await;
                Err(refused)
            }
        }
    }

    /// Asks the server of a new connection what it says of itself, and refuses one that is not to be used.
    async fn ask(&self, connection: &mut PgConnection) -> Result<Option<Told>, sqlx::Error> {
        if self.target == Target::Primary {
            verify_primary(connection).await?;
        }
        let told = match &self.timeline {
            // Of a server that is alone, older files were put back: the log finds that out.
            Some(timeline) if self.servers.len() == 1 => timeline.ask(connection).await?,
            Some(timeline) => timeline.ask_one_of_several(connection).await.map_err(refusal)?,
            None => None,
        };
        if self.must_be_durable {
            durability::verify(connection).await.map_err(refusal)?;
        }
        Ok(told)
    }

    /// Whether another attempt a moment later may succeed.
    fn may_pass(&self, error: &sqlx::Error) -> bool {
        match error {
            sqlx::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => true,
            error => is_starting(error) || self.servers.len() > 1 && passes_over(error),
        }
    }
}

/// For those who wait for a connection. What it is about can be found again in it.
fn refusal(error: DatabaseError) -> sqlx::Error {
    match error {
        DatabaseError::Open(error) => error,
        error => sqlx::Error::Configuration(error.into()),
    }
}

/// Refuses a server that is a standby.
async fn verify_primary(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let question = "/* readable */ SELECT pg_is_in_recovery()";
    let is_standby: bool = sqlx::query_scalar(question).fetch_one(connection).await?;
    if is_standby { Err(refusal(DatabaseError::Standby)) } else { Ok(()) }
}

/// Too many connections, or a server that is starting or stopping.
fn is_starting(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("53300" | "57P03"))
}

/// Whether another server is asked instead: this one does not answer, is not ready, is a standby, or was replaced.
fn passes_over(error: &sqlx::Error) -> bool {
    let is_no_primary = |cause: &(dyn std::error::Error + Send + Sync + 'static)| {
        let cause = cause.downcast_ref::<DatabaseError>();
        matches!(cause, Some(DatabaseError::Standby | DatabaseError::Superseded { .. }))
    };
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Configuration(cause) => is_no_primary(&**cause),
        error => is_starting(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::postgres::PgSslMode;
    use std::net::TcpListener;

    #[tokio::test]
    async fn servers_that_have_vanished_do_not_keep_a_caller_from_the_others() {
        // They take a connection and never say a word.
        let silent: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let servers = silent.iter().map(|listener| {
            let port = listener.local_addr().unwrap().port();
            PgConnectOptions::new().host("127.0.0.1").port(port).username("me").ssl_mode(PgSslMode::Disable)
        });
        let opener = Opener::new(servers.collect(), Target::Primary);
        // A caller gives up while the second one is asked, and the next caller begins there.
        assert!(timeout(PATIENCE + PATIENCE / 2, opener.attempt()).await.is_err());
        assert_eq!(opener.first.load(Ordering::Relaxed), 1);
        assert!(matches!(opener.attempt().await, Err(sqlx::Error::Io(_))));
        assert_eq!(opener.first.load(Ordering::Relaxed) % 3, 1, "each was asked");
    }
}
