//! A `PostgreSQL` server for several instances of the program: the one the log's own tests are run against.

#[path = "../../services/log/tests/postgres/mod.rs"]
#[expect(dead_code, reason = "the log's own tests do more with it")]
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Longest until a server has stopped.
const DEADLINE: Duration = Duration::from_mins(1);

/// The URL of an empty database.
pub fn database() -> String {
    url(&name())
}

/// Runs SQL as the superuser: in one database, which no one else uses meanwhile, or in the server's own.
pub fn execute(database: Option<&str>, sql: &str) -> Result<(), String> {
    server::server().try_execute(database.unwrap_or("postgres"), sql)
}

/// The URL of the database of this name.
pub fn url(database: &str) -> String {
    server::server().url(database, None)
}

/// The name of an empty database.
pub fn name() -> String {
    server::server().database()
}

/// A server for one test alone, which can be stopped.
pub struct Own(server::Server);

impl Own {
    pub fn start() -> Self {
        Self(server::Server::start())
    }

    /// The URL of an empty database.
    pub fn database(&self) -> String {
        self.0.url(&self.0.database(), None)
    }

    /// A standby of it: another server, with everything that this one has. It follows all that is committed from now on.
    pub fn standby(&self) -> Self {
        let socket = self.socket();
        let primary = socket.parent().unwrap();
        Self(server::Server::run_in(&mut server::shell(), Path::new(""), 5432, primary))
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.0.socket()
    }

    /// The name of an empty database.
    pub fn name(&self) -> String {
        self.0.database()
    }

    /// The URL of the database of this name, by a socket in `directory` that leads to a server like this one.
    pub fn url_at(&self, directory: &Path, name: &str) -> String {
        self.0.at_socket(directory).url(name, None)
    }

    /// Runs SQL as the superuser, in the server's own database.
    pub fn execute(&self, sql: &str) {
        self.0.execute("postgres", sql);
    }

    /// Whether a condition in SQL is true there.
    pub fn holds(&self, condition: &str) -> bool {
        let asked = format!("DO $$ BEGIN ASSERT coalesce(({condition}), false); END $$");
        self.0.try_execute("postgres", &asked).is_ok()
    }

    /// Stops it as an operator does: every connection is closed, and no new one is accepted.
    pub fn stop(&self) {
        self.end("INT");
    }

    /// Stops it as a crash does: in the middle of everything.
    pub fn crash(&self) {
        self.end("QUIT");
    }

    fn end(&self, how: &str) {
        signal(how, &self.process());
        let deadline = Instant::now() + DEADLINE;
        while !self.process().is_empty() {
            assert!(Instant::now() < deadline, "PostgreSQL does not stop");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it after [`Self::stop`].
    pub fn start_again(&self) {
        self.0.restart();
    }

    /// Stops all of its processes in the middle of what they do. Connections stay open, and nobody answers.
    pub fn hang(&self) {
        // The first one first, so that it makes no new ones meanwhile.
        signal("STOP", &self.process());
        signal("STOP", &self.children());
    }

    /// Lets them go on after [`Self::hang`].
    pub fn go_on(&self) {
        signal("CONT", &self.children());
        signal("CONT", &self.process());
    }

    /// The id of its first process; none where it does not run.
    fn process(&self) -> Vec<String> {
        let file = self.0.socket().with_file_name("data").join("postmaster.pid");
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().next().map(str::to_owned).into_iter().collect()
    }

    fn children(&self) -> Vec<String> {
        let of = |id: &String| fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let text: String = self.process().iter().map(of).collect();
        text.split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // What hangs could not be ended.
        self.go_on();
    }
}

fn signal(name: &str, processes: &[String]) {
    if !processes.is_empty() {
        // One that has ended meanwhile is no fault.
        Command::new("kill").arg(format!("-{name}")).args(processes).stderr(Stdio::null()).status().unwrap();
    }
}
