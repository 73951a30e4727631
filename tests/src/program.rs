//! One run of one program, and what is demanded of it.

use std::{
    ffi::OsStr,
    fs::File,
    io::Write as _,
    os::unix::{fs::FileExt as _, process::ExitStatusExt as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Longest a program may run. Real clients give up after three minutes at most; none needs one here.
const DEADLINE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(10);

/// A program about to be run, with an environment of its own.
pub struct Program {
    command: Command,
    shown: String,
}

impl Program {
    /// `path` in `directory`, with an empty environment.
    pub fn new(path: impl AsRef<Path>, directory: &Path) -> Self {
        let path = path.as_ref();
        let mut command = Command::new(path);
        command.current_dir(directory).env_clear().stdin(Stdio::null());
        let shown = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self { command, shown }
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument.as_ref());
        self.shown = format!("{} {}", self.shown, argument.as_ref().to_string_lossy());
        self
    }

    /// Arguments as they would be typed: split at spaces, so none may contain one.
    pub fn args(self, line: &str) -> Self {
        line.split_whitespace().fold(self, Self::arg)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it and waits until it is done.
    pub fn run(self) -> Outcome {
        self.start().finish()
    }

    /// Runs it with a standard output of the caller's, such as a pipe or a device: the outcome has nothing of it.
    pub fn run_into(self, stdout: impl Into<Stdio>) -> Outcome {
        self.spawn_into(stdout, tempfile::tempfile().unwrap()).finish()
    }

    /// Starts it. It reads nothing.
    pub fn start(self) -> Running {
        self.spawn()
    }

    /// Starts it with a pipe for what [`Running::type_line`] types.
    pub fn start_interactive(mut self) -> Running {
        self.command.stdin(Stdio::piped());
        self.spawn()
    }

    fn spawn(self) -> Running {
        // Files, not pipes: whoever looks may look at any time, and nobody has to read for the program to go on.
        let stdout = tempfile::tempfile().unwrap();
        self.spawn_into(stdout.try_clone().unwrap(), stdout)
    }

    /// `stdout` is what the program writes to, and `seen` where it is looked for.
    fn spawn_into(mut self, stdout: impl Into<Stdio>, seen: File) -> Running {
        let stderr = tempfile::tempfile().unwrap();
        self.command.stdout(stdout).stderr(stderr.try_clone().unwrap());
        let child = self.command.spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", self.shown));
        Running { child, shown: self.shown, stdout: seen, stderr }
    }
}

/// A program that runs. It is killed if the test ends before it does.
pub struct Running {
    child: Child,
    shown: String,
    stdout: File,
    stderr: File,
}

impl Running {
    /// Waits until the program has written `text` to stdout or stderr; returns everything it has written.
    pub fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let ended = self.child.try_wait().unwrap();
            let written = format!("{}{}", read(&self.stdout), read(&self.stderr));
            if written.contains(text) {
                return written;
            }
            assert!(ended.is_none(), "{} ended without saying {text:?}:\n{written}", self.shown);
            assert!(Instant::now() < deadline, "{} does not say {text:?}:\n{written}", self.shown);
            thread::sleep(POLL);
        }
    }

    /// Types a line into its terminal.
    pub fn type_line(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("started with start_interactive");
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stdout so far.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Sends it SIGTERM, as a service manager does.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it SIGHUP, as after a change of a file.
    pub fn hang_up(&self) {
        self.signal("HUP");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success(), "cannot send SIG{name} to {}", self.shown);
    }

    /// Sends it SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits until it is done.
    pub fn finish(mut self) -> Outcome {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "{} does not end:\n{}{}",
                self.shown,
                read(&self.stdout),
                read(&self.stderr)
            );
            thread::sleep(POLL);
        };
        Outcome { status, shown: self.shown.clone(), stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Cannot be running still unless the test gave up on it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(file: &File) -> String {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    let mut length = 0;
    // Not read_exact: another handle of this file is being written to.
    while length < bytes.len() {
        match file.read_at(&mut bytes[length..], length as u64).unwrap() {
            0 => break,
            more => length += more,
        }
    }
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// How a program ended and what it wrote.
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    shown: String,
}

impl Outcome {
    /// Demands success; returns what was written to stdout.
    #[track_caller]
    pub fn succeeds(self) -> String {
        assert!(self.status.success(), "should succeed: {}", self.report());
        self.stdout
    }

    /// Demands failure that gives each of `reasons`, and that is not a crash.
    #[track_caller]
    pub fn fails_with(self, reasons: &[&str]) {
        assert!(!self.status.success(), "should fail: {}", self.report());
        assert!(self.status.signal().is_none(), "crashed: {}", self.report());
        let written = self.written();
        assert!(!written.contains("panic:"), "crashed: {}", self.report());
        for reason in reasons {
            assert!(written.contains(reason), "should fail with {reason:?}: {}", self.report());
        }
    }

    /// Its exit code; -1 where a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Everything it wrote.
    pub fn written(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The command, how it ended and what it wrote, for a failure message.
    pub fn report(&self) -> String {
        format!("{}\n{}\n--- stdout\n{}\n--- stderr\n{}", self.shown, self.status, self.stdout, self.stderr)
    }
}
