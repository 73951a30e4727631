//! Commits that fail, crossed with whether they happened all the same.

use crate::bench::{Bench, Running, entry, verify};
use chancery_log::store::{Answer, Batch, CommittedHead, LogRecord, NewLog, Store, StoreError, StoredEntry};
use chancery_log::{Error, Outcome};
use chancery_verify::Hash;
use chancery_verify::tile::{TileId, Tiles};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const HEALTHY: u8 = 0;
/// The next batch is not applied, and reported as failed.
const LOST: u8 = 1;
/// The next batch is applied, and reported as failed.
const STORED: u8 = 2;

/// A store whose next commit fails.
struct Faulty {
    inner: Arc<dyn Store>,
    fault: Arc<AtomicU8>,
}

impl Store for Faulty {
    fn shared(&self) -> bool {
        self.inner.shared()
    }
    fn open(&self, name: &'static str) -> Answer<'_, Option<LogRecord>> {
        self.inner.open(name)
    }
    fn create(&self, log: NewLog) -> Answer<'_, LogRecord> {
        self.inner.create(log)
    }
    fn logs(&self) -> Answer<'_, Vec<LogRecord>> {
        self.inner.logs()
    }
    fn head(&self, log_id: i64) -> Answer<'_, CommittedHead> {
        self.inner.head(log_id)
    }
    fn integrate<'a>(&'a self, batch: Batch<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            let failed = Err(StoreError::Database(sqlx::Error::WorkerCrashed));
            match self.fault.swap(HEALTHY, Ordering::SeqCst) {
                LOST => failed,
                STORED => self.inner.integrate(batch).await.and(failed),
                _ => self.inner.integrate(batch).await,
            }
        })
    }
    fn publish(&self, log_id: i64, size: u64, note: String) -> Answer<'_, ()> {
        self.inner.publish(log_id, size, note)
    }
    fn put_issuers(&self, log_id: i64, issuers: Vec<(Hash, bytes::Bytes)>) -> Answer<'_, ()> {
        self.inner.put_issuers(log_id, issuers)
    }
    fn issuer(&self, log_id: i64, fingerprint: Hash) -> Answer<'_, Option<bytes::Bytes>> {
        self.inner.issuer(log_id, fingerprint)
    }
    fn entries(&self, log_id: i64, start: u64, count: u32) -> Answer<'_, Vec<StoredEntry>> {
        self.inner.entries(log_id, start, count)
    }
    fn index_of(&self, log_id: i64, leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        self.inner.index_of(log_id, leaf_hash)
    }
    fn tiles(&self, log_id: i64, ids: Vec<TileId>) -> Answer<'_, Tiles> {
        self.inner.tiles(log_id, ids)
    }
    fn newest_checkpoint(&self, log_id: i64) -> Answer<'_, Option<(u64, String)>> {
        self.inner.newest_checkpoint(log_id)
    }
    fn checkpoint_below(&self, log_id: i64, size: u64) -> Answer<'_, Option<(u64, String)>> {
        self.inner.checkpoint_below(log_id, size)
    }
    fn checkpoints(&self, log_id: i64, after: Option<u64>, count: u32) -> Answer<'_, Vec<(u64, String)>> {
        self.inner.checkpoints(log_id, after, count)
    }
}

async fn start_faulty(bench: &Bench) -> (Running, Arc<AtomicU8>) {
    let database = bench.open().await.unwrap();
    let fault = Arc::new(AtomicU8::new(HEALTHY));
    let store = Arc::new(Faulty { inner: database.store(), fault: fault.clone() });
    (bench.start_over(database, store, bench.signer.clone(), "log.example").await.unwrap(), fault)
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
