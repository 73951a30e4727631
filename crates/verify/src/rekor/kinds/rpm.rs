//! `rpm` 0.0.1: an RPM package of version 3 or 4, signed with `OpenPGP`. Its hash is logged, with its name, version and
//! key.
//!
//! Every signature that a package has must be by the key. What is signed must include the payload, or a digest of it that
//! is not MD5.

mod header;

use super::{Artifact, CanonicalContent, Content, PACKAGE, PackageSpec, refused};
use crate::hash::Function;
use crate::rekor::dsse::CanonicalHash;
use crate::rekor::pki::pgp::{Keyring, Signatures};
use crate::rekor::{Body, EntryKind, parse_spec};
use crate::{HashAlgorithm, Rejection};
use header::Header;
use serde::Serialize;

const LEAD_BYTES: usize = 96;
const MAGIC: &[u8] = &[0xed, 0xab, 0xee, 0xdb];

/// Tags of the header with signatures.
const HEADER_SIGNATURES: [u32; 2] = [267, 268];
const PACKAGE_SIGNATURES: [u32; 2] = [1002, 1005];
const HEADER_SHA1: u32 = 269;
const HEADER_SHA256: u32 = 273;
const PACKAGE_MD5: u32 = 1004;

/// Tags of the package's own header.
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const ARCHITECTURE: u32 = 1022;
const PAYLOAD_DIGEST: u32 = 5092;
const PAYLOAD_DIGEST_ALGORITHM: u32 = 5093;

const MALFORMED: Rejection = refused("it is malformed");

/// The spec, as logged. Its fields are in lexical order, so plain JSON is canonical.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalSpec<'a> {
    package: CanonicalPackage<'a>,
    public_key: CanonicalContent,
}

#[derive(Serialize)]
struct CanonicalPackage<'a> {
    hash: CanonicalHash<'static>,
    headers: CanonicalHeaders<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CanonicalHeaders<'a> {
    architecture: &'a str,
    epoch: String,
    name: &'a str,
    #[serde(rename = "RPMSIGTAG_MD5", skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    release: &'a str,
    version: &'a str,
}

/// Checks a proposal and returns its body: (1) no field is missing and the package has the given hash, (2) the key parses,
/// (3) the package parses and has the digests that it states, (4) it is signed by the key.
pub(super) fn admit(spec: &str) -> Result<Body, Rejection> {
    let spec: PackageSpec<'_> = parse_spec(spec)?;
    // (1)
    let package = Artifact::required(spec.package.as_ref(), &PACKAGE)?;
    let key = Content::required_key(spec.public_key.as_ref())?;
    let (bytes, hash) = package.read(&PACKAGE)?;
    // (2)
    let key = Keyring::parse(&key)?;
    // (3)
    let package = Package::parse(&bytes).ok_or(MALFORMED)?;
    package.check_header()?;
    let has_digest = package.check_payload()?;
    // (4)
    package.verify(&key, has_digest)?;
    EntryKind::Rpm.body(&CanonicalSpec {
        package: CanonicalPackage { hash, headers: package.headers().ok_or(MALFORMED)? },
        public_key: CanonicalContent::of(&key.canonical()),
    })
}

struct Package<'a> {
    signatures: Header<'a>,
    header: Header<'a>,
    payload: &'a [u8],
}

impl<'a> Package<'a> {
    fn parse(package: &'a [u8]) -> Option<Self> {
        let (lead, rest) = package.split_at_checked(LEAD_BYTES)?;
        let (signatures, rest) = Header::parse(lead.starts_with(MAGIC).then_some(rest)?)?;
        // The header begins at a multiple of eight bytes.
        let (_padding, rest) =
            rest.split_at_checked(signatures.whole.len().next_multiple_of(8) - signatures.whole.len())?;
        let (header, payload) = Header::parse(rest)?;
        Some(Self { signatures, header, payload })
    }

    /// Checks the digest of the header, if there is one.
    fn check_header(&self) -> Result<(), Rejection> {
        let sha256 = Function::Sha2(HashAlgorithm::Sha256);
        let stated =
            [(HEADER_SHA256, sha256), (HEADER_SHA1, Function::Sha1)].into_iter().find_map(|(tag, function)| {
                self.signatures.text(tag).filter(|digest| !digest.is_empty()).map(|digest| (function, digest))
            });
        match stated {
            Some((function, digest)) if hex::encode(function.digest(self.header.whole)) != digest => {
                Err(refused("its header does not have the digest that it states"))
            }
            _ => Ok(()),
        }
    }

    /// Checks the digest of the payload. Returns whether there is one.
    fn check_payload(&self) -> Result<bool, Rejection> {
        let function = match self.header.number(PAYLOAD_DIGEST_ALGORITHM) {
            Some(2) => Function::Sha1,
            Some(8) => Function::Sha2(HashAlgorithm::Sha256),
            Some(9) => Function::Sha2(HashAlgorithm::Sha384),
            Some(10) => Function::Sha2(HashAlgorithm::Sha512),
            _ => return Ok(false),
        };
        let Some(digest) = self.header.text(PAYLOAD_DIGEST) else { return Ok(false) };
        if hex::encode(function.digest(self.payload)) != digest {
            return Err(refused("its payload does not have the digest that it states"));
        }
        Ok(true)
    }

    fn verify(&self, key: &Keyring, has_digest: bool) -> Result<(), Rejection> {
        let (mut is_header_signed, mut is_payload_signed) = (false, false);
        for bytes in HEADER_SIGNATURES.into_iter().filter_map(|tag| self.signatures.bytes(tag)) {
            key.verify_package(&Signatures::parse(bytes)?, &[self.header.whole])?;
            is_header_signed = true;
        }
        for bytes in PACKAGE_SIGNATURES.into_iter().filter_map(|tag| self.signatures.bytes(tag)) {
            key.verify_package(&Signatures::parse(bytes)?, &[self.header.whole, self.payload])?;
            is_payload_signed = true;
        }
        if !is_header_signed && !is_payload_signed {
            return Err(refused("it is not signed"));
        }
        if is_payload_signed || has_digest { Ok(()) } else { Err(refused("its payload is not signed")) }
    }

    fn headers(&self) -> Option<CanonicalHeaders<'a>> {
        let md5 = self.signatures.bytes(PACKAGE_MD5).filter(|md5| !md5.is_empty()).map(hex::encode);
        Some(CanonicalHeaders {
            architecture: self.header.text(ARCHITECTURE)?,
            epoch: self.header.number(EPOCH).unwrap_or_default().to_string(),
            name: self.header.text(NAME)?,
            md5,
            release: self.header.text(RELEASE)?,
            version: self.header.text(VERSION)?,
        })
    }
}
