//! `chancery monitor` with a directory of its own, and a server that is told of alarms.

use crate::{
    program::{Outcome, Program, Running},
    stack::{Stack, chancery_binary},
};
use serde_json::Value;
use std::{
    env, fs,
    io::{BufRead, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longest a test waits for a request.
const DEADLINE: Duration = Duration::from_mins(1);

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

/// What a hook does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Takes it.
    Takes,
    /// Answers 500.
    Fails,
    /// Reads it, and answers nothing.
    Hangs,
}

/// A server that is told of alarms. Its thread ends with the test's process.
pub struct Hook {
    pub url: String,
    manner: Arc<Mutex<Manner>>,
    came: Arc<Mutex<Vec<Value>>>,
    stopped: Arc<AtomicBool>,
}

impl Hook {
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (manner, came, stopped) = (Arc::new(Mutex::new(manner)), Arc::default(), Arc::default());
        let hook = Self { url, manner: Arc::clone(&manner), came: Arc::clone(&came), stopped: Arc::clone(&stopped) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (manner, came, stopped) = (Arc::clone(&manner), Arc::clone(&came), Arc::clone(&stopped));
                thread::spawn(move || answer(&stream, &manner, &came, &stopped));
            }
        });
        hook
    }

    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Bodies of the requests that came since this was asked last.
    pub fn came(&self) -> Vec<Value> {
        std::mem::take(&mut *self.came.lock().unwrap())
    }

    /// Waits for a request.
    pub fn wait(&self) -> Vec<Value> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let came = self.came();
            if !came.is_empty() {
                return came;
            }
            assert!(Instant::now() < deadline, "no request came");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Answers the requests of a connection, until it is closed.
fn answer(stream: &TcpStream, manner: &Mutex<Manner>, came: &Mutex<Vec<Value>>, stopped: &AtomicBool) {
    let mut reader = BufReader::new(stream);
    while let Some(body) = read(&mut reader) {
        came.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        let manner = *manner.lock().unwrap();
        let status = match manner {
            Manner::Takes => "204 No Content",
            Manner::Fails => "500 Internal Server Error",
            Manner::Hangs => {
                while !stopped.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(10));
                }
                return;
            }
        };
        let mut stream = stream;
        if stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).is_err() {
            return;
        }
    }
}

/// The body of the next request.
fn read(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}
