//! Web pages of other origins: what every page may read, what only configured ones may, and what they cannot do.

use chancery_tests::{
    ALICE, Stack, fulcio,
    http::{Request, Response},
    key::{Key, unique},
    rekor::{self, hashedrekord},
    rekor_v2,
    stack::free_port,
    witness::{Witness, log_key},
};
use serde_json::json;

const SEARCH: &str = "https://search.example.test";
const STRANGER: &str = "https://stranger.example.test";
const ALLOWED: &str = "access-control-allow-origin";

/// As a browser sends it for a page.
fn from(origin: &str, request: Request) -> Response {
    request.header("Origin", origin).header("Sec-Fetch-Site", "cross-site").send()
}

#[test]
fn every_page_may_read_checkpoints_tiles_and_what_clients_trust_and_nothing_else() {
    let stack = Stack::start_with(&["--origin", SEARCH]);
    stack.post(rekor::ENTRIES, &hashedrekord(&Key::generate(), b"artifact")).expect(201);
    let read = |origin: &str, path: &str| from(origin, Request::get(&stack.at(path)));
    for (status, path) in [
        (200, "/checkpoint"),
        (200, "/api/v2/checkpoint"),
        (200, "/tlog/rekor/checkpoint"),
        (200, "/tlog/rekor/tile/0/000.p/2"),
        (404, "/tile/0/009"),
        (200, "/ct/dev/checkpoint"),
        (200, "/ct/dev/ct/v1/get-sth"),
        (200, "/ct/dev/ct/v1/get-roots"),
        (200, "/api/v1/log"),
        (200, "/api/v1/log/publicKey"),
        (200, "/api/v1/log/proof?lastSize=1"),
        (200, "/trust/trusted_root.json"),
        (200, "/tuf/root.json"),
        // From which a client learns that it has the newest root.
        (404, "/tuf/2.root.json"),
        (200, "/api/v2/trustBundle"),
        (200, "/api/v1/rootCert"),
        (200, "/api/v1/timestamp/certchain"),
    ] {
        assert_eq!(read(STRANGER, path).expect(status).header(ALLOWED), Some("*"), "{path}");
    }
    for path in [
        "/api/v1/log/entries?logIndex=0",
        "/tlog/rekor/tile/entries/000.p/2",
        "/api/search",
        "/api/certificates",
        "/api/artifacts/sha256:00",
        "/api/v2/configuration",
        "/readyz",
        "/healthz",
        "/",
        "/oidc/.well-known/openid-configuration",
        "/nothing",
    ] {
        // A program that is no browser reads it as ever.
        let status = stack.get(path).status;
        let answer = read(STRANGER, path).expect(status);
        assert_eq!((answer.header(ALLOWED), answer.header("vary")), (None, Some("origin")), "{path}");
        assert_eq!(read(SEARCH, path).expect(status).header(ALLOWED), Some(SEARCH), "{path}");
    }
}

#[test]
fn a_page_of_another_origin_writes_nothing_however_it_asks() {
    let stack = Stack::start_with(&["--origin", SEARCH]);
    let entry = || hashedrekord(&Key::generate(), unique("artifact").as_bytes());
    let post = |path: &str, body: &serde_json::Value| Request::post(&stack.at(path)).json(body);
    let size = || stack.get("/api/v1/log").expect(200).json()["treeSize"].as_u64().unwrap();
    let before = size();
    // Without a preflight: a browser sends plain text for any page.
    let plain = Request::post(&stack.at(rekor::ENTRIES)).body("text/plain", entry().to_string());
    from(STRANGER, plain).expect(403);
    for path in [
        rekor::ENTRIES,
        rekor_v2::ENTRIES,
        fulcio::SIGNING_CERT_V2,
        "/ct/dev/ct/v1/add-chain",
        "/api/v1/timestamp",
        "/api/v1/log/entries/retrieve",
        "/nothing",
    ] {
        let refused = from(STRANGER, post(path, &json!({}))).expect(403);
        assert_eq!(refused.header(ALLOWED), None, "{path}");
        assert!(refused.text().contains("[listen] origins"), "{path}: {}", refused.text());
        // An older browser says less.
        post(path, &json!({})).header("Origin", STRANGER).send().expect(403);
        post(path, &json!({})).header("Origin", "null").send().expect(403);
        let preflight = Request::new("OPTIONS", &stack.url(), path).header("Access-Control-Request-Method", "POST");
        assert_eq!(from(STRANGER, preflight.clone()).expect(403).header(ALLOWED), None, "{path}");
        let permitted = from(SEARCH, preflight).expect(204);
        assert_eq!(permitted.header(ALLOWED), Some(SEARCH), "{path}");
        assert!(permitted.header("access-control-allow-methods").unwrap().contains("POST"), "{path}");
    }
    assert_eq!(size(), before);
    let written = from(SEARCH, post(rekor::ENTRIES, &entry())).expect(201);
    assert_eq!(written.header(ALLOWED), Some(SEARCH));
    // A page of the server itself, and what is no browser.
    post(rekor::ENTRIES, &entry()).header("Origin", &stack.url()).send().expect(201);
    stack.post(rekor::ENTRIES, &entry()).expect(201);
    assert_eq!(size(), before + 3);
}

#[test]
fn without_the_option_no_origin_writes() {
    let stack = Stack::start();
    let request = fulcio::key_request_with_token(&Key::generate(), ALICE, &stack.token(ALICE));
    let post = Request::post(&stack.at(fulcio::SIGNING_CERT_V2)).json(&request);
    from(SEARCH, post.clone()).expect(403);
    post.send().expect(200);
    let answer = from(SEARCH, Request::get(&stack.at("/api/v1/log/entries?logIndex=0"))).expect(200);
    assert_eq!((answer.header(ALLOWED), answer.header("vary")), (None, None));
    stack.dev_command().args("--origin *").run().fails_with(&["--origin", "https://HOST"]);
    let address = format!("127.0.0.1:{}", free_port());
    stack.chancery().args("dev --origin https://a.example/ --listen").arg(address).run().fails_with(&["slash"]);
}

#[test]
fn a_witness_signs_nothing_for_a_page() {
    let stack = Stack::start();
    let witness = Witness::start("witness.example/origins", &[&log_key(&stack, "rekor2")]);
    let add = Request::post(&format!("{}/add-checkpoint", witness.url())).body("text/plain", "old 0\n\n");
    from(STRANGER, add.clone()).expect(403);
    // Another answer than to the page: it witnesses no such log.
    add.send().expect(404);
}
