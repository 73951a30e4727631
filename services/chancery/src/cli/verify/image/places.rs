//! Where images are: in a registry, or in a directory of this machine.

use super::judge::Image;
use chancery_image::{Found, Layout, Saved, find};
use chancery_registry::{Client, Digest, Error, Facts, Fetched, Reference, Repository, facts::Bounds};
use std::{path::Path, sync::Arc};
use tokio::sync::OnceCell;

/// What is constant for all images of registries.
pub(super) struct Registries {
    client: Client,
    layout: Layout,
    /// Where signatures are looked for, if not where the image is.
    signatures: Option<Repository>,
    /// One image may be named often; what its registry holds is read once.
    facts: Facts<(Repository, Digest), Found, Error>,
}

impl Registries {
    pub(super) fn new(client: Client, layout: Layout, signatures: Option<Repository>) -> Self {
        Self { client, layout, signatures, facts: Facts::new(Bounds::default(), Found::weight) }
    }

    pub(super) const fn image<'a>(&'a self, reference: &'a Reference) -> InRegistry<'a> {
        InRegistry { registries: self, reference }
    }
}

/// An image of a registry.
pub(super) struct InRegistry<'a> {
    registries: &'a Registries,
    reference: &'a Reference,
}

impl InRegistry<'_> {
    fn elsewhere(&self) -> &Repository {
        self.registries.signatures.as_ref().unwrap_or_else(|| self.reference.repository())
    }
}

impl Image for InRegistry<'_> {
    async fn resolve(&self) -> Result<Fetched, Error> {
        self.registries.client.resolve(self.reference).await
    }

    async fn manifest(&self, digest: &Digest) -> Result<Fetched, Error> {
        chancery_image::manifest(&self.registries.client, self.reference.repository(), digest).await
    }

    async fn found(&self, digest: &Digest) -> Result<Arc<Found>, Error> {
        let Registries { client, layout, facts, .. } = self.registries;
        let elsewhere = self.elsewhere();
        let read = || find(client, elsewhere, digest, *layout);
        facts.get((elsewhere.clone(), digest.clone()), read).await
    }

    fn pinned(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.reference.repository())
    }

    fn none(&self) -> String {
        let other = other_layout(self.registries.layout).map(|other| format!("{other}; ")).unwrap_or_default();
        format!(
            "{} has no signature or attestation of this digest. {other}a copy made with `cosign copy` or `crane copy` has \
             no bundles: name the repository that has them with --signature-repository, or copy with `oras cp --recursive`",
            self.elsewhere()
        )
    }
}

/// An image in a directory.
pub(super) struct InDirectory<'a> {
    path: &'a Path,
    layout: Layout,
    /// Read once.
    saved: OnceCell<Saved>,
}

impl<'a> InDirectory<'a> {
    pub(super) const fn new(path: &'a Path, layout: Layout) -> Self {
        Self { path, layout, saved: OnceCell::const_new() }
    }

    async fn saved(&self) -> Result<&Saved, Error> {
        self.saved.get_or_try_init(|| std::future::ready(Saved::open(self.path))).await
    }
}

impl Image for InDirectory<'_> {
    async fn resolve(&self) -> Result<Fetched, Error> {
        self.saved().await?.image()
    }

    async fn manifest(&self, digest: &Digest) -> Result<Fetched, Error> {
        self.saved().await?.manifest(digest)
    }

    async fn found(&self, digest: &Digest) -> Result<Arc<Found>, Error> {
        self.saved().await?.find(digest, self.layout).await.map(Arc::new)
    }

    fn pinned(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.path.display())
    }

    fn none(&self) -> String {
        let other = other_layout(self.layout).map(|other| format!("; {other}")).unwrap_or_default();
        format!("{} has no signature or attestation of this digest{other}", self.path.display())
    }
}

/// Where there may be signatures that this layout does not have.
const fn other_layout(layout: Layout) -> Option<&'static str> {
    match layout {
        Layout::Bundle => Some("signatures of cosign 1 and 2 are found with --layout legacy"),
        Layout::Legacy | Layout::Oci11 => Some("signatures of cosign 3 are found with --layout bundle"),
        Layout::All => None,
    }
}
