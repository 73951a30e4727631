//! An image in a directory, as `cosign save` writes it, with its signatures and attestations.
//!
//! In `index.json`, cosign marks the image, and the manifests with its older signatures and attestations. Bundles are
//! not listed anywhere: they are found by their reference to the image. A layout of another program is also read, if it
//! has exactly one image.

use crate::kind::Kind;
use crate::source::Source;
use crate::{Found, Layout, collect};
use bytes::Bytes;
use chancery_registry::{Descriptor, Digest, Directory, Document, Error, Fetched, Referrer};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The annotation with which cosign marks the kind of a saved manifest.
const KIND: &str = "kind";
const IMAGES: [&str; 2] = ["dev.cosignproject.cosign/image", "dev.cosignproject.cosign/imageIndex"];
const SIGNATURES: &str = "dev.cosignproject.cosign/sigs";
const ATTESTATIONS: &str = "dev.cosignproject.cosign/atts";

/// An image in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    directory: Directory,
    path: PathBuf,
    /// The contents of `index.json`.
    listed: Vec<Descriptor>,
    image: Digest,
}

impl Saved {
    /// Finds the one image of the directory `path`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let directory = Directory::new(path);
        let listed = directory.index()?.manifests;
        let marked: Vec<&Descriptor> =
            listed.iter().filter(|one| kind(one).is_some_and(|kind| IMAGES.contains(&kind))).collect();
        // Other programs do not mark manifests. A manifest that refers to another one is not the image.
        let unmarked = || -> Result<Vec<&Descriptor>, Error> {
            let mut found = Vec::new();
            for one in listed.iter().filter(|one| kind(one).is_none()) {
                let manifest = directory.manifest(&one.digest)?;
                if manifest.is_some_and(|fetched| fetched.document.subject().is_none()) {
                    found.push(one);
                }
            }
            Ok(found)
        };
        let images = if marked.is_empty() { unmarked()? } else { marked };
        let image = match images.as_slice() {
            [image] => image.digest.clone(),
            images => {
                let reason =
                    format!("index.json has {} images; expected the one that `cosign save` writes", images.len());
                return Err(Error::layout(path.display(), reason));
            }
        };
        Ok(Self { directory, path: path.to_owned(), listed, image })
    }

    /// The image, or the index of its platforms.
    pub fn image(&self) -> Result<Fetched, Error> {
        self.manifest(&self.image)
    }

    /// A manifest, for example of one platform.
    pub fn manifest(&self, digest: &Digest) -> Result<Fetched, Error> {
        let found = self.directory.manifest(digest)?;
        found.ok_or_else(|| Error::unreadable(self.path.display(), format_args!("the manifest {digest} is not there")))
    }

    /// Finds everything in the directory that could be a signature of `target`, or an attestation about it.
    pub async fn find(&self, target: &Digest, layout: Layout) -> Result<Found, Error> {
        collect(self, target, layout).await
    }
}

fn kind(descriptor: &Descriptor) -> Option<&str> {
    descriptor.annotations.get(KIND).map(String::as_str)
}

impl Source for Saved {
    async fn manifest(&self, digest: &Digest) -> Result<Option<Fetched>, Error> {
        self.directory.manifest(digest)
    }

    async fn blob(&self, descriptor: &Descriptor, limit: usize) -> Result<Bytes, Error> {
        self.directory.blob(descriptor, limit)
    }

    async fn referrers(&self, target: &Digest) -> Result<Vec<Referrer>, Error> {
        let found = self.directory.referrers(target)?;
        Ok(found.into_iter().map(|fetched| Referrer { descriptor: described(fetched), only_tagged: false }).collect())
    }

    async fn beside(&self, target: &Digest, wanted: Kind) -> Result<Option<Fetched>, Error> {
        let mark = match wanted {
            Kind::Signature => SIGNATURES,
            Kind::Attestation => ATTESTATIONS,
        };
        // They belong to the image. cosign does not save those of its platforms.
        if *target != self.image {
            return Ok(None);
        }
        let one = self.listed.iter().find(|one| kind(one) == Some(mark));
        one.map(|one| Self::manifest(self, &one.digest)).transpose()
    }
}

/// The entry that a list of referrers would have for a manifest.
fn described(fetched: Fetched) -> Descriptor {
    let artifact_type = match &fetched.document {
        Document::Manifest(manifest) => Some(manifest.artifact_type().to_owned()),
        Document::Index(index) => index.artifact_type.clone(),
    };
    Descriptor {
        media_type: String::new(),
        size: fetched.bytes.len() as u64,
        digest: fetched.digest,
        artifact_type,
        annotations: BTreeMap::new(),
        platform: None,
    }
}
