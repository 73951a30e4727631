//! A `PostgreSQL` server whose disk is full: writes are refused, reads go on, and with space come writes. What a full
//! disk does to `SQLite` is tested with the whole program.

use crate::bench::{Bench, Place, entry, verify};
use crate::postgres::Server;
use chancery_log::{Error, Outcome};
use chancery_verify::hash::sha256;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// As `PostgreSQL` has them.
const PAGE: usize = 8192;

/// Fills a disk up to so many pages.
fn fill(path: &Path, rest: usize) {
    let mut file = File::create(path).unwrap();
    let error = loop {
        if let Err(error) = file.write_all(&[0; PAGE]) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    file.set_len(file.metadata().unwrap().len().saturating_sub((rest * PAGE) as u64)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_writes_until_there_is_space_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let server: &'static Server = Box::leak(Box::new(Server::start_with_small_disk(directory.path())));
    let bench = Bench::postgres_on(server);
    let Place::Postgres { database, .. } = &bench.place else { unreachable!() };
    server.execute("postgres", &format!("ALTER DATABASE {database} SET TABLESPACE small"));
    let filler = server.root().join(directory.path().strip_prefix("/").unwrap()).join("filler");
    let running = bench.start().await;
    let mut size = 0_u64;
    for rest in [0, 1, 2, 5, 9, 20] {
        fill(&filler, rest);
        let begun = Instant::now();
        let (text, refused) = loop {
            // Random enough for the server not to compress it away.
            let words = (0..20_u8).map(|word| hex::encode(sha256(&[&size.to_be_bytes()[..], &[word]].concat())));
            let text = words.collect::<Vec<_>>().concat();
            match running.log.append(entry(&text)).await {
                Ok(Outcome::Logged(receipt)) => assert_eq!(receipt.index, size),
                Ok(again @ Outcome::AlreadyLogged { .. }) => panic!("{again:?}"),
                Err(refused) => break (text, refused),
            }
            size += 1;
            assert!(begun.elapsed() < Duration::from_mins(1), "the disk does not fill up");
        };
        assert!(matches!(refused, Error::Unavailable { .. }), "{refused}");
        if let Some(last) = size.checked_sub(1) {
            verify(&running.log.entry(last).await.unwrap().unwrap(), &running, &bench.signer);
        }
        assert!(running.log.entry(size).await.unwrap().is_none(), "nothing of the refused entry is seen");
        assert_eq!(running.log.obstacle(), None);
        fs::remove_file(&filler).unwrap();
        let taken = running.log.append(entry(&text)).await.unwrap();
        assert!(matches!(&taken, Outcome::Logged(receipt) if receipt.index == size), "{taken:?}");
        size += 1;
    }
    assert_eq!(bench.check(&running).await.unwrap(), size);
    running.stop().await;
}
