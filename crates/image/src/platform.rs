//! The manifests of an index, by platform.
//!
//! A signature of an index is over the digests of its manifests. A signature of a manifest proves nothing about the
//! index. An index without a signature proves nothing about its manifests. So the caller chooses the one to verify.

use chancery_registry::{Descriptor, Document, Fetched};
use std::fmt;

/// The reason why an image has no such manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformError {
    /// The image is a single manifest, without a platform.
    NoIndex,
    /// No manifest of the index is for the platform.
    Missing {
        /// The requested platform.
        wanted: String,
        /// The platforms of the index.
        present: Vec<String>,
    },
    /// Several manifests are for the platform, and the request names no variant.
    Ambiguous {
        /// The requested platform.
        wanted: String,
    },
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIndex => f.write_str("the image is not an index and has no platforms; leave --platform out"),
            Self::Missing { wanted, present } => {
                write!(f, "the index has no manifest for {wanted}; it has {}", present.join(", "))
            }
            Self::Ambiguous { wanted } => write!(f, "the index has several manifests for {wanted}: add the variant"),
        }
    }
}

impl std::error::Error for PlatformError {}

/// Returns the manifests of the index `image` for `platform` (`OS/ARCHITECTURE[/VARIANT]`), or for every platform.
///
/// Manifests of platform `unknown/unknown` are left out: builders store their own metadata there.
pub fn children(image: &Fetched, platform: Option<&str>) -> Result<Vec<Descriptor>, PlatformError> {
    let Document::Index(index) = &image.document else { return Err(PlatformError::NoIndex) };
    let runs = |descriptor: &&Descriptor| descriptor.platform.as_ref().is_some_and(|platform| platform.os != "unknown");
    let all: Vec<Descriptor> = index.manifests.iter().filter(runs).cloned().collect();
    let name = |descriptor: &Descriptor| descriptor.platform.as_ref().map(ToString::to_string).unwrap_or_default();
    let Some(wanted) = platform else { return Ok(all) };
    let present: Vec<String> = all.iter().map(name).collect();
    let is_wanted = |name: &str| name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'));
    let exact = |descriptor: &&Descriptor| name(descriptor) == wanted;
    if let Some(one) = all.iter().find(exact) {
        return Ok(vec![one.clone()]);
    }
    let mut matching = all.into_iter().filter(|descriptor| is_wanted(&name(descriptor)));
    match (matching.next(), matching.next()) {
        (None, _) => Err(PlatformError::Missing { wanted: wanted.to_owned(), present }),
        (Some(one), None) => Ok(vec![one]),
        (Some(_), Some(_)) => Err(PlatformError::Ambiguous { wanted: wanted.to_owned() }),
    }
}
