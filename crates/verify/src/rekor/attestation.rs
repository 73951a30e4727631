//! What a log may keep beside an entry: the payload of an envelope, or a whole COSE message. Bodies have only its hash.

use crate::{Hash, HashAlgorithm};
use serde_json::Value;

/// Where the kinds of entries have the hash.
const PLACES: [(&str, &str); 3] =
    [("dsse", "/spec/payloadHash"), ("intoto", "/spec/content/payloadHash"), ("cose", "/spec/data/envelopeHash")];

/// The SHA-256 of what may be kept beside this entry of Rekor v1. `None` if there is nothing: entries of other kinds are
/// about artifacts, and the oldest of `intoto` lack the hash.
#[must_use]
pub fn attestation_hash(body: &[u8]) -> Option<Hash> {
    let entry: Value = serde_json::from_slice(body).ok()?;
    let kind = entry.get("kind")?.as_str()?;
    let (_, place) = PLACES.into_iter().find(|(known, _)| *known == kind)?;
    let hash = entry.pointer(place)?;
    let value = hash.get("value")?.as_str()?;
    let is_sha256 = hash.get("algorithm")?.as_str()? == HashAlgorithm::Sha256.name();
    hex::decode(value).ok()?.try_into().ok().filter(|_| is_sha256)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_hash_is_at_the_place_of_its_kind() {
        let hash = |value: &str| json!({ "algorithm": "sha256", "value": value });
        let digest = "ab".repeat(32);
        let of =
            |kind: &str, spec: Value| attestation_hash(json!({ "kind": kind, "spec": spec }).to_string().as_bytes());
        let expected = Some([0xab; 32]);
        assert_eq!(of("dsse", json!({ "payloadHash": hash(&digest) })), expected);
        assert_eq!(of("intoto", json!({ "content": { "payloadHash": hash(&digest) } })), expected);
        assert_eq!(
            of("cose", json!({ "data": { "envelopeHash": hash(&digest), "payloadHash": hash("00") } })),
            expected
        );
        assert_eq!(of("hashedrekord", json!({ "payloadHash": hash(&digest) })), None);
        assert_eq!(of("dsse", json!({ "envelopeHash": hash(&digest) })), None);
        assert_eq!(of("dsse", json!({ "payloadHash": hash("ab") })), None);
        assert_eq!(of("dsse", json!({ "payloadHash": { "algorithm": "sha512", "value": digest } })), None);
        assert_eq!(attestation_hash(b"no JSON"), None);
    }
}
