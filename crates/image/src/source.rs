//! Sources of manifests and blobs: a repository of a registry, or a directory. Their contents are not interpreted here.

use crate::kind::Kind;
use bytes::Bytes;
use chancery_registry::{Client, Descriptor, Digest, Error, Fetched, Referrer, Repository, Tag};

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
