//! The certificate authority's HTTP contract, versions 1 and 2 of Fulcio's API, byte by byte.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tests::{
    ALICE, Stack,
    fulcio::{
        Leaf, SIGNING_CERT_V1, SIGNING_CERT_V2, chain, key_request, key_request_with_token, refusal, split_pem,
        v1_request,
    },
    http::{Request, Response},
    key::Key,
};
use serde_json::{Value, json};
use x509_cert::ext::pkix::name::GeneralName;

/// A POST with a fresh token in the header.
fn post(stack: &Stack, path: &str, body: &Value) -> Response {
    authorized(stack, path).json(body).send()
}

fn authorized(stack: &Stack, path: &str) -> Request {
    Request::post(&stack.at(path)).header("Authorization", &format!("Bearer {}", stack.token(ALICE)))
}

/// Checks the profile of a leaf for Alice's `key`.
#[track_caller]
fn check_leaf(stack: &Stack, pem: &str, spki: &[u8]) {
    let leaf = Leaf::from_pem(pem);
    assert_eq!(leaf.spki(), spki, "certifies the key that was sent");
    assert!(leaf.0.tbs_certificate().subject().is_empty(), "no subject");
    let (names, critical) = leaf.names();
    assert!(critical, "the only name there is must be understood");
    match names.0.as_slice() {
        [GeneralName::Rfc822Name(name)] => assert_eq!(name.as_str(), ALICE),
        names => panic!("one e-mail address expected: {names:?}"),
    }
    assert_eq!(leaf.fulcio_raw(1).as_deref(), Some(stack.issuer().as_str()));
    assert_eq!(leaf.fulcio_string(8).as_deref(), Some(stack.issuer().as_str()));
    assert_eq!(leaf.fulcio_string(24).as_deref(), Some(ALICE), "the token's subject");
    let (key_usage, critical) = leaf.extension("2.5.29.15").expect("key usage");
    assert_eq!((hex::encode(key_usage).as_str(), critical), ("03020780", true), "digitalSignature, critical");
    let (purposes, _) = leaf.extension("2.5.29.37").expect("extended key usage");
    assert_eq!(hex::encode(purposes), "300a06082b06010505070303", "code signing and nothing else");
    assert!(leaf.extension("1.3.6.1.4.1.11129.2.4.2").is_some(), "an embedded SCT");
    assert!(leaf.extension("1.3.6.1.4.1.11129.2.4.3").is_none(), "no poison");
    for oid in ["2.5.29.14", "2.5.29.35"] {
        assert!(leaf.extension(oid).is_some(), "key identifiers of subject and authority");
    }
    let (start, end) = leaf.validity();
    assert_eq!(end - start, 600, "ten minutes");
    let serial = leaf.0.tbs_certificate().serial_number().as_bytes().to_vec();
    assert!(serial.len() >= 8 && serial[0] < 0x80, "a positive random serial number: {serial:x?}");
}

#[test]
fn version_2_answers_200_with_the_chain() {
    let stack = Stack::start();
    let key = Key::generate();
    let answer = post(&stack, SIGNING_CERT_V2, &key_request(&key, ALICE)).expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let chain = chain(&answer.json());
    assert_eq!(chain.len(), 3, "leaf, intermediate, root");
    for pem in &chain {
        assert_eq!(pem.trim(), pem, "PEM without whitespace around it");
    }
    check_leaf(&stack, &chain[0], &key.public_der());
}

#[test]
fn version_2_takes_the_token_from_the_body() {
    let stack = Stack::start();
    let key = Key::generate();
    let mut body = key_request_with_token(&key, ALICE, &stack.token(ALICE));
    // sigstore-rust sends an empty name, sigstore-go one that is not in the enumeration.
    for algorithm in ["", "RSA", "ECDSA"] {
        body["publicKeyRequest"]["publicKey"]["algorithm"] = algorithm.into();
        let answer = Request::post(&stack.at(SIGNING_CERT_V2)).json(&body).send().expect(200);
        check_leaf(&stack, &chain(&answer.json())[0], &key.public_der());
    }
}

#[test]
fn version_2_takes_a_csr_and_does_not_negotiate() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    let request =
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out csr.pem -subj /CN=ignored";
    alice.openssl().args(request).run().succeeds();
    alice.openssl().args("pkey -in key.pem -pubout -outform DER -out public.der").run().succeeds();
    let body = json!({"certificateSigningRequest": STANDARD.encode(alice.read("csr.pem"))});
    let request = authorized(&stack, SIGNING_CERT_V2).header("Accept", "application/pem-certificate-chain");
    let answer = request.json(&body).send().expect(200);
    check_leaf(&stack, &chain(&answer.json())[0], &alice.read("public.der"));

    let mut spoiled = alice.read("csr.pem");
    let middle = spoiled.len() / 2;
    spoiled[middle] = if spoiled[middle] == b'A' { b'B' } else { b'A' };
    let malformed = refusal("The certificate signing request could not be parsed", "csr.malformed");
    for csr in [b"nothing".to_vec(), alice.read("public.der")] {
        let body = json!({"certificateSigningRequest": STANDARD.encode(csr)});
        post(&stack, SIGNING_CERT_V2, &body).expect_json(400, &malformed);
    }
    let body = json!({"certificateSigningRequest": STANDARD.encode(spoiled)});
    let answer = post(&stack, SIGNING_CERT_V2, &body).expect(400).json();
    assert_eq!(answer["code"], 3, "{answer}");
}

#[test]
fn version_2_refuses_what_it_cannot_read() {
    let stack = Stack::start();
    let bad_key = refusal("The public key supplied in the request could not be parsed", "key.malformed");
    post(&stack, SIGNING_CERT_V2, &json!({})).expect_json(400, &bad_key);
    let mut body = key_request(&Key::generate(), ALICE);
    body["publicKeyRequest"]["publicKey"]["content"] =
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".into();
    post(&stack, SIGNING_CERT_V2, &body).expect_json(400, &bad_key);
    // The token is looked at first.
    let bad_token = refusal("There was an error processing the identity token", "token.missing");
    Request::post(&stack.at(SIGNING_CERT_V2)).json(&json!({})).send().expect_json(400, &bad_token);
    let answer = authorized(&stack, SIGNING_CERT_V2).body("application/json", "{").send().expect(400).json();
    assert_eq!(
        (&answer["code"], &answer["details"][0]["reason"]),
        (&json!(3), &json!("request.malformed")),
        "{answer}"
    );
    assert!(answer["message"].as_str().unwrap().starts_with("proto: syntax error"), "{answer}");
    // A key and a CSR exclude each other.
    let mut both = key_request(&Key::generate(), ALICE);
    both["certificateSigningRequest"] = "AAAA".into();
    let answer = post(&stack, SIGNING_CERT_V2, &both).expect(400).json();
    assert_eq!(
        (&answer["code"], &answer["details"][0]["reason"]),
        (&json!(3), &json!("request.malformed")),
        "{answer}"
    );
}

#[test]
fn content_types_do_not_matter() {
    let stack = Stack::start();
    let body = key_request(&Key::generate(), ALICE).to_string();
    authorized(&stack, SIGNING_CERT_V2).body("text/plain", body).send().expect(200);
}

#[test]
fn version_1_answers_201_with_pem() {
    let stack = Stack::start();
    let key = Key::generate();
    // cosign 2 sends PEM, gitsign DER.
    for content in [key.public_pem().into_bytes(), key.public_der()] {
        let answer = post(&stack, SIGNING_CERT_V1, &v1_request(&key, &content, ALICE)).expect(201);
        assert_eq!(answer.header("content-type"), Some("application/pem-certificate-chain"));
        assert_eq!(answer.header("sct").unwrap_or(""), "", "the SCT is embedded");
        let chain = split_pem(&answer.text());
        assert_eq!(chain.len(), 3, "leaf, intermediate, root");
        assert_eq!(answer.text(), answer.text().trim());
        check_leaf(&stack, &chain[0], &key.public_der());
    }
}

#[test]
fn version_1_refuses_in_its_own_order() {
    let stack = Stack::start();
    let bad_key = refusal("The public key supplied in the request could not be parsed", "key.malformed");
    Request::post(&stack.at(SIGNING_CERT_V1)).json(&json!({})).send().expect_json(400, &bad_key);
    let body = v1_request(&Key::generate(), b"nothing", ALICE);
    post(&stack, SIGNING_CERT_V1, &body).expect_json(400, &bad_key);
    let token_in_body = key_request_with_token(&Key::generate(), ALICE, &stack.token(ALICE));
    Request::post(&stack.at(SIGNING_CERT_V1)).json(&token_in_body).send().expect(400);
}

#[test]
fn the_chain_is_published() {
    let stack = Stack::start();
    let issued = post(&stack, SIGNING_CERT_V2, &key_request(&Key::generate(), ALICE)).expect(200).json();
    let issued = &chain(&issued)[1..];
    let bundle = stack.get("/api/v2/trustBundle").expect(200).json();
    let chains = bundle["chains"].as_array().unwrap();
    assert_eq!(chains.len(), 1);
    let published: Vec<&str> =
        chains[0]["certificates"].as_array().unwrap().iter().map(|pem| pem.as_str().unwrap()).collect();
    assert_eq!(
        published.iter().map(|pem| pem.trim()).collect::<Vec<_>>(),
        issued,
        "issuing authority first, root last"
    );
    assert!(published.iter().all(|pem| pem.ends_with("-----\n")), "not trimmed here");
    let roots = stack.get("/api/v1/rootCert").expect(200);
    assert_eq!(roots.header("content-type"), Some("application/pem-certificate-chain"));
    assert_eq!(split_pem(&roots.text()), issued);
    let file = String::from_utf8(std::fs::read(stack.trust("fulcio-chain.pem")).unwrap()).unwrap();
    assert_eq!(split_pem(&file), issued);
}

#[test]
fn the_issuer_is_published() {
    let stack = Stack::start();
    let expected = json!({"issuers": [{
        "issuerUrl": stack.issuer(), "audience": "sigstore", "challengeClaim": "email", "spiffeTrustDomain": "",
        "issuerType": "email", "subjectDomain": "", "skipEmailVerification": false
    }]});
    stack.get("/api/v2/configuration").expect_json(200, &expected);
}

#[test]
fn unknown_paths_and_methods() {
    let stack = Stack::start();
    let not_found = json!({"code": 5, "message": "Not Found", "details": []});
    stack.get("/api/v2/nothing").expect_json(404, &not_found);
    let not_allowed = json!({"code": 12, "message": "Method Not Allowed", "details": []});
    stack.get(SIGNING_CERT_V2).expect_json(501, &not_allowed);
    stack.post("/api/v2/trustBundle", &json!({})).expect_json(501, &not_allowed);
    // What a base URL with a slash at its end makes of a path.
    let request = Request::new("POST", &stack.url(), "//api/v2/signingCert");
    let request = request.header("Authorization", &format!("Bearer {}", stack.token(ALICE)));
    request.json(&key_request(&Key::generate(), ALICE)).send().expect(200);
}

#[test]
fn web_pages_may_ask() {
    let stack = Stack::start();
    let answer =
        Request::get(&stack.at("/api/v2/trustBundle")).header("Origin", "https://example.test").send().expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}
