//! Images in a directory: the OCI image layout, as `cosign save`, `crane pull --format oci` and `oras cp` write it.
//!
//! A directory is not trusted more than a registry: everything has a limit, and content that is read by digest is hashed. A
//! file that cannot be read says nothing about the image ([`ErrorKind::Unreadable`]). Nothing is written.
//!
//! Specification: OCI image, `image-layout.md`.

use crate::{
    Descriptor, Digest, Document, Error, ErrorKind, Fetched,
    document::{IMAGE_INDEX, Index, MAX_MANIFEST_BYTES},
};
use bytes::Bytes;
use chancery_verify::HashAlgorithm;
use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, ErrorKind as IoErrorKind, Read as _},
    path::{Path, PathBuf},
};

/// Maximum blobs of a directory in which referrers are searched.
const MAX_BLOBS: usize = 16 * 1024;
/// Maximum referrers of one image.
const MAX_REFERRERS: usize = 1024;

/// A directory with blobs and an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Names a directory. Nothing is read.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Reads `index.json`.
    pub fn index(&self) -> Result<Index, Error> {
        let path = self.path.join("index.json");
        let shown = path.display().to_string();
        let bytes = read(&path, MAX_MANIFEST_BYTES).map_err(|error| unreadable(&path, &error))?;
        let Some(bytes) = bytes else { return Err(too_large(&shown, MAX_MANIFEST_BYTES)) };
        match Document::parse(&shown, IMAGE_INDEX, &bytes)? {
            Document::Index(index) => Ok(index),
            Document::Manifest(_) => Err(Error::new(ErrorKind::Layout, shown, "it is a manifest, and no index")),
        }
    }

    /// Reads the manifest or index of `digest`. `None` if it does not exist.
    pub fn manifest(&self, digest: &Digest) -> Result<Option<Fetched>, Error> {
        let path = self.blob_path(digest);
        let shown = path.display().to_string();
        let bytes = match read(&path, MAX_MANIFEST_BYTES) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(too_large(&shown, MAX_MANIFEST_BYTES)),
            Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&path, &error)),
        };
        if !digest.is_of(&bytes) {
            return Err(Error::new(ErrorKind::Digest, shown, "the file has another digest than its name says"));
        }
        let document = Document::parse(&shown, "", &bytes)?;
        Ok(Some(Fetched { digest: digest.clone(), bytes: bytes.into(), document }))
    }

    /// Reads the content of `descriptor`, at most `limit` bytes.
    pub fn blob(&self, descriptor: &Descriptor, limit: usize) -> Result<Bytes, Error> {
        let path = self.blob_path(&descriptor.digest);
        let shown = path.display().to_string();
        let size = usize::try_from(descriptor.size).unwrap_or(usize::MAX);
        if size > limit {
            return Err(too_large(&shown, limit));
        }
        let bytes = read(&path, size).map_err(|error| match error.kind() {
            IoErrorKind::NotFound => Error::new(ErrorKind::NotFound, &shown, "the directory has no such blob"),
            _ => unreadable(&path, &error),
        })?;
        match bytes {
            Some(bytes) if bytes.len() == size && descriptor.digest.is_of(&bytes) => Ok(bytes.into()),
            _ => Err(Error::new(
                ErrorKind::Digest,
                shown,
                "the file has another length or digest than its manifest says",
            )),
        }
    }

    /// Finds the manifests that refer to `digest`, sorted by digest. There is no list of them, so every blob is checked.
    pub fn referrers(&self, digest: &Digest) -> Result<Vec<Fetched>, Error> {
        let path = self.path.join("blobs").join(HashAlgorithm::Sha256.name());
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(|error| unreadable(&path, &error))? {
            let name = entry.map_err(|error| unreadable(&path, &error))?.file_name();
            // A file with another name is not a blob.
            names.extend(name.to_str().and_then(|name| format!("sha256:{name}").parse::<Digest>().ok()));
            if names.len() > MAX_BLOBS {
                let reason = format!("more than {MAX_BLOBS} blobs");
                return Err(Error::new(ErrorKind::TooMany, path.display(), reason));
            }
        }
        names.sort_by(|one, other| one.value().cmp(other.value()));
        let mut found = Vec::new();
        for name in &names {
            let Some(fetched) = self.manifest_among_blobs(name)? else { continue };
            if fetched.document.subject().is_some_and(|subject| subject.digest == *digest) {
                found.push(fetched);
            }
            if found.len() > MAX_REFERRERS {
                let reason = format!("more than {MAX_REFERRERS} manifests refer to {digest}");
                return Err(Error::new(ErrorKind::TooMany, path.display(), reason));
            }
        }
        Ok(found)
    }

    /// Reads a blob if it is a manifest. Most blobs are layers and configurations.
    fn manifest_among_blobs(&self, name: &Digest) -> Result<Option<Fetched>, Error> {
        let path = self.blob_path(name);
        if !begins_as_json(&path).map_err(|error| unreadable(&path, &error))? {
            return Ok(None);
        }
        match self.manifest(name) {
            Ok(found) => Ok(found),
            // A configuration, or other JSON.
            Err(error) if !error.kind().is_undecided() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs").join(digest.algorithm().name()).join(digest.hex())
    }
}

/// Reads a file. `None` if it has more than `limit` bytes. Pipes and devices are refused, because they may never end.
fn read(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

/// Returns whether a file is small enough for a manifest and starts like JSON.
fn begins_as_json(path: &Path) -> io::Result<bool> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > MAX_MANIFEST_BYTES as u64 {
        return Ok(false);
    }
    let mut first = [0];
    Ok(File::open(path)?.read(&mut first)? == 1 && first == *b"{")
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Unreadable, path.display(), format_args!("cannot be read: {error}"))
}

fn too_large(shown: impl Display, limit: usize) -> Error {
    Error::new(ErrorKind::TooLarge, shown, format_args!("more than {limit} bytes"))
}
