//! Processes that are killed at every step of an entry's life, and what the next start makes of it.

use crate::bench::{Bench, Running, entry, verify};
use crate::hooked::Step;
use crate::process::{Process, Said, Work};
use crate::reader::read_log;
use chancery_daemon::shutdown;
use chancery_daemon::signer::Signer;
use chancery_log::Outcome;
use chancery_log::mirror::{Destination, Mirror};
use chancery_log::rekor_v1::RekorV1;
use chancery_verify::key::KeyKind;
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// What a process was told, over all its lives.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) acknowledged: BTreeMap<u64, String>,
    /// Every checkpoint that was seen.
    notes: BTreeSet<String>,
}

impl Told {
    pub(crate) fn take(&mut self, said: Vec<Said>) {
        for said in said {
            match said {
                Said::Logged { index, text, note } => {
                    let before = self.acknowledged.insert(index, text);
                    assert_eq!(before, None, "index {index} was given twice");
                    self.notes.insert(note);
                }
                Said::Head { note, .. } => drop(self.notes.insert(note)),
                Said::Asks => {}
            }
        }
    }

    /// The one oracle: what was acknowledged is there, nothing is there twice, and every checkpoint is of a prefix.
    pub(crate) async fn check(&self, bench: &Bench, running: &Running) {
        assert_eq!(running.log.obstacle(), None);
        for (index, text) in &self.acknowledged {
            let receipt = running.log.entry(*index).await.unwrap().expect("it was acknowledged");
            assert_eq!(receipt.leaf, text.as_bytes(), "entry {index}");
        }
        if let Some(index) = self.acknowledged.keys().next_back() {
            verify(&running.log.entry(*index).await.unwrap().unwrap(), running, &bench.signer);
        }
        for note in &self.notes {
            let head = running.log.scheme().open(note, bench.signer.public_key()).unwrap();
            assert_eq!(running.log.root_at(head.size).await.unwrap(), head.root, "{} leaves", head.size);
        }
        // Finds every entry that is there twice, too.
        assert_eq!(bench.check(running).await.unwrap(), running.log.latest().await.unwrap().tree.size);
    }
}

/// A bench whose key is in a file, for other processes.
pub(crate) fn keep_key(bench: &mut Bench) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    bench.signer = Arc::new(Signer::open_or_create(&directory.path().join("key.pem"), KeyKind::P256).unwrap());
    directory
}

pub(crate) fn work(bench: &Bench, keys: &TempDir, name: String) -> Work {
    let (database, key) = (bench.address(), keys.path().join("key.pem"));
    Work { database, key, copy: None, name, dies: None, entries: 400 }
}

pub(crate) async fn a_process_that_is_killed_at_any_step_loses_and_repeats_nothing(mut bench: Bench) {
    let keys = keep_key(&mut bench);
    let mut told = Told::default();
    for step in [Step::BeforeIntegrate, Step::Committed, Step::BeforePublish, Step::Published] {
        // A log that is stopped stores its checkpoint once.
        let lives: &[u64] = if matches!(step, Step::BeforePublish | Step::Published) { &[0] } else { &[0, 1, 7, 40] };
        for lives in lives {
            let name = format!("{step:?} {lives}");
            let (said, signal) =
                Process::start(&Work { dies: Some((step, *lives)), ..work(&bench, &keys, name.clone()) }).finish();
            assert_eq!(signal, Some(Signal::KILL.as_raw()), "{name}: it dies there");
            told.take(said);
            let running = bench.start().await;
            told.check(&bench, &running).await;
            // What a client did not hear of it sends again; it is there once, whether or not it was there before.
            for writer in 0..4 {
                running.log.append(entry(&format!("{name} {writer} 0"))).await.unwrap();
            }
            running.stop().await;
        }
    }
    let running = bench.start().await;
    told.check(&bench, &running).await;
    running.stop().await;
    assert!(told.acknowledged.len() > 100, "{} entries were acknowledged", told.acknowledged.len());
}

/// The same somewhere in between, wherever the process happens to be.
pub(crate) async fn a_process_that_is_killed_at_any_moment_loses_and_repeats_nothing(mut bench: Bench) {
    let keys = keep_key(&mut bench);
    let mut told = Told::default();
    for round in 0..12_usize {
        let mut process = Process::start(&work(&bench, &keys, format!("round {round}")));
        let mut said = Vec::new();
        while said.len() < 5 * round {
            said.push(process.next().expect("it lives"));
        }
        process.send(Signal::KILL);
        told.take(said);
        told.take(process.finish().0);
        let running = bench.start().await;
        told.check(&bench, &running).await;
        running.stop().await;
    }
}

pub(crate) async fn a_process_that_is_killed_while_it_copies_tiles_leaves_a_copy_that_is_completed(mut bench: Bench) {
    let keys = keep_key(&mut bench);
    let mut told = Told::default();
    let directory = tempfile::tempdir().unwrap();
    let running = bench.start().await;
    for number in 0..520 {
        running.log.append(entry(&format!("entry {number}"))).await.unwrap();
    }
    running.stop().await;
    for bundle in 0..4 {
        let killed =
            Work { dies: Some((Step::BeforeEntries, bundle)), ..work(&bench, &keys, format!("copy {bundle}")) };
        let killed = Work { copy: Some(directory.path().to_owned()), ..killed };
        let (said, signal) = Process::start(&killed).finish();
        assert_eq!(signal, Some(Signal::KILL.as_raw()));
        told.take(said);
    }
    bench.copy = Some(Destination::directory(directory.path()).unwrap());
    let running = bench.start().await;
    told.check(&bench, &running).await;
    let (trigger, stopping) = shutdown::channel();
    let files = RekorV1::new(running.log.clone()).files();
    let (mirror, task) = Mirror::start(files, bench.copy.clone().unwrap(), stopping).await.unwrap();
    let size = running.log.latest().await.unwrap().tree.size;
    assert!(mirror.covers(size).await, "{:?}", mirror.fault());
    trigger.stop();
    task.await.unwrap();
    let file = |path: &str| fs::read(directory.path().join(path)).ok();
    let read = read_log(running.log.scheme(), bench.signer.public_key(), file).unwrap();
    assert_eq!(read.len() as u64, size);
    running.stop().await;
}

/// a replica that is sent SIGSTOP and wakes up again, wherever it was, behind another one that went on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_stopped_publishes_nothing_stale() {
    let mut bench = Bench::postgres();
    let keys = keep_key(&mut bench);
    let mut told = Told::default();
    let mut process = Process::start(&Work { entries: 1_000_000, ..work(&bench, &keys, "stopped".to_owned()) });
    let awake = bench.start().await;
    for round in 0..12_u64 {
        for _ in 0..20 {
            told.take(vec![process.next().expect("it runs")]);
        }
        // At another moment of a batch each time.
        tokio::time::sleep(Duration::from_micros(700 * round)).await;
        process.send(Signal::STOP);
        let mut size = 0;
        for number in 0..20 {
            let outcome = append_with_patience(&awake, &format!("awake {round} {number}")).await;
            told.acknowledged.insert(outcome.0, format!("awake {round} {number}"));
            size = outcome.1;
        }
        process.send(Signal::CONT);
        // A pipe holds far fewer than 400 answers from before the stop. Later reads must see everything.
        let mut asked = 0;
        loop {
            let said = process.next().expect("it goes on");
            asked += u64::from(matches!(said, Said::Asks));
            let shown = if let Said::Head { size, .. } = &said { Some(*size) } else { None };
            told.take(vec![said]);
            if let Some(shown) = shown
                && asked > 400
            {
                assert!(shown >= size, "{shown} leaves are shown, {size} were acknowledged");
                break;
            }
        }
    }
    process.send(Signal::KILL);
    told.take(process.finish().0);
    told.check(&bench, &awake).await;
    awake.stop().await;
}

/// Appends until it is logged; returns its index and the size of the tree it was proven in.
async fn append_with_patience(running: &Running, text: &str) -> (u64, u64) {
    loop {
        match running.log.append(entry(text)).await {
            Ok(Outcome::Logged(receipt)) => return (receipt.index, receipt.published.tree.size),
            Ok(Outcome::AlreadyLogged { index }) => return (index, index + 1),
            // The lock of a stopped replica is taken away after some seconds.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
