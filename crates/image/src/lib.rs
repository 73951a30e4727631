//! Finds the signatures and attestations of an image in a registry, as evidence for the verifier.
//!
//! It connects `chancery-registry`, which does not know signatures, and `chancery-verify`, which does not know
//! registries. The command line, admission and the check of a cluster all use it, so it is a separate crate. It decides
//! nothing: [`find`] collects candidates, and [`Candidate::verify`] passes one to the verifier.
//!
//! # Layouts
//!
//! | layout | where | what |
//! |---|---|---|
//! | [`Layout::Bundle`] | referrers, by the API and by the fallback tag | one Sigstore bundle a manifest (cosign 3, GitHub) |
//! | [`Layout::Legacy`] | tags `sha256-….sig`, `sha256-….att` | one signature or envelope a layer (cosign 1 and 2) |
//! | [`Layout::Oci11`] | referrers | the same (cosign 2 with `--registry-referrers-mode oci-1-1`) |
//!
//! The caller chooses the layout. It is never detected: a registry that is busy or hides one layout must not be able to
//! choose another. Cosign's `.sbom` tags are not signed and are never evidence. [`Saved`] is an image in a directory,
//! with the same layouts.
//!
//! An image signature is a bundle whose statement has the predicate
//! [`COSIGN_SIGNATURE`](chancery_verify::statement::COSIGN_SIGNATURE), a bundle over the manifest itself, or cosign's
//! older payload that names the manifest. An attestation by the same signer is not an image signature.
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
/// The layouts to read: what a policy can set.
pub use chancery_verify::policy::SignatureLayout as Layout;
pub use platform::{PlatformError, children};
pub use saved::Saved;

use chancery_registry::{Client, Digest, Error, Fetched, Repository};
use source::{Bounded, InRepository, Source};

/// Maximum manifests or layers that are fetched for one image.
pub const MAX_FETCHED: usize = 64;
/// Maximum bytes of a bundle, envelope or payload.
pub const MAX_EVIDENCE_BYTES: usize = 32 * 1024 * 1024;
/// Maximum bytes of all bundles, envelopes and payloads of one image together. They are in memory at the same time.
pub const MAX_ALL_EVIDENCE_BYTES: usize = 256 * 1024 * 1024;

/// Finds everything in `repository` that could be a signature of the image `target`, or an attestation about it.
///
/// `repository` is the image's own, or the one that has its signatures. An error means that the search is incomplete.
/// An item that cannot be parsed is [`Broken`] and does not end the search, so that an attacker cannot hide a signature
/// by pushing broken items beside it.
pub async fn find(client: &Client, repository: &Repository, target: &Digest, layout: Layout) -> Result<Found, Error> {
    collect(&InRepository { client, repository }, target, layout).await
}

/// Reads everything, or says that there is too much: what is left out could be the good signature.
async fn collect(source: &impl Source, target: &Digest, layout: Layout) -> Result<Found, Error> {
    let source = Bounded::new(source, MAX_ALL_EVIDENCE_BYTES);
    let found = collect_from(&source, target, layout).await?;
    if source.is_exceeded() {
        let megabytes = MAX_ALL_EVIDENCE_BYTES / 1024 / 1024;
        let reason = format!("its signatures and attestations have more than {megabytes} MiB together");
        return Err(Error::too_many(target, reason));
    }
    Ok(found)
}

async fn collect_from(source: &impl Source, target: &Digest, layout: Layout) -> Result<Found, Error> {
    let is_read = |one| layout == one || layout == Layout::All;
    let mut found = Found::default();
    if layout != Layout::Legacy {
        let referrers = source.referrers(target).await?;
        if is_read(Layout::Bundle) {
            found.extend(bundles::find(source, target, &referrers).await?);
        }
        if is_read(Layout::Oci11) {
            found.extend(legacy::referred(source, target, &referrers).await?);
        }
    }
    if is_read(Layout::Legacy) {
        found.extend(legacy::find(source, target).await?);
    }
    Ok(found)
}

/// Fetches the manifest or index of `digest` in `repository`, the artifact that is verified.
pub async fn manifest(client: &Client, repository: &Repository, digest: &Digest) -> Result<Fetched, Error> {
    client.resolve(&chancery_registry::Reference::pinned(repository.clone(), digest.clone())).await
}
