//! A store with a hook at every step it takes for a log: there a test makes it fail, or the process die.

use chancery_log::store::{
    Answer, Attestations, Batch, Census, CommittedHead, Doubts, EarlierHead, End, Extension, Found, Identity, Indexed,
    Integration, Lock, LogRecord, Lookup, NewLog, Recorded, Store, StoreError, StoredEntry,
};
use chancery_verify::tile::{TileId, Tiles};
use chancery_verify::{Hash, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// What is about to happen, or has just happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Step {
    /// A batch is extended and has been handed over; the database knows nothing of it.
    BeforeIntegrate,
    /// A batch is committed; nobody has been told.
    Committed,
    /// A checkpoint is about to be stored without a batch.
    BeforePublish,
    /// It has been.
    Published,
    /// Entries are about to be read, which mirrors do for each bundle.
    BeforeEntries,
    /// What an entry has only a hash of is about to be kept.
    BeforeAttestation,
}

type Hook = dyn Fn(Step) -> Result<(), StoreError> + Send + Sync;

pub(crate) struct Hooked {
    inner: Arc<dyn Store>,
    hook: Arc<Hook>,
}

impl Hooked {
    pub(crate) fn new(
        inner: Arc<dyn Store>,
        hook: impl Fn(Step) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Self {
        Self { inner, hook: Arc::new(hook) }
    }
}

impl Store for Hooked {
    fn shared(&self) -> bool {
        self.inner.shared()
    }
    fn open<'a>(&'a self, name: &'a str) -> Answer<'a, Option<LogRecord>> {
        self.inner.open(name)
    }
    fn create(&self, log: NewLog) -> Answer<'_, LogRecord> {
        self.inner.create(log)
    }
    fn logs(&self) -> Answer<'_, Vec<LogRecord>> {
        self.inner.logs()
    }
    fn freeze(&self, log_id: i64, now: Timestamp) -> Answer<'_, CommittedHead> {
        self.inner.freeze(log_id, now)
    }
    fn frozen(&self, log_id: i64) -> Answer<'_, Option<Timestamp>> {
        self.inner.frozen(log_id)
    }
    fn publish_frozen(&self, log_id: i64, note: String) -> Answer<'_, ()> {
        self.inner.publish_frozen(log_id, note)
    }
    fn frozen_checkpoint(&self, log_id: i64) -> Answer<'_, Option<String>> {
        self.inner.frozen_checkpoint(log_id)
    }
    fn head(&self, log_id: i64) -> Answer<'_, CommittedHead> {
        self.inner.head(log_id)
    }
    fn find<'a>(&'a self, batch: &'a Batch<'a>) -> Answer<'a, Found> {
        self.inner.find(batch)
    }
    fn lock<'a>(&'a self, batch: &'a Batch<'a>) -> Answer<'a, (Found, Lock)> {
        self.inner.lock(batch)
    }
    fn integrate<'a>(
        &'a self,
        batch: &'a Batch<'a>,
        extension: &'a Extension,
        lock: Option<Lock>,
    ) -> Answer<'a, Integration> {
        Box::pin(async move {
            (self.hook)(Step::BeforeIntegrate)?;
            let integration = self.inner.integrate(batch, extension, lock).await?;
            if matches!(integration, Integration::Committed) {
                (self.hook)(Step::Committed)?;
            }
            Ok(integration)
        })
    }
    fn rehearse<'a>(&'a self, log_id: i64, extension: &'a Extension) -> Answer<'a, ()> {
        self.inner.rehearse(log_id, extension)
    }
    fn publish(&self, log_id: i64, size: u64, note: String) -> Answer<'_, ()> {
        Box::pin(async move {
            (self.hook)(Step::BeforePublish)?;
            self.inner.publish(log_id, size, note).await?;
            (self.hook)(Step::Published)
        })
    }
    fn put_issuers(&self, log_id: i64, issuers: Vec<(Hash, bytes::Bytes)>) -> Answer<'_, ()> {
        self.inner.put_issuers(log_id, issuers)
    }
    fn issuer(&self, log_id: i64, fingerprint: Hash) -> Answer<'_, Option<bytes::Bytes>> {
        self.inner.issuer(log_id, fingerprint)
    }
    fn entries(&self, log_id: i64, start: u64, count: u32) -> Answer<'_, Vec<StoredEntry>> {
        Box::pin(async move {
            (self.hook)(Step::BeforeEntries)?;
            self.inner.entries(log_id, start, count).await
        })
    }
    fn entries_at(&self, log_id: i64, indices: Vec<u64>) -> Answer<'_, Vec<StoredEntry>> {
        self.inner.entries_at(log_id, indices)
    }
    fn index_of(&self, log_id: i64, leaf_hash: Hash) -> Answer<'_, Option<u64>> {
        self.inner.index_of(log_id, leaf_hash)
    }
    fn leaf(&self, log_id: i64, leaf_hash: Hash) -> Answer<'_, Option<(u64, Tiles)>> {
        self.inner.leaf(log_id, leaf_hash)
    }
    fn tiles(&self, log_id: i64, ids: Vec<TileId>) -> Answer<'_, Tiles> {
        self.inner.tiles(log_id, ids)
    }
    fn lookups(&self, log_id: i64, entries: Vec<Indexed>) -> Answer<'_, Vec<Lookup>> {
        self.inner.lookups(log_id, entries)
    }
    fn census(&self, log_id: i64) -> Answer<'_, Census> {
        self.inner.census(log_id)
    }
    fn earlier_heads(&self, log_id: i64, after: Option<u64>, count: u32) -> Answer<'_, Vec<EarlierHead>> {
        self.inner.earlier_heads(log_id, after, count)
    }
    fn issuers(&self, log_id: i64) -> Answer<'_, Vec<(Hash, bytes::Bytes)>> {
        self.inner.issuers(log_id)
    }
    fn unlisted(&self) -> Answer<'_, Vec<i64>> {
        self.inner.unlisted()
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

impl Attestations for Hooked {
    fn put_attestation(&self, digest: Hash, data: bytes::Bytes, subjects: Vec<Vec<u8>>) -> Answer<'_, ()> {
        Box::pin(async move {
            (self.hook)(Step::BeforeAttestation)?;
            self.inner.put_attestation(digest, data, subjects).await
        })
    }
    fn attestation(&self, digest: Hash) -> Answer<'_, Option<bytes::Bytes>> {
        self.inner.attestation(digest)
    }
    fn attestations_with(&self, digests: Vec<Hash>) -> Answer<'_, Vec<(Hash, bytes::Bytes)>> {
        self.inner.attestations_with(digests)
    }
    fn attestations(&self, after: Option<Hash>, count: u32) -> Answer<'_, Vec<(Hash, bytes::Bytes)>> {
        self.inner.attestations(after, count)
    }
    fn attestations_about(&self, subjects: Vec<Vec<u8>>, count: u32) -> Answer<'_, Vec<(Vec<u8>, Hash)>> {
        self.inner.attestations_about(subjects, count)
    }
    fn attestation_subjects(&self, digests: Vec<Hash>) -> Answer<'_, Vec<(Vec<u8>, Hash)>> {
        self.inner.attestation_subjects(digests)
    }
    fn unread_attestations(&self, count: u32) -> Answer<'_, Vec<(Hash, bytes::Bytes)>> {
        self.inner.unread_attestations(count)
    }
    fn is_unread(&self, digest: Hash) -> Answer<'_, bool> {
        self.inner.is_unread(digest)
    }
    fn put_subjects(&self, digest: Hash, subjects: Vec<Vec<u8>>) -> Answer<'_, ()> {
        self.inner.put_subjects(digest, subjects)
    }
}

impl Doubts for Hooked {
    fn quarantined(&self, log_id: i64) -> Answer<'_, Option<Recorded>> {
        self.inner.quarantined(log_id)
    }
    fn quarantine(&self, log_id: i64, recorded: Recorded) -> Answer<'_, ()> {
        self.inner.quarantine(log_id, recorded)
    }
    fn release(&self, log_id: i64, proven: Recorded) -> Answer<'_, bool> {
        self.inner.release(log_id, proven)
    }
    fn ended(&self, log_id: i64) -> Answer<'_, Option<End>> {
        self.inner.ended(log_id)
    }
    fn end(&self, log_id: i64, end: End, recorded: Recorded) -> Answer<'_, End> {
        self.inner.end(log_id, end, recorded)
    }
    fn identity(&self) -> Answer<'_, Identity> {
        self.inner.identity()
    }
    fn has_changed(&self, ago: Duration) {
        self.inner.has_changed(ago);
    }
    fn is_settled(&self) -> bool {
        self.inner.is_settled()
    }
}
