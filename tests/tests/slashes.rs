//! A slash at the end of a URL, as people type it and clients append paths to it.

use chancery_tests::{
    ALICE, Client, Person, Stack,
    client::{Signer, with_signer},
    fulcio::key_request,
    http::{Request, Response},
    key::Key,
    trust_client::TrustClient,
};
use serde_json::{Value, json};
use std::fs;

const TIMESTAMP: &str = "/api/v1/timestamp";
const QUERY: &str = "application/timestamp-query";

/// `method` on a path that is sent as it is given.
fn ask(stack: &Stack, method: &str, path: &str) -> Response {
    Request::new(method, &stack.url(), path).send()
}

#[test]
fn what_a_base_url_with_a_slash_leads_to_is_what_it_leads_to_without() {
    let stack = Stack::start();
    for (typed, plain) in [
        ("//", "/"),
        ("//api/v2/trustBundle", "/api/v2/trustBundle"),
        ("//api/v1/rootCert", "/api/v1/rootCert"),
        ("//api/v1/log/publicKey", "/api/v1/log/publicKey"),
        ("//api/v1//log//publicKey/", "/api/v1/log/publicKey"),
        ("//checkpoint", "/checkpoint"),
        ("/api/v2//checkpoint", "/checkpoint"),
        ("/api/v2//tile/entries/000.p/1", "/tile/entries/000.p/1"),
        ("/tlog/rekor//checkpoint", "/tlog/rekor/checkpoint"),
        ("/tlog/rekor//tile/0/000.p/1", "/tlog/rekor/tile/0/000.p/1"),
        ("/ct/dev//ct/v1/get-roots", "/ct/dev/ct/v1/get-roots"),
        ("/ct/dev//checkpoint", "/ct/dev/checkpoint"),
        ("/tuf//timestamp.json", "/tuf/timestamp.json"),
        ("//tuf//1.root.json", "/tuf/1.root.json"),
        ("/tuf///root.json", "/tuf/root.json"),
        ("/trust//trusted_root.json", "/trust/trusted_root.json"),
        ("/api/v1/timestamp//certchain", "/api/v1/timestamp/certchain"),
        ("/api/v1//timestamp/certchain/", "/api/v1/timestamp/certchain"),
        ("/oidc//.well-known/openid-configuration", "/oidc/.well-known/openid-configuration"),
        // As a whole URL is typed.
        ("/api/v2/trustBundle/", "/api/v2/trustBundle"),
        ("/api/v2/configuration//", "/api/v2/configuration"),
        ("/api/v1/rootCert/", "/api/v1/rootCert"),
        ("/api/v1/log/publicKey//", "/api/v1/log/publicKey"),
        ("/api/v1/version/", "/api/v1/version"),
        ("/checkpoint/", "/checkpoint"),
        ("/api/v2/checkpoint/", "/checkpoint"),
        ("/tlog/rekor/checkpoint/", "/tlog/rekor/checkpoint"),
        ("/ct/dev/checkpoint//", "/ct/dev/checkpoint"),
        ("/ct/dev/ct/v1/get-roots/", "/ct/dev/ct/v1/get-roots"),
        ("/tuf/timestamp.json/", "/tuf/timestamp.json"),
        ("/trust/trusted_root.json/", "/trust/trusted_root.json"),
        ("/oidc/keys/", "/oidc/keys"),
        ("/openapi.json/", "/openapi.json"),
        ("/healthz/", "/healthz"),
        ("/robots.txt/", "/robots.txt"),
    ] {
        let (found, expected) = (ask(&stack, "GET", typed).expect(200), ask(&stack, "GET", plain).expect(200));
        // The page says what the moment is.
        assert!(found.body == expected.body || plain == "/", "{typed}");
        assert_eq!(found.header("content-type"), expected.header("content-type"), "{typed}");
    }
    // A tile has one path below its log, and so one place in a cache.
    for refused in ["/tile//entries/000.p/1", "/api/v2/tile/entries//000.p/1", "//tile/entries/000.p/1/"] {
        ask(&stack, "GET", refused).expect(400);
    }
    for unknown in ["/tuf/", "/ct/", "/checkpoint/x/", "/api/v2/nothing/"] {
        ask(&stack, "GET", unknown).expect(404);
    }
}

#[test]
fn what_is_posted_to_a_url_with_a_slash_at_its_end_arrives() {
    let stack = Stack::start();
    let request = Request::new("POST", &stack.url(), "/api/v2/signingCert/");
    let request = request.header("Authorization", &format!("Bearer {}", stack.token(ALICE)));
    request.json(&key_request(&Key::generate(), ALICE)).send().expect(200);
    // A refusal names the request, so both have one name.
    let post =
        |path: &str| Request::new("POST", &stack.url(), path).header("x-request-id", "slash").json(&json!({})).send();
    for (path, status) in [
        ("/api/v1/log/entries", 422),
        ("/api/v2/log/entries", 400),
        ("/ct/dev/ct/v1/add-chain", 400),
        // A question without a condition finds nothing.
        ("/api/v1/index/retrieve", 200),
    ] {
        let (plain, slash) = (post(path), post(&format!("{path}/")));
        assert_eq!(plain.status, status, "{path}");
        assert_eq!((slash.status, slash.body), (plain.status, plain.body), "{path}");
    }
}

#[test]
fn timestamps_are_made_at_every_spelling_of_the_url() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    alice.openssl().args("ts -query -data artifact -out query.tsq -sha256 -cert").run().succeeds();
    for path in ["/api/v1/timestamp/", "//api/v1/timestamp", "//api//v1//timestamp//"] {
        let request = Request::new("POST", &stack.url(), path).body(QUERY, alice.read("query.tsq"));
        let response = request.send().expect(200);
        assert_eq!(response.header("content-type"), Some("application/timestamp-reply"), "{path}");
        alice.write("reply.tsr", &response.body);
        let verify = alice.openssl().args("ts -verify -in reply.tsr -queryfile query.tsq -CAfile");
        verify.arg(alice.trust("tsa-chain.pem")).run().succeeds();
        assert_eq!(ask(&stack, "GET", path).expect(405).header("allow"), Some("POST"), "{path}");
    }
}

#[test]
fn cosign_takes_urls_with_a_slash() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let base = stack.at("/");
    let sign = alice.cosign2().args("sign-blob --yes --identity-token").arg(alice.token());
    let sign = sign.arg("--fulcio-url").arg(&base).arg("--rekor-url").arg(&base);
    let sign = sign.arg("--timestamp-server-url").arg(format!("{}/", stack.at(TIMESTAMP)));
    sign.args("--rfc3161-timestamp stamp.json --bundle bundle.json artifact").run().succeeds();
    let verify = alice.cosign2().args("verify-blob --bundle bundle.json --rfc3161-timestamp stamp.json --rekor-url");
    let verify = verify.arg(&base).arg("--timestamp-certificate-chain").arg(alice.trust("tsa-chain.pem"));
    with_signer(verify.args("--use-signed-timestamps"), &Signer::of(&alice)).arg("artifact").run().succeeds();
}

#[test]
fn a_tuf_mirror_with_a_slash_is_the_same_mirror() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let root = alice.write("root.json", stack.get("/tuf/root.json").expect(200).body);
    for client in [TrustClient::Cosign3, TrustClient::Cosign2, TrustClient::Cosign25] {
        let initialize = client.program(&alice).args("initialize --mirror").arg(stack.at("/tuf/"));
        initialize.arg("--root").arg(&root).run().succeeds();
        client.signs_and_verifies(&alice, "slash");
    }
}

/// The document with a slash at the end of every URL of a service in `config`.
fn with_slashes(mut config: Value) -> Value {
    for list in ["caUrls", "rekorTlogUrls", "tsaUrls"] {
        for service in config[list].as_array_mut().unwrap() {
            service["url"] = format!("{}/", service["url"].as_str().unwrap()).into();
        }
    }
    config
}

#[test]
fn a_signing_configuration_may_have_slashes() {
    let stack = Stack::start();
    let typed = tempfile::tempdir().unwrap();
    for (name, contents) in stack.trust_files() {
        fs::write(typed.path().join(name), contents).unwrap();
    }
    let read = |name: &str| serde_json::from_slice::<Value>(&fs::read(stack.trust(name)).unwrap()).unwrap();
    let config = with_slashes(read("signing_config.json"));
    let mut both = read("client_trust_config.json");
    both["signingConfig"] = config.clone();
    for (name, document) in [("signing_config.json", config), ("client_trust_config.json", both)] {
        fs::write(typed.path().join(name), document.to_string()).unwrap();
    }
    let alice = Person::at(&stack.url(), typed.path().to_owned(), ALICE);
    alice.write("artifact", "hello");
    for client in [Client::Cosign3, Client::SigstorePython] {
        client.sign(&alice, "artifact", "bundle.json").run().succeeds();
        for verifier in Client::ALL {
            verifier.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().succeeds();
        }
    }
}
