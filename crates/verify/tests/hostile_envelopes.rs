//! Envelopes that would cost more to verify than to send: many keys, many signatures, a large payload.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::Rejection;
use chancery_verify::rekor::dsse::pre_authentication_encoding;
use chancery_verify::rekor::{EntryKind, ProposedEntry};
use rcgen::{KeyPair, SigningKey as _};
use serde_json::json;
use std::collections::BTreeMap;

/// A `dsse` entry over a payload of this size, with one signature per key, in the order that needs the most checks:
/// each verifier tries all remaining signatures and finds only its own.
fn proposal(payload_bytes: usize, algorithm: &'static rcgen::SignatureAlgorithm, keys: usize) -> String {
    let payload = vec![b' '; payload_bytes];
    let signed = pre_authentication_encoding("text/plain", &payload);
    let keys = (0..keys).map(|_| KeyPair::generate_for(algorithm).unwrap());
    let verifiers: BTreeMap<Vec<u8>, String> =
        keys.map(|key| (key.sign(&signed).unwrap(), key.public_key_pem())).collect();
    let signatures: Vec<_> = verifiers.keys().map(|signature| json!({ "sig": STANDARD.encode(signature) })).collect();
    let verifiers: Vec<_> = verifiers.values().map(|pem| STANDARD.encode(pem)).collect();
    let envelope =
        json!({ "payload": STANDARD.encode(payload), "payloadType": "text/plain", "signatures": signatures })
            .to_string();
    let spec = json!({ "proposedContent": { "envelope": envelope, "verifiers": verifiers } });
    json!({ "kind": "dsse", "apiVersion": "0.0.1", "spec": spec }).to_string()
}

fn admit(proposal: &str) -> Result<(), Rejection> {
    EntryKind::Dsse.admit(&ProposedEntry::parse(proposal.as_bytes()).unwrap()).map(|_| ())
}

#[test]
fn a_large_payload_is_hashed_once_for_each_key() {
    for (algorithm, payload_mib, keys) in
        [(&rcgen::PKCS_ECDSA_P256_SHA256, 20, 16), (&rcgen::PKCS_ED25519, 20, 1), (&rcgen::PKCS_ED25519, 1, 16)]
    {
        assert_eq!(admit(&proposal(payload_mib << 20, algorithm, keys)), Ok(()), "{payload_mib} MiB, {keys} keys");
    }
}

/// Ed25519 hashes the message with each signature, so sixteen keys and signatures would hash it 136 times.
#[test]
fn ed25519_does_not_hash_a_large_payload_for_every_pair() {
    let refused = admit(&proposal(4 << 20, &rcgen::PKCS_ED25519, 16));
    let Err(Rejection::EntryTooMany { what, limit }) = refused else { panic!("{refused:?}") };
    assert_eq!((what, limit), ("pairs of Ed25519 keys and signatures for a payload of this size", 63));
}

/// The key of an `intoto` 0.0.1 is tried with every signature, each key of a 0.0.2 with its own.
#[test]
fn nor_does_it_in_an_intoto_entry() {
    let payload = vec![b' '; 17 << 20];
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let public_key = STANDARD.encode(key.public_key_pem());
    let bad = json!({ "sig": STANDARD.encode([0; 64]) });
    let envelope =
        json!({ "payload": STANDARD.encode(&payload), "payloadType": "text/plain", "signatures": vec![bad; 16] });
    let spec = json!({ "content": { "envelope": envelope.to_string() }, "publicKey": public_key });
    let bad = json!({ "kind": "intoto", "apiVersion": "0.0.1", "spec": spec }).to_string();
    let twice = |bytes: &[u8]| STANDARD.encode(STANDARD.encode(bytes));
    let good = key.sign(&pre_authentication_encoding("text/plain", &payload)).unwrap();
    let good = json!({ "sig": twice(&good), "publicKey": public_key });
    let envelope = json!({ "payload": twice(&payload), "payloadType": "text/plain", "signatures": vec![good; 16] });
    let hash = json!({ "algorithm": "sha256", "value": "00".repeat(32) });
    let spec = json!({ "content": { "envelope": envelope, "hash": hash } });
    let good = json!({ "kind": "intoto", "apiVersion": "0.0.2", "spec": spec }).to_string();
    for (kind, proposal) in [(EntryKind::IntotoV001, bad), (EntryKind::IntotoV002, good)] {
        let refused = kind.admit(&ProposedEntry::parse(proposal.as_bytes()).unwrap()).map(|_| ());
        let Err(Rejection::EntryTooMany { what, limit }) = refused else { panic!("{kind:?}: {refused:?}") };
        assert_eq!((what, limit), ("pairs of Ed25519 keys and signatures for a payload of this size", 15));
    }
}
