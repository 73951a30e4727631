//! `jar` 0.0.1: a signed JAR file. Its hash is logged, with its signature and the certificate of its signer.
//!
//! The signature is over a signature file, which has digests of the manifest or of its sections, which have digests of
//! the files. Files that the manifest does not name are not signed, as for Java. An archive has exactly one signature, and
//! its certificate comes first. Timestamps of the signature are not looked at.

mod manifest;

use super::cms::SignedData;
use super::zip::Archive;
use super::{ARCHIVE, Artifact, CanonicalArtifact, CanonicalContent, refused};
use crate::rekor::{Body, EntryKind, parse_spec};
use crate::{Rejection, pem};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use manifest::Manifest;
use serde::{Deserialize, Serialize};

/// Maximum bytes of a file of metadata.
const MAX_METADATA_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
struct Spec<'a> {
    #[serde(borrow)]
    archive: Option<Artifact<'a>>,
}

/// The spec, as logged. Its fields are in lexical order, so plain JSON is canonical.
#[derive(Serialize)]
struct CanonicalSpec {
    archive: CanonicalArtifact,
    signature: CanonicalSignature,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalSignature {
    content: String,
    public_key: CanonicalContent,
}

/// Checks a proposal and returns its body: (1) no field is missing and the archive has the given hash, (2) the archive
/// parses, (3) its signer has signed the signature file, (4) the digests lead from there to the files.
pub(super) fn admit(spec: &str) -> Result<Body, Rejection> {
    let spec: Spec<'_> = parse_spec(spec)?;
    // (1)
    let (bytes, hash) = Artifact::required(spec.archive.as_ref(), &ARCHIVE)?.read(&ARCHIVE)?;
    // (2)
    let mut archive = Archive::parse(&bytes).ok_or(refused("it is not a ZIP archive, or one of an unusual kind"))?;
    let metadata = Metadata::read(&mut archive)?;
    // (3)
    let signed = SignedData::from_der(&metadata.signature).map_err(|_| refused("its signature is malformed"))?;
    if signed.content.is_some_and(|content| content != metadata.signature_file) {
        return Err(refused("its signature is over other contents"));
    }
    signed.verify(&metadata.signature_file)?;
    let certificate = signed.only_signer().ok_or(refused("its signer must be one, whose certificate comes first"))?;
    // (4)
    let manifest = Manifest::parse(&metadata.manifest).ok_or(refused("its manifest is malformed"))?;
    let signature_file = Manifest::parse(&metadata.signature_file).ok_or(refused("its signature file is malformed"))?;
    if !signature_file.signs(&manifest) {
        return Err(refused("its manifest does not have the digests that are signed"));
    }
    if !manifest.describes(&mut archive) {
        return Err(refused("its files are not those of the manifest"));
    }
    EntryKind::Jar.body(&CanonicalSpec {
        archive: CanonicalArtifact { hash },
        signature: CanonicalSignature {
            content: STANDARD.encode(pem::encode("PKCS7", &signed.detached())),
            public_key: CanonicalContent::of(pem::encode(pem::CERTIFICATE, certificate).as_bytes()),
        },
    })
}

/// The files of an archive's signature.
struct Metadata {
    manifest: Vec<u8>,
    signature_file: Vec<u8>,
    signature: Vec<u8>,
}

impl Metadata {
    fn read(archive: &mut Archive<'_>) -> Result<Self, Rejection> {
        let (mut manifest, mut signature_file, mut signature) = (None, None, None);
        for (path, size) in archive.names().collect::<Vec<_>>() {
            let upper = path.to_uppercase();
            let Some((base, extension)) = upper.strip_prefix("META-INF/").and_then(|name| name.rsplit_once('.')) else {
                continue;
            };
            if extension.contains('/') || base.contains('/') {
                continue;
            }
            if size > MAX_METADATA_BYTES {
                return Err(refused("a file of its metadata is larger than 1 MiB"));
            }
            let place = match extension {
                "MF" if base == "MANIFEST" => &mut manifest,
                "SF" => &mut signature_file,
                _ if ["RSA", "DSA", "EC"].contains(&extension) || base.starts_with("SIG-") => &mut signature,
                _ => continue,
            };
            let mut contents = Vec::with_capacity(size);
            let read = archive.read(path, |piece| contents.extend_from_slice(piece));
            read.ok_or(refused("a file of its metadata cannot be read"))?;
            if place.replace((base.to_owned(), contents)).is_some() {
                return Err(refused("it has several signatures"));
            }
        }
        let (Some((_, manifest)), Some((name, signature_file)), Some((signature_name, signature))) =
            (manifest, signature_file, signature)
        else {
            return Err(refused("it is not signed"));
        };
        if name != signature_name {
            return Err(refused("its signature file has no signature of its name"));
        }
        Ok(Self { manifest, signature_file, signature })
    }
}
