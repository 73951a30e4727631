//! Names of images: `registry/repository:tag@digest`, and Docker's short forms.
//!
//! A short name means Docker Hub, as in other programs. Only this module decides which registry a name means.

use crate::{Digest, Error, ErrorKind};
use std::{fmt, str::FromStr};

/// Docker Hub's registry.
const DOCKER_HUB: &str = "index.docker.io";
/// Maximum characters of registry and repository together (OCI distribution specification).
const MAX_NAME: usize = 255;
/// Maximum characters of a tag.
const MAX_TAG: usize = 128;

/// A repository in a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    registry: String,
    name: String,
}

impl Repository {
    /// `HOST` or `HOST:PORT`.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path in the registry, e.g. `library/alpine`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)
    }
}

impl FromStr for Repository {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed =
            |reason: &str| Error::new(ErrorKind::Reference, text.chars().take(MAX_NAME).collect::<String>(), reason);
        let (first, rest) = text.split_once('/').unwrap_or(("", text));
        // Docker's rule: the first part is a host if it looks like one.
        let is_host = first == "localhost" || first.contains(['.', ':']);
        let (registry, name) = if is_host { (first, rest) } else { (DOCKER_HUB, text) };
        let registry = if registry == "docker.io" { DOCKER_HUB } else { registry };
        let name =
            if registry == DOCKER_HUB && !name.contains('/') { format!("library/{name}") } else { name.to_owned() };
        if registry.len() + name.len() >= MAX_NAME {
            return Err(malformed("the name is longer than 255 characters"));
        }
        if !is_registry(registry) {
            return Err(malformed("expected HOST or HOST:PORT before the first slash"));
        }
        if !name.split('/').all(is_component) {
            let expected =
                "expected lower-case letters and digits, with single . _ - or __ between, and / between parts";
            return Err(malformed(expected));
        }
        Ok(Self { registry: registry.to_owned(), name })
    }
}

/// `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`.
fn is_registry(text: &str) -> bool {
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let (host_is_one, rest) = if let Some(inner) = text.strip_prefix('[') {
        let (address, rest) = inner.split_once(']').unwrap_or_default();
        (address.parse::<std::net::Ipv6Addr>().is_ok(), rest)
    } else {
        let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
        (host.split('.').all(label), rest)
    };
    let digits = rest.strip_prefix(':').unwrap_or_default();
    let port = digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok();
    host_is_one && (rest.is_empty() || port)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(word) || !bytes.last().is_some_and(word) {
        return false;
    }
    let separators = bytes.split(word).filter(|separator| !separator.is_empty());
    separators
        .into_iter()
        .all(|separator| matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|byte| *byte == b'-'))
}

/// A tag: a name that can be moved to another manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag(String);

impl Tag {
    /// The tag at which clients keep the list of referrers of `digest` if a registry has no referrers API. With a suffix
    /// such as `.sig`, the tag of cosign's signatures.
    #[must_use]
    pub fn of_digest(digest: &Digest, suffix: &str) -> Self {
        // The specification truncates the hash to 64 characters.
        let hash: String = digest.hex().chars().take(64).collect();
        Self(format!("{}-{hash}{suffix}", digest.algorithm().name()))
    }

    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let first = text.bytes().next().is_some_and(word);
        let rest = text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'));
        if !first || !rest || text.len() > MAX_TAG {
            let shown: String = text.chars().take(MAX_TAG).collect();
            let expected = "expected a tag: at most 128 letters, digits, _ . and -, not beginning with . or -";
            return Err(Error::new(ErrorKind::Reference, shown, expected));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The name of an image: a tag, a digest, or both. With both, only the digest is used.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl Reference {
    /// An image by its digest.
    #[must_use]
    pub const fn pinned(repository: Repository, digest: Digest) -> Self {
        Self { repository, tag: None, digest: Some(digest) }
    }

    /// Its repository.
    #[must_use]
    pub const fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag as given. `None` if the name has only a digest.
    #[must_use]
    pub const fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest as given.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        // The tag follows a colon after the last slash. An earlier colon belongs to a port.
        let name = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match rest.get(name..).and_then(|last| last.find(':')) {
            Some(colon) => (&rest[..name + colon], Some(rest[name + colon + 1..].parse()?)),
            None => (rest, None),
        };
        let tag = match (tag, &digest) {
            (None, None) => Some(Tag("latest".to_owned())),
            (tag, _) => tag,
        };
        Ok(Self { repository: repository.parse()?, tag, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn short_names_mean_what_they_mean_to_docker() {
        for (text, whole) in [
            ("alpine", "index.docker.io/library/alpine:latest"),
            ("me/app:1", "index.docker.io/me/app:1"),
            ("docker.io/alpine", "index.docker.io/library/alpine:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("127.0.0.1:5000/a/b-c__d:V1.2", "127.0.0.1:5000/a/b-c__d:V1.2"),
            ("[::1]:5000/app:x", "[::1]:5000/app:x"),
            ("ghcr.io/o/r", "ghcr.io/o/r:latest"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), whole, "{text}");
        }
        let pinned = format!("ghcr.io/o/r:v1@sha256:{HASH}");
        let reference: Reference = pinned.parse().unwrap();
        assert_eq!(reference.to_string(), pinned);
        assert_eq!(reference.tag().unwrap().as_str(), "v1");
        let only_digest: Reference = format!("ghcr.io/o/r@sha256:{HASH}").parse().unwrap();
        assert_eq!(only_digest.tag(), None);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for bad in [
            "",
            "Upper/case",
            "ghcr.io/",
            "ghcr.io//a",
            "ghcr.io/a/../b",
            "ghcr.io/a_.b",
            "ghcr.io/a:",
            "ghcr.io/a:.x",
            "ghcr.io/a@sha256:12",
            "ghcr.io:99999/a",
            "-x.io/a",
            "user@ghcr.io/a",
            "ghcr.io/a?b",
            "ghcr.io/a%2fb",
            "[::1/a",
            "[::1]5000/a",
            "http://ghcr.io/a",
        ] {
            assert_eq!(bad.parse::<Reference>().unwrap_err().code(), "image.reference", "{bad}");
        }
        assert!(format!("ghcr.io/{}", "a".repeat(300)).parse::<Reference>().is_err());
        assert!(format!("ghcr.io/a:{}", "t".repeat(129)).parse::<Reference>().is_err());
    }

    #[test]
    fn fallback_tags_are_cut_at_64_digits() {
        let digest: Digest = format!("sha256:{HASH}").parse().unwrap();
        assert_eq!(Tag::of_digest(&digest, ".sig").as_str(), format!("sha256-{HASH}.sig"));
        let long = Digest::of(chancery_verify::HashAlgorithm::Sha512, b"");
        assert_eq!(Tag::of_digest(&long, "").as_str().len(), "sha512-".len() + 64);
    }
}
