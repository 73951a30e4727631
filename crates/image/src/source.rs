//! Sources of manifests and blobs: a repository of a registry, or a directory. Their contents are not interpreted here.

use crate::kind::Kind;
use bytes::Bytes;
use chancery_registry::{Client, Descriptor, Digest, Error, Fetched, Referrer, Repository, Tag};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A place with images, their signatures and attestations. An error means that the answer is unknown.
pub(crate) trait Source: Sync {
    /// The manifest or index of `digest`. `None` if it does not exist.
    fn manifest(&self, digest: &Digest) -> impl Future<Output = Result<Option<Fetched>, Error>> + Send;

    /// The content of `descriptor`, if it has at most `limit` bytes.
    fn blob(&self, descriptor: &Descriptor, limit: usize) -> impl Future<Output = Result<Bytes, Error>> + Send;

    /// All manifests that are listed as referrers of `target`.
    fn referrers(&self, target: &Digest) -> impl Future<Output = Result<Vec<Referrer>, Error>> + Send;

    /// The manifest of this kind that cosign has written beside `target`. `None` if there is none.
    fn beside(&self, target: &Digest, kind: Kind) -> impl Future<Output = Result<Option<Fetched>, Error>> + Send;
}

/// A repository of a registry.
pub(crate) struct InRepository<'a> {
    pub(crate) client: &'a Client,
    pub(crate) repository: &'a Repository,
}

impl Source for InRepository<'_> {
    async fn manifest(&self, digest: &Digest) -> Result<Option<Fetched>, Error> {
        self.client.manifest(self.repository, digest).await
    }

    async fn blob(&self, descriptor: &Descriptor, limit: usize) -> Result<Bytes, Error> {
        self.client.blob(self.repository, descriptor, limit).await
    }

    async fn referrers(&self, target: &Digest) -> Result<Vec<Referrer>, Error> {
        self.client.referrers(self.repository, target).await.map(|listing| listing.referrers)
    }

    async fn beside(&self, target: &Digest, kind: Kind) -> Result<Option<Fetched>, Error> {
        self.client.tagged(self.repository, &Tag::of_digest(target, kind.suffix())).await
    }
}

/// A source from which at most so many bytes of blobs are read. Blobs beyond them are refused before they are fetched.
pub(crate) struct Bounded<'a, S> {
    source: &'a S,
    left: AtomicUsize,
    exceeded: AtomicBool,
}

impl<'a, S> Bounded<'a, S> {
    pub(crate) const fn new(source: &'a S, bytes: usize) -> Self {
        Self { source, left: AtomicUsize::new(bytes), exceeded: AtomicBool::new(false) }
    }

    /// Returns whether a blob was refused: then not everything was read.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }
}

impl<S: Source> Source for Bounded<'_, S> {
    async fn manifest(&self, digest: &Digest) -> Result<Option<Fetched>, Error> {
        self.source.manifest(digest).await
    }

    async fn blob(&self, descriptor: &Descriptor, limit: usize) -> Result<Bytes, Error> {
        // The source reads exactly this size. If it is over the limit of one blob, it reads nothing.
        let size = usize::try_from(descriptor.size).unwrap_or(usize::MAX);
        let taken = |left: usize| left.checked_sub(size);
        if size <= limit && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_err() {
            self.exceeded.store(true, Ordering::Relaxed);
            return Err(Error::too_many(&descriptor.digest, "too much has been read before it"));
        }
        self.source.blob(descriptor, limit).await
    }

    async fn referrers(&self, target: &Digest) -> Result<Vec<Referrer>, Error> {
        self.source.referrers(target).await
    }

    async fn beside(&self, target: &Digest, kind: Kind) -> Result<Option<Fetched>, Error> {
        self.source.beside(target, kind).await
    }
}
