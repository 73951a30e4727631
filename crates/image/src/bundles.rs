//! Sigstore bundles that refer to an image, each alone in a manifest of its own.

use crate::{Broken, Candidate, Found, MAX_EVIDENCE_BYTES, MAX_FETCHED, Place, Signed};
use chancery_registry::{Client, Digest, Document, Error, ErrorKind, Referrer, Repository};
use chancery_verify::bundle::Bundle;
use futures_util::{StreamExt as _, stream};

/// Prefix of the artifact type of bundles, for every version.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// What clients write into a fallback tag's index for want of the artifact type: that of the configuration.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Manifests that are fetched at a time; the client has a bound of its own for all images together.
const AT_ONCE: usize = 8;

/// What becomes of a referrer.
enum Outcome {
    /// No bundle, or gone since the list was written.
    Nothing,
    Candidate(Box<Candidate>),
    Broken(Broken),
}

pub(crate) async fn find(client: &Client, repository: &Repository, target: &Digest) -> Result<Found, Error> {
    let listing = client.referrers(repository, target).await?;
    let could_be_one = |referrer: &Referrer| {
        let kind = referrer.descriptor.artifact_type.as_deref().unwrap_or_default();
        kind.is_empty() || kind == EMPTY || kind.starts_with(BUNDLE)
    };
    let referrers: Vec<Referrer> = listing.referrers.into_iter().filter(could_be_one).collect();
    if referrers.len() > MAX_FETCHED {
        return Err(Error::too_many(
            target,
            format_args!("more than {MAX_FETCHED} signatures and attestations refer to it"),
        ));
    }
    let outcomes: Vec<Result<Outcome, Error>> = stream::iter(referrers)
        .map(|referrer| async move { read(client, repository, target, &referrer).await })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut found = Found::default();
    for outcome in outcomes {
        match outcome? {
            Outcome::Nothing => {}
            Outcome::Candidate(candidate) => found.candidates.push(*candidate),
            Outcome::Broken(broken) => found.broken.push(broken),
        }
    }
    Ok(found)
}

async fn read(
    client: &Client,
    repository: &Repository,
    target: &Digest,
    referrer: &Referrer,
) -> Result<Outcome, Error> {
    let place = Place { layout: "referrer", manifest: referrer.descriptor.digest.to_string(), layer: 0 };
    let document = match client.manifest(repository, &referrer.descriptor.digest).await {
        Ok(Some(fetched)) => fetched.document,
        // Lists at a tag are written by clients that race, and go stale.
        Ok(None) if referrer.only_tagged => return Ok(Outcome::Nothing),
        Ok(None) => {
            let reason = "the registry lists it but does not have it";
            return Ok(Outcome::Broken(Broken::new(place, ErrorKind::NotFound.code(), reason)));
        }
        Err(error) => return broken_or(place, error),
    };
    let Document::Manifest(manifest) = document else { return Ok(Outcome::Nothing) };
    if !manifest.artifact_type().starts_with(BUNDLE) {
        return Ok(Outcome::Nothing);
    }
    let refers_to = manifest.subject.as_ref().map(|subject| &subject.digest);
    if refers_to != Some(target) {
        return Ok(Outcome::Broken(Broken::new(place, "image.subject", "the manifest refers to another image")));
    }
    let [layer] = manifest.layers.as_slice() else {
        let reason = format!("the manifest of a bundle has {} layers instead of one", manifest.layers.len());
        return Ok(Outcome::Broken(Broken::new(place, ErrorKind::Layout.code(), reason)));
    };
    let json = match client.blob(repository, layer, MAX_EVIDENCE_BYTES).await {
        Ok(json) => json,
        Err(error) => return broken_or(place, error),
    };
    Ok(match Bundle::parse(&json) {
        Ok(bundle) => Outcome::Candidate(Box::new(Candidate { place, bundle, signed: Signed::Manifest })),
        Err(refusal) => Outcome::Broken(Broken::of_refusal(place, &refusal)),
    })
}

/// A thing that is wrong by itself is reported; where the registry did not answer, nothing has been learnt.
fn broken_or(place: Place, error: Error) -> Result<Outcome, Error> {
    if error.kind().is_undecided() && error.kind() != ErrorKind::NotFound {
        return Err(error);
    }
    Ok(Outcome::Broken(Broken::of_error(place, &error)))
}
