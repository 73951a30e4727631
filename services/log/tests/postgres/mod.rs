//! A `PostgreSQL` server of our own for one test binary: made in a temporary directory, reached through a Unix socket,
//! gone when the process is, however it ends.
//!
//! `CHANCERY_TEST_POSTGRES` may name a server to use instead, as the URL of a superuser's database; the databases that
//! are then made there are called `chancery_test_…` and stay.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

/// Runs until its standard input ends, which the kernel sees to. Makes its own directory, being who must own it.
const SCRIPT: &str = r#"
set -eu
bin=$1
dir=$(mktemp -d /tmp/chancery-postgres-XXXXXX)
options="-k $dir -c listen_addresses= -c max_connections=200 -c shared_buffers=64MB"
clean() { "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$dir"; }
trap clean EXIT
if [ -n "$2" ]; then
    install -m 600 "$2/server.crt" "$2/server.key" "$dir"
    options="$options -c listen_addresses=localhost -p $3"
    options="$options -c ssl=on -c ssl_cert_file=$dir/server.crt -c ssl_key_file=$dir/server.key"
fi
fail() { cat "$dir/log" >&2; exit 1; }
if [ -n "$4" ]; then
    "$bin/pg_basebackup" -D "$dir/data" -R -X stream -c fast --no-sync -d "host=$4 user=postgres" >"$dir/log" 2>&1 || fail
else
    "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 || fail
fi
"$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -o "$options" -w start >/dev/null 2>&1 || fail
echo "$dir"
while read -r command; do
    case $command in
        restart) "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -o "$options" -m immediate -w restart >/dev/null 2>&1 || fail ;;
    esac
    echo done
done
"#;

/// A running server.
pub(crate) struct Server {
    /// URL of its first database, without the database's name.
    base: (String, String),
    shell: Option<Mutex<Shell>>,
}

struct Shell {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<std::process::ChildStdout>,
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}

/// The server all tests of this process share. Each has a database of its own.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| configured().unwrap_or_else(Server::start))
}

#[expect(clippy::disallowed_methods, reason = "the settings of a test run come through the environment")]
fn configured() -> Option<Server> {
    let url = std::env::var("CHANCERY_TEST_POSTGRES").ok()?;
    let (address, query) = url.split_once('?').unwrap_or((&url, ""));
    let (address, _) = address.rsplit_once('/').expect("CHANCERY_TEST_POSTGRES ends in /database");
    Some(Server { base: (address.to_owned(), query.to_owned()), shell: None })
}

/// The newest installed server's programs: on Debian they are not in the search path.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest =
        installed.map(|entry| entry.path()).filter(|path| path.join("bin/initdb").exists()).max_by_key(version);
    let found = newest.map(|path| path.join("bin")).or_else(|| {
        let found = Command::new("sh").args(["-c", "command -v initdb"]).output().ok()?.stdout;
        let path = PathBuf::from(String::from_utf8(found).ok()?.trim()).canonicalize().ok()?;
        Some(path.parent()?.to_owned())
    });
    found.expect(
        "no PostgreSQL server is installed (initdb is missing): run the tests with tests/run, which installs it",
    )
}

/// A shell of somebody as whom PostgreSQL runs.
pub(crate) fn shell() -> Command {
    let root = Command::new("id").arg("-u").output().expect("id").stdout == b"0\n";
    // PostgreSQL refuses to run as root.
    let mut command = Command::new(if root { "setpriv" } else { "sh" });
    if root {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "sh"]);
    }
    command
}

impl Server {
    /// A server for one test alone, to restart or misconfigure.
    pub(crate) fn start() -> Self {
        Self::run(Path::new(""), 5432)
    }

    /// A server that listens on `port` of `localhost` with TLS, as `server.crt` and `server.key` in `certificates`.
    pub(crate) fn start_with_tls(certificates: &Path, port: u16) -> Self {
        let server = Self::run(certificates, port);
        Self { base: (format!("postgres://postgres@localhost:{port}"), String::new()), ..server }
    }

    /// A server that has, as the tablespace `small`, a disk of 32 MiB of its own at `directory`. Nobody else sees that
    /// disk except below [`Self::root`].
    pub(crate) fn start_with_small_disk(directory: &Path) -> Self {
        let mut command = Command::new("unshare");
        // Root there, to mount; and then anybody else, because PostgreSQL refuses to run as root.
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        command.arg(r#"mount -t tmpfs -o size=32m tmpfs "$0" && exec unshare --user --map-user=1 --map-group=1 "$@""#);
        let server = Self::run_in(command.arg(directory).arg("sh"), Path::new(""), 5432, Path::new(""));
        let tablespace = format!("CREATE TABLESPACE small LOCATION '{}'", directory.display());
        server.execute("postgres", &tablespace);
        server
    }

    fn run(certificates: &Path, port: u16) -> Self {
        Self::run_in(&mut shell(), certificates, port, Path::new(""))
    }

    /// Starts a server in the shell that `command` starts: one of its own, or a standby of the server whose socket is in
    /// `primary`.
    pub(crate) fn run_in(command: &mut Command, certificates: &Path, port: u16, primary: &Path) -> Self {
        command.args(["-c", SCRIPT, "postgres"]).arg(programs()).arg(certificates).arg(port.to_string()).arg(primary);
        command.current_dir("/tmp");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh and setpriv");
        let commands = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut directory = String::new();
        answers.read_line(&mut directory).expect("the server's script answers");
        assert!(!directory.is_empty(), "PostgreSQL did not start; what it said is above");
        let query = format!("host={}&port={port}", directory.trim());
        let shell = Shell { child, commands, answers };
        Self { base: ("postgres://postgres@localhost".into(), query), shell: Some(Mutex::new(shell)) }
    }

    /// Where the file system is seen as the server sees it.
    pub(crate) fn root(&self) -> PathBuf {
        let shell = self.shell.as_ref().expect("a server of ours").lock().expect("no test panicked here");
        PathBuf::from(format!("/proc/{}/root", shell.child.id()))
    }

    /// Kills the server as a power failure would, and starts it again.
    pub(crate) fn restart(&self) {
        let mut shell = self.shell.as_ref().expect("a server of ours").lock().expect("no test panicked here");
        writeln!(shell.commands.as_mut().expect("running"), "restart").expect("the script listens");
        let mut answer = String::new();
        shell.answers.read_line(&mut answer).expect("the script answers");
        assert_eq!(answer, "done\n");
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        let (directory, port) = self.base.1.split_once("&port=").expect("a server of ours");
        Path::new(directory.trim_start_matches("host=")).join(format!(".s.PGSQL.{port}"))
    }

    /// The same server, by a socket that leads there.
    pub(crate) fn at_socket(&self, directory: &Path) -> Self {
        Self { base: (self.base.0.clone(), format!("host={}", directory.display())), shell: None }
    }

    /// The URL of a database on this server, for the role `user` if that is given.
    pub(crate) fn url(&self, database: &str, user: Option<&str>) -> String {
        let (address, query) = &self.base;
        let address = user.map_or(address.clone(), |user| match address.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{user}@{}", rest.rsplit('@').next().unwrap_or(rest)),
            None => address.clone(),
        });
        format!("{address}/{database}?{query}")
    }

    /// Makes an empty database and returns its name.
    pub(crate) fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("chancery_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Runs SQL in a database as the superuser, as a person with a shell would.
    pub(crate) fn execute(&self, database: &str, sql: &str) {
        self.try_execute(database, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// As [`Self::execute`]; returns what the server said where it refused.
    pub(crate) fn try_execute(&self, database: &str, sql: &str) -> Result<(), String> {
        let mut psql = Command::new(programs().join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command", sql, "--dbname"]);
        let done = psql.arg(self.url(database, None)).stdout(Stdio::null()).output().expect("psql");
        if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
    }
}
