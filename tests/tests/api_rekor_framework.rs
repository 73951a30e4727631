//! What Rekor v1's clients and Rekor's own tests expect of the server around the log: how JSON ends, which requests are no
//! requests, in which words they are refused, and the paths beside the log's.

use chancery_tests::{
    Stack,
    http::{Request, Response},
    key::Key,
    rekor::{ENTRIES, Entry, dsse, envelope, hashedrekord, intoto_v001},
    stack::free_port,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const RETRIEVE: &str = "/api/v1/log/entries/retrieve";
const PUBLIC_KEY: &str = "/api/v1/log/publicKey";
const ID: &str = "^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$";

#[track_caller]
fn error(answer: Response, status: u16, code: u16, message: &str) {
    answer.expect_json(status, &json!({"code": code, "message": message}));
}

fn new_entry(stack: &Stack) -> Entry {
    Entry::parse(&stack.post(ENTRIES, &hashedrekord(&Key::generate(), b"artifact")).expect(201).json())
}

fn envelope_by(key: &Key) -> String {
    envelope(key, "application/vnd.in-toto+json", b"{}").to_string()
}

/// `value` without the member `name` of the object at `parent`.
fn without(value: &Value, parent: &str, name: &str) -> Value {
    let mut changed = value.clone();
    changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    changed
}

fn accepting(stack: &Stack, accept: &str, path: &str) -> Response {
    Request::get(&stack.at(path)).header("Accept", accept).send()
}

/// sigstore-rs reads an entry without a JSON parser's help: 83 bytes of id, and all but the last two.
fn as_sigstore_rs_reads_it(answer: &str) -> Value {
    let read = format!("{{\"uuid\":{},{}", &answer[1..83], &answer[85..answer.len() - 2]);
    serde_json::from_str(&read).unwrap_or_else(|error| panic!("{error}: {read}"))
}

#[test]
fn json_ends_with_one_line_break_and_has_no_escapes_for_html() {
    let stack = Stack::start();
    let proposal = hashedrekord(&Key::generate(), b"artifact");
    let created = stack.post(ENTRIES, &proposal).expect(201);
    let entry = Entry::parse(&created.json());
    let read = stack.get(&format!("{ENTRIES}/{}", entry.id)).expect(200);
    for answer in [&created, &read] {
        assert_eq!(as_sigstore_rs_reads_it(&answer.text())["logIndex"], entry.log_index());
    }
    let mut html = proposal.clone();
    html["kind"] = json!("<a>&\u{2028}");
    let refused = stack.post(ENTRIES, &html).expect(422);
    assert!(refused.text().contains(r#"\"<a>&"#), "{}", refused.text());
    let get = |path: &str| stack.get(path);
    let put = |path: &str| Request::new("PUT", &stack.url(), path).send();
    for (status, answer) in [
        (201, created),
        (200, read),
        (422, refused),
        (409, stack.post(ENTRIES, &proposal)),
        (400, stack.post(ENTRIES, &without(&proposal, "/spec", "data"))),
        (415, Request::post(&stack.at(ENTRIES)).body("text/plain", proposal.to_string()).send()),
        (405, put(ENTRIES)),
        (200, get("/api/v1/log/entries?logIndex=0")),
        (422, get(ENTRIES)),
        (422, get("/api/v1/log/entries/none")),
        (200, stack.post(RETRIEVE, &json!({"logIndexes": [0]}))),
        (200, stack.post(RETRIEVE, &json!({"logIndexes": [99]}))),
        (422, stack.post(RETRIEVE, &json!({"logIndexes": [-1]}))),
        (200, get("/api/v1/log")),
        (200, get("/api/v1/log/proof?lastSize=1")),
        (400, get("/api/v1/log/proof?lastSize=99")),
        (200, accepting(&stack, "application/json", PUBLIC_KEY)),
        (406, accepting(&stack, "text/html", PUBLIC_KEY)),
        (404, get("/api/v1/log/nothing")),
        (200, get("/api/v1/version")),
    ] {
        let answer = answer.expect(status);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
        let text = answer.text();
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
    }
    let key = get(PUBLIC_KEY).expect(200);
    assert_eq!(key.text(), std::fs::read_to_string(stack.trust("rekor.pub")).unwrap(), "PEM is as it is");
    // Nothing is an answer without a body, and Rekor v2 writes JSON another way.
    assert!(get(&format!("{ENTRIES}/{}", "0".repeat(64))).expect(404).body.is_empty());
    assert!(!stack.post("/api/v2/log/entries", &json!({})).text().ends_with('\n'));
}

#[test]
fn a_tree_has_an_id_of_63_bits_other_than_zero() {
    let stack = Stack::start();
    let entry = new_entry(&stack);
    let leaf = &entry.id[16..];
    let get = |tree: &str| stack.get(&format!("{ENTRIES}/{tree}{leaf}"));
    let retrieve = |tree: &str| stack.post(RETRIEVE, &json!({"entryUUIDs": [format!("{tree}{leaf}")]}));
    for (tree, shown) in [
        ("0000000000000000", "0"),
        ("8000000000000000", "8000000000000000"),
        ("ffffffffffffffff", "ffffffffffffffff"),
        ("FFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFF"),
    ] {
        error(get(tree), 400, 400, &format!("validation error: {shown} is not a valid TreeID"));
        error(retrieve(tree), 400, 400, &format!("invalid entryID {tree}{leaf}"));
    }
    // A tree may have it, and this log has none with it.
    for tree in ["0000000000000001", "7fffffffffffffff"] {
        assert!(get(tree).expect(404).body.is_empty());
        assert_eq!(retrieve(tree).expect(200).json(), json!([]));
    }
    assert_eq!(retrieve(&entry.id[..16]).expect(200).json().as_array().unwrap().len(), 1);
}

#[test]
fn what_a_query_may_ask_for() {
    let stack = Stack::start();
    let id = new_entry(&stack).id;
    let retrieve = |body: Value| stack.post(RETRIEVE, &body);
    for body in [json!({"entryUUIDs": [id, "abc"]}), json!({"entryUUIDs": [id, "x".repeat(64)]})] {
        error(retrieve(body), 422, 605, &format!("entryUUIDs.1 in body should match '{ID}'"));
    }
    let below = "logIndexes.0 in body should be greater than or equal to 0";
    error(retrieve(json!({"logIndexes": [-1]})), 422, 609, below);
    for name in ["entries", "entryUUIDs", "logIndexes"] {
        error(retrieve(json!({name: []})), 422, 612, &format!("{name} in body should have at least 1 items"));
        let many = vec![if name == "logIndexes" { json!(0) } else { json!(id) }; 11];
        error(retrieve(json!({name: many})), 422, 611, &format!("{name} in body should have at most 10 items"));
        assert_eq!(retrieve(json!({name: null})).expect(200).json(), json!([]));
    }
    for body in ["{", "[]", "[null,[0],null]", "{\"logIndexes\":{}}", "{\"entries\":[1]}", "{\"entries\":[[]]}"] {
        let answer = Request::post(&stack.at(RETRIEVE)).body("application/json", body).send().expect(400).json();
        assert!(
            answer["message"].as_str().unwrap().starts_with("parsing entry body from \"\" failed, because "),
            "{answer}"
        );
    }
    for body in ["", " \n"] {
        let answer = Request::post(&stack.at(RETRIEVE)).body("application/json", body).send();
        error(answer, 422, 602, "entry in body is required");
    }
}

/// An entry in a query is checked as one that is proposed. Its faults are said without the words about processing.
#[test]
fn entries_in_a_query_are_checked() {
    let stack = Stack::start();
    let key = Key::generate();
    let good = hashedrekord(&key, b"artifact");
    let retrieve = |entry: &Value| stack.post(RETRIEVE, &json!({"entries": [good, entry]}));
    let with = |pointer: &str, value: Value| {
        let mut entry = good.clone();
        *entry.pointer_mut(pointer).unwrap() = value;
        retrieve(&entry)
    };
    error(retrieve(&without(&good, "", "spec")), 422, 602, "entries.1.spec in body is required");
    error(with("/spec", Value::Null), 422, 602, "entries.1.spec in body is required");
    error(retrieve(&without(&good, "", "apiVersion")), 422, 602, "entries.1.apiVersion in body is required");
    let version = with("/apiVersion", json!("1")).expect(422).json();
    assert_eq!(version["code"], 605);
    assert!(version["message"].as_str().unwrap().starts_with("entries.1.apiVersion in body should match '^"));
    // Upstream looks at the kind while it reads the JSON.
    let parsing = "parsing entry body from \"\" failed, because";
    error(retrieve(&without(&good, "", "kind")), 400, 400, &format!("{parsing} kind in body is required"));
    error(with("/kind", json!("foo")), 400, 400, &format!("{parsing} invalid kind value: \"foo\""));
    let list = "validation failure list:\n";
    error(retrieve(&without(&good, "/spec", "data")), 400, 400, &format!("{list}data in body is required"));
    error(retrieve(&without(&good, "/spec/signature", "publicKey")), 400, 400, "missing public key");
    let forged = with("/spec/data/hash/value", json!("0".repeat(64))).expect(400).json();
    assert!(forged["message"].as_str().unwrap().starts_with("verifying signature: "), "{forged}");
    let unsupported = "entry kind 'hashedrekord' does not support inserting entries of version '0.0.9'";
    error(with("/apiVersion", json!("0.0.9")), 400, 400, unsupported);
}

#[test]
fn an_envelope_is_refused_in_the_words_that_clients_match() {
    let stack = Stack::start();
    let key = Key::generate();
    let proposal = dsse(&key, &envelope_by(&key));
    let entry = Entry::parse(&stack.post(ENTRIES, &proposal).expect(201).json());
    let logged: Value = serde_json::from_slice(&entry.body()).unwrap();
    let refused = |proposal: &Value, reason: &str| {
        error(stack.post(ENTRIES, proposal), 400, 400, &format!("error processing entry: {reason}"));
    };
    refused(&logged, "entry not insertable into log: missing proposed content");
    let found = stack.post(RETRIEVE, &json!({"entries": [logged]})).expect(200).json();
    assert_eq!(Entry::parse(&found[0]).id, entry.id, "it can be asked for");
    let either = "either proposedContent or envelopeHash, payloadHash, and signatures must be present";
    refused(&json!({"kind": "dsse", "apiVersion": "0.0.1", "spec": {}}), either);
    for name in ["envelopeHash", "payloadHash", "signatures"] {
        refused(&without(&logged, "/spec", name), either);
        let mut both = proposal.clone();
        both["spec"][name] = logged["spec"][name].clone();
        refused(&both, &format!("{either} but not both"));
    }
    let content = "validation failure list:\nproposedContent.proposedContent";
    for name in ["envelope", "verifiers"] {
        refused(&without(&proposal, "/spec/proposedContent", name), &format!("{content}.{name} in body is required"));
    }
    let with = |pointer: &str, value: Value| {
        let mut changed = proposal.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let verifiers = "/spec/proposedContent/verifiers";
    refused(&with(verifiers, json!([])), &format!("{content}.verifiers in body should have at least 1 items"));
    refused(&with(verifiers, json!([null])), "an invalid null verifier was provided in ProposedContent");
    let key = "could not parse public key as x509: invalid public key: failure decoding PEM";
    refused(&with(verifiers, json!(["AAAA"])), key);
    let mut unsigned: Value = serde_json::from_str(&envelope_by(&Key::generate())).unwrap();
    unsigned["signatures"] = json!([]);
    let unsigned = with("/spec/proposedContent/envelope", json!(unsigned.to_string()));
    refused(&unsigned, "DSSE envelope must contain 1 or more signatures");
}

#[test]
fn only_a_client_that_accepts_the_answer_gets_it() {
    let stack = Stack::start();
    let entry = format!("{ENTRIES}/{}", new_entry(&stack).id);
    let json = "unsupported media type requested, only [application/json] are available";
    for path in ["/api/v1/log", "/api/v1/log/proof?lastSize=1", "/api/v1/log/entries?logIndex=0", &entry] {
        for accept in ["application/json", "*/*", "application/*", "text/html, */*;q=0.1"] {
            accepting(&stack, accept, path).expect(200);
        }
        for accept in ["text/html", "application/x-pem-file", "application/json;q=0"] {
            error(accepting(&stack, accept, path), 406, 406, json);
        }
    }
    let both = "unsupported media type requested, only [application/x-pem-file application/json] are available";
    error(accepting(&stack, "text/html", PUBLIC_KEY), 406, 406, both);
    let preferred = accepting(&stack, "application/x-pem-file;q=0.5, application/json", PUBLIC_KEY).expect(200);
    assert_eq!(preferred.header("content-type"), Some("application/json"));
}

#[test]
fn paths_and_parameters_that_there_are_not() {
    let stack = Stack::start();
    for path in ["/api/v1/log/nothing", "/api/v1/log/entries/retrieve/more", "/api/v1/log/publicKey/more"] {
        for method in ["GET", "POST"] {
            let answer = Request::new(method, &stack.url(), path).send();
            error(answer, 404, 404, &format!("path {path} was not found"));
        }
    }
    // To GET, it is an id.
    for path in [RETRIEVE, "/api/v1/log/entries/retrieve/", "/api/v1/log/entries/none"] {
        error(stack.get(path), 422, 605, &format!("entryUUID in path should match '{ID}'"));
    }
    let put = Request::new("PUT", &stack.url(), RETRIEVE).send();
    assert_eq!(put.header("allow"), Some("GET,POST"));
    error(put, 405, 405, "method PUT is not allowed, but [GET,POST] are");
    let tree = "treeID in query should match '^[0-9]+$'";
    for path in ["/api/v1/log/publicKey?", "/api/v1/log/proof?lastSize=1&"] {
        for id in ["x", "-1", "1.0"] {
            error(stack.get(&format!("{path}treeID={id}")), 422, 605, tree);
        }
        stack.get(&format!("{path}treeID=")).expect(200);
    }
    let large = "9".repeat(20);
    error(stack.get(&format!("/api/v1/log/publicKey?treeID={large}")), 400, 400, "Bad Request");
    let proof = stack.get(&format!("/api/v1/log/proof?lastSize=1&treeID={large}"));
    error(proof, 400, 400, &format!("invalid tree ID specified: {large}"));
    // An empty parameter is a missing one.
    error(stack.get("/api/v1/log/entries?logIndex="), 422, 602, "logIndex in query is required");
    error(stack.get("/api/v1/log/proof?lastSize="), 422, 602, "lastSize in query is required");
    stack.get("/api/v1/log/proof?firstSize=&lastSize=1").expect(200);
    // What is no body is said before what is no JSON.
    for body in ["", " \n\t"] {
        let answer = Request::post(&stack.at(ENTRIES)).body("text/plain", body).send();
        error(answer, 422, 602, "proposedEntry in body is required");
    }
}

#[test]
fn probes_and_old_clients_find_what_they_ask_for() {
    let stack = Stack::start();
    let ping = stack.get("/ping").expect(200);
    assert_eq!((ping.header("content-type"), &*ping.body), (Some("text/plain"), &b"."[..]));
    let head = Request::new("HEAD", &stack.url(), "/ping").send().expect(200);
    assert_eq!((head.header("content-type"), head.body.len()), (Some("text/plain"), 0));
    for path in ["/api/v1/version", "/api/v1/version/"] {
        let version = stack.get(path).expect(200).json();
        let members: Vec<&str> = version.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["builddate", "commit", "treestate", "version"], "rekor-cli before 0.12 requires them");
        assert_eq!(version["version"], stack.get("/openapi.json").expect(200).json()["info"]["version"]);
    }
    let page = accepting(&stack, "text/html,application/xhtml+xml,*/*;q=0.8", "/").expect(200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"), "the root stays the console");
}

/// The samples whose names begin with `rekor_`, by name and labels.
fn samples(metrics: &str) -> BTreeMap<String, f64> {
    let text = Request::get(&format!("http://{metrics}/metrics")).send().expect(200).text();
    let lines = text.lines().filter(|line| line.starts_with("rekor_")).map(|line| line.rsplit_once(' ').unwrap());
    lines.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

#[test]
fn requests_are_counted_under_rekor_s_names_by_their_route() {
    let metrics = format!("127.0.0.1:{}", free_port());
    let stack = Stack::start_with(&["--metrics", &metrics]);
    let key = Key::generate();
    let before = samples(&metrics);
    let id = new_entry(&stack).id;
    for path in [id.clone(), id[16..].to_owned(), "0".repeat(64), format!("{id}/")] {
        stack.get(&format!("{ENTRIES}/{path}"));
    }
    stack.post(ENTRIES, &without(&hashedrekord(&key, b""), "", "spec")).expect(422);
    stack.post(ENTRIES, &intoto_v001(&key, &envelope_by(&key))).expect(201);
    stack.get("/api/v1/log/").expect(200);
    // None of these is a request that the API has.
    Request::new("PUT", &stack.url(), ENTRIES).send().expect(405);
    Request::new("HEAD", &stack.url(), "/api/v1/log").send().expect(200);
    stack.get("/api/v1/log/nothing").expect(404);
    let after = samples(&metrics);
    let grown =
        |name: &str| after.get(name).unwrap_or_else(|| panic!("{name}: {after:#?}")) - before.get(name).unwrap_or(&0.0);
    let entry = "/api/v1/log/entries/{entryUUID}";
    for (count, method, code, path) in [
        (2.0, "POST", 201, ENTRIES),
        (1.0, "POST", 422, ENTRIES),
        (3.0, "GET", 200, entry),
        (1.0, "GET", 404, entry),
        (1.0, "GET", 200, "/api/v1/log"),
    ] {
        let name = format!("rekor_qps_by_api{{code=\"{code}\",method=\"{method}\",path=\"{path}\"}}");
        assert!((grown(&name) - count).abs() < f64::EPSILON, "{name}: {after:#?}");
        let name = format!("rekor_api_latency_summary_count{{code=\"{code}\",path=\"{path}\"}}");
        assert!((grown(&name) - count).abs() < f64::EPSILON, "{name}: {after:#?}");
    }
    for (count, method, path) in [(3.0, "POST", ENTRIES), (4.0, "GET", entry), (1.0, "GET", "/api/v1/log")] {
        let name = format!("rekor_latency_by_api_count{{method=\"{method}\",path=\"{path}\"}}");
        assert!((grown(&name) - count).abs() < f64::EPSILON, "{name}: {after:#?}");
        let sum = format!("rekor_latency_by_api_sum{{method=\"{method}\",path=\"{path}\"}}");
        assert!(grown(&sum) > 1000.0, "nanoseconds: {after:#?}");
    }
    assert!(after.keys().all(|name| !name.contains(&id[16..]) && !name.contains("nothing")), "{after:#?}");
    assert!(after.keys().all(|name| !name.contains("PUT") && !name.contains("HEAD")), "{after:#?}");
}
