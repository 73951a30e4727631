//! Manifests that are said to refer to an image: whether they are there, and whether they do.

use crate::source::Source;
use crate::{Broken, Place};
use chancery_registry::{Digest, Document, Error, ErrorKind, Manifest, Referrer};

/// What clients write into a fallback tag's index for want of the artifact type: that of the configuration.
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Manifests that are fetched at a time; the client has a bound of its own for all images together.
pub(crate) const AT_ONCE: usize = 8;

/// What becomes of a referrer.
pub(crate) enum Opened {
    /// Something else, or gone since the list was written.
    Nothing,
    /// It refers to the image.
    Manifest(Box<Manifest>),
    /// It should be what is looked for, and is wrong.
    Broken(Broken),
}

/// Whether `referrer` may be one of those whose artifact type `is_wanted`. Some lists do not say it, or say less.
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
        // Lists at a tag are written by clients that race, and go stale.
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

/// A thing that is wrong by itself is reported; where the registry did not answer, nothing has been learnt.
pub(crate) fn broken_or(place: &Place, error: Error) -> Result<Broken, Error> {
    if error.kind().is_undecided() && error.kind() != ErrorKind::NotFound {
        return Err(error);
    }
    Ok(Broken::of_error(place.clone(), &error))
}
