//! The manifests of an index, by platform.
//!
//! A signature of an index is over the digests of its manifests. A signature of a manifest proves nothing about the
//! index. An index without a signature proves nothing about its manifests. So the caller chooses the one to verify.

use chancery_registry::{Descriptor, Document, Fetched};
use std::fmt;

/// The platform of builders' own metadata.
const METADATA: &str = "unknown/unknown";

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

/// Returns the manifests of the index `image` for `platform` (`OS/ARCHITECTURE[/VARIANT]`), or all of them.
///
/// Manifests of platform `unknown/unknown` are left out: builders store their own metadata there. Manifests without a
/// platform are not: a runtime that finds no better one can run them.
pub fn children(image: &Fetched, platform: Option<&str>) -> Result<Vec<Descriptor>, PlatformError> {
    let Document::Index(index) = &image.document else { return Err(PlatformError::NoIndex) };
    let name = |descriptor: &Descriptor| descriptor.platform.as_ref().map(ToString::to_string).unwrap_or_default();
    let runs = |descriptor: &&Descriptor| name(descriptor) != METADATA;
    let mut all: Vec<Descriptor> = index.manifests.iter().filter(runs).cloned().collect();
    let Some(wanted) = platform else { return Ok(all) };
    all.retain(|descriptor| descriptor.platform.is_some());
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

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_registry::Digest;
    use chancery_verify::HashAlgorithm;

    /// An index of manifests with these platforms. An empty one is absent.
    fn index(platforms: &[&str]) -> Fetched {
        let manifest = |(number, platform): (usize, &&str)| {
            let parts: Vec<&str> = platform.split('/').collect();
            let platform = match parts.as_slice() {
                [os, architecture] => {
                    format!(r#","platform":{{"os":"{os}","architecture":"{architecture}"}}"#)
                }
                [os, architecture, variant] => {
                    format!(r#","platform":{{"os":"{os}","architecture":"{architecture}","variant":"{variant}"}}"#)
                }
                _ => String::new(),
            };
            let digest = Digest::of(HashAlgorithm::Sha256, &[u8::try_from(number).unwrap()]);
            format!(r#"{{"digest":"{digest}","size":1{platform}}}"#)
        };
        let manifests: Vec<String> = platforms.iter().enumerate().map(manifest).collect();
        let body = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, manifests.join(","));
        let document = Document::parse("index", "", body.as_bytes()).unwrap();
        Fetched { digest: Digest::of(HashAlgorithm::Sha256, body.as_bytes()), bytes: body.into(), document }
    }

    /// The positions of the children.
    fn chosen(platforms: &[&str], platform: Option<&str>) -> Result<Vec<usize>, PlatformError> {
        let image = index(platforms);
        let Document::Index(all) = &image.document else { panic!("an index") };
        let position = |child: &Descriptor| all.manifests.iter().position(|one| one.digest == child.digest).unwrap();
        Ok(children(&image, platform)?.iter().map(position).collect())
    }

    #[test]
    fn all_are_all_that_could_run() {
        let index = ["linux/amd64", "", "unknown/unknown", "unknown/amd64", "linux/unknown"];
        assert_eq!(chosen(&index, None), Ok(vec![0, 1, 3, 4]));
        assert_eq!(chosen(&["", ""], None), Ok(vec![0, 1]));
    }

    #[test]
    fn a_platform_is_one_manifest_or_none() {
        let index = ["linux/amd64", "", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8"];
        assert_eq!(chosen(&index, Some("linux/amd64")), Ok(vec![0]));
        assert_eq!(chosen(&index, Some("linux/arm/v7")), Ok(vec![3]));
        assert_eq!(chosen(&index, Some("linux/arm64")), Ok(vec![4]), "the only variant");
        let wanted = "linux/arm".to_owned();
        assert_eq!(chosen(&index, Some("linux/arm")), Err(PlatformError::Ambiguous { wanted }));
        let present = ["linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8"].map(str::to_owned).to_vec();
        for wanted in ["", "linux/am", "plan9/mips"] {
            let missing = PlatformError::Missing { wanted: wanted.to_owned(), present: present.clone() };
            assert_eq!(chosen(&index, Some(wanted)), Err(missing));
        }
    }
}
