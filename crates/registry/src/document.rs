//! Parses manifests and indexes (OCI image specification, and Docker's version 2 of both).
//!
//! Unknown fields are ignored, as the specification requires. A duplicate field is refused. A document that can be parsed
//! both as a manifest and as an index is refused, too: otherwise one signature could cover two images, because two
//! parsers choose differently (CVE-2021-41190).

use crate::{Digest, Error, ErrorKind};
use serde::{
    Deserialize,
    de::{Deserializer, Error as _, MapAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};

/// Media type of an image manifest.
pub const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an image index.
pub const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of Docker's image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media type of Docker's image index.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Maximum bytes of a manifest: the size that registries should accept (distribution specification).
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
/// Maximum layers of a manifest, and maximum manifests of an index.
pub const MAX_DESCRIPTORS: usize = 1024;
/// Maximum annotations of one manifest or descriptor.
const MAX_ANNOTATIONS: usize = 256;

/// Annotations, by name.
pub type Annotations = BTreeMap<String, String>;

/// A pointer to content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the content. Not verified: the content has its own.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// The artifact type of the manifest it points to.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// Its annotations.
    #[serde(default, deserialize_with = "annotations")]
    pub annotations: Annotations,
    /// The platform of the image it points to.
    #[serde(default)]
    pub platform: Option<Platform>,
}

/// The platform of a manifest in an index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// E.g. `linux`.
    pub os: String,
    /// E.g. `amd64`.
    pub architecture: String,
    /// E.g. `v8`.
    #[serde(default)]
    pub variant: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// A manifest: an image, or another artifact in the same form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The artifact type. If it is missing, the media type of the configuration is the artifact type.
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Option<Descriptor>,
    /// The layers, in order.
    pub layers: Vec<Descriptor>,
    /// The manifest it refers to.
    pub subject: Option<Descriptor>,
    /// Its annotations.
    pub annotations: Annotations,
}

impl Manifest {
    /// The artifact type, or the media type of the configuration if there is none.
    #[must_use]
    pub fn artifact_type(&self) -> &str {
        let config = self.config.as_ref().map_or("", |config| &config.media_type);
        self.artifact_type.as_deref().filter(|name| !name.is_empty()).unwrap_or(config)
    }
}

/// An index: a list of manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The artifact type.
    pub artifact_type: Option<String>,
    /// The manifests, in order.
    pub manifests: Vec<Descriptor>,
    /// The manifest it refers to.
    pub subject: Option<Descriptor>,
    /// Its annotations.
    pub annotations: Annotations,
}

/// The content of a manifest URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// A manifest.
    Manifest(Manifest),
    /// An index.
    Index(Index),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u64,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "annotations")]
    annotations: Annotations,
}

impl Document {
    /// Parses `body`. `content_type` is the type that the registry gave, empty if it gave none. `subject` is its name in
    /// errors.
    ///
    /// # Errors
    /// If the body exceeds [`MAX_MANIFEST_BYTES`] or [`MAX_DESCRIPTORS`], if its type is not one of the four or differs
    /// from `content_type`, and if it has both layers and manifests.
    pub fn parse(subject: &str, content_type: &str, body: &[u8]) -> Result<Self, Error> {
        let refuse = |kind, reason: &str| Err(Error::new(kind, subject, reason));
        if body.len() > MAX_MANIFEST_BYTES {
            return refuse(ErrorKind::TooLarge, "the manifest has more than 4 MiB");
        }
        // The parser also refuses a byte order mark and trailing text.
        let raw: Raw = serde_json::from_slice(body)
            .map_err(|error| Error::new(ErrorKind::Layout, subject, format_args!("no manifest: {error}")))?;
        let answered = essence(content_type);
        let media_type = match raw.media_type.as_deref().filter(|name| !name.is_empty()) {
            // Some registries answer with another content type than a manifest type. A manifest type must be the same.
            Some(own) if is_manifest_type(&answered) && answered != own => {
                let reason = format!("the body has the media type {own:?}, but the answer {answered:?}");
                return refuse(ErrorKind::MediaType, &reason);
            }
            Some(own) => own.to_owned(),
            None if is_manifest_type(&answered) => answered,
            // Neither has a type, so the form of the body decides.
            None if raw.manifests.is_some() => IMAGE_INDEX.to_owned(),
            None => IMAGE_MANIFEST.to_owned(),
        };
        if raw.schema_version != 2 {
            return refuse(ErrorKind::MediaType, "expected schemaVersion 2");
        }
        raw.read(subject, &media_type)
    }

    /// The manifest it refers to.
    #[must_use]
    pub fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Manifest(manifest) => manifest.subject.as_ref(),
            Self::Index(index) => index.subject.as_ref(),
        }
    }
}

impl Raw {
    fn read(self, subject: &str, media_type: &str) -> Result<Document, Error> {
        let refuse = |kind, reason: &str| Err(Error::new(kind, subject, reason));
        let Self { artifact_type, config, layers, manifests, subject: refers_to, annotations, .. } = self;
        let count = |list: &Option<Vec<Descriptor>>| list.as_ref().map_or(0, Vec::len);
        if count(&layers) > MAX_DESCRIPTORS || count(&manifests) > MAX_DESCRIPTORS {
            return refuse(ErrorKind::TooMany, "more than 1024 layers or manifests");
        }
        match media_type {
            IMAGE_MANIFEST | DOCKER_MANIFEST => match manifests {
                Some(_) => refuse(ErrorKind::Layout, "a manifest that has the list of an index"),
                None => Ok(Document::Manifest(Manifest {
                    artifact_type,
                    config,
                    layers: layers.unwrap_or_default(),
                    subject: refers_to,
                    annotations,
                })),
            },
            IMAGE_INDEX | DOCKER_INDEX => match (manifests, layers.is_none() && config.is_none()) {
                (Some(manifests), true) => {
                    Ok(Document::Index(Index { artifact_type, manifests, subject: refers_to, annotations }))
                }
                (None, _) => refuse(ErrorKind::Layout, "an index without its list"),
                (_, false) => refuse(ErrorKind::Layout, "an index that has the layers or configuration of a manifest"),
            },
            other => {
                let reason =
                    format!("expected a manifest or index, found {:?}", other.chars().take(128).collect::<String>());
                refuse(ErrorKind::MediaType, &reason)
            }
        }
    }
}

/// A media type without its parameters, in lower case.
pub(crate) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether `name` is the type of a manifest or index.
pub(crate) fn is_manifest_type(name: &str) -> bool {
    [IMAGE_MANIFEST, IMAGE_INDEX, DOCKER_MANIFEST, DOCKER_INDEX].contains(&name)
}

fn annotations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Annotations, D::Error> {
    struct Unique;
    impl<'de> Visitor<'de> for Unique {
        type Value = Annotations;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("annotations, each once")
        }

        fn visit_unit<E>(self) -> Result<Annotations, E> {
            Ok(Annotations::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
            let mut found = Annotations::new();
            while let Some((name, value)) = map.next_entry::<String, String>()? {
                if found.len() == MAX_ANNOTATIONS {
                    return Err(A::Error::custom("more than 256 annotations"));
                }
                if found.insert(name, value).is_some() {
                    return Err(A::Error::custom("an annotation is given twice"));
                }
            }
            Ok(found)
        }
    }
    deserializer.deserialize_any(Unique)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parse(content_type: &str, body: &str) -> Result<Document, &'static str> {
        Document::parse("test", content_type, body.as_bytes()).map_err(|error| error.code())
    }

    fn manifest(rest: &str) -> String {
        format!(r#"{{"schemaVersion":2,"config":{{"mediaType":"c","digest":"{HASH}","size":2}},"layers":[]{rest}}}"#)
    }

    #[test]
    fn a_manifest_and_an_index_are_read() {
        let Ok(Document::Manifest(read)) = parse(IMAGE_MANIFEST, &manifest("")) else { panic!() };
        assert_eq!(read.artifact_type(), "c");
        let typed = manifest(r#","artifactType":"t","unknown":{"x":[1]},"annotations":null"#);
        let Ok(Document::Manifest(read)) = parse("application/json", &typed) else { panic!() };
        assert_eq!(read.artifact_type(), "t");
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"m","digest":"{HASH}","size":7,
                "platform":{{"os":"linux","architecture":"arm64","variant":"v8","os.version":"1"}}}}]}}"#
        );
        let Ok(Document::Index(read)) = parse(&format!("{IMAGE_INDEX}; charset=utf-8"), &index) else { panic!() };
        assert_eq!(read.manifests[0].platform.as_ref().unwrap().to_string(), "linux/arm64/v8");
        assert!(matches!(parse("", &index), Ok(Document::Index(_))));
    }

    #[test]
    fn what_could_be_both_or_is_said_twice_is_refused() {
        let both = manifest(r#","manifests":[]"#);
        assert_eq!(parse(IMAGE_MANIFEST, &both), Err("image.layout"));
        assert_eq!(parse(IMAGE_INDEX, &both), Err("image.layout"));
        assert_eq!(parse(IMAGE_INDEX, &manifest("")), Err("image.layout"));
        assert_eq!(parse(IMAGE_MANIFEST, &manifest(r#","layers":[]"#)), Err("image.layout"));
        assert_eq!(parse(IMAGE_MANIFEST, &manifest(r#","annotations":{"a":"1","a":"2"}"#)), Err("image.layout"));
        let other = manifest(&format!(r#","mediaType":"{DOCKER_MANIFEST}""#));
        assert_eq!(parse(IMAGE_MANIFEST, &other), Err("image.media_type"));
        assert!(parse(DOCKER_MANIFEST, &other).is_ok());
        assert!(parse("text/plain", &other).is_ok());
        assert_eq!(parse("", &manifest(r#","mediaType":"text/html""#)), Err("image.media_type"));
    }

    #[test]
    fn limits_hold() {
        let schema1 = r#"{"schemaVersion":1,"name":"a","fsLayers":[]}"#;
        assert_eq!(parse("application/vnd.docker.distribution.manifest.v1+json", schema1), Err("image.media_type"));
        assert_eq!(parse("", "\u{feff}{}"), Err("image.layout"));
        assert_eq!(parse("", &"[".repeat(100_000)), Err("image.layout"));
        assert_eq!(parse("", &" ".repeat(MAX_MANIFEST_BYTES + 1)), Err("image.too_large"));
        let one = format!(r#"{{"mediaType":"m","digest":"{HASH}","size":7}}"#);
        let list = |count| format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, vec![one.as_str(); count].join(","));
        assert!(parse(IMAGE_INDEX, &list(1024)).is_ok());
        assert_eq!(parse(IMAGE_INDEX, &list(1025)), Err("image.too_many"));
        assert_eq!(parse("", &list(1).replace("\"size\":7", "\"size\":-7")), Err("image.layout"));
        assert_eq!(parse("", &list(1).replace("e3b0", "E3B0")), Err("image.layout"));
    }
}
