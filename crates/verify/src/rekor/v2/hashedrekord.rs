//! `hashedrekord` 0.0.2: a signature over a digest, and the key or certificate that made it.

use super::key_details::hash_name;
use super::{CanonicalHash, CanonicalSignature, KeyDetails, Kind, Signature, Verifier};
use crate::rekor::Body;
use crate::{HashAlgorithm, Rejection};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

/// `HashedRekordRequestV002`. Missing members are empty or `None`: the checks report them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HashedRekordRequest {
    /// Digest of the signed data.
    pub digest: Vec<u8>,
    /// The signature over it.
    pub signature: Option<Signature>,
}

#[derive(Serialize)]
struct CanonicalSpec {
    #[serde(rename = "hashedRekordV002")]
    hashed_rekord: CanonicalEntry,
}

/// `HashedRekordLogEntryV002`
#[derive(Serialize)]
struct CanonicalEntry {
    data: CanonicalHash,
    signature: CanonicalSignature,
}

impl HashedRekordRequest {
    /// Checks in this order: (1) no field is missing, (2) the key parses and is of the named kind, (3) the digest has
    /// the length of that kind's hash, (4) the signature verifies over the digest.
    pub(super) fn admit(&self) -> Result<Body, Rejection> {
        // (1)
        let missing = |field| Rejection::EntryMissing { field };
        let signature = self.signature.as_ref().filter(|signature| !signature.content.is_empty());
        let signature = signature.ok_or(missing("signature"))?;
        let verifier = signature.verifier.as_ref().ok_or(missing("verifier"))?;
        if self.digest.is_empty() {
            return Err(missing("digest"));
        }
        // (2)
        let (key, details) = verifier.open()?;
        let hash = details.prehash().ok_or(Rejection::EntryKeyDetails { number: details.number() })?;
        // (3)
        let (length, expected) = (self.digest.len(), hash.size_bytes());
        if length != expected {
            return Err(Rejection::EntryDigest { length, expected });
        }
        // (4)
        key.either_encoding(&signature.content, |signature| key.verify_digest(hash, &self.digest, signature))
            .map_err(|_| Rejection::EntrySignature)?;
        body(hash, &self.digest, &signature.content, verifier, details)
    }
}

/// Makes the leaf: a `signature` by the key of `verifier` over `digest`.
pub(super) fn body(
    hash: HashAlgorithm,
    digest: &[u8],
    signature: &[u8],
    verifier: &Verifier,
    details: KeyDetails,
) -> Result<Body, Rejection> {
    Kind::HashedRekord.body(&CanonicalSpec {
        hashed_rekord: CanonicalEntry {
            data: CanonicalHash { algorithm: hash_name(hash), digest: STANDARD.encode(digest) },
            signature: CanonicalSignature {
                content: STANDARD.encode(signature),
                verifier: verifier.canonical(details),
            },
        },
    })
}
