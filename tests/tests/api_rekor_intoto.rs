//! Rekor v1's entries of kind `intoto`, both versions; and every kind with every one of its members missing or of another type.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    Stack,
    http::Response,
    key::{Key, PublicKey, sha256},
    rekor::{ENTRIES, Entry, dsse, envelope, hashedrekord, intoto_v001, intoto_v002},
};
use serde_json::{Value, json};

const RETRIEVE: &str = "/api/v1/log/entries/retrieve";
const STATEMENT: &[u8] = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[]}"#;
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// One proposal of each version over the same envelope.
fn proposals(key: &Key) -> [Value; 2] {
    let envelope = envelope(key, IN_TOTO, STATEMENT);
    [intoto_v001(key, &envelope.to_string()), intoto_v002(key, &envelope)]
}

#[track_caller]
fn refused(answer: Response, reason: &str) {
    let message = format!("error processing entry: {reason}");
    answer.expect_json(400, &json!({"code": 400, "message": message}));
}

fn tree_size(stack: &Stack) -> Value {
    stack.get("/api/v1/log").expect(200).json()["treeSize"].clone()
}

#[test]
fn an_entry_holds_hashes_and_keys_and_no_payload() {
    let stack = Stack::start();
    let rekor = PublicKey::from_pem(&std::fs::read_to_string(stack.trust("rekor.pub")).unwrap());
    let key = Key::generate();
    let hash = |bytes: &[u8]| json!({"algorithm": "sha256", "value": hex::encode(sha256(bytes))});
    let [v001, v002] = proposals(&key);
    let text = v001["spec"]["content"]["envelope"].as_str().unwrap();
    let mut without_payload = v002["spec"]["content"]["envelope"].clone();
    without_payload.as_object_mut().unwrap().remove("payload").unwrap();
    for (proposal, spec) in [
        (
            &v001,
            json!({
                "content": {"hash": hash(text.as_bytes()), "payloadHash": hash(STATEMENT)},
                "publicKey": v001["spec"]["publicKey"]
            }),
        ),
        (
            &v002,
            json!({"content": {
                "envelope": without_payload,
                "hash": v002["spec"]["content"]["hash"],
                "payloadHash": hash(STATEMENT)
            }}),
        ),
    ] {
        let created = stack.post(ENTRIES, proposal).expect(201);
        let entry = Entry::parse(&created.json());
        entry.verify(&rekor);
        assert_eq!(created.header("etag"), Some(&*entry.id));
        assert_eq!(created.json()[&entry.id].get("attestation"), None, "what was signed is nowhere");
        let body = String::from_utf8(entry.body()).unwrap();
        let expected = json!({"apiVersion": proposal["apiVersion"], "kind": "intoto", "spec": spec});
        assert_eq!(body, expected.to_string(), "members in order, no white space");
        let location = format!("{ENTRIES}/{}", entry.id);
        assert_eq!(stack.post(ENTRIES, proposal).expect(409).header("location"), Some(&*location));
        assert_eq!(Entry::parse(&stack.get(&location).expect(200).json()).body(), entry.body());
        // It is found by what was sent and by what was logged, and the latter is nothing that can be sent.
        for asked in [proposal, &expected] {
            let found = stack.post(RETRIEVE, &json!({"entries": [asked]})).expect(200).json();
            assert_eq!(Entry::parse(&found[0]).id, entry.id);
        }
        refused(stack.post(ENTRIES, &expected), "entry not insertable into log: missing envelope content");
    }
    let other = intoto_v002(&key, &envelope(&key, IN_TOTO, b"{}"));
    let found = stack.post(RETRIEVE, &json!({"entries": [other]})).expect(200).json();
    assert_eq!(found, json!([]));
}

/// cosign asks for an attestation by its envelope as two kinds at once, whichever of them was logged.
#[test]
fn an_attestation_is_found_whichever_kind_its_entry_has() {
    let stack = Stack::start();
    let key = Key::generate();
    for logged_as_dsse in [true, false] {
        let envelope = envelope(&key, IN_TOTO, format!("{{\"dsse\":{logged_as_dsse}}}").as_bytes()).to_string();
        let both = [dsse(&key, &envelope), intoto_v001(&key, &envelope)];
        let entry = Entry::parse(&stack.post(ENTRIES, &both[usize::from(!logged_as_dsse)]).expect(201).json());
        let found = stack.post(RETRIEVE, &json!({"entries": both})).expect(200).json();
        assert_eq!(found.as_array().unwrap().len(), 1);
        assert_eq!(Entry::parse(&found[0]).id, entry.id);
    }
}

#[test]
fn what_was_not_signed_is_not_logged() {
    let stack = Stack::start();
    let before = tree_size(&stack);
    let key = Key::generate();
    let threshold = "accepted signatures do not match threshold, Found: 0, Expected 1";
    let signature = &*format!("could not verify envelope: {threshold}");
    let [v001, v002] = proposals(&key);
    let other_key = STANDARD.encode(Key::generate().public_pem());
    let with = |proposal: &Value, pointer: &str, value: Value| {
        let mut changed = proposal.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        stack.post(ENTRIES, &changed)
    };
    let envelope_of = "/spec/content/envelope";
    refused(with(&v001, "/spec/publicKey", json!(other_key)), threshold);
    let forged = v001["spec"]["content"]["envelope"].as_str().unwrap().replace(&STANDARD.encode(STATEMENT), "e30=");
    refused(with(&v001, envelope_of, json!(forged)), threshold);
    refused(with(&v001, envelope_of, json!("{}")), "malformed entry: envelope");
    refused(with(&v001, "/spec/publicKey", json!("AAAA")), "invalid public key: failure decoding PEM");
    let first = "/spec/content/envelope/signatures/0";
    refused(with(&v002, &format!("{first}/publicKey"), json!(other_key)), signature);
    refused(with(&v002, &format!("{envelope_of}/payload"), json!(STANDARD.encode("e30="))), signature);
    refused(with(&v002, &format!("{envelope_of}/payload"), json!("e30=")), "illegal base64 data");
    // GHSA-frqx-jfcm-6jjr: a server that looked into these fell.
    refused(with(&v002, first, Value::Null), "missing signature entry");
    refused(with(&v002, &format!("{first}/sig"), Value::Null), "missing signature content");
    refused(with(&v002, &format!("{first}/publicKey"), Value::Null), "missing publicKey content");
    let mut number = v002["spec"]["content"]["envelope"]["signatures"][0].clone();
    number["keyid"] = json!(1);
    refused(with(&v002, first, number), "malformed entry: spec");
    // Paths are as upstream's generated code names them: with the parents again.
    let schema = |fault: &str| format!("validation failure list:\ncontent.content.envelope.content.envelope.{fault}");
    let unsigned = with(&v002, &format!("{envelope_of}/signatures"), json!([]));
    refused(unsigned, &schema("signatures in body should have at least 1 items"));
    for empty in [envelope_of, "/spec/content"] {
        refused(with(&v002, empty, Value::Null), &schema("payloadType in body is required"));
    }
    for (pointer, name) in [("/spec/content", "content"), ("/spec/publicKey", "publicKey")] {
        let reason = format!("validation failure list:\n{name} in body is required");
        refused(with(&v001, pointer, Value::Null), &reason);
    }
    // Upstream answers 500.
    refused(with(&v002, "/spec/content/hash", Value::Null), "missing envelope digest");
    refused(with(&v002, "/spec/content/hash/value", json!("abc")), "invalid value for hash");
    let unknown = "entry kind 'intoto' does not support inserting entries of version '0.0.3'";
    refused(with(&v002, "/apiVersion", json!("0.0.3")), unknown);
    // Of each version with the other's spec nothing is left.
    refused(with(&v002, "/apiVersion", json!("0.0.1")), "malformed entry: spec");
    refused(with(&v001, "/apiVersion", json!("0.0.2")), "malformed entry: spec");
    assert_eq!(tree_size(&stack), before);
}

#[test]
fn large_payloads_are_taken_and_large_bodies_are_not() {
    let stack = Stack::start();
    let key = Key::generate();
    let large = envelope(&key, IN_TOTO, &vec![b' '; 15 << 20]);
    let [v001, v002] = [intoto_v001(&key, &large.to_string()), intoto_v002(&key, &large)];
    for proposal in [&v001, &v002] {
        let entry = Entry::parse(&stack.post(ENTRIES, proposal).expect(201).json());
        assert!(entry.body().len() < 1024);
    }
    let before = tree_size(&stack);
    let [_, small] = proposals(&key);
    let signatures = "/spec/content/envelope/signatures";
    let mut long = small.clone();
    long.pointer_mut(signatures).unwrap()[0]["keyid"] = json!("x".repeat(0x1_0000));
    refused(stack.post(ENTRIES, &long), "the canonical entry is larger than 65535 bytes");
    let mut many = small.clone();
    *many.pointer_mut(signatures).unwrap() = json!(vec![small.pointer(signatures).unwrap()[0].clone(); 17]);
    refused(stack.post(ENTRIES, &many), "too many signatures, at most 16 are allowed");
    let too_large = intoto_v002(&key, &envelope(&key, IN_TOTO, &vec![b' '; 19 << 20]));
    let message = "Request Entity Too Large. Limit set to 33554432";
    stack.post(ENTRIES, &too_large).expect_json(413, &json!({"code": 413, "message": message}));
    assert_eq!(tree_size(&stack), before);
}

/// Every member of `value`, by pointer.
fn members(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), member)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let pointer = format!("{at}/{name}");
        members(child, &pointer, found);
        found.push(pointer);
    }
}

fn without(value: &Value, pointer: &str) -> Value {
    let mut changed = value.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match changed.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(name)),
        Value::Array(items) => drop(items.remove(name.parse().unwrap())),
        _ => unreachable!("a parent"),
    }
    changed
}

/// GHSA-843x-px86-vq42, for every kind: 400 or 422 and no more, or, where the member changes nothing, the same entry.
#[test]
fn no_member_of_any_kind_brings_the_server_down_where_it_is_missing_or_another_type() {
    let stack = Stack::start();
    let key = Key::generate();
    let [v001, v002] = proposals(&key);
    let envelope = v001["spec"]["content"]["envelope"].as_str().unwrap();
    let mut with_all = v002.clone();
    with_all["spec"]["content"]["payloadHash"] = with_all["spec"]["content"]["hash"].clone();
    let good = [hashedrekord(&key, b"artifact"), dsse(&key, envelope), v001.clone(), with_all];
    for proposal in &good {
        stack.post(ENTRIES, proposal).expect(201);
    }
    let size = tree_size(&stack);
    for proposal in &good {
        let mut pointers = Vec::new();
        members(proposal, "", &mut pointers);
        assert!(pointers.len() >= 6, "{pointers:?}");
        for pointer in pointers {
            let replaced =
                [Value::Null, json!(true), json!(-1), json!(1e300), json!(""), json!("\0"), json!([]), json!({})];
            let replaced = replaced.into_iter().chain([json!([null]), json!([[]])]).map(|value| {
                let mut changed = proposal.clone();
                *changed.pointer_mut(&pointer).unwrap() = value;
                changed
            });
            for changed in [without(proposal, &pointer)].into_iter().chain(replaced) {
                for (path, body) in [(ENTRIES, changed.clone()), (RETRIEVE, json!({"entries": [changed]}))] {
                    let answer = stack.post(path, &body);
                    // What a proposal says of its payload's hash does not count; and without a payload it is an entry as it may
                    // have been logged, for which one may ask.
                    let ignored = pointer.starts_with("/spec/content/payloadHash");
                    let unknown = pointer == "/spec/content/envelope/payload" && answer.body == b"[]\n";
                    let harmless = if path == ENTRIES {
                        ignored && answer.status == 409
                    } else {
                        (ignored || unknown) && answer.status == 200
                    };
                    let (status, said) = (answer.status, answer.text());
                    assert!(matches!(status, 400 | 422) || harmless, "{pointer} of {body}: {status} {said}");
                }
            }
        }
    }
    assert_eq!(tree_size(&stack), size);
}
