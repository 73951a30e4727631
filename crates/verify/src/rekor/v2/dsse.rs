//! `dsse` 0.0.2: a signed DSSE envelope. The payload's hash, the signatures and their keys are logged.

use super::key_details::hash_name;
use super::{CanonicalHash, CanonicalSignature, KeyDetails, Kind, Verifier};
use crate::rekor::Body;
use crate::rekor::dsse::{pre_authentication_encoding, verify_signatures};
use crate::{HashAlgorithm, Rejection, hash};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use std::collections::BTreeMap;

/// Maximum signatures, and maximum verifiers, in a request. Each pair may cost a signature check.
const MAX_SIGNATURES: usize = 10;

/// `DSSERequestV002`. Missing members are empty or `None`: the checks report them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DsseRequest {
    /// The envelope.
    pub envelope: Option<Envelope>,
    /// The signers.
    pub verifiers: Vec<Verifier>,
}

/// `io.intoto.Envelope`, without the key ids. They are not logged, and no check uses them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The signed payload.
    pub payload: Vec<u8>,
    /// Its media type, signed with it.
    pub payload_type: String,
    /// The signatures' bytes.
    pub signatures: Vec<Vec<u8>>,
}

#[derive(Serialize)]
struct CanonicalSpec {
    #[serde(rename = "dsseV002")]
    dsse: CanonicalEntry,
}

/// `DSSELogEntryV002`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CanonicalEntry {
    payload_hash: CanonicalHash,
    signatures: Vec<CanonicalSignature>,
}

impl DsseRequest {
    /// Checks in this order: (1) no field is missing and no limit is exceeded, (2) every verifier parses, (3) each
    /// verifier verifies a signature, until every signature has its verifier.
    pub(super) fn admit(&self) -> Result<Body, Rejection> {
        // (1)
        let missing = |field| Rejection::EntryMissing { field };
        let envelope = self.envelope.as_ref().ok_or(missing("envelope"))?;
        for (what, count) in [("verifiers", self.verifiers.len()), ("signatures", envelope.signatures.len())] {
            if count == 0 {
                return Err(missing(what));
            }
            if count > MAX_SIGNATURES {
                return Err(Rejection::EntryTooMany { what, limit: MAX_SIGNATURES });
            }
        }
        if envelope.signatures.iter().any(Vec::is_empty) {
            return Err(missing("signature"));
        }
        // (2)
        let opened = self.verifiers.iter().map(|verifier| Ok((verifier, verifier.open()?)));
        let opened = opened.collect::<Result<Vec<_>, Rejection>>()?;
        // (3). Signatures are logged in the order of their bytes, and identical ones once.
        let signed = pre_authentication_encoding(&envelope.payload_type, &envelope.payload);
        let signatures = envelope.signatures.iter().cloned().collect();
        let mut logged = BTreeMap::new();
        verify_signatures(
            &signed,
            signatures,
            opened.iter().map(Ok),
            |(_, (key, details))| (key, details.kind().hash()),
            |(verifier, (_, details)), signature| {
                let content = STANDARD.encode(signature);
                logged
                    .insert(signature.to_vec(), CanonicalSignature { content, verifier: verifier.canonical(*details) });
            },
        )?;
        body(&envelope.payload, logged.into_values().collect())
    }
}

/// Makes the leaf: signatures over an envelope with this payload.
fn body(payload: &[u8], signatures: Vec<CanonicalSignature>) -> Result<Body, Rejection> {
    // SHA-256 for every kind of key, as upstream.
    let digest = STANDARD.encode(hash::sha256(payload));
    let payload_hash = CanonicalHash { algorithm: hash_name(HashAlgorithm::Sha256), digest };
    Kind::Dsse.body(&CanonicalSpec { dsse: CanonicalEntry { payload_hash, signatures } })
}

/// Makes the leaf of an envelope with one signature, by the key of `verifier`.
pub(super) fn body_of_one(
    payload: &[u8],
    signature: &[u8],
    verifier: &Verifier,
    details: KeyDetails,
) -> Result<Body, Rejection> {
    let content = STANDARD.encode(signature);
    body(payload, vec![CanonicalSignature { content, verifier: verifier.canonical(details) }])
}
