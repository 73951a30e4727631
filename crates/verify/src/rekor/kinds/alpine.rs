//! `alpine` 0.0.1: a package of Alpine Linux of version 2, signed with RSA. Its hash is logged, with its description and key.
//!
//! A package is three gzip members: a signature, the signed control files, and the data, whose SHA-256 is in the control
//! file `.PKGINFO`. The signature is over SHA-1, as `abuild-sign` makes it.

mod pkginfo;

use super::gzip::{Member, first_member};
use super::{Artifact, CanonicalContent, Content, PACKAGE, PackageSpec, refused};
use crate::hash::{Function, sha256};
use crate::key::rsa::RsaKey;
use crate::rekor::dsse::CanonicalHash;
use crate::rekor::verifier::Verifier;
use crate::rekor::{Body, EntryKind, parse_spec};
use crate::{Rejection, pem};
use pkginfo::PackageInfo;
use serde::Serialize;
use std::io::Read as _;

/// Maximum bytes of the signature's archive, and of `.PKGINFO`.
const MAX_METADATA_BYTES: usize = 1 << 20;
/// Maximum bytes of the control files together.
const MAX_CONTROL_BYTES: usize = 16 << 20;
/// Maximum files of an archive of metadata.
const MAX_FILES: usize = 1024;

/// The spec, as logged. Its fields are in lexical order, so plain JSON is canonical.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalSpec {
    package: CanonicalPackage,
    public_key: CanonicalContent,
}

#[derive(Serialize)]
struct CanonicalPackage {
    hash: CanonicalHash<'static>,
    pkginfo: PackageInfo,
}

/// Checks a proposal and returns its body: (1) no field is missing and the package has the given hash, (2) the key parses,
/// (3) the package parses and its data has the stated hash, (4) the key has signed it.
pub(super) fn admit(spec: &str) -> Result<Body, Rejection> {
    let spec: PackageSpec<'_> = parse_spec(spec)?;
    // (1)
    let package = Artifact::required(spec.package.as_ref(), &PACKAGE)?;
    let key = Content::required(spec.public_key.as_ref(), "publicKey", "publicKey")?;
    let (bytes, hash) = package.read(&PACKAGE)?;
    // (2)
    let verifier = Verifier::parse(&key)?;
    let key = RsaKey::from_spki_der(verifier.key.spki_der())?;
    // (3)
    let package = Package::parse(&bytes)?;
    // (4)
    let digest = Function::Sha1.digest(package.control);
    key.verify(Function::Sha1, &digest, &package.signature)?;
    EntryKind::Alpine.body(&CanonicalSpec {
        package: CanonicalPackage { hash, pkginfo: package.info },
        public_key: CanonicalContent::of(verifier.canonical_pem.as_bytes()),
    })
}

struct Package<'a> {
    signature: Vec<u8>,
    /// What is signed.
    control: &'a [u8],
    info: PackageInfo,
}

impl<'a> Package<'a> {
    fn parse(package: &'a [u8]) -> Result<Self, Rejection> {
        let member = |bytes, limit| first_member(bytes, limit).ok_or(refused("its parts are malformed or too large"));
        let Member { contents, rest, .. } = member(package, MAX_METADATA_BYTES)?;
        let signature = file(&contents, |name| name.starts_with(b".SIGN"))?.ok_or(refused("it is not signed"))?;
        // PEM or not.
        let signature = pem::decode(&signature).map_or(signature, |block| block.der);
        let Member { contents, compressed: control, rest: data } = member(rest, MAX_CONTROL_BYTES)?;
        let info = file(&contents, |name| name == b".PKGINFO")?.ok_or(refused("it has no .PKGINFO"))?;
        let info = PackageInfo::parse(&info).ok_or(refused("its .PKGINFO is malformed"))?;
        let stated = info.get("datahash").and_then(|hash| hex::decode(hash).ok());
        if stated.is_none_or(|stated| stated != sha256(data)) {
            return Err(refused("its data does not have the hash that its .PKGINFO states"));
        }
        Ok(Self { signature, control, info })
    }
}

/// The only file with such a name in an archive. An archive may end without a trailer.
fn file(archive: &[u8], is_it: impl Fn(&[u8]) -> bool) -> Result<Option<Vec<u8>>, Rejection> {
    let malformed = |_| refused("an archive in it is malformed");
    let mut archive = tar::Archive::new(archive);
    let mut found = None;
    for (position, entry) in archive.entries().map_err(malformed)?.enumerate() {
        let entry = entry.map_err(malformed)?;
        if position == MAX_FILES {
            return Err(refused("an archive in it has too many files"));
        }
        if !is_it(&entry.path_bytes()) {
            continue;
        }
        let mut contents = Vec::new();
        // The size of a sparse file says nothing of the archive's.
        entry.take(MAX_METADATA_BYTES as u64 + 1).read_to_end(&mut contents).map_err(malformed)?;
        if contents.len() > MAX_METADATA_BYTES || found.replace(contents).is_some() {
            return Err(refused("a file in it is too large, or there are two of it"));
        }
    }
    Ok(found)
}
