//! `MessageImprint`: the hash of the timestamped data.

use super::asn1::{Element, Malformed, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, write};
use crate::{HashAlgorithm, Rejection};

/// Common prefix of the accepted hashes' identifiers. They differ in their last byte.
const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
const SHA1: [u8; 5] = [0x2b, 0x0e, 0x03, 0x02, 0x1a];
const MD5: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05];

/// A hash and its function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imprint<'a> {
    /// The hash function.
    pub hash: HashAlgorithm,
    /// [`HashAlgorithm::size_bytes`] bytes.
    pub digest: &'a [u8],
    /// Whether the algorithm's parameters are NULL. Clients write and expect either form. An authority answers in the
    /// form of the request.
    pub null_parameters: bool,
}

/// A well-formed imprint whose algorithm and length are not checked yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unchecked<'a> {
    algorithm: &'a [u8],
    null_parameters: bool,
    digest: &'a [u8],
}

impl<'a> Unchecked<'a> {
    pub(super) fn read(element: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = element.fields();
        let (algorithm, null_parameters) = algorithm(fields.take(SEQUENCE)?)?;
        let digest = fields.take(OCTET_STRING)?.contents;
        fields.end()?;
        Ok(Self { algorithm, null_parameters, digest })
    }

    /// # Errors
    /// [`Rejection::TimestampHashWeak`], [`Rejection::TimestampHash`] or [`Rejection::DigestLength`].
    pub(super) fn check(self) -> Result<Imprint<'a>, Rejection> {
        let hash = hash(self.algorithm)?;
        if self.digest.len() != hash.size_bytes() {
            return Err(Rejection::DigestLength);
        }
        Ok(Imprint { hash, digest: self.digest, null_parameters: self.null_parameters })
    }
}

/// Parses an `AlgorithmIdentifier`: the contents of its identifier, and whether its parameters are NULL. Other
/// parameters are malformed.
pub(super) fn algorithm(element: Element<'_>) -> Result<(&[u8], bool), Malformed> {
    let mut fields = element.fields();
    let identifier = fields.identifier()?;
    let null = fields.optional(NULL)?;
    fields.end()?;
    match null {
        Some(null) if !null.contents.is_empty() => Err(Malformed),
        null => Ok((identifier, null.is_some())),
    }
}

/// The hash function with this identifier.
pub(super) fn hash(identifier: &[u8]) -> Result<HashAlgorithm, Rejection> {
    match identifier.strip_prefix(&SHA2) {
        Some([1]) => Ok(HashAlgorithm::Sha256),
        Some([2]) => Ok(HashAlgorithm::Sha384),
        Some([3]) => Ok(HashAlgorithm::Sha512),
        _ if identifier == SHA1 || identifier == MD5 => Err(Rejection::TimestampHashWeak),
        _ => Err(Rejection::TimestampHash),
    }
}

/// Inverse of [`hash`], as `AlgorithmIdentifier`.
fn algorithm_der(hash: HashAlgorithm, null_parameters: bool) -> Vec<u8> {
    let last = match hash {
        HashAlgorithm::Sha256 => 1,
        HashAlgorithm::Sha384 => 2,
        HashAlgorithm::Sha512 => 3,
    };
    let identifier = write(OBJECT_IDENTIFIER, &[&SHA2, &[last]]);
    let null: &[u8] = if null_parameters { &[NULL, 0] } else { &[] };
    write(SEQUENCE, &[&identifier, null])
}

impl Imprint<'_> {
    /// The `AlgorithmIdentifier` of a hash without parameters, as in CMS (RFC 5754 §2).
    #[must_use]
    pub fn hash_algorithm_der(hash: HashAlgorithm) -> Vec<u8> {
        algorithm_der(hash, false)
    }

    /// `MessageImprint` in DER.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let algorithm = algorithm_der(self.hash, self.null_parameters);
        let digest = write(OCTET_STRING, &[self.digest]);
        write(SEQUENCE, &[&algorithm, &digest])
    }

    /// Returns whether function and digest are the same. The form of the parameters is ignored.
    #[must_use]
    pub fn same_as(&self, other: &Imprint<'_>) -> bool {
        (self.hash, self.digest) == (other.hash, other.digest)
    }
}
