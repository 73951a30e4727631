//! A store whose operations are timed, as the log sees them: with waiting for a connection and for a shared query.

use super::{
    Answer, Attestations, Batch, Census, CommittedHead, Doubts, EarlierHead, End, Extension, Found, Identity, Indexed,
    Integration, Lock, LogRecord, Lookup, NewLog, Recorded, Store, StoredEntry, TileId, Tiles,
};
use crate::activity::Activity;
use bytes::Bytes;
use chancery_verify::{Hash, Timestamp};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Times the operations of a store; before the log is measured, it only passes them on. MUST pass on every method, also those
/// that have a body: a store may have a better one.
pub(crate) struct Timed {
    store: Arc<dyn Store>,
    activity: Arc<Activity>,
}

impl Timed {
    pub(crate) const fn new(store: Arc<dyn Store>, activity: Arc<Activity>) -> Self {
        Self { store, activity }
    }

    fn timed<'a, T>(&'a self, operation: &'static str, answer: Answer<'a, T>) -> Answer<'a, T>
    where
        T: 'a,
    {
        let Some(durations) = self.activity.database() else { return answer };
        Box::pin(async move {
            let begun = Instant::now();
            let answered = answer.await;
            durations.observe(&[operation, if answered.is_ok() { "ok" } else { "failed" }], begun.elapsed());
            answered
        })
    }
}

impl Store for Timed {
    fn shared(&self) -> bool {
        self.store.shared()
    }

    fn open<'a>(&'a self, name: &'a str) -> Answer<'a, Option<LogRecord>> {
        self.timed("open", self.store.open(name))
    }

    fn create(&self, log: NewLog) -> Answer<'_, LogRecord> {
        self.timed("create", self.store.create(log))
    }

    fn logs(&self) -> Answer<'_, Vec<LogRecord>> {
        self.timed("logs", self.store.logs())
    }

    fn freeze(&self, log_id: i64, now: Timestamp) -> Answer<'_, CommittedHead> {
        self.timed("freeze", self.store.freeze(log_id, now))
    }

    fn frozen(&self, log_id: i64) -> Answer<'_, Option<Timestamp>> {
        self.timed("frozen", self.store.frozen(log_id))
    }

    fn publish_frozen(&self, log_id: i64, note: String) -> Answer<'_, ()> {
        self.timed("publish_frozen", self.store.publish_frozen(log_id, note))
    }

    fn frozen_checkpoint(&self, log_id: i64) -> Answer<'_, Option<String>> {
        self.timed("frozen_checkpoint", self.store.frozen_checkpoint(log_id))
    }

    fn head(&self, log_id: i64) -> Answer<'_, CommittedHead> {
        self.timed("head", self.store.head(log_id))
    }

    fn find<'a>(&'a self, batch: &'a Batch<'a>) -> Answer<'a, Found> {
        self.timed("find", self.store.find(batch))
    }

    fn lock<'a>(&'a self, batch: &'a Batch<'a>) -> Answer<'a, (Found, Lock)> {
        self.timed("lock", self.store.lock(batch))
    }

    fn integrate<'a>(
        &'a self,
        batch: &'a Batch<'a>,
        extension: &'a Extension,
        lock: Option<Lock>,
    ) -> Answer<'a, Integration> {
        self.timed("integrate", self.store.integrate(batch, extension, lock))
    }

    fn rehearse<'a>(&'a self, log_id: i64, extension: &'a Extension) -> Answer<'a, ()> {
        self.timed("rehearse", self.store.rehearse(log_id, extension))
    }

    fn publish(&self, log_id: i64, size: u64, note: String) -> Answer<'_, ()> {
        self.timed("publish", self.store.publish(log_id, size, note))
    }

    fn put_issuers(&self, log_id: i64, issuers: Vec<(Hash, Bytes)>) -> Answer<'_, ()> {
        self.timed("put_issuers", self.store.put_issuers(log_id, issuers))
    }

    fn issuer(&self, log_id: i64, fingerprint: Hash) -> Answer<'_, Option<Bytes>> {
        self.timed("issuer", self.store.issuer(log_id, fingerprint))
    }

    fn entries(&self, log_id: i64, start: u64, count: u32) -> Answer<'_, Vec<StoredEntry>> {
        self.timed("entries", self.store.entries(log_id, start, count))
    }

    fn entries_at(&self, log_id: i64, indices: Vec<u64>) -> Answer<'_, Vec<StoredEntry>> {
        self.timed("entries_at", self.store.entries_at(log_id, indices))
    }

    fn entry(&self, log_id: i64, index: u64, tiles: Vec<TileId>) -> Answer<'_, Option<(StoredEntry, Tiles)>> {
        self.timed("entry", self.store.entry(log_id, index, tiles))
    }

    fn index_of(&self, log_id: i64, leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        self.timed("index_of", self.store.index_of(log_id, leaf_hash))
    }

    fn leaf(&self, log_id: i64, leaf_hash: Hash) -> Answer<'_, Option<(u64, Tiles)>> {
        self.timed("leaf", self.store.leaf(log_id, leaf_hash))
    }

    fn tiles(&self, log_id: i64, ids: Vec<TileId>) -> Answer<'_, Tiles> {
        self.timed("tiles", self.store.tiles(log_id, ids))
    }

    fn lookups(&self, log_id: i64, entries: Vec<Indexed>) -> Answer<'_, Vec<Lookup>> {
        self.timed("lookups", self.store.lookups(log_id, entries))
    }

    fn census(&self, log_id: i64) -> Answer<'_, Census> {
        self.timed("census", self.store.census(log_id))
    }

    fn earlier_heads(&self, log_id: i64, after: Option<u64>, count: u32) -> Answer<'_, Vec<EarlierHead>> {
        self.timed("earlier_heads", self.store.earlier_heads(log_id, after, count))
    }

    fn issuers(&self, log_id: i64) -> Answer<'_, Vec<(Hash, Bytes)>> {
        self.timed("issuers", self.store.issuers(log_id))
    }

    fn unlisted(&self) -> Answer<'_, Vec<i64>> {
        self.timed("unlisted", self.store.unlisted())
    }

    fn newest_checkpoint(&self, log_id: i64) -> Answer<'_, Option<(u64, String)>> {
        self.timed("newest_checkpoint", self.store.newest_checkpoint(log_id))
    }

    fn checkpoint_below(&self, log_id: i64, size: u64) -> Answer<'_, Option<(u64, String)>> {
        self.timed("checkpoint_below", self.store.checkpoint_below(log_id, size))
    }

    fn checkpoints(&self, log_id: i64, after: Option<u64>, count: u32) -> Answer<'_, Vec<(u64, String)>> {
        self.timed("checkpoints", self.store.checkpoints(log_id, after, count))
    }
}

impl Attestations for Timed {
    fn put_attestation(&self, digest: Hash, data: Bytes, subjects: Vec<Vec<u8>>) -> Answer<'_, ()> {
        self.timed("put_attestation", self.store.put_attestation(digest, data, subjects))
    }

    fn attestation(&self, digest: Hash) -> Answer<'_, Option<Bytes>> {
        self.timed("attestation", self.store.attestation(digest))
    }

    fn attestations_with(&self, digests: Vec<Hash>) -> Answer<'_, Vec<(Hash, Bytes)>> {
        self.timed("attestations_with", self.store.attestations_with(digests))
    }

    fn attestations(&self, after: Option<Hash>, count: u32) -> Answer<'_, Vec<(Hash, Bytes)>> {
        self.timed("attestations", self.store.attestations(after, count))
    }

    fn attestations_about(&self, subjects: Vec<Vec<u8>>, count: u32) -> Answer<'_, Vec<(Vec<u8>, Hash)>> {
        self.timed("attestations_about", self.store.attestations_about(subjects, count))
    }

    fn attestation_subjects(&self, digests: Vec<Hash>) -> Answer<'_, Vec<(Vec<u8>, Hash)>> {
        self.timed("attestation_subjects", self.store.attestation_subjects(digests))
    }

    fn unread_attestations(&self, count: u32) -> Answer<'_, Vec<(Hash, Bytes)>> {
        self.timed("unread_attestations", self.store.unread_attestations(count))
    }

    fn is_unread(&self, digest: Hash) -> Answer<'_, bool> {
        self.timed("is_unread", self.store.is_unread(digest))
    }

    fn put_subjects(&self, digest: Hash, subjects: Vec<Vec<u8>>) -> Answer<'_, ()> {
        self.timed("put_subjects", self.store.put_subjects(digest, subjects))
    }
}

impl Doubts for Timed {
    fn quarantined(&self, log_id: i64) -> Answer<'_, Option<Recorded>> {
        self.timed("quarantined", self.store.quarantined(log_id))
    }

    fn quarantine(&self, log_id: i64, recorded: Recorded) -> Answer<'_, ()> {
        self.timed("quarantine", self.store.quarantine(log_id, recorded))
    }

    fn release(&self, log_id: i64, proven: Recorded) -> Answer<'_, bool> {
        self.timed("release", self.store.release(log_id, proven))
    }

    fn ended(&self, log_id: i64) -> Answer<'_, Option<End>> {
        self.timed("ended", self.store.ended(log_id))
    }

    fn end(&self, log_id: i64, end: End, recorded: Recorded) -> Answer<'_, End> {
        self.timed("end", self.store.end(log_id, end, recorded))
    }

    fn identity(&self) -> Answer<'_, Identity> {
        self.timed("identity", self.store.identity())
    }

    fn has_changed(&self, ago: Duration) {
        self.store.has_changed(ago);
    }

    fn is_settled(&self) -> bool {
        self.store.is_settled()
    }
}
