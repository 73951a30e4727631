//! Commits that fail, crossed with whether they happened all the same.

use crate::bench::{Bench, Running, entry, verify};
use crate::hooked::{Hooked, Step};
use chancery_log::store::StoreError;
use chancery_log::{Error, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const HEALTHY: u8 = 0;
/// The next batch is not applied, and reported as failed.
const LOST: u8 = 1;
/// The next batch is applied, and reported as failed.
const STORED: u8 = 2;

/// Where in a batch a fault strikes.
const fn strikes(fault: u8) -> Option<Step> {
    match fault {
        LOST => Some(Step::BeforeIntegrate),
        STORED => Some(Step::Committed),
        _ => None,
    }
}

async fn start_faulty(bench: &Bench) -> (Running, Arc<AtomicU8>) {
    let database = bench.open().await.unwrap();
    let fault = Arc::new(AtomicU8::new(HEALTHY));
    let next = fault.clone();
    let store = Hooked::new(database.store(), move |step| {
        let struck = strikes(next.load(Ordering::SeqCst)) == Some(step);
        if struck {
            next.store(HEALTHY, Ordering::SeqCst);
        }
        if struck { Err(StoreError::from(sqlx::Error::WorkerCrashed)) } else { Ok(()) }
    });
    (bench.start_over(database, Arc::new(store), bench.signer.clone(), "log.example").await.unwrap(), fault)
}

/// Around the boundary of a tile: what the right edge looks like differs on either side of it.
const SIZES: [u64; 5] = [0, 1, 255, 256, 257];

async fn grow(running: &Running, size: u64) {
    for number in running.log.published().unwrap().tree.size..size {
        running.log.append(entry(&format!("filler {number}"))).await.unwrap();
    }
}

pub(crate) async fn a_batch_that_was_stored_but_reported_failed_keeps_its_indices(bench: Bench) {
    let (running, fault) = start_faulty(&bench).await;
    for size in SIZES {
        let text = format!("stored at {size}");
        // The failed batch itself moves the tree on by one.
        grow(&running, size).await;
        let size = running.log.published().unwrap().tree.size;
        fault.store(STORED, Ordering::SeqCst);
        let failed = running.log.append(entry(&text)).await.unwrap_err();
        assert!(matches!(failed, Error::Unavailable { .. }), "{failed}");
        let again = running.log.append(entry(&text)).await.unwrap();
        assert!(matches!(again, Outcome::AlreadyLogged { index } if index == size), "{again:?}");
        let receipt = running.log.entry(size).await.unwrap().unwrap();
        verify(&receipt, &running, &bench.signer);
        assert_eq!(bench.check(&running).await.unwrap(), size + 1);
    }
    running.stop().await;
}

pub(crate) async fn a_batch_that_was_lost_is_taken_when_it_comes_again(bench: Bench) {
    let (running, fault) = start_faulty(&bench).await;
    for size in SIZES {
        let text = format!("lost at {size}");
        grow(&running, size).await;
        let size = running.log.published().unwrap().tree.size;
        fault.store(LOST, Ordering::SeqCst);
        let failed = running.log.append(entry(&text)).await.unwrap_err();
        assert!(matches!(failed, Error::Unavailable { .. }), "{failed}");
        assert!(running.log.entry(size).await.unwrap().is_none());
        let again = running.log.append(entry(&text)).await.unwrap();
        assert!(matches!(&again, Outcome::Logged(receipt) if receipt.index == size), "{again:?}");
        assert_eq!(bench.check(&running).await.unwrap(), size + 1);
    }
    running.stop().await;
}
