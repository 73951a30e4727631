//! What a registry holds about an image, as evidence that a verifier can judge.
//!
//! It stands between `chancery-registry`, which knows nothing of signatures, and `chancery-verify`, which knows nothing of
//! registries. The command line, admission and the check of a cluster read images with it; hence a crate of its own, below all
//! of them. It decides nothing: [`find`] collects what could be a signature, [`Candidate::verify`] asks the verifier about one.
//!
//! # Layouts
//!
//! | layout | where | what |
//! |---|---|---|
//! | [`Layout::Bundle`] | referrers, by the API and by the fallback tag | one Sigstore bundle a manifest (cosign 3, GitHub) |
//! | [`Layout::Legacy`] | tags `sha256-….sig`, `sha256-….att` | one signature or envelope a layer (cosign 1 and 2) |
//! | [`Layout::Oci11`] | referrers | the same (cosign 2 with `--registry-referrers-mode oci-1-1`) |
//!
//! Which one counts is the caller's choice, never the outcome of a search: a registry that is busy or hides one layout must not
//! be able to choose the other. Cosign's `.sbom` tags are not signed and are never evidence. [`Saved`] is an image in a
//! directory, where the same layouts are.
//!
//! An image signature is a bundle whose statement has the predicate
//! [`COSIGN_SIGNATURE`](chancery_verify::statement::COSIGN_SIGNATURE), a bundle over the manifest itself, or
//! cosign's older payload that names the manifest. An attestation by the same signer is none.
//!
//! Specification: cosign's `BUNDLE_SPEC.md` and `SIGNATURE_SPEC.md`.

mod bundles;
mod candidate;
mod kind;
mod legacy;
mod payload;
mod platform;
mod referrer;
mod saved;
mod source;

pub use candidate::{Broken, Candidate, Established, Found, Place, Purpose, Signed};
pub use platform::{PlatformError, children};
pub use saved::Saved;

use chancery_registry::{Client, Digest, Error, Fetched, Repository};
use source::{InRepository, Source};

/// Manifests or layers that are fetched for one image.
pub const MAX_FETCHED: usize = 64;
/// Largest bundle, envelope or payload, in bytes.
pub const MAX_EVIDENCE_BYTES: usize = 32 * 1024 * 1024;

/// Which of the layouts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Sigstore bundles that refer to the image.
    Bundle,
    /// Cosign's tags.
    Legacy,
    /// What is at cosign's tags otherwise, as referrers.
    Oci11,
    /// Every one of them.
    All,
}

impl Layout {
    fn has(self, one: Self) -> bool {
        self == one || self == Self::All
    }
}

/// Everything in `repository` that could be a signature of the image `target`, or an attestation about it.
///
/// `repository` is the image's own, or the one that has its signatures. An error means that the search is incomplete.
/// An item that cannot be parsed is [`Broken`] and does not end the search, so that an attacker cannot hide a signature
/// by pushing broken items beside it.
pub async fn find(client: &Client, repository: &Repository, target: &Digest, layout: Layout) -> Result<Found, Error> {
    collect(&InRepository { client, repository }, target, layout).await
}

async fn collect(source: &impl Source, target: &Digest, layout: Layout) -> Result<Found, Error> {
    let mut found = Found::default();
    if layout != Layout::Legacy {
        let referrers = source.referrers(target).await?;
        if layout.has(Layout::Bundle) {
            found.extend(bundles::find(source, target, &referrers).await?);
        }
        if layout.has(Layout::Oci11) {
            found.extend(legacy::referred(source, target, &referrers).await?);
        }
    }
    if layout.has(Layout::Legacy) {
        found.extend(legacy::find(source, target).await?);
    }
    Ok(found)
}

/// The manifest or index of `digest` in `repository`, as what is verified.
pub async fn manifest(client: &Client, repository: &Repository, digest: &Digest) -> Result<Fetched, Error> {
    client.resolve(&chancery_registry::Reference::pinned(repository.clone(), digest.clone())).await
}
