//! A PostgreSQL primary, its standby, and an address that leads to whichever is the primary.
//!
//! The address is a socket of ours: what moves it is what an operator's proxy or name server is elsewhere.

use crate::{postgres::Own, waiting::eventually};
use std::{
    io,
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
};
use tempfile::TempDir;

/// How a primary and its standby go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    /// A commit waits until the standby has it on its disk.
    Synchronous,
    /// It does not.
    Asynchronous,
}

/// A primary and its standby.
pub struct Pair {
    primary: Own,
    standby: Own,
    door: Door,
    database: String,
}

impl Pair {
    /// Both, with an empty database.
    pub fn start(replication: Replication) -> Self {
        let primary = Own::start();
        let database = primary.name();
        let standby = primary.standby();
        let door = Door::open(primary.socket());
        if replication == Replication::Synchronous {
            // After the copy: once it is promoted, the standby waits for nobody.
            primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
            primary.execute("SELECT pg_reload_conf()");
            let synchronous = "SELECT bool_or(sync_state = 'sync') FROM pg_stat_replication";
            eventually("commits wait for the standby", || primary.holds(synchronous));
        }
        Self { primary, standby, door, database }
    }

    /// The URL of the database, wherever it is.
    pub fn url(&self) -> String {
        self.primary.url_at(self.door.directory.path(), &self.database)
    }

    /// Waits until the standby has everything.
    pub fn catch_up(&self) {
        let has_everything = "SELECT bool_and(flush_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication";
        eventually("the standby has everything", || self.primary.holds(has_everything));
    }

    /// From now on the standby is told nothing.
    pub fn lag(&self) {
        self.catch_up();
        self.standby.execute("ALTER SYSTEM SET primary_conninfo = ''");
        self.standby.execute("SELECT pg_reload_conf()");
        let alone = "SELECT count(*) = 0 FROM pg_stat_replication";
        eventually("the standby has gone", || self.primary.holds(alone));
    }

    /// The primary crashes, the standby is promoted, and the address leads there.
    pub fn fail_over(&self) {
        self.primary.crash();
        self.standby.execute("SELECT pg_promote()");
        self.door.lead_to(self.standby.socket());
    }
}

/// A socket that leads to another one.
struct Door {
    directory: TempDir,
    inside: Arc<Mutex<PathBuf>>,
}

impl Door {
    fn open(inside: PathBuf) -> Self {
        let directory = tempfile::Builder::new().prefix("chancery-test-").tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(".s.PGSQL.5432")).unwrap();
        let inside = Arc::new(Mutex::new(inside));
        let leads_to = inside.clone();
        // Ends with the test's process.
        thread::spawn(move || {
            for visitor in listener.incoming().map_while(Result::ok) {
                let socket = leads_to.lock().unwrap().clone();
                // Where nobody answers, the visitor is sent away.
                if let Ok(server) = UnixStream::connect(socket) {
                    pass_on(visitor, server);
                }
            }
        });
        Self { directory, inside }
    }

    /// Who is inside already stays where they are.
    fn lead_to(&self, socket: PathBuf) {
        *self.inside.lock().unwrap() = socket;
    }
}

/// Passes everything on, both ways, until one of the two ends.
fn pass_on(visitor: UnixStream, server: UnixStream) {
    let back = (server.try_clone().unwrap(), visitor.try_clone().unwrap());
    for (mut from, mut to) in [(visitor, server), back] {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}
