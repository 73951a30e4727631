//! Rekor v1's search: its HTTP contract, and rekor-cli.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Client, MALLORY, Stack,
    http::Request,
    key::{Key, sha256, unique},
    rekor::{ENTRIES, Entry, dsse, envelope, hashedrekord, intoto_v002},
    search::{RETRIEVE, wait},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn log(stack: &Stack, proposal: &Value) -> String {
    Entry::parse(&stack.post(ENTRIES, proposal).expect(201).json()).id
}

/// The ids that are answered, which are in no order.
#[track_caller]
fn found(stack: &Stack, query: &Value) -> BTreeSet<String> {
    let answer = stack.post(RETRIEVE, query).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let text = answer.text();
    assert!(text.ends_with("]\n") && !text.contains(' '), "as Go's encoder writes it: {text:?}");
    let ids: Vec<String> = serde_json::from_str(&text).unwrap();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "none is there twice");
    ids.into_iter().collect()
}

fn set<const N: usize>(ids: [&String; N]) -> BTreeSet<String> {
    ids.into_iter().cloned().collect()
}

#[test]
fn an_entry_is_found_as_soon_as_it_is_acknowledged() {
    let stack = Stack::start();
    // Many, because the index may have come that far by chance.
    for number in 0..10 {
        let artifact = format!("artifact {number}");
        let id = log(&stack, &hashedrekord(&Key::generate(), artifact.as_bytes()));
        let hash = hex::encode(sha256(artifact.as_bytes()));
        assert_eq!(found(&stack, &json!({ "hash": hash })), set([&id]), "{number}");
    }
}

#[test]
fn entries_are_found_by_digest_key_and_name_with_and_or() {
    let stack = Stack::start();
    let (one, other) = (Key::generate(), Key::generate());
    let by_one = log(&stack, &hashedrekord(&one, b"artifact"));
    let by_other = log(&stack, &hashedrekord(&other, b"artifact"));
    let second = log(&stack, &hashedrekord(&one, b"second"));
    let statement = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[]}"#;
    let signed = envelope(&one, "application/vnd.in-toto+json", statement);
    let attested = log(&stack, &dsse(&one, &signed.to_string()));
    let intoto = log(&stack, &intoto_v002(&one, &signed));
    wait(&stack);
    let hex = hex::encode(sha256(b"artifact"));
    for hash in [hex.clone(), hex.to_uppercase(), format!("sha256:{hex}")] {
        assert_eq!(found(&stack, &json!({ "hash": hash })), set([&by_one, &by_other]), "{hash}");
    }
    let payload = hex::encode(sha256(statement));
    assert_eq!(found(&stack, &json!({ "hash": payload })), set([&attested, &intoto]));
    let key = |key: &Key| json!({ "format": "x509", "content": STANDARD.encode(key.public_pem()) });
    // Upstream finds no attestation by its key: it writes another hash than it looks up.
    let all_of_one = set([&by_one, &second, &attested, &intoto]);
    assert_eq!(found(&stack, &json!({ "publicKey": key(&one) })), all_of_one);
    let both = |operator: Value| json!({ "hash": hex, "publicKey": key(&one), "operator": operator });
    assert_eq!(found(&stack, &both(json!("and"))), set([&by_one]));
    for or in [json!("or"), json!(""), Value::Null] {
        let either: BTreeSet<String> = all_of_one.iter().cloned().chain([by_other.clone()]).collect();
        assert_eq!(found(&stack, &both(or.clone())), either, "{or}");
    }
    for nothing in [
        json!({}),
        json!({ "hash": hex::encode(sha256(b"nothing")) }),
        json!({ "hash": "ab".repeat(20) }),
        json!({ "hash": "ab".repeat(64) }),
        json!({ "email": MALLORY }),
        json!({ "email": MALLORY, "hash": hex, "operator": "and" }),
        json!({ "subject": "https://example.test/nobody" }),
        // Nothing is fetched.
        json!({ "publicKey": { "format": "x509", "content": STANDARD.encode(Key::generate().public_pem()), "url": "http://127.0.0.1:9" } }),
    ] {
        assert_eq!(found(&stack, &nothing), BTreeSet::new(), "{nothing}");
    }
    // An id is one that the log answers with.
    for id in all_of_one {
        stack.get(&format!("{ENTRIES}/{id}")).expect(200);
    }
    assert_eq!(stack.post(&format!("{RETRIEVE}/"), &json!({})).expect(200).text(), "[]\n");
}

#[test]
fn entries_are_found_by_the_names_in_their_certificates() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", unique("hello"));
    Client::Cosign2.sign(&alice, "artifact", "bundle.json").run().succeeds();
    wait(&stack);
    let by_email = found(&stack, &json!({ "email": ALICE }));
    assert_eq!(by_email.len(), 1, "{by_email:?}");
    for query in [json!({ "email": ALICE.to_uppercase() }), json!({ "subject": ALICE })] {
        assert_eq!(found(&stack, &query), by_email, "{query}");
    }
    // The certificate itself, as `publicKey`.
    let id = by_email.first().unwrap();
    let entry = Entry::parse(&stack.get(&format!("{ENTRIES}/{id}")).expect(200).json());
    let body: Value = serde_json::from_slice(&entry.body()).unwrap();
    let content = &body["spec"]["signature"]["publicKey"]["content"];
    assert_eq!(found(&stack, &json!({ "publicKey": { "format": "x509", "content": content } })), by_email);
}

#[test]
fn what_is_no_query_is_refused_in_upstreams_words() {
    let stack = Stack::start();
    let refused = |body: &Value, status: u16, code: u16, message: &str| {
        stack.post(RETRIEVE, body).expect_json(status, &json!({ "code": code, "message": message }));
    };
    let hash = "hash in body should match '^(sha512:)?[0-9a-fA-F]{128}$|^(sha256:)?[0-9a-fA-F]{64}$|^(sha1:)?[0-9a-fA-F]{40}$'";
    refused(&json!({ "hash": "sha256:ab" }), 422, 605, hash);
    refused(&json!({ "hash": format!("sha384:{}", "ab".repeat(48)) }), 422, 605, hash);
    refused(&json!({ "email": "alice" }), 422, 601, "email in body must be of type email: \"alice\"");
    refused(&json!({ "operator": "xor" }), 422, 606, "operator in body should be one of [and or]");
    refused(&json!({ "publicKey": {} }), 422, 602, "publicKey.publicKey.format in body is required");
    refused(&json!({ "subject": "x".repeat(513) }), 422, 603, "subject in body should be at most 512 chars long");
    let key = json!({ "publicKey": { "format": "x509", "content": STANDARD.encode("no key") } });
    refused(&key, 400, 400, "public key provided could not be parsed");
    let malformed = r#"parsing query body from "" failed, because it is not a search query"#;
    for body in [json!([]), json!({ "hash": 1 }), json!({ "publicKey": "x" }), json!("x")] {
        refused(&body, 400, 400, malformed);
    }
    let post = |content_type: &str, body: &str| Request::post(&stack.at(RETRIEVE)).body(content_type, body).send();
    let said = json!({ "code": 602, "message": "query in body is required" });
    post("application/json", "").expect_json(422, &said);
    let said =
        json!({ "code": 415, "message": "unsupported media type \"text/plain\", only [application/json] are allowed" });
    post("text/plain", "{}").expect_json(415, &said);
    post("application/json; charset=utf-8", "{}").expect(200);
    let said = json!({ "code": 405, "message": "method GET is not allowed, but [POST] are" });
    let answer = stack.get(RETRIEVE).expect_json(405, &said);
    assert_eq!(answer.header("allow"), Some("POST"));
    let large = format!("{{\"email\":\"{}\"}}", "x".repeat(512 * 1024));
    let said = json!({ "code": 413, "message": "Request Entity Too Large. Limit set to 524288" });
    post("application/json", &large).expect_json(413, &said);
}

#[test]
fn rekor_cli_searches() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let key = Key::generate();
    let artifact = unique("hello");
    alice.write("artifact", &artifact);
    alice.write("signature", key.sign(artifact.as_bytes()));
    alice.write("key.pub", key.public_pem());
    let what = "--artifact artifact --signature signature --public-key key.pub --type hashedrekord";
    alice.rekor_cli().arg("upload").args(what).run().succeeds();
    Client::Cosign2.sign(&alice, "artifact", "bundle.json").run().succeeds();
    wait(&stack);
    let search = |arguments: &str| alice.rekor_cli().arg("search").args(arguments).run();
    let ids = |arguments: &str| {
        let outcome = search(arguments);
        assert!(outcome.written().contains("Found matching entries"), "{}", outcome.report());
        let ids = outcome.succeeds();
        ids.lines().filter(|line| line.len() == 80).map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let both = ids("--artifact artifact");
    assert_eq!(both.len(), 2, "{both:?}");
    let digest = hex::encode(sha256(artifact.as_bytes()));
    assert_eq!(ids(&format!("--sha {digest}")), both);
    assert_eq!(ids(&format!("--sha sha256:{digest}")), both);
    let by_key = ids("--public-key key.pub --pki-format x509");
    let by_email = ids(&format!("--email {ALICE}"));
    assert_eq!((by_key.len(), by_email.len()), (1, 1));
    assert_eq!(by_key.union(&by_email).cloned().collect::<BTreeSet<_>>(), both);
    assert_eq!(ids(&format!("--artifact artifact --email {ALICE} --operator and")), by_email);
    assert_eq!(ids(&format!("--public-key key.pub --pki-format x509 --email {ALICE} --operator or")), both);
    for nothing in [
        &format!("--email {MALLORY}"),
        &format!("--public-key key.pub --pki-format x509 --email {ALICE} --operator and"),
        &format!("--sha {}", "ab".repeat(32)),
    ] {
        search(nothing).fails_with(&["no matching entries found"]);
    }
    // What was found is got.
    for id in &both {
        alice.rekor_cli().args("get --uuid").arg(id).run().succeeds();
    }
}
