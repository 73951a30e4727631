//! The signature log's HTTP contract, Rekor v1, byte by byte.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    Stack,
    http::{Request, Response},
    key::{Key, PublicKey, twin, unique},
    rekor::{Checkpoint, ENTRIES, Entry, dsse, envelope, hash, hashedrekord},
    tree,
};
use serde_json::{Value, json};

fn rekor_key(stack: &Stack) -> PublicKey {
    PublicKey::from_pem(&std::fs::read_to_string(stack.trust("rekor.pub")).unwrap())
}

/// Logs an entry and checks all the answer says.
fn log(stack: &Stack, proposal: &Value) -> Entry {
    let answer = stack.post(ENTRIES, proposal).expect(201);
    let entry = Entry::parse(&answer.json());
    entry.verify(&rekor_key(stack));
    entry
}

fn new_entry(stack: &Stack) -> Entry {
    log(stack, &hashedrekord(&Key::generate(), unique("artifact").as_bytes()))
}

#[track_caller]
fn error(answer: Response, status: u16, code: u16, message: &str) {
    answer.expect_json(status, &json!({"code": code, "message": message}));
}

#[track_caller]
fn empty_404(answer: Response) {
    let answer = answer.expect(404);
    assert!(answer.body.is_empty(), "{}", answer.text());
}

/// Of every ECDSA signature anybody can make another over the same bytes (S-20). It is an entry of its own, beside the first,
/// and says nothing new: the same key, the same artifact.
#[test]
fn the_twin_of_a_signature_is_another_entry_and_no_signature_out_of_range_is_one() {
    let stack = Stack::start();
    let proposal = hashedrekord(&Key::generate(), b"artifact");
    let first = log(&stack, &proposal);
    let content =
        |proposal: &Value| STANDARD.decode(proposal["spec"]["signature"]["content"].as_str().unwrap()).unwrap();
    let with = |signature: &[u8]| {
        let mut other = proposal.clone();
        other["spec"]["signature"]["content"] = STANDARD.encode(signature).into();
        other
    };
    let other = with(&twin(&content(&proposal)));
    let second = log(&stack, &other);
    assert_ne!((&first.id, first.log_index()), (&second.id, second.log_index()));
    let mut bodies = [&first, &second].map(|entry| serde_json::from_slice::<Value>(&entry.body()).unwrap());
    for body in &mut bodies {
        body["spec"]["signature"]["content"] = Value::Null;
    }
    assert_eq!(bodies[0], bodies[1], "nothing but the signature differs");
    for entry in [&first, &second] {
        let read = Entry::parse(&stack.get(&format!("{ENTRIES}/{}", entry.id)).expect(200).json());
        assert_eq!(
            (read.body(), read.log_index()),
            (entry.body(), entry.log_index()),
            "neither took the other's place"
        );
    }
    stack.post(ENTRIES, &proposal).expect(409);
    stack.post(ENTRIES, &other).expect(409);
    let order = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let integer = |bytes: &[u8]| [&[2, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let pair = |r: &[u8], s: &[u8]| {
        let both = [integer(r), integer(s)].concat();
        [&[0x30, u8::try_from(both.len()).unwrap()], &both[..]].concat()
    };
    let n = [&[0][..], &order].concat();
    for (r, s) in [(&[0][..], &[1][..]), (&[1], &[0]), (&[0], &[0]), (&n, &[1]), (&[1], &n), (&n, &n)] {
        stack.post(ENTRIES, &with(&pair(r, s))).expect(400);
    }
}

#[test]
fn a_new_entry_is_created_once() {
    let stack = Stack::start();
    let proposal = hashedrekord(&Key::generate(), b"artifact");
    let created = stack.post(ENTRIES, &proposal).expect(201);
    let entry = Entry::parse(&created.json());
    entry.verify(&rekor_key(&stack));
    let location = format!("/api/v1/log/entries/{}", entry.id);
    assert_eq!(created.header("etag"), Some(entry.id.as_str()), "the bare id: clients use it as a map key");
    assert_eq!(created.header("location"), Some(location.as_str()));
    assert_eq!(created.header("content-type"), Some("application/json"));

    let conflict = stack.post(ENTRIES, &proposal).expect(409);
    assert_eq!(conflict.header("location"), Some(location.as_str()));
    let message = format!("an equivalent entry already exists in the transparency log with UUID {}", entry.id);
    assert_eq!(conflict.json(), json!({"code": 409, "message": message}));
    let read = Entry::parse(&stack.get(&location).expect(200).json());
    read.verify(&rekor_key(&stack));
    assert_eq!((read.body(), read.log_index()), (entry.body(), entry.log_index()));
}

#[test]
fn a_conflict_can_be_read_at_once() {
    let stack = Stack::start();
    let key = Key::generate();
    for round in 0..10 {
        let proposal = hashedrekord(&key, format!("artifact {round}").as_bytes());
        let answers: Vec<Response> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let answer = stack.post(ENTRIES, &proposal);
                        stack.get(answer.header("location").expect("a location")).expect(200);
                        answer
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    }
}

#[test]
fn bodies_are_canonical() {
    let stack = Stack::start();
    let key = Key::generate();
    let mut proposal = hashedrekord(&key, b"artifact");
    let canonical = proposal.to_string();
    // The log writes PEM anew, so a key with other line ends is the same key.
    let crlf = key.public_pem().replace('\n', "\r\n");
    proposal["spec"]["signature"]["publicKey"]["content"] =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, crlf).into();
    proposal["spec"]["unknown"] = true.into();
    let body = String::from_utf8(log(&stack, &proposal).body()).unwrap();
    assert_eq!(body, canonical, "members in order, no white space, nothing unknown");
    assert!(body.starts_with(r#"{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":"#), "{body}");
}

#[test]
fn a_dsse_entry_holds_hashes() {
    let stack = Stack::start();
    let key = Key::generate();
    let envelope = envelope(&key, "application/vnd.in-toto+json", br#"{"_type":"x"}"#);
    let signature = envelope["signatures"][0]["sig"].clone();
    let envelope = envelope.to_string();
    let entry = log(&stack, &dsse(&key, &envelope));
    let body: Value = serde_json::from_slice(&entry.body()).unwrap();
    let sha256 =
        |bytes: &[u8]| json!({"algorithm": "sha256", "value": hex::encode(chancery_tests::key::sha256(bytes))});
    assert_eq!(body["spec"]["envelopeHash"], sha256(envelope.as_bytes()));
    assert_eq!(body["spec"]["payloadHash"], sha256(br#"{"_type":"x"}"#));
    assert_eq!(body["spec"]["signatures"][0]["signature"], signature);
    stack.post(ENTRIES, &dsse(&key, &envelope)).expect(409);

    let answer = stack.post(ENTRIES, &dsse(&Key::generate(), &envelope)).expect(400).json();
    let message = answer["message"].as_str().unwrap();
    assert!(message.starts_with("error processing entry: could not verify envelope: "), "{message}");
}

#[test]
fn signatures_that_do_not_verify_are_not_logged() {
    let stack = Stack::start();
    let size = || stack.get("/api/v1/log").expect(200).json()["treeSize"].clone();
    let before = size();
    let key = Key::generate();
    let mut other_artifact = hashedrekord(&key, b"artifact");
    other_artifact["spec"]["data"] = hashedrekord(&key, b"another")["spec"]["data"].clone();
    let mut other_key = hashedrekord(&key, b"artifact");
    other_key["spec"]["signature"]["publicKey"] =
        hashedrekord(&Key::generate(), b"")["spec"]["signature"]["publicKey"].clone();
    let mut garbage = hashedrekord(&key, b"artifact");
    garbage["spec"]["signature"]["content"] = "AAAA".into();
    for proposal in [other_artifact, other_key, garbage] {
        let answer = stack.post(ENTRIES, &proposal).expect(400).json();
        assert_eq!(answer["code"], 400);
        let message = answer["message"].as_str().unwrap();
        assert!(message.starts_with("error processing entry: verifying signature: "), "{message}");
    }
    assert_eq!(size(), before);
}

#[test]
fn proposals_that_do_not_fit_the_schema() {
    let stack = Stack::start();
    let good = hashedrekord(&Key::generate(), b"artifact");
    let with = |pointer: &str, value: Value| {
        let mut proposal = good.clone();
        *proposal.pointer_mut(pointer).unwrap() = value;
        stack.post(ENTRIES, &proposal)
    };
    let without = |parent: &str, name: &str| {
        let mut proposal = good.clone();
        proposal.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        stack.post(ENTRIES, &proposal)
    };
    let empty = Request::post(&stack.at(ENTRIES)).body("application/json", "").send();
    error(empty, 422, 602, "proposedEntry in body is required");
    error(without("", "kind"), 422, 602, "kind in body is required");
    error(without("", "apiVersion"), 422, 602, "apiVersion in body is required");
    error(with("/kind", json!("foo")), 422, 422, "invalid kind value: \"foo\"");
    let version =
        "error processing entry: entry kind 'hashedrekord' does not support inserting entries of version '0.0.9'";
    error(with("/apiVersion", json!("0.0.9")), 400, 400, version);
    error(without("", "spec"), 422, 602, "spec in body is required");
    error(with("/spec", Value::Null), 422, 602, "spec in body is required");
    for version in ["", "0.0", "v0.0.1"] {
        let message = with("/apiVersion", json!(version)).expect(422).json();
        assert_eq!(message["code"], 605);
        assert!(message["message"].as_str().unwrap().starts_with("apiVersion in body should match '^"), "{message}");
    }
    // Paths are as upstream's generated code names them: with the parents again.
    let fault = |path: &str, fault: &str| format!("validation failure list:\n{path} in body {fault}");
    let required = |path: &str| fault(path, "is required");
    for (parent, name, reason) in [
        ("/spec", "signature", required("signature")),
        ("/spec/signature", "publicKey", "missing public key".to_owned()),
        ("/spec", "data", required("data")),
        ("/spec/data", "hash", required("data")),
        ("/spec/data/hash", "value", required("data.data.hash.data.hash.value")),
        ("/spec/data/hash", "algorithm", required("data.data.hash.data.hash.algorithm")),
    ] {
        error(without(parent, name), 400, 400, &format!("error processing entry: {reason}"));
    }
    let unknown = fault("data.data.hash.data.hash.algorithm", "should be one of [sha256 sha384 sha512]");
    let answer = with("/spec/data/hash/algorithm", json!("md5"));
    error(answer, 400, 400, &format!("error processing entry: {unknown}"));
    let hash = "error processing entry: invalid value for hash";
    error(with("/spec/data/hash/value", json!("abc")), 400, 400, hash);
    let malformed = Request::post(&stack.at(ENTRIES)).body("application/json", "{").send().expect(400).json();
    assert_eq!(malformed["code"], 400);
    let answer = Request::post(&stack.at(ENTRIES)).body("application/yaml", good.to_string()).send();
    let message = "unsupported media type \"application/yaml\", only [application/json] are allowed";
    error(answer, 415, 415, message);
    Request::post(&stack.at(ENTRIES)).body("application/json; charset=utf-8", good.to_string()).send().expect(201);
}

#[test]
fn entries_are_found_by_index_and_id() {
    let stack = Stack::start();
    let entries = [new_entry(&stack), new_entry(&stack), new_entry(&stack)];
    assert!(entries[0].log_index() > 0, "index 0 is the server's own: clients cannot verify an entry there");
    let zero = Entry::parse(&stack.get("/api/v1/log/entries?logIndex=0").expect(200).json());
    zero.verify(&rekor_key(&stack));
    for entry in &entries {
        for path in [
            format!("?logIndex={}", entry.log_index()),
            format!("/{}", entry.id),
            format!("/{}", &entry.id[16..]),
            format!("/{}", entry.id.to_uppercase()),
        ] {
            let read = Entry::parse(&stack.get(&format!("{ENTRIES}{path}")).expect(200).json());
            read.verify(&rekor_key(&stack));
            assert_eq!(
                (&read.id, read.body(), read.integrated_time()),
                (&entry.id, entry.body(), entry.integrated_time())
            );
            assert!(read.tree_size() >= entry.tree_size());
        }
    }
    empty_404(stack.get(&format!("{ENTRIES}?logIndex=4")));
    empty_404(stack.get(&format!("{ENTRIES}?logIndex=9223372036854775807")));
    empty_404(stack.get(&format!("{ENTRIES}/{}", "0".repeat(64))));
    empty_404(stack.get(&format!("{ENTRIES}/{}{}", "7".repeat(16), &entries[0].id[16..])));
    error(stack.get(ENTRIES), 422, 602, "logIndex in query is required");
    let pattern = "entryUUID in path should match '^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$'";
    error(stack.get(&format!("{ENTRIES}/abc")), 422, 605, pattern);
    assert_eq!(stack.get(&format!("{ENTRIES}?logIndex=-1")).expect(422).json()["code"], 609);
    assert_eq!(stack.get(&format!("{ENTRIES}?logIndex=x")).expect(422).json()["code"], 601);
}

#[test]
fn entries_are_retrieved_together() {
    let stack = Stack::start();
    let key = Key::generate();
    let proposal = hashedrekord(&key, b"artifact");
    let (proposed, other) = (log(&stack, &proposal), new_entry(&stack));
    let retrieve = |body: Value| stack.post("/api/v1/log/entries/retrieve", &body);
    let ids = |answer: Response| -> Vec<String> {
        answer.expect(200).json().as_array().unwrap().iter().map(|entry| Entry::parse(entry).id).collect()
    };
    let all = json!({"entryUUIDs": [other.id], "entries": [proposal], "logIndexes": [other.log_index()]});
    assert_eq!(ids(retrieve(all)), [&*other.id, &*proposed.id, &*other.id]);
    let slash = Request::post(&stack.at("/api/v1/log/entries/retrieve/")).json(&json!({"logIndexes": [1]})).send();
    assert_eq!(ids(slash), [&*proposed.id], "sigstore-python asks with a slash");
    assert!(ids(retrieve(json!({"logIndexes": [99], "entries": [hashedrekord(&key, b"unknown")]}))).is_empty());
    error(retrieve(json!({"logIndexes": vec![1; 11]})), 422, 611, "logIndexes in body should have at most 10 items");
    let many = json!({"logIndexes": vec![1; 6], "entryUUIDs": vec![other.id; 6]});
    error(retrieve(many), 422, 422, "more than max allowed 10 entries in request");
    let empty = Request::post(&stack.at("/api/v1/log/entries/retrieve")).body("application/json", "").send();
    error(empty, 422, 602, "entry in body is required");
}

#[test]
fn the_log_shows_its_head_and_that_it_only_grows() {
    let stack = Stack::start();
    let key = rekor_key(&stack);
    let head = || {
        let info = stack.get("/api/v1/log/").expect(200).json();
        assert_eq!(info["inactiveShards"], Value::Null);
        let checkpoint = Checkpoint::open(info["signedTreeHead"].as_str().unwrap(), &key);
        let tree_id = info["treeID"].as_str().expect("a string: it does not fit a JavaScript number");
        assert_eq!(checkpoint.origin, format!("127.0.0.1 - {tree_id}"));
        assert_eq!((checkpoint.size, checkpoint.root), (info["treeSize"].as_u64().unwrap(), hash(&info["rootHash"])));
        checkpoint
    };
    let mut heads = vec![head()];
    for _ in 0..9 {
        new_entry(&stack);
        heads.push(head());
    }
    let last = heads.last().unwrap();
    assert_eq!(last.size, heads[0].size + 9);
    for old in &heads {
        let proof =
            stack.get(&format!("/api/v1/log/proof?firstSize={}&lastSize={}", old.size, last.size)).expect(200).json();
        let hashes: Vec<tree::Hash> = proof["hashes"].as_array().unwrap().iter().map(hash).collect();
        assert!(tree::is_consistent(old.size, &old.root, last.size, &last.root, &hashes), "{} {proof}", old.size);
        assert_eq!(hash(&proof["rootHash"]), last.root);
    }
    let proof = |query: &str| stack.get(&format!("/api/v1/log/proof{query}"));
    proof("?lastSize=1").expect(200);
    error(proof(""), 422, 602, "lastSize in query is required");
    assert_eq!(proof("?lastSize=0").expect(422).json()["code"], 609);
    error(proof("?firstSize=2&lastSize=1"), 400, 400, "firstSize(2) must be less than lastSize(1)");
    let known = last.size;
    let message = format!("the tree size requested(99) was greater than what is currently observable({known})");
    error(proof("?lastSize=99"), 400, 400, &message);
    error(proof("?lastSize=1&treeID=1"), 400, 400, "no log range found for tree ID 1");
}

#[test]
fn the_public_key_is_pem_unless_json_is_wanted() {
    let stack = Stack::start();
    let pem = std::fs::read_to_string(stack.trust("rekor.pub")).unwrap();
    let ask = |accept: Option<&str>| {
        let request = Request::get(&stack.at("/api/v1/log/publicKey"));
        accept.map_or(request.clone(), |accept| request.header("Accept", accept)).send().expect(200)
    };
    for accept in [None, Some("*/*"), Some("application/x-pem-file")] {
        let answer = ask(accept);
        assert_eq!(answer.header("content-type"), Some("application/x-pem-file"), "{accept:?}");
        assert_eq!(answer.text(), pem);
    }
    assert_eq!(ask(Some("application/json")).json(), json!(pem));
    error(stack.get("/api/v1/log/publicKey?treeID=1"), 400, 400, "Bad Request");
}

#[test]
fn methods_paths_and_web_pages() {
    let stack = Stack::start();
    let put = Request::new("PUT", &stack.url(), ENTRIES).send();
    assert_eq!(put.header("allow"), Some("GET,POST"));
    error(put, 405, 405, "method PUT is not allowed, but [GET,POST] are");
    let origin = |request: Request| request.header("Origin", "https://example.test").send();
    let answer = origin(Request::get(&stack.at("/api/v1/log"))).expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    // Entries are not for every page; see `origins`.
    let preflight = Request::new("OPTIONS", &stack.url(), ENTRIES)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type");
    assert_eq!(origin(preflight).expect(403).header("access-control-allow-origin"), None);
}
