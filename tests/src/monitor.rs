//! `chancery monitor` with a directory of its own.

use crate::{
    program::{Outcome, Program, Running},
    stack::{Stack, chancery_binary},
};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A monitor's directory: configuration, state.
pub struct Monitor(TempDir);

impl Monitor {
    /// With this configuration; its state is in `data`.
    pub fn new(configuration: &str) -> Self {
        let monitor = Self(tempfile::Builder::new().prefix("chancery-monitor-").tempdir().unwrap());
        monitor.configure(configuration);
        monitor
    }

    /// Replaces the configuration.
    pub fn configure(&self, configuration: &str) {
        self.write("monitor.toml", &format!("data = \"data\"\n{configuration}"));
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// `chancery monitor` with more arguments.
    pub fn command(&self, arguments: &str) -> Program {
        let program = Program::new(chancery_binary(), self.0.path()).env("PATH", env::var_os("PATH").unwrap());
        program.args("monitor --config monitor.toml").args(arguments)
    }

    pub fn start(&self, arguments: &str) -> Running {
        let mut running = self.command(arguments).start();
        running.wait_for("monitor ready");
        running
    }

    /// As from cron.
    pub fn once(&self, arguments: &str) -> Outcome {
        self.command("--once --json").args(arguments).run()
    }

    /// The alarms of a run as from cron, which must end with this code.
    #[track_caller]
    pub fn alarms(&self, arguments: &str, code: i32) -> Vec<Value> {
        let outcome = self.once(arguments);
        assert_eq!(outcome.code(), code, "{}", outcome.report());
        alarms(&outcome.stdout)
    }
}

/// Each whole line of standard output.
pub fn alarms(stdout: &str) -> Vec<Value> {
    let whole = stdout.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The tables of an instance's logs: Rekor v1 and the certificate log.
pub fn logs_of(stack: &Stack) -> String {
    let (url, key, ct_key) = (stack.url(), stack.trust("rekor.pub"), stack.trust("ctfe.pub"));
    let (key, ct_key) = (key.to_str().unwrap(), ct_key.to_str().unwrap());
    format!(
        "[[log]]\nname = \"rekor\"\nprotocol = \"rekor-v1\"\nurl = {url:?}\nkey = {key:?}\n\
         [[log]]\nname = \"ct\"\nprotocol = \"rfc6962\"\nurl = \"{url}/ct/dev\"\nkey = {ct_key:?}\n"
    )
}
