//! Where manifests and blobs are read from: a repository of a registry, or a directory. What they mean is not known here.

use crate::kind::Kind;
use bytes::Bytes;
use chancery_registry::{Client, Descriptor, Digest, Error, Fetched, Referrer, Repository, Tag};

/// A place that has images, and what belongs to them. An error means that the question is open.
pub(crate) trait Source: Sync {
    /// The manifest or index of `digest`; `None` where there is none.
    fn manifest(&self, digest: &Digest) -> impl Future<Output = Result<Option<Fetched>, Error>> + Send;

    /// The content of `descriptor`, if it has at most `limit` bytes.
    fn blob(&self, descriptor: &Descriptor, limit: usize) -> impl Future<Output = Result<Bytes, Error>> + Send;

    /// Everything that is said to refer to `target`.
    fn referrers(&self, target: &Digest) -> impl Future<Output = Result<Vec<Referrer>, Error>> + Send;

    /// What cosign has put beside `target`, for this kind of thing; `None` where there is nothing.
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
