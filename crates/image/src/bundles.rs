//! Sigstore bundles that refer to an image. Each has its own manifest.

use crate::referrer::{AT_ONCE, Opened, broken_or, could_be, open};
use crate::source::Source;
use crate::{Broken, Candidate, Found, MAX_EVIDENCE_BYTES, MAX_FETCHED, Place, Signed};
use chancery_registry::{Digest, Error, ErrorKind, Referrer};
use chancery_verify::bundle::Bundle;
use futures_util::{StreamExt as _, stream};

/// Prefix of the artifact type of bundles, for every version.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";

/// The result of reading a referrer.
enum Outcome {
    /// Not a bundle, or deleted since the list was written.
    Nothing,
    Candidate(Box<Candidate>),
    Broken(Broken),
}

fn is_bundle(artifact_type: &str) -> bool {
    artifact_type.starts_with(BUNDLE)
}

/// Reads the bundles among `referrers` of `target`.
pub(crate) async fn find(source: &impl Source, target: &Digest, referrers: &[Referrer]) -> Result<Found, Error> {
    let referrers: Vec<Referrer> = referrers.iter().filter(|referrer| could_be(referrer, is_bundle)).cloned().collect();
    if referrers.len() > MAX_FETCHED {
        return Err(Error::too_many(
            target,
            format_args!("more than {MAX_FETCHED} signatures and attestations refer to it"),
        ));
    }
    let outcomes: Vec<Result<Outcome, Error>> = stream::iter(referrers)
        .map(|referrer| async move { read(source, target, &referrer).await })
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

async fn read(source: &impl Source, target: &Digest, referrer: &Referrer) -> Result<Outcome, Error> {
    let place = Place { layout: "referrer", manifest: referrer.descriptor.digest.to_string(), layer: 0 };
    let manifest = match open(source, target, referrer, &place, is_bundle).await? {
        Opened::Nothing => return Ok(Outcome::Nothing),
        Opened::Broken(broken) => return Ok(Outcome::Broken(broken)),
        Opened::Manifest(manifest) => manifest,
    };
    let [layer] = manifest.layers.as_slice() else {
        let reason = format!("the manifest of a bundle has {} layers instead of one", manifest.layers.len());
        return Ok(Outcome::Broken(Broken::new(place, ErrorKind::Layout.code(), reason)));
    };
    let json = match source.blob(layer, MAX_EVIDENCE_BYTES).await {
        Ok(json) => json,
        Err(error) => return broken_or(&place, error).map(Outcome::Broken),
    };
    Ok(match Bundle::parse(&json) {
        Ok(bundle) => Outcome::Candidate(Box::new(Candidate { place, bundle, signed: Signed::Manifest })),
        Err(refusal) => Outcome::Broken(Broken::of_refusal(place, &refusal)),
    })
}
