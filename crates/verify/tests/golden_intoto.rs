//! Entries of kind `intoto`. Bodies of the public Rekor are rebuilt byte by byte, and bodies by upstream's code for
//! cases that the public log does not have. Also proposals that are refused.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

mod golden;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::rekor::{Body, EntryKind, ProposedEntry};
use chancery_verify::{Rejection, pem};
use serde_json::{Value, json};

/// Proposals with their bodies by Rekor 1.5.4's code: several signatures, keys of every kind, key ids, payload types
/// with odd characters, and version 0.0.1.
const UPSTREAM: &str = include_str!("golden/rekor1-intoto.json");
/// Bundles of the public instance whose entries are `intoto` 0.0.2.
const PUBLIC: [&str; 4] = [
    "examples/bundle-publish.json",
    "examples/bundle-provenance.json",
    "pkg/testing/data/bundles/dsse.sigstore.json",
    "pkg/testing/data/bundles/sigstore.js@2.0.0-provenance.sigstore.json",
];

fn vectors() -> Vec<Value> {
    serde_json::from_str(UPSTREAM).unwrap()
}

fn proposal(name: &str) -> Value {
    vectors().iter().find(|vector| vector["name"] == name).unwrap()["proposal"].clone()
}

fn kind(proposal: &Value) -> EntryKind {
    EntryKind::named("intoto").find(|kind| kind.version() == proposal["apiVersion"]).unwrap()
}

fn admit(proposal: &Value) -> Result<Body, Rejection> {
    kind(proposal).admit(&ProposedEntry::parse(proposal.to_string().as_bytes()).unwrap())
}

fn canonicalize(proposal: &Value) -> Result<Body, Rejection> {
    kind(proposal).canonicalize(&ProposedEntry::parse(proposal.to_string().as_bytes()).unwrap())
}

#[track_caller]
fn makes(proposal: &Value, body: &[u8]) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(text(admit(proposal).unwrap().as_bytes()), text(body));
    assert_eq!(canonicalize(proposal).unwrap().as_bytes(), body, "it is found by its proposal");
    let logged: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(canonicalize(&logged).unwrap().as_bytes(), body, "it is found by its logged form");
    assert!(admit(&logged).is_err(), "the logged form cannot be verified");
    assert_eq!(serde_json_canonicalizer::to_vec(&logged).unwrap(), body, "a body is RFC 8785");
}

#[test]
fn bodies_are_those_that_upstream_makes() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 8);
    for vector in vectors {
        println!("{}", vector["name"]);
        makes(&vector["proposal"], vector["body"].as_str().unwrap().as_bytes());
    }
}

#[test]
fn bodies_of_the_public_log_are_rebuilt_byte_by_byte() {
    for name in PUBLIC {
        let bundle = golden::json(name);
        let body = golden::bytes(&bundle, "/verificationMaterial/tlogEntries/0/canonicalizedBody");
        let logged: Value = serde_json::from_slice(&body).unwrap();
        // Only the log has the client's spelling of the key, and the client's own hash of the envelope.
        let public_key = golden::text(&logged, "/spec/content/envelope/signatures/0/publicKey");
        if let Some(certificate) =
            bundle.pointer("/verificationMaterial/x509CertificateChain/certificates/0/rawBytes").and_then(Value::as_str)
        {
            let text = STANDARD.decode(public_key).unwrap();
            assert_eq!(STANDARD.encode(pem::decode(&text).unwrap().der), certificate);
        }
        let mut signature = json!({
            "publicKey": public_key,
            "sig": STANDARD.encode(golden::text(&bundle, "/dsseEnvelope/signatures/0/sig")),
        });
        let keyid = golden::text(&bundle, "/dsseEnvelope/signatures/0/keyid");
        signature["keyid"] = json!(keyid);
        let proposal = json!({ "kind": "intoto", "apiVersion": "0.0.2", "spec": { "content": {
            "envelope": {
                "payload": STANDARD.encode(golden::text(&bundle, "/dsseEnvelope/payload")),
                "payloadType": golden::text(&bundle, "/dsseEnvelope/payloadType"),
                "signatures": [signature],
            },
            "hash": logged["spec"]["content"]["hash"],
        }}});
        makes(&proposal, &body);
        assert_eq!(keyid.is_empty(), logged["spec"]["content"]["envelope"]["signatures"][0]["keyid"].is_null());
    }
}

/// A proposal with one change. `Value::Null` is written as the member's value.
fn with(proposal: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = proposal.clone();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed
}

fn without(proposal: &Value, parent: &str, name: &str) -> Value {
    let mut changed = proposal.clone();
    changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    changed
}

fn missing(field: &'static str) -> Result<Body, Rejection> {
    Err(Rejection::EntryMissing { field })
}

fn required(path: &'static str) -> Result<Body, Rejection> {
    Err(Rejection::EntryRequired { path })
}

const NOT_INSERTABLE: Result<Body, Rejection> = Err(Rejection::EntryNotInsertable { field: "envelope content" });

#[test]
fn a_0_0_2_that_lacks_something_or_was_not_signed_is_refused() {
    let good = proposal("002 two keys with ids, P-384 and Ed25519");
    let (content, envelope) = ("/spec/content", "/spec/content/envelope");
    let first = "/spec/content/envelope/signatures/0";
    let at = |pointer: &str, name: &str| format!("{pointer}/{name}");
    let payload_type = "content.content.envelope.content.envelope.payloadType";
    for (parent, name, refused) in [
        ("/spec", "content", required(payload_type)),
        (content, "envelope", required(payload_type)),
        (content, "hash", missing("envelope digest")),
        (envelope, "payload", NOT_INSERTABLE),
        (envelope, "payloadType", required(payload_type)),
        (first, "publicKey", missing("publicKey content")),
        (first, "sig", missing("signature content")),
    ] {
        assert_eq!(admit(&without(&good, parent, name)), refused, "without {name}");
        assert_eq!(admit(&with(&good, &at(parent, name), Value::Null)), refused, "null {name}");
    }
    assert_eq!(admit(&with(&good, &at(envelope, "payload"), json!(""))), NOT_INSERTABLE);
    assert_eq!(admit(&with(&good, &at(envelope, "payloadType"), json!(""))), missing("payloadType content"));
    assert_eq!(admit(&with(&good, first, Value::Null)), missing("signature entry"));
    let (signatures, path) = (at(envelope, "signatures"), "content.content.envelope.content.envelope.signatures");
    assert_eq!(admit(&without(&good, envelope, "signatures")), required(path));
    assert_eq!(admit(&with(&good, &signatures, json!([]))), Err(Rejection::EntryEmpty { path }));
    let signature = good.pointer(first).unwrap();
    assert!(admit(&with(&good, &signatures, json!(vec![signature; 16]))).is_ok());
    let too_many = Err(Rejection::EntryTooMany { what: "signatures", limit: 16 });
    assert_eq!(admit(&with(&good, &signatures, json!(vec![signature; 17]))), too_many);

    // Each signature must be by its own key: two signatures with exchanged keys are refused.
    let second = "/spec/content/envelope/signatures/1";
    let exchanged = with(&good, &at(first, "publicKey"), good.pointer(second).unwrap()["publicKey"].clone());
    let exchanged = with(&exchanged, &at(second, "publicKey"), signature["publicKey"].clone());
    assert_eq!(admit(&exchanged), Err(Rejection::DsseSignature));
    let payload = json!(STANDARD.encode(STANDARD.encode("another payload")));
    assert_eq!(admit(&with(&good, &at(envelope, "payload"), payload)), Err(Rejection::DsseSignature));
    assert_eq!(admit(&with(&good, &at(envelope, "payloadType"), json!("another/type"))), Err(Rejection::DsseSignature));
    assert_eq!(admit(&with(&good, &at(first, "publicKey"), json!("bm8ga2V5"))), Err(Rejection::DsseKey));
    for (member, value) in [
        (at(envelope, "payload"), "e30"),
        // Base64 once instead of twice, of text that is not base64 itself, and of the other alphabet.
        (at(envelope, "payload"), "e30="),
        (at(envelope, "payload"), "/w=="),
        (at(envelope, "payload"), "Xy04PQ=="),
        (at(first, "sig"), "/w=="),
        (at(first, "sig"), "MEUC IF=="),
    ] {
        assert_eq!(admit(&with(&good, &member, json!(value))), Err(Rejection::Base64), "{member}: {value}");
    }
    let wrapped = with(&good, &at(first, "publicKey"), json!("LS0t\n"));
    assert_eq!(admit(&wrapped), Err(Rejection::Base64LineEnds));
    assert!(Rejection::Base64LineEnds.to_string().contains("base64 -w0"));
}

#[test]
fn the_clients_hash_of_a_0_0_2_has_the_form_of_one() {
    let good = proposal("002 one key");
    let hash = "/spec/content/hash";
    for value in ["", "00", "zz", &"0".repeat(63), &"0".repeat(65), &"0".repeat(128), &"g".repeat(64)] {
        assert_eq!(admit(&with(&good, &format!("{hash}/value"), json!(value))), Err(Rejection::EntryHash), "{value}");
    }
    for algorithm in ["sha512", "SHA256", ""] {
        let changed = with(&good, &format!("{hash}/algorithm"), json!(algorithm));
        assert_eq!(admit(&changed), Err(Rejection::EntryHash), "{algorithm}");
    }
    assert_eq!(admit(&without(&good, hash, "value")), Err(Rejection::EntryMalformed { field: "spec" }));
    // The client's hash of the payload is not logged.
    let mut said = good.clone();
    said["spec"]["content"]["payloadHash"] = json!({ "algorithm": "sha256", "value": "0".repeat(64) });
    assert_eq!(admit(&said), admit(&good));
}

#[test]
fn a_0_0_1_that_lacks_something_or_was_not_signed_is_refused() {
    let good = proposal("001 second of two signatures");
    let no_hash = missing("hash value for envelope");
    for (parent, name, refused) in [
        ("/spec", "content", required("content")),
        ("/spec", "publicKey", required("publicKey")),
        ("/spec/content", "envelope", no_hash.clone()),
    ] {
        assert_eq!(admit(&without(&good, parent, name)), refused);
        assert_eq!(admit(&with(&good, &format!("{parent}/{name}"), Value::Null)), refused);
    }
    let text = good["spec"]["content"]["envelope"].as_str().unwrap();
    let envelope: Value = serde_json::from_str(text).unwrap();
    let sending = |envelope: &Value| with(&good, "/spec/content/envelope", json!(envelope.to_string()));
    assert_eq!(admit(&with(&good, "/spec/content/envelope", json!(""))), no_hash);
    let malformed = Err(Rejection::EntryMalformed { field: "envelope" });
    for text in ["{", "null", "[]", r#"{"payload":null,"payloadType":"","signatures":[]}"#] {
        assert_eq!(admit(&with(&good, "/spec/content/envelope", json!(text))), malformed, "{text}");
    }
    assert_eq!(admit(&sending(&with(&envelope, "/signatures/0", Value::Null))), malformed);
    assert_eq!(admit(&sending(&with(&envelope, "/signatures", json!([])))), Err(Rejection::DsseUnsigned));
    assert_eq!(admit(&sending(&with(&envelope, "/payload", json!("")))), missing("payload content"));
    assert_eq!(admit(&sending(&with(&envelope, "/payloadType", json!("")))), missing("payloadType content"));
    assert_eq!(admit(&sending(&with(&envelope, "/payload", json!("_-8=")))), Err(Rejection::Base64));
    for member in ["/payload", "/signatures/0/sig"] {
        assert_eq!(
            admit(&sending(&with(&envelope, member, json!("AA\nAA")))),
            Err(Rejection::Base64LineEnds),
            "{member}"
        );
    }
    let many = json!(vec![envelope["signatures"][0].clone(); 17]);
    let too_many = Err(Rejection::EntryTooMany { what: "signatures", limit: 16 });
    assert_eq!(admit(&sending(&with(&envelope, "/signatures", many))), too_many);
    // The key made the second signature. The first is by another key, and alone is not enough.
    let first = json!([envelope["signatures"][0]]);
    assert_eq!(admit(&sending(&with(&envelope, "/signatures", first))), Err(Rejection::DsseThreshold));
    assert_eq!(admit(&sending(&with(&envelope, "/payload", json!("e30=")))), Err(Rejection::DsseThreshold));
    assert_eq!(admit(&with(&good, "/spec/publicKey", json!("bm8ga2V5"))), Err(Rejection::EntryKey));
    // The client's hashes are not logged.
    let mut said = good.clone();
    for name in ["hash", "payloadHash"] {
        said["spec"]["content"][name] = json!({ "algorithm": "sha256", "value": "0".repeat(64) });
    }
    assert_eq!(admit(&said), admit(&good));
}

#[test]
fn the_oldest_logged_form_has_no_hash_of_the_payload() {
    let vector = &vectors()[5];
    let mut logged: Value = serde_json::from_str(vector["body"].as_str().unwrap()).unwrap();
    logged["spec"]["content"].as_object_mut().unwrap().remove("payloadHash").unwrap();
    assert_eq!(canonicalize(&logged).unwrap().as_bytes(), serde_json_canonicalizer::to_vec(&logged).unwrap());
    assert_eq!(admit(&logged), NOT_INSERTABLE);
    let nothing = without(&logged, "/spec/content", "hash");
    assert_eq!(canonicalize(&nothing), missing("hash value for envelope"));
    let no_key = with(&logged, "/spec/publicKey", Value::Null);
    assert_eq!(canonicalize(&no_key), required("publicKey"));
}

#[test]
fn a_logged_0_0_2_has_both_hashes() {
    let logged: Value = serde_json::from_str(vectors()[0]["body"].as_str().unwrap()).unwrap();
    for (name, field) in [("hash", "envelope digest"), ("payloadHash", "payload digest")] {
        assert_eq!(canonicalize(&without(&logged, "/spec/content", name)), missing(field));
    }
}
