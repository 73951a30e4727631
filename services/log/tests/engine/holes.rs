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
    ProofOfEntry(u64),
}

async fn read(running: &Running, what: Read) -> Result<(), Error> {
    let log = &running.log;
    match what {
        Read::Entry(index) => log.entry(index).await.map(|_| ()),
        Read::Entries(start, count) => log.entries(start, count).await.map(|_| ()),
        Read::Consistency(old) => log.consistency_proof(old, SIZE).await.map(|_| ()),
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

/// A change of what is stored, a read that meets it, and the self-checks that may find it: the databases differ in what they
/// read first.
type Case = (&'static str, Read, &'static [&'static str]);

const PART: &str = "DELETE FROM bundle_parts WHERE first_index = 7";
const CONTENTS: &str = "UPDATE bundle_parts SET contents = zeroblob(7) WHERE first_index = 7";
const HASHES: &str = "UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0";
const EVERY: &str = "every index below the head has an entry";
const PROOF: &str = "an inclusion proof verifies";

const CASES: [Case; 6] = [
    (PART, Read::Entry(7), &[EVERY, "a stored part of a bundle has the lengths it states"]),
    (PART, Read::Entries(0, 20), &[EVERY]),
    (CONTENTS, Read::Entry(7), &["a stored leaf has its leaf hash"]),
    (HASHES, Read::Entry(3), &[PROOF]),
    (HASHES, Read::ProofOfEntry(3), &[PROOF]),
    (HASHES, Read::Consistency(100), &["a consistency proof verifies"]),
];

pub(crate) async fn a_read_that_finds_a_hole_quarantines_the_log(bench: Bench) {
    for (harm, what, invariants) in CASES {
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
        let found = failed.corrupt().unwrap_or_else(|| panic!("{harm}, {what:?}: {failed}")).clone();
        assert!(invariants.contains(&found.invariant), "{harm}, {what:?}: {found}");
        assert_eq!(running.log.quarantine(), Some(&Reason::Invariant(found.clone())));
        let obstacle = running.log.obstacle().unwrap().to_string();
        let said = obstacle.contains("QUARANTINED (quarantine.invariant)") && obstacle.contains(found.invariant);
        assert!(said, "{obstacle}");
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
