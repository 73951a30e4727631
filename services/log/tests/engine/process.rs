//! A log in a process of its own, which can be killed or stopped where it stands.
//!
//! The process is this test program again, told by [`WORK`] to be nothing but a writer; so there is no code for dying in
//! the product. It says what it was told by the log as lines on standard output, after the fact.

use crate::bench::{Bench, Place, entry};
use crate::hooked::{Hooked, Step};
use chancery_daemon::shutdown;
use chancery_daemon::signer::Signer;
use chancery_log::mirror::{Destination, Mirror};
use chancery_log::rekor_v1::RekorV1;
use chancery_log::store::{Database, Location};
use chancery_log::{Log, Outcome};
use chancery_verify::key::KeyKind;
use rustix::process::{Pid, Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable that makes this program a writer.
const WORK: &str = "CHANCERY_TEST_WORK";
const WRITERS: u64 = 4;

/// What the process does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Work {
    /// A file, or the URL of a `PostgreSQL` database.
    pub(crate) database: String,
    /// The log's key.
    pub(crate) key: PathBuf,
    /// Where the log's files go, if anywhere.
    pub(crate) copy: Option<PathBuf>,
    /// First words of its entries.
    pub(crate) name: String,
    /// The step at which it dies, and how often it lives through it.
    pub(crate) dies: Option<(Step, u64)>,
    /// Entries after which it stops by itself.
    pub(crate) entries: u64,
}

/// What the process says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// This was acknowledged.
    Logged { index: u64, text: String, note: String },
    /// It now asks for the newest tree head.
    Asks,
    /// This is what it got.
    Head { size: u64, note: String },
}

pub(crate) struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(work: &Work) -> Self {
        Self::start_with(work, &[])
    }

    /// With more in its environment.
    pub(crate) fn start_with(work: &Work, environment: &[(&str, &Path)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.envs(environment.iter().copied());
        command.args(["--exact", "process::is_a_writer_where_it_is_told_to_be", "--nocapture"]);
        command.env(WORK, serde_json::to_string(work).unwrap());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// What it says next; `None` once it is dead. A line it could not finish was not said.
    pub(crate) fn next(&mut self) -> Option<Said> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The test framework says things as well.
            if let Some(said) = line.strip_prefix('@').and_then(|line| serde_json::from_str(line).ok()) {
                return Some(said);
            }
        }
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Everything it says until it ends, and the signal that ended it.
    pub(crate) fn finish(mut self) -> (Vec<Said>, Option<i32>) {
        use std::os::unix::process::ExitStatusExt as _;
        let said = std::iter::from_fn(|| self.next()).collect();
        (said, self.child.wait().unwrap().signal())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(said: &Said) {
    let line = format!("@{}\n", serde_json::to_string(said).unwrap());
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

/// Not a test of anything: the process itself, where the environment says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "a process is told by its environment what it is")]
async fn is_a_writer_where_it_is_told_to_be() {
    if let Ok(work) = std::env::var(WORK) {
        write(serde_json::from_str(&work).unwrap()).await;
    }
}

async fn write(work: Work) {
    let location = if work.database.starts_with("postgres") {
        Location::Server(work.database)
    } else {
        Location::File(work.database.into())
    };
    let database = Database::open(&location).await.unwrap();
    let (dies, passed) = (work.dies, AtomicU64::new(0));
    let store = Hooked::new(database.store(), move |step| {
        if let Some((last, lives)) = dies
            && last == step
            && passed.fetch_add(1, Ordering::SeqCst) == lives
        {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
        Ok(())
    });
    let mut bench = Bench::sqlite();
    bench.signer = Arc::new(Signer::open_or_create(&work.key, KeyKind::P256).unwrap());
    let copy = work.copy.map(|path| Destination::directory(&path).unwrap());
    bench.copy.clone_from(&copy);
    let (log, task, stop) = bench.open_log(Arc::new(store), bench.signer.clone(), "log.example").await.unwrap();
    let (stop_mirror, mirror_stops) = shutdown::channel();
    let mirror = match copy {
        Some(copy) => Some(Mirror::start(RekorV1::new(log.clone()).files(), copy, mirror_stops).await.unwrap()),
        None => None,
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(append(log.clone(), format!("{} {writer}", work.name), work.entries / WRITERS)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    stop.stop();
    task.await.unwrap();
    stop_mirror.stop();
    if let Some((_, task)) = mirror {
        task.await.unwrap();
    }
    database.close().await;
}

async fn append(log: Log, name: String, count: u64) {
    for number in 0..count {
        let text = format!("{name} {number}");
        // A refused append promises nothing. While the database is away, go on with other entries.
        if let Ok(Outcome::Logged(receipt)) = log.append(entry(&text)).await {
            say(&Said::Logged { index: receipt.index, text, note: receipt.published.note.clone() });
        }
        say(&Said::Asks);
        if let Ok(published) = log.latest().await {
            say(&Said::Head { size: published.tree.size, note: published.note.clone() });
        }
    }
}

impl Bench {
    /// The place of this bench as a process is told it.
    pub(crate) fn address(&self) -> String {
        match &self.place {
            Place::Sqlite(directory) => directory.path().join("chancery.db").to_str().unwrap().to_owned(),
            Place::Postgres { server, database } => server.url(database, None),
        }
    }
}
