//! Witnesses: ours as a program, and a foreign one, which is also the judge of cosignatures.

use crate::{
    http::{Request, Response},
    person,
    program::{Program, Running},
    stack::{Stack, chancery_binary, free_port},
};
use sha2::{Digest as _, Sha256};
use std::{
    env,
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
    logs: Vec<String>,
    /// Of a foreign one: its key, private and public.
    foreign: Option<(String, String)>,
    server: Option<Running>,
}

/// transparency-dev's witness and its tools.
pub fn foreign(directory: &Path) -> Program {
    Program::new(person::client("bin/witness"), directory).env("PATH", env::var_os("PATH").unwrap())
}

impl Witness {
    /// `chancery witness serve` for the logs with these verifier keys.
    pub fn start(name: &str, logs: &[&str]) -> Self {
        Self::make(name, logs, None)
    }

    /// The foreign one.
    pub fn start_foreign(name: &str, logs: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = foreign(directory.path()).arg("keygen").arg(name).run().succeeds();
        let (private, public) = keys.trim().split_once('\n').unwrap();
        Self::make(name, logs, Some((private.to_owned(), public.to_owned())))
    }

    fn make(name: &str, logs: &[&str], foreign: Option<(String, String)>) -> Self {
        let directory = tempfile::Builder::new().prefix("chancery-witness-").tempdir().unwrap();
        let logs = logs.iter().map(|log| (*log).to_owned()).collect();
        let mut witness = Self { directory, port: free_port(), name: name.to_owned(), logs, foreign, server: None };
        witness.resume();
        witness
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
        let address = format!("127.0.0.1:{}", self.port);
        if let Some((private, _)) = &self.foreign {
            let command = foreign(self.directory.path()).arg("serve").arg(address).arg(private).arg("state.db");
            return self.logs.iter().fold(command, Program::arg);
        }
        let command = self.chancery().args("witness serve --name").arg(&self.name).arg("--data").arg(self.data());
        let command = command.arg("--listen").arg(address);
        self.logs.iter().fold(command, |command, log| command.arg("--log").arg(log))
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
    std::fs::write(&path, note).unwrap();
    let command = foreign(directory.path()).arg("verify").arg(&path);
    keys.iter().fold(command, Program::arg).run().succeeds();
}
