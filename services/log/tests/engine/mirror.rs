//! The copy of a log's files: whole, alone sufficient, never overwritten, and right after every fault.

use crate::bench::{Bench, Running, entry};
use crate::moody::{Mood, Moody};
use crate::reader::read_log;
use chancery_daemon::shutdown::{self, Trigger};
use chancery_log::mirror::{Destination, Error, Fault, Mirror};
use chancery_log::rekor_v1::RekorV1;
use chancery_log::{Files, Outcome};
use chancery_verify::merkle::leaf_hash;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;

struct Mirrored {
    mirror: Mirror,
    trigger: Trigger,
    task: JoinHandle<()>,
}

impl Mirrored {
    async fn start(running: &Running, destination: Destination) -> Result<Self, Error> {
        let (trigger, shutdown) = shutdown::channel();
        let (mirror, task) = Mirror::start(files(running), destination, shutdown).await?;
        Ok(Self { mirror, trigger, task })
    }

    async fn covers(&self, size: u64) -> bool {
        let covered = tokio::time::timeout(Duration::from_mins(1), self.mirror.covers(size)).await;
        covered.expect("a mirror catches up or ends")
    }

    /// Waits until the fault is over and the store has `size` leaves.
    async fn recovers(&self, size: u64) {
        let recovered = async {
            while self.mirror.fault().is_some() || !self.mirror.covers(size).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), recovered).await.expect("a fault that was repaired is over");
        assert_eq!(self.mirror.warning(), None);
    }

    /// Asserts that what is there is named and counted, and that the log goes on.
    fn is_a_fault_of_the_store(&self, code: &str, named: &str) {
        let warning = self.mirror.warning().unwrap();
        assert!(warning.contains(code) && warning.contains(named), "{warning}");
        assert_eq!(self.mirror.obstacle(), None);
        for (counted, count) in self.mirror.faults() {
            assert_eq!(count > 0, counted == code, "{counted}: {count}");
        }
    }

    async fn stop(self) {
        self.trigger.stop();
        self.task.await.unwrap();
    }
}

fn files(running: &Running) -> Files {
    RekorV1::new(running.log.clone()).files()
}

/// Appends entries of fixed texts until the log has `size` leaves.
async fn grow(running: &Running, size: u64) {
    let from = running.log.published().unwrap().tree.size;
    let appends = (from..size).map(|number| {
        let log = running.log.clone();
        tokio::spawn(async move { log.append(entry(&format!("entry {number}"))).await.unwrap() })
    });
    for append in appends.collect::<Vec<_>>() {
        assert!(matches!(append.await.unwrap(), Outcome::Logged(_)));
    }
}

/// As [`grow`], one after the other: the tree is the same in every run.
async fn grow_in_order(running: &Running, size: u64) {
    for number in running.log.published().unwrap().tree.size..size {
        running.log.append(entry(&format!("entry {number}"))).await.unwrap();
    }
}

fn read_directory(bench: &Bench, running: &Running, directory: &Path) -> Result<Vec<chancery_verify::Hash>, String> {
    read_log(running.log.scheme(), bench.signer.public_key(), |path| fs::read(directory.join(path)).ok())
}

/// Every file below a directory, by its path.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut waiting = vec![directory.to_owned()];
    let mut found = BTreeMap::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.insert(path.strip_prefix(directory).unwrap().to_owned(), fs::read(&path).unwrap());
        }
    }
    found
}

fn directory() -> (TempDir, Destination) {
    let directory = tempfile::tempdir().unwrap();
    let destination = Destination::directory(directory.path()).unwrap();
    (directory, destination)
}

pub(crate) async fn a_reader_needs_nothing_but_the_directory(bench: Bench) {
    let (directory, destination) = directory();
    let running = bench.start().await;
    let mirrored = Mirrored::start(&running, destination.clone()).await.unwrap();
    for size in [0, 3, 256, 640] {
        grow(&running, size).await;
        assert!(mirrored.covers(size).await);
        assert_eq!(read_directory(&bench, &running, directory.path()).unwrap().len() as u64, size);
    }
    // What was appended last is there when the process has stopped, without anybody having waited for it.
    grow(&running, 700).await;
    mirrored.stop().await;
    running.stop().await;

    let running = bench.start().await;
    let leaves = read_directory(&bench, &running, directory.path()).unwrap();
    let logged = running.log.entries(0, 700).await.unwrap();
    assert_eq!(leaves, logged.iter().map(|entry| leaf_hash(&entry.leaf)).collect::<Vec<_>>());
    // It goes on from what is in the store, and writes nothing of that again.
    let before = contents(directory.path());
    let mirrored = Mirrored::start(&running, destination).await.unwrap();
    grow(&running, 1030).await;
    assert!(mirrored.covers(1030).await);
    mirrored.stop().await;
    assert_eq!(read_directory(&bench, &running, directory.path()).unwrap().len(), 1030);
    let after = contents(directory.path());
    let kept = before.iter().filter(|(path, _)| path.as_path() != Path::new("checkpoint"));
    assert!(kept.into_iter().all(|(path, bytes)| after.get(path) == Some(bytes)));
    assert_eq!(bench.check(&running).await.unwrap(), 1030);
    running.stop().await;
}

pub(crate) async fn other_bytes_at_a_path_are_named_and_not_overwritten(bench: Bench) {
    let running = bench.start().await;
    grow(&running, 520).await;
    for path in ["tile/0/001", "tile/1/000.p/2", "tile/entries/000", "tile/entries/002.p/8"] {
        let (directory, destination) = directory();
        let file = directory.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, b"something else").unwrap();
        let mirrored = Mirrored::start(&running, destination).await.unwrap();
        assert!(!mirrored.covers(520).await, "{path}");
        assert_eq!(mirrored.mirror.fault().as_deref(), Some(&Fault::Conflict { path: path.to_owned() }));
        mirrored.is_a_fault_of_the_store("mirror.conflict", path);
        assert_eq!(fs::read(&file).unwrap(), b"something else");
        assert!(!directory.path().join("checkpoint").exists(), "no checkpoint may cover it");
        // It goes on by itself once that is gone.
        fs::remove_file(&file).unwrap();
        mirrored.recovers(520).await;
        assert_eq!(read_directory(&bench, &running, directory.path()).unwrap().len(), 520, "{path}");
        mirrored.stop().await;
    }
    // The log itself is none the worse.
    grow(&running, 521).await;
    assert_eq!(bench.check(&running).await.unwrap(), 521);
    running.stop().await;
}

pub(crate) async fn a_file_that_is_damaged_missing_or_another_is_noticed_by_the_reader(bench: Bench) {
    let (directory, destination) = directory();
    let running = bench.start().await;
    grow(&running, 600).await;
    let mirrored = Mirrored::start(&running, destination).await.unwrap();
    assert!(mirrored.covers(600).await);
    mirrored.stop().await;
    let good = contents(directory.path());
    assert_eq!(good.len(), 1 + 3 + 1 + 3, "{:?}", good.keys());
    for (path, bytes) in &good {
        let file = directory.path().join(path);
        let other = good.iter().find(|(other, _)| *other != path).map(|(_, bytes)| bytes.clone()).unwrap();
        let mut flipped = bytes.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        let damaged = [bytes[..bytes.len() - 1].to_vec(), Vec::new(), other, flipped];
        for damaged in damaged {
            fs::write(&file, damaged).unwrap();
            assert!(read_directory(&bench, &running, directory.path()).is_err(), "{}", path.display());
        }
        fs::remove_file(&file).unwrap();
        let missed = read_directory(&bench, &running, directory.path()).unwrap_err();
        assert_eq!(Path::new(&missed), path);
        fs::write(&file, bytes).unwrap();
    }
    read_directory(&bench, &running, directory.path()).unwrap();
    running.stop().await;
}

/// what the store knows of the log counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_newer_or_of_another_history_is_refused_before_anything_is_written() {
    let (directory, destination) = directory();
    let bench = Bench::sqlite();
    let running = bench.start().await;
    grow_in_order(&running, 300).await;
    let mirrored = Mirrored::start(&running, destination.clone()).await.unwrap();
    assert!(mirrored.covers(300).await);
    mirrored.stop().await;
    running.stop().await;
    let published = contents(directory.path());

    let refusal = async |bench: &Bench, size: u64, other: bool| {
        let running = bench.start().await;
        if other {
            running.log.append(entry("another first entry")).await.unwrap();
        }
        grow_in_order(&running, size).await;
        let refused = Mirrored::start(&running, destination.clone()).await.err().expect("a refusal");
        running.stop().await;
        let Error::Fault(fault) = refused else { panic!("{refused}") };
        fault
    };
    // The same log as it was: empty, or put back to an earlier state.
    for size in [0, 10, 299] {
        let mut older = Bench::sqlite();
        older.signer = bench.signer.clone();
        assert_eq!(refusal(&older, size, false).await, Fault::Newer { stored: 300, log: size });
    }
    // The same log with another history, as long or longer.
    for size in [300, 310] {
        let mut forked = Bench::sqlite();
        forked.signer = bench.signer.clone();
        assert_eq!(refusal(&forked, size, true).await, Fault::Forked { size: 300 });
    }
    assert_eq!(contents(directory.path()), published);
}

/// A checkpoint that the log's key did not sign says nothing about the log: it starts and goes on, and the copy does once
/// that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_that_the_log_did_not_sign_is_a_fault_of_the_store() {
    let other = Bench::sqlite();
    let running = other.start().await;
    grow(&running, 3).await;
    let foreign = running.log.published().unwrap().note.clone().into_bytes();
    running.stop().await;
    let large = vec![b'x'; 1 << 20];
    for garbage in [&b""[..], b"garbage", b"\xff\x00\xfe", &foreign, &large] {
        let (directory, destination) = directory();
        let file = directory.path().join("checkpoint");
        fs::write(&file, garbage).unwrap();
        let mut bench = Bench::sqlite();
        bench.copy = Some(destination.clone());
        let running = bench.start().await;
        assert_eq!((running.log.quarantine(), running.log.obstacle()), (None, None));
        let mirrored = Mirrored::start(&running, destination).await.unwrap();
        grow(&running, 5).await;
        assert!(!mirrored.covers(5).await);
        assert!(matches!(mirrored.mirror.fault().as_deref(), Some(Fault::Foreign(_))));
        mirrored.is_a_fault_of_the_store("mirror.foreign", "the checkpoint in the object store");
        assert_eq!(fs::read(&file).unwrap(), garbage, "it is not overwritten");
        fs::remove_file(&file).unwrap();
        mirrored.recovers(5).await;
        mirrored.stop().await;
        assert_eq!(read_directory(&bench, &running, directory.path()).unwrap().len(), 5);
        running.stop().await;
    }
}

/// whatever a request does wrong, the mirror ends up with the whole log. Every write of a first push in turn is
/// lost, or stored and reported failed, or happens twice; every read of the checkpoint is stale.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_with_faults_gets_the_whole_log_all_the_same() {
    let bench = Bench::sqlite();
    let running = bench.start().await;
    grow(&running, 300).await;
    let mut mirrors = Vec::new();
    for write in 0..8 {
        for mood in [Mood::Lost(write), Mood::Stored(write), Mood::Twice(write), Mood::StaleCheckpoint] {
            let memory = Arc::new(InMemory::new());
            let store: Arc<dyn ObjectStore> = Arc::new(Moody::new(memory.clone(), mood));
            let destination = Destination::bucket(store, "a/prefix").unwrap().below("rekor");
            mirrors.push((mood, memory, Mirrored::start(&running, destination).await.unwrap()));
        }
    }
    for (mood, _, mirrored) in &mirrors {
        assert!(mirrored.covers(300).await, "{mood:?}: {:?}", mirrored.mirror.fault());
    }
    grow(&running, 600).await;
    for (mood, memory, mirrored) in mirrors {
        assert!(mirrored.covers(600).await, "{mood:?}: {:?}", mirrored.mirror.fault());
        mirrored.stop().await;
        let objects = crate::moody::objects(&memory).await;
        let read = read_log(running.log.scheme(), bench.signer.public_key(), |path| {
            objects.get(&format!("a/prefix/rekor/{path}")).cloned()
        });
        assert_eq!(read.unwrap().len(), 600, "{mood:?}");
    }
    running.stop().await;
}

/// A crash after the tiles and before the checkpoint, and one in the middle of the tiles.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_was_cut_off_is_completed_by_the_next_one() {
    let bench = Bench::sqlite();
    let running = bench.start().await;
    grow(&running, 600).await;
    let (whole, destination) = directory();
    let mirrored = Mirrored::start(&running, destination).await.unwrap();
    assert!(mirrored.covers(600).await);
    mirrored.stop().await;
    let whole = contents(whole.path());
    for kept in 0..whole.len() {
        let (partly, destination) = directory();
        let files = whole.iter().filter(|(path, _)| path.as_path() != Path::new("checkpoint"));
        for (path, bytes) in files.take(kept) {
            let file = partly.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, bytes).unwrap();
        }
        let mirrored = Mirrored::start(&running, destination).await.unwrap();
        assert!(mirrored.covers(600).await, "{:?}", mirrored.mirror.fault());
        mirrored.stop().await;
        assert_eq!(contents(partly.path()), whole);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_ignores_conditions_is_found_out_before_it_overwrites_anything() {
    let bench = Bench::sqlite();
    let running = bench.start().await;
    grow(&running, 5).await;
    let memory = Arc::new(InMemory::new());
    let store: Arc<dyn ObjectStore> = Arc::new(Moody::new(memory.clone(), Mood::Unconditional));
    let destination = Destination::bucket(store, "").unwrap();
    let mirrored = Mirrored::start(&running, destination).await.unwrap();
    assert!(!mirrored.covers(5).await);
    assert_eq!(mirrored.mirror.fault().as_deref(), Some(&Fault::Unconditional));
    assert!(!crate::moody::objects(&memory).await.contains_key("checkpoint"));
    mirrored.stop().await;
    running.stop().await;
}

/// Two replicas over one database copy to one bucket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_a_bucket() {
    let bench = Bench::postgres();
    let mut twin = bench.twin();
    twin.signer = bench.signer.clone();
    let (one, two) = (bench.start().await, twin.start().await);
    let memory = Arc::new(InMemory::new());
    let store: Arc<dyn ObjectStore> = memory.clone();
    let destination = Destination::bucket(store, "").unwrap();
    let first = Mirrored::start(&one, destination.clone()).await.unwrap();
    let second = Mirrored::start(&two, destination).await.unwrap();
    for round in 0..40 {
        let (left, right) = (format!("left {round}"), format!("right {round}"));
        tokio::try_join!(one.log.append(entry(&left)), two.log.append(entry(&right))).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(first.covers(80).await, "{:?}", first.mirror.fault());
    assert!(second.covers(80).await, "{:?}", second.mirror.fault());
    first.stop().await;
    second.stop().await;
    let objects = crate::moody::objects(&memory).await;
    let read = read_log(one.log.scheme(), bench.signer.public_key(), |path| objects.get(path).cloned());
    assert_eq!(read.unwrap().len(), 80);
    assert_eq!(bench.check(&one).await.unwrap(), 80);
    one.stop().await;
    two.stop().await;
}
