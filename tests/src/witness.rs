//! Witnesses: ours as a program, and a foreign one, which is also the judge of cosignatures.

use crate::{
    http::{Request, Response},
    person,
    program::{Program, Running},
    stack::{Stack, chancery_binary, free_port},
};
use sha2::{Digest as _, Sha256};
use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const START_DEADLINE: Duration = Duration::from_secs(30);

/// A witness that runs, with a directory of its own.
pub struct Witness {
    directory: TempDir,
    port: u16,
    name: String,
    logs: Logs,
    /// Of a foreign one: its key, private and public.
    foreign: Option<(String, String)>,
    server: Option<Running>,
}

/// Where the logs of a witness are named.
enum Logs {
    Options(Vec<String>),
    List,
    Configuration,
}

/// transparency-dev's witness and its tools.
pub fn foreign(directory: &Path) -> Program {
    Program::new(person::client("bin/witness"), directory).env("PATH", env::var_os("PATH").unwrap())
}

impl Logs {
    fn options(logs: &[&str]) -> Self {
        Self::Options(logs.iter().map(|log| (*log).to_owned()).collect())
    }
}

impl Witness {
    /// `chancery witness serve` for the logs with these verifier keys.
    pub fn start(name: &str, logs: &[&str]) -> Self {
        let mut witness = Self::new(name, Logs::options(logs), None);
        witness.resume();
        witness
    }

    /// As [`Self::start`], with a list of logs that [`Self::write_list`] changes.
    pub fn start_with_list(name: &str, list: &str) -> Self {
        let mut witness = Self::new(name, Logs::List, None);
        witness.write_list(list);
        witness.resume();
        witness
    }

    /// As [`Self::start`], with a configuration file that [`Self::write_configuration`] changes.
    pub fn start_configured(name: &str, logs: &[&str]) -> Self {
        let mut witness = Self::new(name, Logs::Configuration, None);
        witness.write_configuration(logs);
        witness.resume();
        witness
    }

    /// The foreign one.
    pub fn start_foreign(name: &str, logs: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = foreign(directory.path()).arg("keygen").arg(name).run().succeeds();
        let (private, public) = keys.trim().split_once('\n').unwrap();
        let mut witness = Self::new(name, Logs::options(logs), Some((private.to_owned(), public.to_owned())));
        witness.resume();
        witness
    }

    fn new(name: &str, logs: Logs, foreign: Option<(String, String)>) -> Self {
        let directory = tempfile::Builder::new().prefix("chancery-witness-").tempdir().unwrap();
        Self { directory, port: free_port(), name: name.to_owned(), logs, foreign, server: None }
    }

    /// Replaces the list of logs.
    pub fn write_list(&self, list: &str) {
        self.replace("logs.txt", list);
    }

    /// Replaces the configuration file.
    pub fn write_configuration(&self, logs: &[&str]) {
        let (name, address) = (&self.name, self.address());
        let text = format!("name = {name:?}\ndata = \"data\"\nlogs = {logs:?}\n[listen]\naddress = {address:?}\n");
        self.replace("witness.toml", &text);
    }

    /// As `mv` replaces a file: nobody reads half of it.
    fn replace(&self, file: &str, text: &str) {
        let (new, file) = (self.directory.path().join("new"), self.directory.path().join(file));
        fs::write(&new, text).unwrap();
        fs::rename(new, file).unwrap();
    }

    /// Starts it again: same data, same address.
    pub fn resume(&mut self) {
        assert!(self.server.is_none(), "it runs");
        let mut server = self.command().start();
        let deadline = Instant::now() + START_DEADLINE;
        while Request::get(&format!("{}/", self.url())).try_send().is_err() {
            assert!(server.is_running(), "the witness ended:\n{}{}", server.stdout(), server.stderr());
            assert!(Instant::now() < deadline, "the witness is not ready:\n{}", server.stderr());
            thread::sleep(Duration::from_millis(5));
        }
        self.server = Some(server);
    }

    /// How it is started.
    pub fn command(&self) -> Program {
        if let (Some((private, _)), Logs::Options(logs)) = (&self.foreign, &self.logs) {
            let command = foreign(self.directory.path()).arg("serve").arg(self.address()).arg(private).arg("state.db");
            return logs.iter().fold(command, Program::arg);
        }
        let command = self.chancery().args("witness serve");
        let with_options = |command: Program| {
            let command = command.arg("--name").arg(&self.name).arg("--data").arg(self.data());
            command.arg("--listen").arg(self.address())
        };
        match &self.logs {
            Logs::Options(logs) => {
                logs.iter().fold(with_options(command), |command, log| command.arg("--log").arg(log))
            }
            Logs::List => with_options(command).args("--log-list logs.txt"),
            Logs::Configuration => command.args("--config witness.toml"),
        }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn chancery(&self) -> Program {
        Program::new(chancery_binary(), self.directory.path()).env("PATH", env::var_os("PATH").unwrap())
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its verifier key.
    pub fn key(&self) -> String {
        match &self.foreign {
            Some((_, public)) => public.clone(),
            None => self.chancery().args("witness vkey --data").arg(self.data()).run().succeeds().trim().to_owned(),
        }
    }

    /// What a log is told of it on its command line.
    pub fn option(&self) -> String {
        format!("{}@{}", self.key(), self.url())
    }

    /// What it has logged.
    pub fn logged(&self) -> String {
        self.server.as_ref().expect("it runs").stderr()
    }

    /// Sends it SIGHUP.
    pub fn hang_up(&self) {
        self.server.as_ref().expect("it runs").hang_up();
    }

    /// Stops it as a power cut does.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.kill();
        server.finish();
    }

    /// Where it shows the last checkpoint of a log.
    pub fn checkpoint(&self, origin: &str) -> Response {
        let hash = hex::encode(Sha256::digest(origin));
        Request::get(&format!("{}/{hash}/checkpoint", self.url())).send()
    }
}

/// The verifier key of a log of `stack`, as its operator finds it.
pub fn log_key(stack: &Stack, log: &str) -> String {
    let command = stack.chancery().args("log checkpoint --json --log").arg(log).arg("--url").arg(stack.url());
    let printed = command.arg("--trust").arg(stack.data().join("trust")).run().succeeds();
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    printed["verifier_key"].as_str().expect("a log that can be witnessed").to_owned()
}

/// Demands that everybody with one of these verifier keys has signed a note, as the foreign tools see it.
#[track_caller]
pub fn all_have_signed(note: &str, keys: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("note");
    fs::write(&path, note).unwrap();
    let command = foreign(directory.path()).arg("verify").arg(&path);
    keys.iter().fold(command, Program::arg).run().succeeds();
}
