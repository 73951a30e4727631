//! An object store in memory that does something wrong.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What is wrong with it; writes are counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// This write does not happen and fails.
    Lost(usize),
    /// This write happens and fails.
    Stored(usize),
    /// This write is sent twice, and the second answer is the one that arrives.
    Twice(usize),
    /// Every other read of the checkpoint answers what it was before its last replacement.
    StaleCheckpoint,
    /// It writes whatever it is told not to.
    Unconditional,
}

#[derive(Debug)]
pub(crate) struct Moody {
    inner: Arc<InMemory>,
    mood: Mood,
    writes: AtomicUsize,
    reads: AtomicUsize,
    /// The checkpoint before the last one.
    before: Mutex<Option<Bytes>>,
}

impl Moody {
    pub(crate) fn new(inner: Arc<InMemory>, mood: Mood) -> Self {
        Self { inner, mood, writes: AtomicUsize::new(0), reads: AtomicUsize::new(0), before: Mutex::new(None) }
    }
}

impl fmt::Display for Moody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.mood)
    }
}

/// Everything in a store.
pub(crate) async fn objects(store: &InMemory) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for object in store.list(None).try_collect::<Vec<_>>().await.unwrap() {
        let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
        found.insert(object.location.to_string(), bytes.to_vec());
    }
    found
}

fn broken() -> Error {
    Error::Generic { store: "moody", source: "503 Slow Down".into() }
}

#[async_trait]
impl ObjectStore for Moody {
    async fn put_opts(&self, location: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        let write = self.writes.fetch_add(1, Ordering::SeqCst);
        if location.as_ref().ends_with("checkpoint")
            && let Ok(there) = self.inner.get(location).await
        {
            let there = there.bytes().await?;
            *self.before.lock().unwrap() = Some(there);
        }
        match self.mood {
            Mood::Lost(fault) if fault == write => Err(broken()),
            Mood::Stored(fault) if fault == write => {
                self.inner.put_opts(location, payload, options).await?;
                Err(broken())
            }
            Mood::Twice(fault) if fault == write => {
                self.inner.put_opts(location, payload.clone(), options.clone()).await?;
                self.inner.put_opts(location, payload, options).await
            }
            Mood::Unconditional => {
                options.mode = PutMode::Overwrite;
                self.inner.put_opts(location, payload, options).await
            }
            _ => self.inner.put_opts(location, payload, options).await,
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let stale = self.mood == Mood::StaleCheckpoint
            && location.as_ref().ends_with("checkpoint")
            && self.reads.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        let before = self.before.lock().unwrap().clone().filter(|_| stale);
        if let Some(before) = before {
            // As a cache would: an older object under its own version.
            let cache = InMemory::new();
            cache.put(&Path::from("another"), PutPayload::default()).await?;
            cache.put(location, before.into()).await?;
            let mut found = cache.get_opts(location, options).await?;
            found.meta.e_tag = Some("stale".to_owned());
            return Ok(found);
        }
        self.inner.get_opts(location, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
