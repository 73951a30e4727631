//! A running `chancery dev` with a data directory of its own.

use crate::{
    http::{Request, Response},
    person::Person,
    program::{Program, Running},
    tamper,
};
use std::{
    collections::BTreeMap,
    env,
    fs::{self, File, Permissions},
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The names under which trust is published.
pub const TRUST_FILES: [&str; 9] = [
    "trusted_root.json",
    "signing_config.json",
    "signing_config_rekor_v1.json",
    "signing_config_rekor_v2.json",
    "client_trust_config.json",
    "fulcio-chain.pem",
    "rekor.pub",
    "ctfe.pub",
    "tsa-chain.pem",
];

/// Longest a server may take until it answers. It takes well under a second; the machine may be busy compiling.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// Longest a server may take to stop after SIGTERM.
const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// The server, its data and its address. Ends with [`Stack::check`], whether or not the scenario asks for it.
pub struct Stack {
    directory: TempDir,
    port: u16,
    options: Vec<String>,
    environment: Vec<(String, String)>,
    /// `RLIMIT_DATA` of the server.
    data_limit: Option<u64>,
    server: Option<Running>,
    checked: bool,
}

impl Stack {
    /// A new instance with an empty data directory.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`Self::start`], with more options of `chancery dev`.
    pub fn start_with(options: &[&str]) -> Self {
        Self::start_in(&[], options)
    }

    /// As [`Self::start_with`], in an environment with these variables.
    pub fn start_in(environment: &[(&str, &str)], options: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("chancery-test-").tempdir().unwrap();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut stack = Self::stopped(directory, options, environment);
        stack.resume();
        stack
    }

    /// As [`Self::start_with`], at the port that a client has built in.
    pub fn start_on(port: u16, options: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("chancery-test-").tempdir().unwrap();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut stack = Self::stopped(directory, options, Vec::new());
        stack.port = port;
        stack.resume();
        stack
    }

    /// As [`Self::start`], with a limit to the memory that the server may have.
    pub fn start_within(data_bytes: u64) -> Self {
        let directory = tempfile::Builder::new().prefix("chancery-test-").tempdir().unwrap();
        let mut stack = Self::stopped(directory, Vec::new(), Vec::new());
        stack.data_limit = Some(data_bytes);
        stack.resume();
        stack
    }

    fn stopped(directory: TempDir, options: Vec<String>, environment: Vec<(String, String)>) -> Self {
        Self { directory, port: free_port(), options, environment, data_limit: None, server: None, checked: false }
    }

    /// As [`Self::start`], with its data in a directory of the caller's.
    pub fn start_at(data: &Path) -> Self {
        let directory = tempfile::Builder::new().prefix("chancery-test-").tempdir().unwrap();
        symlink(data, directory.path().join("data")).unwrap();
        let mut stack = Self::stopped(directory, Vec::new(), Vec::new());
        stack.resume();
        stack
    }

    /// A replica: another server with a copy of the data directory, over the same `--database`.
    pub fn replica(&self) -> Self {
        Self::with_copy(&self.data(), self.options.clone(), self.environment.clone())
    }

    /// A server over a copy of a data directory that was made elsewhere.
    pub fn over(data: &Path) -> Self {
        Self::with_copy(data, Vec::new(), Vec::new())
    }

    /// As [`Self::over`], with more options of `chancery dev`.
    pub fn over_with(data: &Path, options: &[&str]) -> Self {
        Self::with_copy(data, options.iter().map(|option| (*option).to_owned()).collect(), Vec::new())
    }

    fn with_copy(data: &Path, options: Vec<String>, environment: Vec<(String, String)>) -> Self {
        let directory = tempfile::Builder::new().prefix("chancery-test-").tempdir().unwrap();
        // The server that it is copied from may be about to put a file into its place.
        let copy = || Program::new("/bin/cp", directory.path()).arg("-a").arg("-T").arg(data).arg("data").run();
        let copied = (0..3).map(|_| copy()).find(|copied| copied.status.success());
        copied.unwrap_or_else(copy).succeeds();
        // A working copy of the repository does not keep it.
        for key in fs::read_dir(directory.path().join("data/keys")).unwrap() {
            fs::set_permissions(key.unwrap().path(), Permissions::from_mode(0o600)).unwrap();
        }
        let mut stack = Self::stopped(directory, options, environment);
        stack.resume();
        stack
    }

    /// From the next start on it runs with these options instead.
    pub fn options(&mut self, options: &[&str]) {
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
    }

    /// Starts the stopped server again: same data, same address.
    pub fn resume(&mut self) {
        assert!(self.server.is_none(), "the server runs");
        self.checked = false;
        let mut server = self.dev_command().start();
        let deadline = Instant::now() + START_DEADLINE;
        while !Request::get(&self.at("/healthz")).try_send().is_ok_and(|response| response.status == 200) {
            let runs = server.is_running();
            assert!(runs, "the server ended:\n{}", server_output(&server));
            assert!(Instant::now() < deadline, "the server is not ready in time:\n{}", server_output(&server));
            thread::sleep(Duration::from_millis(5));
        }
        self.server = Some(server);
    }

    /// From the next start on it listens elsewhere, and so has other URLs in its trust files.
    pub fn move_to_another_port(&mut self) {
        self.port = free_port();
    }

    /// `chancery dev` for this data directory and address.
    pub fn dev_command(&self) -> Program {
        let address = format!("127.0.0.1:{}", self.port);
        let chancery = match self.data_limit {
            None => self.chancery(),
            Some(bytes) => self.program("prlimit").arg(format!("--data={bytes}")).arg(chancery_binary()),
        };
        let command = chancery.args("dev --listen").arg(address).arg("--data").arg(self.data());
        self.options.iter().fold(command, Program::arg)
    }

    /// The program, in a directory where it finds nothing.
    pub fn chancery(&self) -> Program {
        self.program(chancery_binary())
    }

    fn program(&self, path: impl AsRef<Path>) -> Program {
        let program = Program::new(path, self.directory.path()).env("PATH", env::var_os("PATH").unwrap());
        self.environment.iter().fold(program, |program, (name, value)| program.env(name, value))
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A URL below the base.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url())
    }

    /// The `iss` of this instance's tokens, and so the issuer in its certificates.
    pub fn issuer(&self) -> String {
        self.at("/oidc")
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The path of a trust file.
    pub fn trust(&self, name: &str) -> PathBuf {
        self.data().join("trust").join(name)
    }

    /// Every trust file, byte for byte.
    pub fn trust_files(&self) -> BTreeMap<&'static str, Vec<u8>> {
        TRUST_FILES.into_iter().map(|name| (name, fs::read(self.trust(name)).unwrap())).collect()
    }

    pub fn get(&self, path: &str) -> Response {
        Request::get(&self.at(path)).send()
    }

    pub fn post(&self, path: &str, body: &serde_json::Value) -> Response {
        Request::post(&self.at(path)).json(body).send()
    }

    /// A token as `chancery token` prints it.
    pub fn token(&self, email: &str) -> String {
        self.token_command(email).run().succeeds().trim().to_owned()
    }

    /// A token, well signed, with claims replaced or (with `null`) removed.
    pub fn token_with(&self, email: &str, claims: &serde_json::Value) -> String {
        self.token_command(email).arg("--claims").arg(claims.to_string()).run().succeeds().trim().to_owned()
    }

    /// `chancery token EMAIL` for this instance.
    pub fn token_command(&self, email: &str) -> Program {
        self.chancery().arg("token").arg(email).arg("--url").arg(self.url())
    }

    /// Somebody who uses this instance.
    pub fn person(&self, email: &str) -> Person {
        Person::new(self, email)
    }

    /// What the server has printed for people.
    pub fn banner(&mut self) -> String {
        let server = self.server.as_mut().expect("the server runs");
        server.wait_for("Stop with Ctrl-C");
        server.stdout()
    }

    /// The running server.
    pub fn server(&self) -> &Running {
        self.server.as_ref().expect("the server runs")
    }

    /// Stops the server as a service manager does, and demands that it ends well and in time.
    pub fn terminate(&mut self) {
        let server = self.server.take().expect("the server runs");
        let asked = Instant::now();
        server.terminate();
        let outcome = server.finish();
        assert!(outcome.status.success(), "SIGTERM should end the server well: {}", outcome.report());
        assert!(asked.elapsed() < STOP_DEADLINE, "SIGTERM took {:?}", asked.elapsed());
    }

    /// Stops the server as a power cut does.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        server.kill();
        server.finish();
    }

    /// Stops the server and derives every tree of its data again from the entries.
    pub fn check(&mut self) {
        if self.server.is_some() {
            self.terminate();
        }
        self.log_check();
        self.checked = true;
    }

    /// Stops a server that has a log in doubt. The check gives these reasons, although every tree derives.
    pub fn check_in_doubt(&mut self, reasons: &[&str]) {
        self.terminate();
        self.log_check_command().run().fails_with(reasons);
        self.checked = true;
    }

    /// Runs SQL over a data directory's database as somebody would who does not care for triggers.
    pub fn tamper(&self, data: &Path, sql: &str) {
        let changed = tamper::sqlite(&data.join("chancery.db"), sql);
        assert!(changed.is_some_and(|rows| rows > 0), "{sql}: {changed:?}");
    }

    /// `chancery log check`, which must pass; the server may be running.
    pub fn log_check(&self) -> String {
        self.log_check_command().run().succeeds()
    }

    fn log_check_command(&self) -> Program {
        let command = self.chancery().args("log check --data").arg(self.data());
        let database = self.options.iter().skip_while(|option| *option != "--database").take(2);
        database.fold(command, Program::arg)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if thread::panicking() {
            if let Some(server) = &self.server {
                eprintln!("--- {} said\n{}", self.url(), server.stderr());
            }
        } else if !self.checked {
            self.check();
        }
    }
}

fn server_output(server: &Running) -> String {
    format!("{}{}", server.stdout(), server.stderr())
}

/// The program under test: `CHANCERY_BIN`, else what cargo built last, release first.
pub fn chancery_binary() -> PathBuf {
    if let Some(path) = env::var_os("CHANCERY_BIN") {
        return path.into();
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let candidates = ["release/chancery", "debug/chancery"].map(|name| target.join(name));
    candidates
        .into_iter()
        .find(|path| path.exists())
        .expect("no chancery program: run tests/run, or cargo build --release -p chancery")
}

/// A port nobody listens on. Below the range from which the system takes ports for outgoing connections, so that it
/// stays free while a server restarts. No other test gets it, in this program or in one that runs beside it: a locked
/// file stands for it as long as this program runs.
pub fn free_port() -> u16 {
    static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let directory = env::temp_dir().join("chancery-test-ports");
    fs::create_dir_all(&directory).unwrap();
    let start = std::process::id() % 8000;
    for offset in 0..12_000 {
        let port = u16::try_from(20_000 + (start + offset) % 12_000).unwrap();
        let file = File::create(directory.join(port.to_string())).unwrap();
        if file.try_lock().is_ok() {
            TAKEN.lock().unwrap().push(file);
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    }
    panic!("no port is free");
}
