//! Reads that find a hole: what is stored is not what was logged, so the log is quarantined, and says so.

use crate::bench::{Bench, Place, Running, entry, verify};
use crate::hooked::{Hooked, Step};
use chancery_log::quarantine::Reason;
use chancery_log::store::StoreError;
use chancery_log::{Corrupt, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Two tiles, the second of them partial.
const SIZE: u64 = 300;

/// What a client asks for, as far as it matters here.
#[derive(Debug, Clone, Copy)]
enum Read {
    Entry(u64),
    Entries(u64, u32),
    Consistency(u64),
    Root(u64),
    ProofOfEntry(u64),
}

async fn read(running: &Running, what: Read) -> Result<(), Error> {
    let log = &running.log;
    match what {
        Read::Entry(index) => log.entry(index).await.map(|_| ()),
        Read::Entries(start, count) => log.entries(start, count).await.map(|_| ()),
        Read::Consistency(old) => log.consistency_proof(old, SIZE).await.map(|_| ()),
        Read::Root(size) => log.root_at(size).await.map(|_| ()),
        Read::ProofOfEntry(index) => {
            let hash = running.database.store().entries(1, index, 1).await.unwrap()[0].leaf_hash;
            log.inclusion_proof_by_hash(&hash, SIZE).await.map(|_| ())
        }
    }
}

async fn grown(bench: &Bench) {
    let running = bench.start().await;
    for number in 0..SIZE {
        running.log.append(entry(&format!("entry {number}"))).await.unwrap();
    }
    running.stop().await;
}

fn sibling(bench: &Bench) -> Bench {
    match &bench.place {
        Place::Sqlite(_) => Bench::sqlite(),
        Place::Postgres { .. } => Bench::postgres(),
    }
}

pub(crate) async fn a_read_that_finds_a_hole_quarantines_the_log(bench: Bench) {
    let every = "every index below the head has an entry";
    let tiles = "tiles below the head are stored";
    for (harm, what, invariant) in [
        ("DELETE FROM bundle_parts WHERE first_index = 7", Read::Entry(7), every),
        ("DELETE FROM bundle_parts WHERE first_index = 7", Read::Entries(0, 20), every),
        (
            "UPDATE bundle_parts SET contents = zeroblob(7) WHERE first_index = 7",
            Read::Entry(7),
            "a stored leaf has its leaf hash",
        ),
        ("DELETE FROM tiles WHERE level = 0 AND tile_index = 0", Read::Entry(3), "the tiles of a proof are at hand"),
        ("DELETE FROM tiles WHERE level = 0 AND tile_index = 0", Read::Consistency(100), tiles),
        ("DELETE FROM tiles WHERE level = 0 AND tile_index = 0", Read::Root(100), tiles),
        ("UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0", Read::Entry(3), "an inclusion proof verifies"),
        (
            "UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0",
            Read::ProofOfEntry(3),
            "an inclusion proof verifies",
        ),
        (
            "UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0",
            Read::Consistency(100),
            "a consistency proof verifies",
        ),
    ] {
        let bench = sibling(&bench);
        grown(&bench).await;
        let database = bench.open().await.unwrap();
        database.drop_triggers().await;
        database.execute(harm).await.unwrap();
        database.close().await;
        // What is needed at the start is whole.
        let running = bench.start().await;
        assert_eq!((running.log.quarantine(), running.log.obstacle()), (None, None), "{harm}");
        let failed = read(&running, what).await.unwrap_err();
        assert_eq!(failed.corrupt().map(|corrupt| corrupt.invariant), Some(invariant), "{harm}, {what:?}: {failed}");
        let reason = running.log.quarantine().expect("the log is quarantined");
        assert!(matches!(reason, Reason::Invariant(corrupt) if corrupt.invariant == invariant), "{reason}");
        let obstacle = running.log.obstacle().unwrap().to_string();
        assert!(obstacle.contains("QUARANTINED (quarantine.invariant)") && obstacle.contains(invariant), "{obstacle}");
        assert!(matches!(running.log.append(entry("new")).await, Err(Error::Quarantined(_))), "{harm}");
        assert_eq!(running.database.store().head(1).await.unwrap().tree.size, SIZE, "nothing is committed");
        // Reads of what is whole go on.
        assert_eq!(running.log.latest().await.unwrap().tree.size, SIZE);
        verify(&running.log.entry(SIZE - 1).await.unwrap().unwrap(), &running, &bench.signer);
        running.stop().await;
    }
}

/// A failed self-check that does not fail again was one of what is in memory, or on the way: it is no doubt about the database.
pub(crate) async fn a_self_check_that_passes_the_second_time_stops_nothing(bench: Bench) {
    let database = bench.open().await.unwrap();
    let faults = Arc::new(AtomicU32::new(0));
    let left = faults.clone();
    let store = Hooked::new(database.store(), move |step| {
        let strikes = step == Step::BeforeEntries
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if strikes { Err(StoreError::Corrupt(Corrupt::new("a bit of memory is what it was"))) } else { Ok(()) }
    });
    let running = bench.start_over(database, Arc::new(store), bench.signer.clone(), "log.example").await.unwrap();
    running.log.append(entry("one")).await.unwrap();
    faults.store(1, Ordering::SeqCst);
    verify(&running.log.entry(0).await.unwrap().unwrap(), &running, &bench.signer);
    faults.store(1, Ordering::SeqCst);
    assert_eq!(running.log.entries(0, 1).await.unwrap().len(), 1);
    assert_eq!((running.log.quarantine(), running.log.obstacle()), (None, None));
    running.log.append(entry("two")).await.unwrap();
    faults.store(2, Ordering::SeqCst);
    assert!(running.log.entry(0).await.is_err());
    assert_eq!(running.log.quarantine().map(Reason::code), Some("quarantine.invariant"));
    assert_eq!(bench.check(&running).await.unwrap(), 2);
    running.stop().await;
}
