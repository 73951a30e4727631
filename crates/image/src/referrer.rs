//! Reads manifests that a list names as referrers of an image, and checks that they exist and refer to it.

use crate::source::Source;
use crate::{Broken, Place};
use chancery_registry::{Digest, Document, Error, ErrorKind, Manifest, Referrer};

/// The type that clients write into a fallback tag's index if the manifest has no artifact type: that of the
/// configuration.
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Manifests that are fetched at the same time. The client has its own limit for all images together.
pub(crate) const AT_ONCE: usize = 8;

/// The result of reading a referrer.
pub(crate) enum Opened {
    /// Of another type, or deleted since the list was written.
    Nothing,
    /// It refers to the image.
    Manifest(Box<Manifest>),
    /// It has a requested type, but is malformed or refers to another image.
    Broken(Broken),
}

/// Returns whether `referrer` may have an artifact type that `is_wanted`. Some lists do not have the artifact type, or
/// only the configuration's.
pub(crate) fn could_be(referrer: &Referrer, is_wanted: impl Fn(&str) -> bool) -> bool {
    let kind = referrer.descriptor.artifact_type.as_deref().unwrap_or_default();
    kind.is_empty() || kind == EMPTY || is_wanted(kind)
}

/// Reads the manifest of `referrer`, if its artifact type `is_wanted` and it refers to `target`.
pub(crate) async fn open(
    source: &impl Source,
    target: &Digest,
    referrer: &Referrer,
    place: &Place,
    is_wanted: impl Fn(&str) -> bool + Send,
) -> Result<Opened, Error> {
    let document = match source.manifest(&referrer.descriptor.digest).await {
        Ok(Some(fetched)) => fetched.document,
        // Clients write lists at a tag concurrently, so such lists can be out of date.
        Ok(None) if referrer.only_tagged => return Ok(Opened::Nothing),
        Ok(None) => {
            let reason = "the registry lists it and does not have it";
            return Ok(Opened::Broken(Broken::new(place.clone(), ErrorKind::NotFound.code(), reason)));
        }
        Err(error) => return broken_or(place, error).map(Opened::Broken),
    };
    let Document::Manifest(manifest) = document else { return Ok(Opened::Nothing) };
    if !is_wanted(manifest.artifact_type()) {
        return Ok(Opened::Nothing);
    }
    if manifest.subject.as_ref().map(|subject| &subject.digest) != Some(target) {
        let reason = "the manifest refers to another image";
        return Ok(Opened::Broken(Broken::new(place.clone(), ErrorKind::Subject.code(), reason)));
    }
    Ok(Opened::Manifest(Box::new(manifest)))
}

/// An item with a fault of its own is reported as broken. If the registry did not answer, the search fails.
pub(crate) fn broken_or(place: &Place, error: Error) -> Result<Broken, Error> {
    if error.kind().is_undecided() && error.kind() != ErrorKind::NotFound {
        return Err(error);
    }
    Ok(Broken::of_error(place.clone(), &error))
}
