//! Where a log's files go, with the three verbs a mirror needs: create what never changes, read and replace a checkpoint.

mod fault;

pub use fault::{Error, Fault};

use bytes::Bytes;
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::TreeHead;
use chancery_verify::{PublicKey, Rejection};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const CHECKPOINT: &str = "checkpoint";
/// Bytes of a checkpoint: far more than one with a hundred cosignatures has.
const MAX_CHECKPOINT: usize = 64 * 1024;
/// As the server itself serves them.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const FRESH: &str = "no-cache";

/// A directory or a part of a bucket.
#[derive(Debug, Clone)]
pub struct Destination {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Whether it keeps headers for its readers, and replaces an object only where it is still the one that was read. A
    /// directory does neither: it belongs to one process.
    bucket: bool,
    /// Whether it has been seen to refuse to overwrite.
    proven: Arc<AtomicBool>,
}

/// A checkpoint as it was read.
#[derive(Debug, Clone)]
pub(crate) struct StoredCheckpoint {
    pub(crate) note: Bytes,
    version: UpdateVersion,
}

impl Destination {
    /// A directory, which is made if it is missing. What is written there is on stable storage before the next file is.
    pub fn directory(path: &std::path::Path) -> Result<Self, object_store::Error> {
        let failed = |source| object_store::Error::Generic { store: "directory", source: Box::new(source) };
        std::fs::create_dir_all(path).map_err(failed)?;
        let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), prefix: Path::default(), bucket: false, proven: Arc::default() })
    }

    /// What is below `prefix` in a bucket.
    ///
    /// The store MUST NOT write in [`PutMode::Create`] where there is an object, or in [`PutMode::Update`] where it is
    /// another one than was read, and MUST bound its requests in time and number.
    pub fn bucket(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self, object_store::Error> {
        Ok(Self { store, prefix: Path::parse(prefix)?, bucket: true, proven: Arc::default() })
    }

    /// The part of it that is called `name`.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self { prefix: self.prefix.clone().join(name), ..self.clone() }
    }

    /// Asks whether the place can be read, with its credentials. Nothing is written.
    pub async fn verify_readable(&self) -> Result<(), Error> {
        self.checkpoint().await.map(drop)
    }

    fn locate(&self, path: &str) -> Path {
        path.split('/').fold(self.prefix.clone(), Path::join)
    }

    /// Writes a file that never changes. Where it is there already, it must have the same bytes.
    pub(crate) async fn create(&self, path: &str, media_type: &'static str, bytes: Bytes) -> Result<(), Error> {
        let location = self.locate(path);
        let proven = self.proven.load(Ordering::Relaxed);
        // A store that ignores conditions must not get to overwrite anything before it is found out.
        if !proven && let Some(there) = self.read(&location, bytes.len()).await? {
            compare(path, &bytes, &there.note)?;
        }
        match self.put(&location, media_type, IMMUTABLE, bytes.clone(), PutMode::Create).await {
            Ok(()) if proven => Ok(()),
            Ok(()) => match self.put(&location, media_type, IMMUTABLE, bytes, PutMode::Create).await {
                Ok(()) => Err(Fault::Unconditional.into()),
                Err(object_store::Error::AlreadyExists { .. }) => {
                    self.proven.store(true, Ordering::Relaxed);
                    Ok(())
                }
                Err(error) => Err(error.into()),
            },
            // Written before a crash, by another replica, or by a request whose answer got lost.
            Err(error @ object_store::Error::AlreadyExists { .. }) => {
                // An object that exists and cannot be read yet is asked for again in the next push.
                let there = self.read(&location, bytes.len()).await?.ok_or(error)?;
                compare(path, &bytes, &there.note)?;
                self.proven.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The checkpoint that is there.
    pub(crate) async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, Error> {
        Ok(self.read(&self.locate(CHECKPOINT), MAX_CHECKPOINT).await?)
    }

    /// The checkpoint that is there and its tree head, if it is one that the log with this scheme and key signed. What else
    /// is there can be from anybody who can write there, and says nothing about the log.
    pub(crate) async fn published(
        &self,
        scheme: &Scheme,
        key: &PublicKey,
    ) -> Result<Option<(TreeHead, String)>, Error> {
        let Some(stored) = self.checkpoint().await? else { return Ok(None) };
        match open(&stored.note, scheme, key) {
            Ok(tree) => Ok(Some((tree, String::from_utf8_lossy(&stored.note).into_owned()))),
            Err(fault) => {
                let (origin, code) = (scheme.origin(), fault.code());
                tracing::warn!(log.origin = origin, error.code = code, %fault, "the copy proves nothing");
                Ok(None)
            }
        }
    }

    /// Puts a checkpoint in the place of the one that was read.
    pub(crate) async fn replace_checkpoint(&self, read: Option<StoredCheckpoint>, note: &str) -> Result<(), Error> {
        let location = self.locate(CHECKPOINT);
        let mode = match read {
            None => PutMode::Create,
            Some(read) if self.bucket => PutMode::Update(read.version),
            Some(_) => PutMode::Overwrite,
        };
        let bytes = Bytes::copy_from_slice(note.as_bytes());
        match self.put(&location, "text/plain; charset=utf-8", FRESH, bytes, mode).await {
            Ok(()) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                // A request whose answer got lost has also changed what is there.
                let there = self.read(&location, MAX_CHECKPOINT).await?;
                let ours = there.is_some_and(|there| there.note == note.as_bytes());
                if ours { Ok(()) } else { Err(Error::Overtaken) }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads an object. One of more than `limit` bytes cannot be the log's: nothing of its contents is read.
    async fn read(&self, location: &Path, limit: usize) -> Result<Option<StoredCheckpoint>, object_store::Error> {
        let found = match self.store.get(location).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let note = if found.meta.size > limit as u64 { Bytes::new() } else { found.bytes().await? };
        Ok(Some(StoredCheckpoint { note, version }))
    }

    async fn put(
        &self,
        location: &Path,
        media_type: &'static str,
        caching: &'static str,
        bytes: Bytes,
        mode: PutMode,
    ) -> Result<(), object_store::Error> {
        let mut attributes = Attributes::new();
        if self.bucket {
            attributes.insert(Attribute::ContentType, media_type.into());
            attributes.insert(Attribute::CacheControl, caching.into());
        }
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        self.store.put_opts(location, PutPayload::from(bytes), options).await.map(|_| ())
    }
}

/// The tree head a stored checkpoint states, if it is one of the log with this scheme and key.
pub(crate) fn open(note: &Bytes, scheme: &Scheme, key: &PublicKey) -> Result<TreeHead, Fault> {
    let note = str::from_utf8(note).map_err(|_| Fault::Foreign(Rejection::NoteMalformed))?;
    scheme.open(note, key).map_err(Fault::Foreign)
}

fn compare(path: &str, ours: &Bytes, there: &Bytes) -> Result<(), Fault> {
    if ours == there { Ok(()) } else { Err(Fault::Conflict { path: path.to_owned() }) }
}
