//! `/openapi.json` is valid and promises what is answered: to requests that are right, to those that are wrong, and to those
//! that are too large.

use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_tests::{
    ALICE, Stack,
    fulcio::{self, SIGNING_CERT_V2, key_request_with_token, v1_request},
    http::{Request, Response},
    key::{Key, sha256},
    openapi::{Description, Operation, reference},
    person::client,
    program::Program,
    rekor, rekor_v2,
    stack::free_port,
    witness::{Witness, log_key},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};
use tempfile::TempDir;

/// Larger bodies are not sent here: other tests do.
const LARGEST_SENT: usize = 4 << 20;
const REDIRECT: &str = "http://localhost:45678/auth/callback";

#[test]
fn the_documents_are_valid() {
    let directory = TempDir::new().unwrap();
    let stack = Stack::start();
    let served = |path| stack.get(path).expect(200).text();
    for (name, text, version) in [
        ("server", reference("openapi"), "3.1"),
        ("witness", reference("openapi-witness"), "3.1"),
        ("dev", served("/openapi.json"), "3.1"),
        ("swagger", served("/swagger.json"), "2.0"),
    ] {
        let file = directory.path().join(name);
        fs::write(&file, text).unwrap();
        let validator = Program::new(client("linters/bin/openapi-spec-validator"), directory.path());
        let validator = validator.args("--validation-errors all --schema").arg(version);
        let said = validator.arg(&file).run().succeeds();
        assert!(said.contains("OK"), "{name}: {said}");
    }
}

/// Clients and scripts of Rekor and of the timestamp authority know their services by Swagger 2.0.
#[test]
fn swagger_describes_what_upstream_describes_in_it() {
    let stack = Stack::start();
    let answer = stack.get("/swagger.json").expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let (swagger, openapi) = (answer.json(), stack.get("/openapi.json").expect(200).json());
    assert_eq!((&swagger["swagger"], &swagger["basePath"]), (&json!("2.0"), &json!("/")));
    for (path, method, operation) in [
        ("/api/v1/log", "get", "getLogInfo"),
        ("/api/v1/log/publicKey", "get", "getPublicKey"),
        ("/api/v1/log/proof", "get", "getLogProof"),
        ("/api/v1/log/entries", "get", "getLogEntryByIndex"),
        ("/api/v1/log/entries", "post", "createLogEntry"),
        ("/api/v1/log/entries/{entryUUID}", "get", "getLogEntryByUUID"),
        ("/api/v1/log/entries/retrieve", "post", "searchLogQuery"),
        ("/api/v1/timestamp", "post", "getTimestampResponse"),
        ("/api/v1/timestamp/certchain", "get", "getTimestampCertChain"),
    ] {
        assert_eq!(swagger["paths"][path][method]["operationId"], operation, "{method} {path}");
        let statuses = |document: &Value| -> BTreeSet<String> {
            document["paths"][path][method]["responses"].as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(statuses(&swagger), statuses(&openapi), "{method} {path}");
    }
    let paths: Vec<&String> = swagger["paths"].as_object().unwrap().keys().collect();
    assert!(paths.iter().all(|path| !path.starts_with("/api/v2/") && !path.starts_with("/oidc/")), "{paths:?}");
}

/// A server, and what a request to it needs.
struct Scene {
    stack: Stack,
    metrics: String,
    /// Of a certificate that is logged, leaf first, in base64.
    chain: Vec<String>,
}

impl Scene {
    fn start() -> Self {
        let metrics = format!("127.0.0.1:{}", free_port());
        let stack = Stack::start_with(&["--metrics", &metrics]);
        let request = key_request_with_token(&Key::generate(), ALICE, &stack.token(ALICE));
        let chain = fulcio::chain(&stack.post(SIGNING_CERT_V2, &request).expect(200).json());
        let der = |pem: &String| pem.lines().filter(|line| !line.starts_with('-')).collect();
        Self { chain: chain.iter().map(der).collect(), stack, metrics: format!("http://{metrics}") }
    }

    fn description(&self) -> Description {
        Description(self.stack.get("/openapi.json").expect(200).json())
    }

    fn json(&self, path: &str) -> Value {
        self.stack.get(path).expect(200).json()
    }

    /// The path of the first tile of hashes of the log with this checkpoint.
    fn tile(&self, log: &str) -> String {
        let checkpoint = self.stack.get(&format!("{log}/checkpoint")).expect(200).text();
        format!("0/000.p/{}", checkpoint.lines().nth(1).unwrap())
    }

    /// An operation's path with parameters that lead somewhere.
    fn path(&self, path: &str) -> String {
        let log = path.split_once("/tile/").map_or("", |(log, _)| log);
        let log = log.replace("/ct/{shard}", "/ct/dev").replace("/tlog/{shard}", "/tlog/rekor");
        let last = if path.contains("/tile/") { self.tile(&log) } else { "timestamp.json".to_owned() };
        let id = || self.json("/api/v1/log/entries?logIndex=0").as_object().unwrap().keys().next().unwrap().clone();
        let id = if path.contains("{entryUUID}") { id() } else { String::new() };
        let issuer = hex::encode(sha256(&STANDARD.decode(&self.chain[1]).unwrap()));
        path.replace("/ct/{shard}", "/ct/dev")
            .replace("/tlog/{shard}", "/tlog/rekor")
            .replace("{path}", &last)
            .replace("{entryUUID}", &id)
            .replace("{digest}", &format!("sha256:{}", hex::encode(sha256(b"artifact"))))
            .replace("{fingerprint}", &issuer)
    }

    /// A query that is answered.
    fn query(&self, path: &str) -> String {
        match path {
            "/api/v1/log/entries" => "?logIndex=0".to_owned(),
            "/api/v1/log/proof" => "?firstSize=1&lastSize=1".to_owned(),
            "/api/search/consistency" => "?log=rekor&first=1&second=1".to_owned(),
            "/ct/{shard}/ct/v1/get-sth-consistency" => "?first=1&second=1".to_owned(),
            "/ct/{shard}/ct/v1/get-entries" => "?start=0&end=0".to_owned(),
            "/ct/{shard}/ct/v1/get-entry-and-proof" => "?leaf_index=0&tree_size=1".to_owned(),
            "/ct/{shard}/ct/v1/get-proof-by-hash" => {
                let tile = self.stack.get(&format!("/ct/dev/tile/{}", self.tile("/ct/dev"))).expect(200).body;
                format!("?tree_size=1&hash={}", STANDARD.encode(&tile[..32]).replace('+', "%2B"))
            }
            "/oidc/authorize" => {
                let fields = form().map(|(name, value)| format!("{name}={}", value.replace(':', "%3A")));
                format!("?{}", fields.join("&"))
            }
            _ => String::new(),
        }
    }

    /// A request that is answered with success.
    fn request(&self, operation: Operation<'_>) -> Request {
        let base = if operation.is_for_clients() { self.stack.url() } else { self.metrics.clone() };
        let url = format!("{base}{}{}", self.path(operation.path), self.query_of(operation));
        match operation.method {
            "get" => Request::get(&url),
            "post" => self.with_body(operation.path, Request::post(&url)),
            other => panic!("no request is known for {other}"),
        }
    }

    fn query_of(&self, operation: Operation<'_>) -> String {
        if operation.method == "get" { self.query(operation.path) } else { String::new() }
    }

    fn with_body(&self, path: &str, request: Request) -> Request {
        let key = Key::generate();
        let token = || self.stack.token(ALICE);
        match path {
            "/api/v2/signingCert" => request.json(&key_request_with_token(&key, ALICE, &token())),
            "/api/v1/signingCert" => request.header("Authorization", &format!("Bearer {}", token())).json(&v1_request(
                &key,
                key.public_pem().as_bytes(),
                ALICE,
            )),
            "/api/v1/log/entries" => request.json(&rekor::hashedrekord(&key, b"artifact")),
            "/api/v1/log/entries/retrieve" => request.json(&json!({ "logIndexes": [0] })),
            "/api/v1/index/retrieve" => request.json(&json!({ "hash": hex::encode(sha256(b"artifact")) })),
            "/api/search/digests" => request.json(&json!({ "digests": [hex::encode(sha256(b"artifact"))] })),
            "/api/v2/log/entries" => request.json(&rekor_v2::hashedrekord(&key, b"artifact")),
            "/ct/{shard}/ct/v1/add-chain" => request.json(&json!({ "chain": self.chain })),
            "/ct/{shard}/ct/v1/add-pre-chain" => request.json(&json!({ "chain": self.precertificate() })),
            "/api/v1/timestamp" => request.json(
                &json!({ "artifactHash": STANDARD.encode(sha256(b"artifact")), "hashAlgorithm": "sha256", "nonce": 7 }),
            ),
            "/oidc/authorize" => request.form(form().into_iter().chain([("email", ALICE)])),
            "/oidc/device_authorization" => request.form([("client_id", "sigstore")]),
            "/oidc/device" => request.form([("user_code", &*self.device().0), ("email", ALICE)]),
            "/oidc/token" => {
                let (user_code, device_code) = self.device();
                let page = Request::post(&self.stack.at("/oidc/device"));
                page.form([("user_code", &*user_code), ("email", ALICE)]).send().expect(200);
                let grant = "urn:ietf:params:oauth:grant-type:device_code";
                request.form([("grant_type", grant), ("client_id", "sigstore"), ("device_code", &*device_code)])
            }
            "/oidc/token-for" => request.header("x-chancery-dev", "1").json(&json!({ "email": ALICE })),
            other => panic!("{other} takes a body; write here one that it takes"),
        }
    }

    /// The first precertificate in the log with its issuers: `PrecertChainEntry` of RFC 6962.
    fn precertificate(&self) -> Vec<String> {
        let entries = self.json("/ct/dev/ct/v1/get-entries?start=0&end=0");
        let extra = STANDARD.decode(entries["entries"][0]["extra_data"].as_str().unwrap()).unwrap();
        let (first, rest) = split(&extra);
        let (mut issuers, _) = split(rest);
        let mut chain = vec![STANDARD.encode(first)];
        while !issuers.is_empty() {
            let (issuer, rest) = split(issuers);
            chain.push(STANDARD.encode(issuer));
            issuers = rest;
        }
        chain
    }

    /// Codes of a sign-in that waits: for the person, for the device.
    fn device(&self) -> (String, String) {
        let started = Request::post(&self.stack.at("/oidc/device_authorization")).form([("client_id", "sigstore")]);
        let started = started.send().expect(200).json();
        let code = |name: &str| started[name].as_str().unwrap().to_owned();
        (code("user_code"), code("device_code"))
    }

    /// Requests that are refused, with what is wrong with them.
    fn wrong_requests(&self, operation: Operation<'_>) -> Vec<(&'static str, Request)> {
        let method = operation.method.to_uppercase();
        let path = self.path(operation.path);
        let at = |target: &str| Request::new(&method, &self.stack.url(), target);
        let mut requests = Vec::new();
        if operation.demands_a_query() {
            requests.push(("no query", at(&path)));
            let query = self.query(operation.path);
            let nonsense = query.split('&').map(|pair| format!("{}=nonsense", pair.split('=').next().unwrap()));
            requests.push(("a query of nonsense", at(&format!("{path}{}", nonsense.collect::<Vec<_>>().join("&")))));
            requests.push((
                "numbers below zero",
                at(&format!("{path}{}", query.replace("=0", "=-1").replace("=1", "=-1"))),
            ));
            requests
                .push(("numbers above all", at(&format!("{path}{}", query.replace("=0", "=99").replace("=1", "=99")))));
        }
        for (what, value) in [("a parameter of nonsense", "nonsense"), ("a path that is not UTF-8", "%ff")] {
            if let Some((before, name)) = operation.path.rsplit_once("/{").filter(|(_, name)| !name.contains('/')) {
                assert!(name.ends_with('}'), "{name}");
                let before = before.replace("/ct/{shard}", "/ct/dev").replace("/tlog/{shard}", "/tlog/rekor");
                requests.push((what, at(&format!("{before}/{value}"))));
            }
        }
        for (media_type, limit) in operation.bodies() {
            requests.push(("no body", at(&path)));
            requests.push(("an empty body", at(&path).body(&media_type, "")));
            requests.push(("an empty object", at(&path).body(&media_type, "{}")));
            requests.push(("a body of nonsense", at(&path).body(&media_type, "nonsense")));
            requests.push(("a body that is not UTF-8", at(&path).body(&media_type, [0xff_u8, 0xfe])));
            requests.push(("another media type", at(&path).body("application/x-nonsense", "{}")));
            let limit = limit.unwrap_or_else(|| panic!("{}: {media_type} has no limit", operation.name()));
            if limit < LARGEST_SENT {
                requests.push(("a body that is too large", at(&path).body(&media_type, vec![b' '; limit + 1])));
            }
        }
        requests
    }
}

/// Three bytes of length and what follows: the vector, and the rest.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let length = usize::try_from(u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]])).unwrap();
    bytes[3..].split_at(length)
}

/// A sign-in's parameters.
fn form() -> [(&'static str, &'static str); 5] {
    [
        ("response_type", "code"),
        ("client_id", "sigstore"),
        ("redirect_uri", REDIRECT),
        ("code_challenge", challenge()),
        ("code_challenge_method", "S256"),
    ]
}

fn challenge() -> &'static str {
    static CHALLENGE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    CHALLENGE.get_or_init(|| URL_SAFE_NO_PAD.encode(sha256(b"0123456789-0123456789-0123456789-0123456789-verifier")))
}

#[test]
fn what_is_described_is_there_and_answers_as_it_says() {
    let scene = Scene::start();
    let description = scene.description();
    let mut broken = Vec::new();
    for operation in description.operations() {
        let request = scene.request(operation);
        let answer = request.send();
        if !(200..400).contains(&answer.status) {
            broken.push(format!("{}: {} {}", operation.name(), answer.status, answer.text()));
        }
        broken.extend(broken_promise(&description, operation, "a request that is right", &answer));
        let allowed = "access-control-allow-origin";
        let said = operation.object["responses"]["200"]["headers"].get(allowed).map(|_| "*");
        if answer.header(allowed) != said {
            broken.push(format!("{}: {allowed} {:?}", operation.name(), answer.header(allowed)));
        }
        if operation.method == "post" {
            broken.extend(broken_promise(&description, operation, "the same again", &request.send()));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn what_is_wrong_is_answered_as_described() {
    let scene = Scene::start();
    let description = scene.description();
    let mut broken = Vec::new();
    for operation in description.operations().into_iter().filter(Operation::is_for_clients) {
        for (what, request) in scene.wrong_requests(operation) {
            broken.extend(broken_promise(&description, operation, what, &request.send()));
        }
        let page = scene.request(operation).header("Origin", "https://stranger.example.test").send();
        broken.extend(broken_promise(&description, operation, "a web page of another origin", &page));
        if (page.status == 403) != (operation.method == "post") {
            broken.push(format!("{}: {} for a web page of another origin", operation.name(), page.status));
        }
        let elsewhere = scene.request(operation).header("Host", "sign.example.org").send();
        broken.extend(broken_promise(&description, operation, "another host", &elsewhere));
        if elsewhere.status != 403 {
            broken.push(format!("{}: {} for another host", operation.name(), elsewhere.status));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn broken_promise(
    description: &Description,
    operation: Operation<'_>,
    what: &str,
    answer: &Response,
) -> Option<String> {
    let broken = description.broken_promise(operation, answer)?;
    Some(format!("{}, {what}: {broken}", operation.name()))
}

#[test]
fn other_methods_are_answered_as_the_group_says() {
    let scene = Scene::start();
    let description = scene.description();
    let mut methods: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in description.operations() {
        methods.entry(operation.path).or_default().insert(operation.method);
    }
    for operation in description.operations().into_iter().filter(Operation::is_for_clients) {
        let target = format!("{}{}", scene.path(operation.path), scene.query_of(operation));
        let status = |method: &str| Request::new(method, &scene.stack.url(), &target).send().status;
        let wrong = status("DELETE");
        let said = description.group(operation);
        assert!(matches!(wrong, 404 | 405 | 501) && said.contains(&wrong.to_string()), "{}: {wrong}", operation.name());
        if operation.method == "get" {
            assert_eq!(status("HEAD"), status("GET"), "{}", operation.name());
        }
        if !methods[operation.path].contains("post") {
            assert_eq!(status("POST"), wrong, "{}", operation.name());
        }
    }
}

#[test]
fn only_what_is_there_is_described() {
    let stack = Stack::start();
    let answer = stack.get("/openapi.json").expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let paths: BTreeSet<String> = answer.json()["paths"].as_object().unwrap().keys().cloned().collect();
    // No metrics, no contact; both are off.
    assert!(!paths.contains("/metrics") && !paths.contains("/.well-known/security.txt"), "{paths:?}");
    stack.get("/metrics").expect(404);
    stack.get("/.well-known/security.txt").expect(404);
    assert!(paths.contains("/api/v2/signingCert") && paths.contains("/oidc/token"), "{paths:?}");
}

#[test]
fn a_witness_describes_itself() {
    let stack = Stack::start();
    let witness = Witness::start("witness.example.org/w1", &[&log_key(&stack, "rekor2")]);
    let at = |target: &str, method: &str| Request::new(method, &witness.url(), target);
    let description = Description(at("/openapi.json", "GET").send().expect(200).json());
    let origin = "0".repeat(64);
    for operation in description.operations() {
        let method = operation.method.to_uppercase();
        let request = at(&operation.path.replace("{origin}", &origin), &method);
        let answer = if method == "POST" { request.body("text/plain", "nonsense") } else { request }.send();
        assert_eq!(description.broken_promise(operation, &answer), None, "{}", operation.name());
        // Nothing was cosigned yet.
        assert!(answer.status != 404 || answer.text().starts_with("nothing was cosigned"), "{}", operation.name());
    }
    let mut too_large = at("/add-checkpoint", "POST").body("text/plain", vec![b' '; (16 << 10) + 1]).send();
    let add = description.operations().into_iter().find(|operation| operation.path == "/add-checkpoint").unwrap();
    assert_eq!((too_large.status, description.broken_promise(add, &too_large)), (413, None));
    too_large = at("/add-checkpoint", "POST").body("text/plain", [0xff_u8]).send();
    assert_eq!((too_large.status, description.broken_promise(add, &too_large)), (400, None));
}
