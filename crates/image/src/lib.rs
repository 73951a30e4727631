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
//!
//! Which one counts is the caller's choice, never the outcome of a search: a registry that is busy or hides one layout must not
//! be able to choose the other. Cosign's `.sbom` tags are not signed and are never evidence; what `--experimental-oci11` of
//! cosign 2 wrote is not read.
//!
//! An image signature is a bundle whose statement has the predicate [`SIGN_PREDICATE`], a bundle over the manifest itself, or
//! cosign's older payload that names the manifest. An attestation by the same signer is none.
//!
//! Specification: cosign's `BUNDLE_SPEC.md` and `SIGNATURE_SPEC.md`.

mod bundles;
mod candidate;
mod legacy;
mod payload;
mod platform;

pub use candidate::{Broken, Candidate, Established, Found, Place, Purpose, Signed};
pub use platform::{PlatformError, children};

use chancery_registry::{Client, Digest, Error, Fetched, Repository};

/// Predicate of the statement that cosign signs for an image.
pub const SIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";
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
    /// Both.
    All,
}

/// Finds everything in `repository` that could be a signature of the image `target`, or an attestation about it.
///
/// `repository` is the image's own, or the one that has its signatures. An error means that the search is incomplete.
/// An item that cannot be parsed is [`Broken`] and does not end the search, so that an attacker cannot hide a signature
/// by pushing broken items beside it.
pub async fn find(client: &Client, repository: &Repository, target: &Digest, layout: Layout) -> Result<Found, Error> {
    let mut found = Found::default();
    if layout != Layout::Legacy {
        found.extend(bundles::find(client, repository, target).await?);
    }
    if layout != Layout::Bundle {
        found.extend(legacy::find(client, repository, target).await?);
    }
    Ok(found)
}

/// The manifest or index of `digest` in `repository`, as what is verified.
pub async fn manifest(client: &Client, repository: &Repository, digest: &Digest) -> Result<Fetched, Error> {
    client.resolve(&chancery_registry::Reference::pinned(repository.clone(), digest.clone())).await
}
