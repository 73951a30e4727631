//! CMS (RFC 5652) with signers whose certificates are in it, as JAR files and timestamps have it.
//!
//! As upstream, each signer must be found and its signature must verify; chains are not checked, and attributes but the
//! digest of the contents are not looked at. Accepted: RSA with PKCS#1 v1.5, also over SHA-1, and ECDSA over SHA-2. DER only.

use crate::hash::Function;
use crate::key::KeyKind;
use crate::rekor::pki::key::Key;
use crate::timestamping::asn1::{
    Element, Fields, INTEGER, Malformed, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET, constructed, write,
};
use crate::timestamping::{MESSAGE_DIGEST, SIGNED_DATA};
use crate::{HashAlgorithm, Rejection};

/// Maximum certificates, and maximum signers. Each signer costs a check.
const MAX_CERTIFICATES: usize = 32;
const MAX_SIGNERS: usize = 8;

const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
const PKCS1: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const ECDSA_WITH_SHA2: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// Signed contents, or the signature of contents that are elsewhere. Nothing in it is verified.
pub(super) struct SignedData<'a> {
    /// Version and digest algorithms.
    start: &'a [u8],
    content_type: Element<'a>,
    /// The contents, if they are in it.
    pub(super) content: Option<&'a [u8]>,
    /// All after the contents.
    end: &'a [u8],
    certificates: Vec<Certificate<'a>>,
    signers: Vec<Signer<'a>>,
}

struct Certificate<'a> {
    der: &'a [u8],
    issuer: &'a [u8],
    serial: &'a [u8],
    spki: &'a [u8],
}

struct Signer<'a> {
    issuer: &'a [u8],
    serial: &'a [u8],
    digest: &'a [u8],
    attributes: Option<Attributes<'a>>,
    algorithm: &'a [u8],
    signature: &'a [u8],
}

/// Signed attributes.
struct Attributes<'a> {
    contents: &'a [u8],
    message_digest: &'a [u8],
}

impl<'a> SignedData<'a> {
    /// Parses a `ContentInfo` with a `SignedData`.
    pub(super) fn from_der(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Fields::of(der);
        let mut content_info = outer.take(SEQUENCE)?.fields();
        outer.end()?;
        if content_info.identifier()? != SIGNED_DATA.as_bytes() {
            return Err(Malformed);
        }
        let signed_data = content_info.take(constructed(0))?.only(SEQUENCE)?;
        content_info.end()?;
        let mut fields = signed_data.fields();
        let version = fields.take(INTEGER)?;
        let digests = ordered(fields.take(SET)?)?;
        let encapsulated = fields.take(SEQUENCE)?;
        let place = version.whole.len() + digests.whole.len();
        let start = signed_data.contents.get(..place).ok_or(Malformed)?;
        let end = signed_data.contents.get(place + encapsulated.whole.len()..).ok_or(Malformed)?;
        let mut inner = encapsulated.fields();
        let content_type = inner.take(OBJECT_IDENTIFIER)?;
        let content = inner.optional(constructed(0))?.map(|content| content.only(OCTET_STRING)).transpose()?;
        inner.end()?;
        let certificates = fields.optional(constructed(0))?;
        let certificates = all(certificates, MAX_CERTIFICATES, Certificate::read)?;
        // Revocation lists are not used.
        fields.optional(constructed(1))?;
        let signers = all(Some(ordered(fields.take(SET)?)?), MAX_SIGNERS, Signer::read)?;
        fields.end()?;
        let content = content.map(|content| content.contents);
        Ok(Self { start, content_type, content, end, certificates, signers })
    }

    /// Checks that there is a signer, and that each has signed this content.
    pub(super) fn verify(&self, content: &[u8]) -> Result<(), Rejection> {
        if self.signers.is_empty() {
            return Err(Rejection::EntrySigner);
        }
        self.signers.iter().try_for_each(|signer| signer.verify(content, &self.certificates))
    }

    /// The key (SPKI) of each signer whose certificate is in it.
    pub(super) fn signer_keys(&self) -> impl Iterator<Item = &'a [u8]> {
        self.signers
            .iter()
            .filter_map(|signer| self.certificates.iter().find(|known| signer.is(known)).map(|known| known.spki))
    }

    /// The first certificate, which must be that of the only signer.
    ///
    /// Upstream logs the first certificate, whoever the signer is. So a stranger could have an entry made in the name of
    /// any certificate.
    pub(super) fn only_signer(&self) -> Option<&'a [u8]> {
        match (self.certificates.as_slice(), self.signers.as_slice()) {
            ([first, ..], [signer]) if signer.is(first) => Some(first.der),
            _ => None,
        }
    }

    /// The same without the contents.
    pub(super) fn detached(&self) -> Vec<u8> {
        let content_info = write(SEQUENCE, &[self.content_type.whole]);
        let signed_data = write(SEQUENCE, &[self.start, &content_info, self.end]);
        let kind = write(OBJECT_IDENTIFIER, &[SIGNED_DATA.as_bytes()]);
        write(SEQUENCE, &[&kind, &write(constructed(0), &[&signed_data])])
    }
}

/// Reads every element of a set. They are sequences.
fn all<'a, T>(
    set: Option<Element<'a>>,
    limit: usize,
    read: impl Fn(Element<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let Some(set) = set else { return Ok(Vec::new()) };
    let (mut fields, mut found) = (set.fields(), Vec::new());
    while !fields.is_finished() {
        if found.len() == limit {
            return Err(Malformed);
        }
        found.push(read(fields.take(SEQUENCE)?)?);
    }
    Ok(found)
}

/// Checks that a set has the order of DER, in which upstream writes it.
fn ordered(set: Element<'_>) -> Result<Element<'_>, Malformed> {
    let (mut fields, mut before) = (set.fields(), &[][..]);
    while !fields.is_finished() {
        let element = fields.take(SEQUENCE)?.whole;
        if element < before {
            return Err(Malformed);
        }
        before = element;
    }
    Ok(set)
}

/// The identifier of an algorithm. Its parameters are not used.
fn algorithm(element: Element<'_>) -> Result<&[u8], Malformed> {
    element.fields().identifier()
}

impl<'a> Certificate<'a> {
    fn read(certificate: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = certificate.fields().take(SEQUENCE)?.fields();
        fields.optional(constructed(0))?;
        let serial = fields.integer()?;
        fields.take(SEQUENCE)?;
        let issuer = fields.take(SEQUENCE)?.whole;
        fields.take(SEQUENCE)?;
        fields.take(SEQUENCE)?;
        let spki = fields.take(SEQUENCE)?.whole;
        Ok(Self { der: certificate.whole, issuer, serial, spki })
    }
}

impl<'a> Signer<'a> {
    /// Parses a signer that is named by its certificate's issuer and serial number.
    fn read(signer: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = signer.fields();
        fields.integer()?;
        let mut identifier = fields.take(SEQUENCE)?.fields();
        let (issuer, serial) = (identifier.take(SEQUENCE)?.whole, identifier.integer()?);
        identifier.end()?;
        let digest = algorithm(fields.take(SEQUENCE)?)?;
        let attributes = fields.optional(constructed(0))?.filter(|attributes| !attributes.contents.is_empty());
        let attributes = attributes.map(Attributes::read).transpose()?;
        let algorithm = algorithm(fields.take(SEQUENCE)?)?;
        let signature = fields.take(OCTET_STRING)?.contents;
        fields.optional(constructed(1))?;
        fields.end()?;
        Ok(Self { issuer, serial, digest, attributes, algorithm, signature })
    }

    fn is(&self, certificate: &Certificate<'_>) -> bool {
        (certificate.issuer, certificate.serial) == (self.issuer, self.serial)
    }

    fn verify(&self, content: &[u8], certificates: &[Certificate<'_>]) -> Result<(), Rejection> {
        let function = function(self.digest).ok_or(Rejection::AlgorithmNotAllowed)?;
        let mut digest = function.digest(content);
        if let Some(attributes) = &self.attributes {
            if attributes.message_digest != digest {
                return Err(Rejection::SignatureInvalid);
            }
            digest = function.digest(&write(SET, &[attributes.contents]));
        }
        let certificate = certificates.iter().find(|certificate| self.is(certificate)).ok_or(Rejection::EntrySigner)?;
        let key = Key::from_spki_der(certificate.spki)?;
        if !self.is_algorithm_of(&key, function) {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        key.verify_digest(function, &digest, self.signature)
    }

    /// Whether the signature's algorithm is one of this key, with this hash function or with none.
    fn is_algorithm_of(&self, key: &Key, function: Function) -> bool {
        let (pkcs1, ecdsa) = match function {
            Function::Sha1 => (5, None),
            Function::Sha2(HashAlgorithm::Sha256) => (11, Some(2)),
            Function::Sha2(HashAlgorithm::Sha384) => (12, Some(3)),
            Function::Sha2(HashAlgorithm::Sha512) => (13, Some(4)),
        };
        match key {
            Key::Rsa(_) => self.algorithm.strip_prefix(&PKCS1).is_some_and(|found| found == [1] || found == [pkcs1]),
            Key::Other(key) if key.kind() == KeyKind::Ed25519 => false,
            Key::Other(_) => match self.algorithm.strip_prefix(&ECDSA_WITH_SHA2) {
                Some([found]) => Some(*found) == ecdsa,
                _ => self.algorithm == EC_PUBLIC_KEY,
            },
        }
    }
}

impl<'a> Attributes<'a> {
    /// Finds the digest of the contents: one attribute with one value.
    fn read(attributes: Element<'a>) -> Result<Self, Malformed> {
        let (mut fields, mut message_digest) = (attributes.fields(), None);
        while !fields.is_finished() {
            let mut attribute = fields.take(SEQUENCE)?.fields();
            let kind = attribute.identifier()?;
            let values = attribute.take(SET)?;
            attribute.end()?;
            if kind == MESSAGE_DIGEST.as_bytes() && message_digest.replace(values.only(OCTET_STRING)?).is_some() {
                return Err(Malformed);
            }
        }
        let message_digest = message_digest.ok_or(Malformed)?.contents;
        Ok(Self { contents: attributes.contents, message_digest })
    }
}

fn function(identifier: &[u8]) -> Option<Function> {
    match identifier.strip_prefix(&SHA2) {
        Some([1]) => Some(Function::Sha2(HashAlgorithm::Sha256)),
        Some([2]) => Some(Function::Sha2(HashAlgorithm::Sha384)),
        Some([3]) => Some(Function::Sha2(HashAlgorithm::Sha512)),
        _ => (identifier == SHA1).then_some(Function::Sha1),
    }
}
