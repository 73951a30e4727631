//! Sigstore's search page (rekor-search-ui) over a private log: the requests that a browser makes for it, and what it reads of
//! the answers. The page itself needs a build with Node; its requests are those of its commit 536626e8, and of the package
//! `rekor` 0.2.0 with which it asks.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Client, Stack,
    http::{Request, Response},
    key::{Key, sha256, unique},
    rekor::{ENTRIES, Entry, dsse, envelope, hashedrekord, intoto_v001, intoto_v002},
    search::{RETRIEVE, wait},
};
use serde_json::{Value, json};

/// Where the page is.
const PAGE: &str = "https://search.example.test";
const ALLOWED: &str = "access-control-allow-origin";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Entries on a page of the list.
const PAGE_SIZE: usize = 20;

/// A browser that shows the page: it gives the page no answer that the server does not allow it.
struct Browser<'a>(&'a Stack);

impl Browser<'_> {
    fn fetch(request: Request) -> Response {
        let request = request.header("Accept", "application/json");
        let request =
            request.header("Origin", PAGE).header("Sec-Fetch-Site", "cross-site").header("Sec-Fetch-Mode", "cors");
        let answer = request.send();
        assert_eq!(answer.header(ALLOWED), Some(PAGE), "the page may not read it: {}", answer.text());
        answer
    }

    fn get(&self, path: &str) -> Response {
        Self::fetch(Request::get(&self.0.at(path)))
    }

    /// A body of JSON is announced before it is sent.
    fn post(&self, path: &str, body: &Value) -> Response {
        let preflight = Request::new("OPTIONS", &self.0.url(), path)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type")
            .header("Origin", PAGE)
            .header("Sec-Fetch-Site", "cross-site");
        let permitted = preflight.send().expect(204);
        assert_eq!(permitted.header(ALLOWED), Some(PAGE));
        let allows = |header: &str, value: &str| permitted.header(header).unwrap().split(',').any(|part| part == value);
        assert!(allows("access-control-allow-methods", "POST"));
        assert!(allows("access-control-allow-headers", "content-type"));
        Self::fetch(Request::post(&self.0.at(path)).json(body))
    }

    /// The entries of a list, as the page shows them: first the ids, sorted, then each entry of the first page of them.
    fn list(&self, query: &Value) -> Vec<Shown> {
        let answer = self.post(RETRIEVE, query).expect(200);
        let mut ids: Vec<String> = serde_json::from_value(answer.json()).unwrap();
        ids.sort();
        ids.iter().take(PAGE_SIZE).map(|id| self.entry(id)).collect()
    }

    fn entry(&self, id: &str) -> Shown {
        Shown::of(&self.get(&format!("{ENTRIES}/{id}")).expect(200))
    }

    fn by_log_index(&self, index: u64) -> Shown {
        Shown::of(&self.get(&format!("{ENTRIES}?logIndex={index}")).expect(200))
    }

    /// The page hashes what it is given as text.
    fn by_commit(&self, commit: &str) -> Vec<Shown> {
        self.list(&json!({ "hash": digest(commit.as_bytes()) }))
    }
}

/// What the page shows of an entry.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    id: String,
    kind: String,
    log_index: u64,
    /// The digest that it links to, and what is in PEM of the signer.
    digest: String,
    signer: String,
    attestation: Option<Value>,
}

impl Shown {
    #[track_caller]
    fn of(answer: &Response) -> Self {
        assert!(answer.header("content-type").unwrap().starts_with("application/json"), "{}", answer.text());
        let map = answer.json();
        let (id, value) = map.as_object().unwrap().iter().next().unwrap();
        let body: Value = serde_json::from_slice(&decoded(&value["body"])).unwrap();
        let (kind, spec) = (body["kind"].as_str().unwrap(), &body["spec"]);
        let (digest, signer) = match (kind, body["apiVersion"].as_str().unwrap()) {
            ("hashedrekord", _) => (&spec["data"]["hash"], &spec["signature"]["publicKey"]["content"]),
            ("dsse", _) => (&spec["payloadHash"], &spec["signatures"][0]["verifier"]),
            ("intoto", "0.0.1") => (&spec["content"]["payloadHash"], &spec["publicKey"]),
            ("intoto", _) => {
                let content = &spec["content"];
                assert!(!decoded(&content["envelope"]["signatures"][0]["sig"]).is_empty(), "{spec}");
                (&content["payloadHash"], &content["envelope"]["signatures"][0]["publicKey"])
            }
            other => panic!("the page has no view of {other:?}"),
        };
        assert!(value["integratedTime"].as_u64().unwrap() > 0 && value["verification"].is_object(), "{value}");
        Self {
            id: id.clone(),
            kind: kind.to_owned(),
            log_index: value["logIndex"].as_u64().unwrap(),
            digest: format!("{}:{}", digest["algorithm"].as_str().unwrap(), digest["value"].as_str().unwrap()),
            signer: String::from_utf8(decoded(signer)).unwrap(),
            attestation: attestation(value),
        }
    }
}

/// `atob` of a browser.
fn decoded(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// The page decodes what is beside an entry for as long as it is base64, three times at most, and reads it as JSON then.
fn attestation(entry: &Value) -> Option<Value> {
    let mut text = entry["attestation"]["data"].as_str()?.to_owned();
    for _ in 0..3 {
        let Ok(bytes) = STANDARD.decode(&text) else { break };
        text = String::from_utf8(bytes).unwrap();
    }
    Some(serde_json::from_str(&text).unwrap())
}

fn digest(data: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha256(data)))
}

fn log(stack: &Stack, proposal: &Value) -> Entry {
    Entry::parse(&stack.post(ENTRIES, proposal).expect(201).json())
}

#[test]
fn the_search_page_finds_and_shows_entries() {
    let stack = Stack::start_with(&["--origin", PAGE, "--rekor-v1-attestations"]);
    let (page, key) = (Browser(&stack), Key::generate());
    let logged = log(&stack, &hashedrekord(&key, b"artifact"));
    // By hash, which the page begins with its algorithm if the reader has not. By id and index, as its links have them.
    let hash = digest(b"artifact");
    let found = page.list(&json!({ "hash": hash }));
    let shown = found.first().unwrap();
    assert_eq!((found.len(), &shown.id, shown.log_index), (1, &logged.id, logged.log_index()));
    assert_eq!((shown.kind.as_str(), &shown.digest, &shown.signer), ("hashedrekord", &hash, &key.public_pem()));
    assert_eq!((&page.entry(&logged.id), &page.by_log_index(logged.log_index())), (shown, shown));
    let leaf_hash = &logged.id[16..];
    assert_eq!(page.entry(leaf_hash).log_index, shown.log_index);
    assert_eq!(page.entry(&logged.id.to_uppercase()).log_index, shown.log_index);
    assert_eq!(page.list(&json!({ "hash": format!("sha256:{}", hash["sha256:".len()..].to_uppercase()) })), found);
    assert_eq!(page.list(&json!({ "hash": digest(b"nothing") })), []);

    // By commit: gitsign logs the digest of the commit's name.
    let commit = hex::encode(&sha256(unique("commit").as_bytes())[..20]);
    let of_commit = log(&stack, &hashedrekord(&key, commit.as_bytes()));
    assert_eq!(
        page.by_commit(&commit).iter().map(|shown| shown.log_index).collect::<Vec<_>>(),
        [of_commit.log_index()]
    );

    // Attestations, with what is kept beside them.
    let statement = json!({ "_type": "https://in-toto.io/Statement/v1", "subject": [], "predicate": { "is": "kept" } });
    let envelope = envelope(&key, PAYLOAD_TYPE, statement.to_string().as_bytes());
    log(&stack, &dsse(&key, &envelope.to_string()));
    log(&stack, &intoto_v001(&key, &envelope.to_string()));
    log(&stack, &intoto_v002(&key, &envelope));
    let payload = digest(statement.to_string().as_bytes());
    let found = page.list(&json!({ "hash": payload }));
    let mut kinds: Vec<&str> = found.iter().map(|shown| shown.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["dsse", "intoto", "intoto"]);
    for shown in &found {
        assert_eq!((&shown.digest, &shown.signer), (&payload, &key.public_pem()), "{shown:?}");
        assert_eq!(shown.attestation.as_ref(), Some(&statement), "{shown:?}");
    }

    // By e-mail address, with the certificate in PEM.
    let alice = stack.person(ALICE);
    alice.write("artifact", unique("hello"));
    Client::Cosign2.sign(&alice, "artifact", "bundle.json").run().succeeds();
    wait(&stack);
    let found = page.list(&json!({ "email": ALICE }));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found.iter().all(|shown| shown.signer.starts_with("-----BEGIN CERTIFICATE-----")), "{found:?}");
}

#[test]
fn the_search_page_can_read_why_it_is_refused() {
    let stack = Stack::start_with(&["--origin", PAGE]);
    let page = Browser(&stack);
    // SHA-1 digests, which the page takes and then calls SHA-256, as with Sigstore's own log.
    let refused = page.post(RETRIEVE, &json!({ "hash": format!("sha256:{}", "ab".repeat(20)) })).expect(422).json();
    assert_eq!(refused["code"], 605, "{refused}");
    assert!(refused["message"].as_str().unwrap().starts_with("hash in body should match"), "{refused}");
    for path in [format!("{ENTRIES}/{}", "0".repeat(64)), format!("{ENTRIES}?logIndex=999")] {
        assert_eq!(page.get(&path).expect(404).text(), "", "the page says which request it was");
    }
    // Without its origin in the configuration a page can ask for nothing.
    let private = Stack::start();
    let asked = Request::get(&private.at(&format!("{ENTRIES}?logIndex=0"))).header("Origin", PAGE).send().expect(200);
    assert_eq!(asked.header(ALLOWED), None);
    let search = Request::post(&private.at(RETRIEVE)).json(&json!({ "email": ALICE })).header("Origin", PAGE).send();
    assert!(search.expect(403).text().contains("[listen] origins"));
}
