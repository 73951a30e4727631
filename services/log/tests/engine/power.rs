//! `SQLite` after a power failure: nothing that was not synced is there any more.
//!
//! There is no file system here that forgets on demand, and taking a copy of the files would take what the kernel knows
//! instead of what the disk has. So the process runs with `fsync` and `fdatasync` caught (`synced.c`), which copy what is
//! synced to another directory: that one has no write that was not synced, at any moment. It becomes the database of the
//! next round.

use crate::bench::{Bench, Place};
use crate::crash::{Told, keep_key, work};
use crate::process::{Process, Work};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROUNDS: usize = 6;
/// Bytes of an entry. With so many, a few hundred fill the write-ahead log until it is folded, and each sync copies all of it here.
const LONG: usize = 100_000;

/// Compiles what catches syncs.
fn catcher(directory: &Path) -> std::path::PathBuf {
    let (library, source) =
        (directory.join("synced.so"), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/synced.c"));
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
    assert!(compiled.unwrap().success());
    library
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|file| file.unwrap()) {
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_the_loss_of_every_write_that_was_not_synced() {
    let directory = tempfile::tempdir().unwrap();
    let library = catcher(directory.path());
    let mut bench = Bench::sqlite();
    let keys = keep_key(&mut bench);
    let mut told = Told::default();
    for round in 0..ROUNDS {
        let Place::Sqlite(place) = &bench.place else { unreachable!() };
        // What is there before is on the disk.
        let (from, to) = (place.path().to_owned(), directory.path().join(format!("round-{round}")));
        copy_files(&from, &to);
        fs::create_dir(directory.path().join(format!("round-{round}.waiting"))).unwrap();
        let environment = [("LD_PRELOAD", library.as_path()), ("SYNCED_FROM", &from), ("SYNCED_TO", &to)];
        let name = format!("round {round} {}", "-".repeat(LONG));
        let writer = Work { entries: 100_000, ..work(&bench, &keys, name) };
        let mut process = Process::start_with(&writer, &environment);
        // Over the first commits, and far enough for the write-ahead log to be folded into the file in between.
        let said: Vec<_> = (0..[3, 40, 200, 2_400][round % 4]).map_while(|_| process.next()).collect();
        process.send(Signal::KILL);
        told.take(said);
        told.take(process.finish().0);
        let survived = tempfile::tempdir().unwrap();
        for file in ["chancery.db", "chancery.db-wal"] {
            if to.join(file).exists() {
                fs::copy(to.join(file), survived.path().join(file)).unwrap();
            }
        }
        bench.place = Place::Sqlite(survived);
        let running = bench.start().await;
        told.check(&bench, &running).await;
        running.stop().await;
    }
    assert!(told.acknowledged.len() > 700, "{} entries were acknowledged", told.acknowledged.len());
}
