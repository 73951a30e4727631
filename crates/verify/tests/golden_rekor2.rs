//! Rekor v2 against entries of Sigstore's staging log: leaves rebuilt from the clients' data, proofs, checkpoints, key
//! ids.
//!
//! The entries are those of sigstore-conformance (commit a73de49, and e2cc8e5^ for `dsse`), without their timestamps.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

mod golden;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::checkpoint::Scheme;
use chancery_verify::merkle::{leaf_hash, verify_inclusion};
use chancery_verify::note::{self, KeyName};
use chancery_verify::rekor::dsse::pre_authentication_encoding;
use chancery_verify::rekor::v2::{CreateEntry, Kind, json};
use chancery_verify::{Hash, PublicKey, Rejection, hash};
use golden::{bytes, text};
use serde_json::{Value, json};

const HASHEDREKORD: &str = include_str!("golden/rekor2-hashedrekord.json");
/// An envelope, logged as a signature over its pre-authentication encoding. Its checkpoint has three cosignatures.
const ENVELOPE: &str = include_str!("golden/rekor2-envelope.json");
const DSSE: &str = include_str!("golden/rekor2-dsse.json");

fn load(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn hash_at(document: &Value, pointer: &str) -> Hash {
    bytes(document, pointer).try_into().unwrap()
}

/// The request for the bundle's contents.
fn request(logged: &Value) -> Value {
    let verifier = json!({ "x509Certificate": logged["certificate"], "keyDetails": "PKIX_ECDSA_P256_SHA_256" });
    let kind = text(logged, "/tlogEntry/kindVersion/kind");
    if kind == "dsse" {
        return json!({ "dsseRequestV002": { "envelope": logged["dsseEnvelope"], "verifiers": [verifier] } });
    }
    let (digest, signature) = if let Some(message) = logged.get("messageSignature") {
        (message["messageDigest"]["digest"].clone(), message["signature"].clone())
    } else {
        let payload = bytes(logged, "/dsseEnvelope/payload");
        let signed = pre_authentication_encoding(text(logged, "/dsseEnvelope/payloadType"), &payload);
        (STANDARD.encode(hash::sha256(&signed)).into(), logged["dsseEnvelope"]["signatures"][0]["sig"].clone())
    };
    json!({ "hashedRekordRequestV002": { "digest": digest, "signature": { "content": signature, "verifier": verifier } } })
}

fn parse(request: &Value) -> CreateEntry {
    json::parse(request.to_string().as_bytes()).unwrap().unwrap()
}

#[test]
fn leaves_are_rebuilt_byte_by_byte() {
    for (logged, length, leaf) in [
        (HASHEDREKORD, 3175, "78470eff2921878c2141726b650bf349099c37850a731f287a6accf35d40441f"),
        (ENVELOPE, 3191, "fe40655a0f968947de630c778c0f68bd52c68a40c5a25fc1a3a4edd6ab3c2f99"),
        (DSSE, 3169, ""),
    ] {
        let logged = load(logged);
        let request = parse(&request(&logged));
        assert_eq!(request.kind().name(), text(&logged, "/tlogEntry/kindVersion/kind"));
        let body = request.admit().unwrap();
        assert_eq!(body.as_bytes(), bytes(&logged, "/tlogEntry/canonicalizedBody"));
        assert_eq!(body.as_bytes().len(), length);
        assert!(leaf.is_empty() || hex::encode(body.leaf_hash()) == leaf);
        let value: Value = serde_json::from_slice(body.as_bytes()).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), body.as_bytes(), "the leaf is RFC 8785");
    }
}

#[test]
fn inclusion_proofs_lead_to_signed_checkpoints() {
    for (logged, index, key_id) in
        [(HASHEDREKORD, 735, "f30d5a99"), (ENVELOPE, 4_026_478, "d3d3a70c"), (DSSE, 7131, "f30d5a99")]
    {
        let logged = load(logged);
        let key = PublicKey::from_spki_der(&bytes(&logged, "/log/publicKey/rawBytes")).unwrap();
        let origin = KeyName::new(text(&logged, "/log/baseUrl").trim_start_matches("https://")).unwrap();
        assert_eq!(note::key_hash(&origin, &key), hash_at(&logged, "/log/logId/keyId"));
        assert_eq!(hex::encode(note::rekor_v2_key_id(&origin, &key)), key_id);
        let scheme = Scheme::RekorV2 { origin };
        let note = text(&logged, "/tlogEntry/inclusionProof/checkpoint/envelope");
        let head = scheme.open(note, &key).unwrap();
        assert_eq!((head.size, head.root), (index + 1, hash_at(&logged, "/tlogEntry/inclusionProof/rootHash")));
        let proof = logged["tlogEntry"]["inclusionProof"]["hashes"].as_array().unwrap();
        let proof = proof.iter().map(|hash| hash_at(hash, "")).collect::<Vec<_>>();
        let leaf = leaf_hash(&bytes(&logged, "/tlogEntry/canonicalizedBody"));
        assert_eq!(verify_inclusion(index, head.size, &leaf, &proof, &head.root), Ok(()));
        assert!(verify_inclusion(index - 1, head.size, &leaf, &proof, &head.root).is_err());

        let forged = note.replacen(&format!("\n{}\n", head.size), &format!("\n{}\n", head.size + 1), 1);
        assert_eq!(scheme.open(&forged, &key), Err(Rejection::NoteSignature));
        let other = Scheme::RekorV2 { origin: KeyName::new("log.example").unwrap() };
        assert_eq!(other.open(note, &key), Err(Rejection::CheckpointOrigin));
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason() {
    let good = request(&load(HASHEDREKORD));
    let refused = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        parse(&changed).admit().unwrap_err()
    };
    let missing = |field| Rejection::EntryMissing { field };
    let root = "/hashedRekordRequestV002";
    let at = |path: &str| format!("{root}{path}");
    let key = load(HASHEDREKORD)["log"]["publicKey"]["rawBytes"].clone();
    for (path, value, expected) in [
        ("/signature", Value::Null, missing("signature")),
        ("/signature/content", json!(""), missing("signature")),
        ("/signature/verifier", Value::Null, missing("verifier")),
        ("/digest", json!(""), missing("digest")),
        ("/signature/verifier", json!({}), missing("public key or X.509 certificate")),
        ("/signature/verifier", json!({ "publicKey": {} }), missing("public key raw bytes")),
        ("/signature/verifier/x509Certificate/rawBytes", json!(""), missing("X.509 certificate raw bytes")),
        ("/signature/verifier/x509Certificate/rawBytes", json!("AAAA"), Rejection::CertificateMalformed),
        ("/signature/verifier", json!({ "publicKey": { "rawBytes": "AAAA" } }), Rejection::KeyMalformed),
        ("/signature/verifier/keyDetails", json!(0), Rejection::EntryKeyDetails { number: 0 }),
        ("/signature/verifier/keyDetails", json!("PKIX_RSA_PSS"), Rejection::EntryKeyDetails { number: 4 }),
        ("/signature/verifier/keyDetails", json!(999), Rejection::EntryKeyDetails { number: 999 }),
        ("/signature/verifier/keyDetails", json!("PKIX_ECDSA_P384_SHA_384"), Rejection::EntryKeyMismatch),
        ("/signature/verifier/keyDetails", json!(9), Rejection::EntryKeyMismatch),
        (
            "/signature/verifier",
            json!({ "publicKey": { "rawBytes": key }, "keyDetails": "PKIX_ED25519" }),
            Rejection::EntryKeyDetails { number: 7 },
        ),
        (
            "/signature/verifier",
            json!({ "publicKey": { "rawBytes": key }, "keyDetails": "PKIX_ED25519_PH" }),
            Rejection::EntryDigest { length: 32, expected: 64 },
        ),
        ("/digest", json!("AAAA"), Rejection::EntryDigest { length: 3, expected: 32 }),
        ("/digest", json!(STANDARD.encode([0; 32])), Rejection::EntrySignature),
        ("/signature/content", json!("AAAA"), Rejection::EntrySignature),
    ] {
        assert_eq!(refused(&at(path), value), expected, "{path}");
    }
    // Key details as a number, and bytes in the other alphabet, are accepted, too.
    let mut spelled = good.clone();
    spelled[&root[1..]]["signature"]["verifier"]["keyDetails"] = json!(5);
    let digest = text(&good, &at("/digest")).replace('/', "_").replace('+', "-").replace('=', "");
    spelled[&root[1..]]["digest"] = json!(digest);
    assert_eq!(parse(&spelled).admit(), parse(&good).admit());
}

#[test]
fn envelopes_must_be_signed_by_those_who_are_named() {
    let good = request(&load(DSSE));
    assert_eq!(parse(&good).kind(), Kind::Dsse);
    let refused = |change: fn(&mut Value)| {
        let mut changed = good.clone();
        change(&mut changed["dsseRequestV002"]);
        parse(&changed).admit().unwrap_err()
    };
    let missing = |field| Rejection::EntryMissing { field };
    assert_eq!(refused(|request| request["envelope"] = Value::Null), missing("envelope"));
    assert_eq!(refused(|request| request["verifiers"] = json!([])), missing("verifiers"));
    assert_eq!(refused(|request| request["envelope"]["signatures"] = json!([])), missing("signatures"));
    assert_eq!(refused(|request| request["envelope"]["signatures"] = json!([{}])), missing("signature"));
    let many = |list: &mut Value| *list = Value::Array(vec![list[0].clone(); 11]);
    assert_eq!(refused(|request| request["envelope"]["payload"] = json!("AAAA")), Rejection::DsseSignature);
    let second = |request: &mut Value| {
        request["envelope"]["signatures"].as_array_mut().unwrap().push(json!({ "sig": "AAAA" }));
    };
    assert_eq!(refused(second), Rejection::DsseUncovered);
    for (pointer, what) in [("/envelope/signatures", "signatures"), ("/verifiers", "verifiers")] {
        let mut changed = good.clone();
        many(changed["dsseRequestV002"].pointer_mut(pointer).unwrap());
        assert_eq!(parse(&changed).admit().unwrap_err(), Rejection::EntryTooMany { what, limit: 10 });
    }
    // A repeated signature or verifier changes nothing.
    let mut twice = good.clone();
    for pointer in ["/envelope/signatures", "/verifiers"] {
        let list = twice["dsseRequestV002"].pointer_mut(pointer).unwrap();
        *list = json!([list[0], list[0]]);
    }
    assert_eq!(parse(&twice).admit(), parse(&good).admit());
}

#[test]
fn json_is_read_as_protobuf_reads_it() {
    let error = |json: &str| json::parse(json.as_bytes()).unwrap_err().to_string();
    for (json, expected) in [
        (r#"{"apiVersion":"0.0.1"}"#, r#"proto: (line 1:2): unknown field "apiVersion""#),
        ("{\n  \"x\": 1}", r#"proto: (line 2:3): unknown field "x""#),
        (r#"{"hashedRekordRequestV002":{"digest":"","digest":""}}"#, r#"proto: (line 1:41): duplicate field "digest""#),
        (
            r#"{"hashedRekordRequestV002":{},"hashed_rekord_request_v002":{}}"#,
            r#"proto: (line 1:31): duplicate field "hashed_rekord_request_v002""#,
        ),
        (r#"{"hashedRekordRequestV002":{"digest":"*"}}"#, "proto: (line 1:40): invalid value for bytes field digest"),
        (r#"{"hashedRekordRequestV002":{"digest":7}}"#, "proto: (line 1:38): invalid value for bytes field digest"),
        (
            r#"{"hashedRekordRequestV002":7}"#,
            "proto: syntax error (line 1:28): unexpected token for field hashedRekordRequestV002",
        ),
        (
            r#"{"hashedRekordRequestV002":{"signature":{"verifier":{"keyDetails":"x"}}}}"#,
            "proto: (line 1:69): invalid value for enum field keyDetails",
        ),
        ("[]", "proto: syntax error (line 1:2): unexpected token"),
        ("null", "proto: syntax error (line 1:1): unexpected token null"),
    ] {
        assert_eq!(error(json), expected);
    }
    let many = format!(r#"{{"dsseRequestV002":{{"verifiers":[{}{{}}]}}}}"#, "{},".repeat(100));
    assert!(error(&many).ends_with(": more than 100 elements in field verifiers"), "{}", error(&many));
    let oneof = error(r#"{"hashedRekordRequestV002":{},"dsseRequestV002":{}}"#);
    let expected =
        r#"error parsing "dsseRequestV002", oneof dev.sigstore.rekor.v2.CreateEntryRequest.spec is already set"#;
    assert!(oneof.starts_with("proto: (line 1:") && oneof.ends_with(expected), "{oneof}");
    for broken in [
        "{",
        "{}x",
        r#"{"hashedRekordRequestV002"}"#,
        r#"{"hashedRekordRequestV002":{"signature":[]}}"#,
        "\u{0}",
        "{} {}",
    ] {
        assert!(error(broken).starts_with("proto: syntax error (line 1:"), "{broken}: {}", error(broken));
    }
    for nothing in ["", " \n", "{}", r#"{"dsseRequestV002":null}"#] {
        assert_eq!(json::parse(nothing.as_bytes()), Ok(None), "{nothing}");
    }
    let null_beside = r#"{"hashedRekordRequestV002":{},"dsseRequestV002":null}"#;
    assert!(json::parse(null_beside.as_bytes()).unwrap().is_some());
}
