//! The Rekor v2 log's contract over HTTP and gRPC, byte by byte.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chancery_tests::{
    ALICE, Stack,
    http::{Request, Response},
    key::{Key, PublicKey, sha256, unique},
    rekor::{Checkpoint, envelope, leaves},
    rekor_v2::{self, DSSE, ENTRIES, Entry, HASHEDREKORD, dsse, hashedrekord, leaf},
    tree,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Logs an entry and checks all the answer says.
#[track_caller]
fn log(stack: &Stack, request: &Value) -> Entry {
    let entry = Entry(stack.post(ENTRIES, request).expect(201).json());
    entry.verify(&rekor_v2::key(stack));
    entry
}

fn new_entry(stack: &Stack) -> Entry {
    log(stack, &hashedrekord(&Key::generate(), unique("artifact").as_bytes()))
}

/// Demands a refusal: gRPC's code and a text in the body, our reason in its details.
#[track_caller]
fn refused(answer: Response, status: u16, code: u16, message: &str, reason: &str) {
    let info = json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "chancery", "metadata": {}, "reason": reason
    });
    answer.expect_json(status, &json!({"code": code, "message": message, "details": [info]}));
}

/// Every value below and with `pointer`, as pointers.
fn pointers(value: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| pointers(value, &format!("{pointer}/{name}"), found));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| pointers(value, &format!("{pointer}/{index}"), found));
        }
        _ => {}
    }
}

#[test]
fn a_new_entry_is_created_once() {
    let stack = Stack::start();
    let request = hashedrekord(&Key::generate(), b"artifact");
    let entry = log(&stack, &request);
    assert_eq!(entry.log_index(), 1, "index 0 is the server's own: clients cannot verify an entry there");
    assert_eq!(String::from_utf8(entry.body()).unwrap(), leaf(&request));
    new_entry(&stack);

    // Upstream's code and header, and what it leaves out: the entry, with a proof in today's tree.
    let conflict = stack.post(ENTRIES, &request).expect(409);
    assert_eq!(conflict.header("x-log-index"), Some("1"));
    let mut body = conflict.json();
    let message = "an equivalent entry already exists in the transparency log with index 1";
    assert_eq!((&body["code"], &body["message"]), (&json!(6), &json!(message)));
    let details = body["details"].as_array_mut().unwrap();
    let mut existing = details.pop().unwrap();
    let name = existing.as_object_mut().unwrap().remove("@type");
    assert_eq!(name, Some(json!("type.googleapis.com/dev.sigstore.rekor.v1.TransparencyLogEntry")));
    let existing = Entry(existing);
    existing.verify(&rekor_v2::key(&stack));
    assert_eq!((existing.body(), existing.log_index(), existing.tree_size()), (entry.body(), 1, 3));
}

#[test]
fn an_idle_log_answers_at_once() {
    let stack = Stack::start();
    let key = Key::generate();
    let mut times: Vec<Duration> = (0..21)
        .map(|number| {
            let request = hashedrekord(&key, format!("artifact {number}").as_bytes());
            let started = Instant::now();
            stack.post(ENTRIES, &request).expect(201);
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    // Upstream answers at the next checkpoint, 10 s later. The bound leaves room for a busy machine.
    assert!(times[10] < Duration::from_millis(500), "{times:?}");
}

#[test]
fn requests_are_read_as_protobuf_reads_them() {
    let stack = Stack::start();
    let request = hashedrekord(&Key::generate(), b"artifact");
    let text = request.to_string();
    let url_safe = |pointer: &str| {
        let bytes = STANDARD.decode(request.pointer(pointer).unwrap().as_str().unwrap()).unwrap();
        URL_SAFE_NO_PAD.encode(bytes)
    };
    let mut spelled = request.clone();
    for pointer in ["digest", "signature/content", "signature/verifier/publicKey/rawBytes"] {
        let pointer = format!("/{HASHEDREKORD}/{pointer}");
        *spelled.pointer_mut(&pointer).unwrap() = url_safe(&pointer).into();
    }
    spelled[HASHEDREKORD]["signature"]["verifier"]["keyDetails"] = 5.into();
    spelled[DSSE] = Value::Null;
    let snake = text
        .replace("hashedRekordRequestV002", "hashed_rekord_request_v002")
        .replace("publicKey", "public_key")
        .replace("rawBytes", "raw_bytes")
        .replace("keyDetails", "key_details");
    assert_ne!(snake, text);
    let entry = log(&stack, &request);
    for same in [spelled.to_string(), snake, format!("\n {text} ")] {
        let answer = Request::post(&stack.at(ENTRIES)).body("text/plain", same).send().expect(409);
        assert_eq!(answer.header("x-log-index"), Some(entry.log_index().to_string().as_str()));
    }
    let post = |body: &str| Request::post(&stack.at(ENTRIES)).body("application/json", body).send();
    // What a client of version 1 is told.
    let v1 = chancery_tests::rekor::hashedrekord(&Key::generate(), b"artifact").to_string();
    assert!(v1.starts_with(r#"{"apiVersion""#));
    refused(post(&v1), 400, 3, r#"proto: (line 1:2): unknown field "apiVersion""#, "request.malformed");
    let twice = text.replacen(r#"{"digest""#, r#"{"digest":null,"digest""#, 1);
    assert_ne!(twice, text);
    let message = post(&twice).expect(400).json()["message"].clone();
    assert!(message.as_str().unwrap().ends_with(r#": duplicate field "digest""#), "{message}");
    assert!(post("{").expect(400).json()["message"].as_str().unwrap().starts_with("proto: syntax error (line 1:"));
    for nothing in ["", "{}", r#"{"hashedRekordRequestV002":null}"#] {
        refused(post(nothing), 400, 3, "invalid type, must be hashedrekord", "entry.kind");
    }
}

#[test]
fn what_is_not_an_entry_is_refused_with_a_reason() {
    let stack = Stack::start();
    let key = Key::generate();
    let good = hashedrekord(&key, b"artifact");
    let with = |pointer: &str, value: Value| {
        let mut request = good.clone();
        *request.pointer_mut(&format!("/{HASHEDREKORD}{pointer}")).unwrap() = value;
        stack.post(ENTRIES, &request)
    };
    let verifier = "/signature/verifier";
    let details = "/signature/verifier/keyDetails";
    let missing = "entry.missing";
    for (pointer, value, message, reason) in [
        ("/signature", json!(null), "missing signature", missing),
        ("/signature/content", json!(""), "missing signature", missing),
        (verifier, json!(null), "missing verifier", missing),
        ("/digest", json!(""), "missing digest", missing),
        (verifier, json!({"keyDetails": 5}), "missing public key or X.509 certificate", missing),
        (verifier, json!({"publicKey": {}}), "missing public key raw bytes", missing),
        (verifier, json!({"x509Certificate": {}}), "missing X.509 certificate raw bytes", missing),
        ("/digest", json!("AAAA"), "digest length (3) does not match expected size (32)", "entry.digest"),
        (
            details,
            json!("PKIX_ED25519"),
            "keyDetails names another kind of key than the one given",
            "entry.key_mismatch",
        ),
        (details, json!(7), "keyDetails names another kind of key than the one given", "entry.key_mismatch"),
        (details, json!(999), "keyDetails 999 is not a supported signing algorithm", "entry.key_details"),
        (details, json!(-1), "keyDetails -1 is not a supported signing algorithm", "entry.key_details"),
        (details, json!(0), "keyDetails 0 is not a supported signing algorithm", "entry.key_details"),
        (details, json!("ML_DSA_65"), "keyDetails 21 is not a supported signing algorithm", "entry.key_details"),
        (
            "/digest",
            json!(STANDARD.encode(sha256(b"another"))),
            "verifying signature: invalid signature when validating ASN.1 encoded signature",
            "entry.signature",
        ),
    ] {
        refused(with(pointer, value), 400, 3, &format!("invalid hashedrekord request: {message}"), reason);
    }
    for value in [json!(""), json!("PKIX"), json!(1.5), json!(4_294_967_301_u64), json!([]), json!({}), json!(true)] {
        let message = with(details, value).expect(400).json()["message"].clone();
        assert!(message.as_str().unwrap().ends_with("invalid value for enum field keyDetails"), "{message}");
    }
    // Pure Ed25519 signs no digests (RFC 8032, section 7.1, test 1).
    let spki =
        format!("{}{}", "302a300506032b6570032100", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let spki = STANDARD.encode(hex::decode(spki).unwrap());
    let pure = json!({"publicKey": {"rawBytes": spki}, "keyDetails": "PKIX_ED25519"});
    let message = "invalid hashedrekord request: keyDetails 7 is not a supported signing algorithm";
    refused(with(verifier, pure), 400, 3, message, "entry.key_details");
}

#[test]
fn no_request_is_answered_with_a_server_error() {
    let stack = Stack::start_with(&["--rekor-v2-dsse"]);
    let key = Key::generate();
    let hostile = [json!(null), json!("x"), json!(-1), json!(1e300), json!([]), json!({}), json!([null]), json!(true)];
    let requests =
        [hashedrekord(&key, b"artifact"), dsse(&key, &envelope(&key, "application/vnd.in-toto+json", b"{}"))];
    for good in &requests {
        let mut all = Vec::new();
        pointers(good, "", &mut all);
        for pointer in &all {
            for value in &hostile {
                let mut request = good.clone();
                *request.pointer_mut(pointer).unwrap() = value.clone();
                let answer = stack.post(ENTRIES, &request);
                assert!(answer.status == 400, "{pointer} = {value}: {} {}", answer.status, answer.text());
                assert!(!answer.json()["message"].as_str().unwrap().is_empty());
            }
            let Some((parent, name)) = pointer.rsplit_once('/') else { continue };
            let mut request = good.clone();
            if let Some(fields) = request.pointer_mut(parent).unwrap().as_object_mut() {
                fields.remove(name);
                let status = stack.post(ENTRIES, &request).status;
                // An envelope's type may be empty, but then it is another envelope.
                assert_eq!(status, 400, "without {pointer}");
            }
        }
    }
    let size = stack.get("/checkpoint").expect(200).text().lines().nth(1).map(str::to_owned);
    assert_eq!(size.as_deref(), Some("1"), "nothing of it was logged");
}

#[test]
fn bodies_and_leaves_have_limits() {
    let stack = Stack::start_with(&["--rekor-v2-dsse"]);
    let large = format!("{{\"x\":\"{}\"}}", "a".repeat(4 * 1024 * 1024));
    let answer = Request::post(&stack.at(ENTRIES)).body("application/json", large).send();
    refused(answer, 413, 3, "http: request body too large", "request.too_large");
    let alice = stack.person(ALICE);
    alice.write("artifact", "artifact");
    let certified = |comment: usize| {
        let make = alice.openssl().args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x");
        let make = make.args("-keyout key.pem -outform DER -out certificate.der -addext");
        make.arg(format!("nsComment={}", "a".repeat(comment))).run().succeeds();
        alice.openssl().args("dgst -sha256 -sign key.pem -out signature artifact").run().succeeds();
        let certificate = json!({"rawBytes": STANDARD.encode(alice.read("certificate.der"))});
        let verifier = json!({"x509Certificate": certificate, "keyDetails": "PKIX_ECDSA_P256_SHA_256"});
        let signature = json!({"content": STANDARD.encode(alice.read("signature")), "verifier": verifier});
        json!({HASHEDREKORD: {"digest": STANDARD.encode(sha256(b"artifact")), "signature": signature}})
    };
    log(&stack, &certified(1000));
    // The certificate is not too large, but as base64 it is more than two bytes of length can say.
    let message = "invalid hashedrekord request: the canonical entry is larger than 65535 bytes";
    refused(stack.post(ENTRIES, &certified(49_000)), 400, 3, message, "entry.too_large");
    let key = Key::generate();
    let many = |count: usize| {
        let payload = "a".repeat(1 << 20);
        let mut signed = envelope(&key, "text/plain", payload.as_bytes());
        let signature = signed["signatures"][0].clone();
        signed["signatures"] = vec![signature; count].into();
        dsse(&key, &signed)
    };
    assert_eq!(log(&stack, &many(10)).0["kindVersion"]["kind"], "dsse");
    let message = "invalid dsse request: too many signatures, at most 10 are allowed";
    refused(stack.post(ENTRIES, &many(11)), 400, 3, message, "entry.too_many");
}

#[test]
fn envelopes_are_taken_where_the_operator_says_so() {
    let mut stack = Stack::start();
    let key = Key::generate();
    let signed = envelope(&key, "application/vnd.in-toto+json", br#"{"_type":"x"}"#);
    let request = dsse(&key, &signed);
    refused(stack.post(ENTRIES, &request), 400, 3, "invalid type, must be hashedrekord", "entry.kind");
    stack.terminate();
    stack.options(&["--rekor-v2-dsse"]);
    stack.resume();
    let entry = log(&stack, &request);
    let body: Value = serde_json::from_slice(&entry.body()).unwrap();
    let verifier = &request[DSSE]["verifiers"][0];
    assert_eq!(
        body,
        json!({"apiVersion": "0.0.2", "kind": "dsse", "spec": {"dsseV002": {
            "payloadHash": {"algorithm": "SHA2_256", "digest": STANDARD.encode(sha256(br#"{"_type":"x"}"#))},
            "signatures": [{"content": signed["signatures"][0]["sig"], "verifier": verifier}]
        }}})
    );
    stack.post(ENTRIES, &request).expect(409);
    let other = dsse(&Key::generate(), &signed);
    let message = stack.post(ENTRIES, &other).expect(400).json()["message"].clone();
    assert!(message.as_str().unwrap().starts_with("invalid dsse request: could not verify envelope"), "{message}");
}

#[test]
fn the_log_is_read_at_the_root_and_below_the_api() {
    let stack = Stack::start();
    let entries: Vec<Entry> = (0..3).map(|_| new_entry(&stack)).collect();
    let key = rekor_v2::key(&stack);
    for prefix in ["", "/api/v2"] {
        let note = stack.get(&format!("{prefix}/checkpoint")).expect(200);
        assert_eq!(note.header("content-type"), Some("text/plain; charset=utf-8"));
        let head = Checkpoint::open(&note.text(), &key);
        assert_eq!((head.origin.as_str(), head.size), ("127.0.0.1", 4));
        let logged = leaves(head.size, |path| stack.get(&format!("{prefix}/{path}")).expect(200).body);
        for entry in &entries {
            assert_eq!(logged[usize::try_from(entry.log_index()).unwrap()], entry.body());
        }
        let hashes: Vec<tree::Hash> = logged.iter().map(|leaf| tree::leaf_hash(leaf)).collect();
        assert_eq!(tree::root(&hashes), head.root);
        assert_eq!(stack.get(&format!("{prefix}/tile/0/000.p/4")).expect(200).body, hashes.as_flattened());
        stack.get(&format!("{prefix}/tile/0/000")).expect(404);
    }
    assert_ne!(key.id(), PublicKey::from_pem(&std::fs::read_to_string(stack.trust("rekor.pub")).unwrap()).id());
}

#[test]
fn a_frozen_log_sends_clients_to_another() {
    let mut stack = Stack::start();
    let entry = new_entry(&stack);
    stack.terminate();
    stack.options(&["--rekor-v2-frozen"]);
    stack.resume();
    let answer = stack.post(ENTRIES, &hashedrekord(&Key::generate(), b"artifact")).expect(405);
    assert_eq!(answer.text(), "This log has been frozen, please switch to the latest log.\n");
    stack.get("/readyz").expect(200);
    let head = Checkpoint::open(&stack.get("/api/v2/checkpoint").expect(200).text(), &rekor_v2::key(&stack));
    assert_eq!(head.size, entry.log_index() + 1);
    let told = grpc(&stack, &hashedrekord(&Key::generate(), b"artifact"));
    assert_eq!((&told["entryRefused"]["code"], &told["entryRefused"]["message"]), (&json!(12), &json!("log frozen")));
    stack
        .post(chancery_tests::rekor::ENTRIES, &chancery_tests::rekor::hashedrekord(&Key::generate(), b"a"))
        .expect(201);
}

#[test]
fn methods_and_paths() {
    let stack = Stack::start();
    let get = stack.get(ENTRIES);
    get.expect_json(501, &json!({"code": 12, "message": "Method Not Allowed", "details": []}));
    stack.get("/api/v2/log").expect(404);
    let slashes = Request::post(&stack.at("//api/v2/log/entries")).json(&hashedrekord(&Key::generate(), b"artifact"));
    slashes.send().expect(201);
    let foreign = Request::post(&stack.at(ENTRIES)).header("Origin", "https://example.test").json(&json!({})).send();
    assert_eq!(foreign.expect(403).header("access-control-allow-origin"), None);
}

/// What upstream's gRPC client was told.
fn grpc(stack: &Stack, request: &Value) -> Value {
    let alice = stack.person(ALICE);
    let file = alice.write("request.json", request.to_string());
    serde_json::from_str(&alice.rekor_grpc().arg(file).run().succeeds()).unwrap()
}

#[test]
fn upstreams_own_client_gets_the_same_answers_over_grpc() {
    let stack = Stack::start();
    let request = hashedrekord(&Key::generate(), b"artifact");
    let told = grpc(&stack, &request);
    let entry = Entry(told["entry"].clone());
    entry.verify(&rekor_v2::key(&stack));
    assert_eq!(String::from_utf8(entry.body()).unwrap(), leaf(&request));
    assert_eq!(told["health"], json!({"status": "SERVING"}));
    assert_eq!(told["tileRefused"]["code"], 12);
    assert_eq!(told["logIndex"], Value::Null);

    let told = grpc(&stack, &request);
    assert_eq!((&told["entryRefused"]["code"], &told["logIndex"]), (&json!(6), &json!(["1"])));
    let details = told["entryRefused"]["details"].as_array().unwrap();
    let mut existing = details.last().unwrap().clone();
    existing.as_object_mut().unwrap().remove("@type");
    Entry(existing.clone()).verify(&rekor_v2::key(&stack));
    assert_eq!(existing["canonicalizedBody"], entry.0["canonicalizedBody"]);

    let mut forged = request.clone();
    forged[HASHEDREKORD]["digest"] = STANDARD.encode(sha256(b"another")).into();
    let refused = &grpc(&stack, &forged)["entryRefused"];
    assert_eq!((&refused["code"], &refused["details"][0]["reason"]), (&json!(3), &json!("entry.signature")));
    assert!(refused["message"].as_str().unwrap().starts_with("invalid hashedrekord request: verifying signature"));
    let nothing = &grpc(&stack, &json!({}))["entryRefused"];
    assert_eq!(nothing["message"], "invalid type, must be hashedrekord");
}
