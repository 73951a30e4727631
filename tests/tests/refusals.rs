//! What must not work, and the reason that is given.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_tests::{
    ALICE, Client, MALLORY, Stack,
    client::Signer,
    fulcio::{SIGNING_CERT_V1, SIGNING_CERT_V2, key_request, key_request_with_token, refusal, v1_request},
    http::{Request, Response},
    key::Key,
};
use serde_json::{Value, json};
use std::{fs, path::Path};

const BAD_TOKEN: &str = "There was an error processing the identity token";
const BAD_PROOF: &str = "The signature supplied in the request could not be verified";
const WEAK_KEY: &str = "The public key supplied in the request is insecure";

/// Asks both versions of the API for a certificate.
fn ask(stack: &Stack, token: &str, key: &Key, challenge: &str) -> [Response; 2] {
    let post = |path: &str, body: &Value| {
        Request::post(&stack.at(path)).header("Authorization", &format!("Bearer {token}")).json(body).send()
    };
    [
        post(SIGNING_CERT_V2, &key_request(key, challenge)),
        post(SIGNING_CERT_V1, &v1_request(key, key.public_pem().as_bytes(), challenge)),
    ]
}

#[track_caller]
fn refused(stack: &Stack, token: &str, reason: &str) {
    for response in ask(stack, token, &Key::generate(), ALICE) {
        response.expect_json(400, &refusal(BAD_TOKEN, reason));
    }
}

#[test]
fn tokens_that_do_not_count() {
    let stack = Stack::start();
    let far = 4_000_000_000_u64;
    for (claims, reason) in [
        (json!({"exp": 1_000_000_000}), "token.expired"),
        (json!({"exp": null}), "token.claim_missing"),
        (json!({"nbf": far, "exp": far + 600}), "token.not_yet_valid"),
        (json!({"iss": "https://issuer.example.test"}), "token.issuer_unknown"),
        (json!({"iss": format!("{}/", stack.issuer())}), "token.issuer_unknown"),
        (json!({"iss": null}), "token.claim_missing"),
        (json!({"aud": "another"}), "token.audience"),
        (json!({"aud": ["a", "b"]}), "token.audience"),
        (json!({"aud": null}), "token.claim_missing"),
        (json!({"email": null}), "token.claim_missing"),
        (json!({"email": ""}), "token.claim_missing"),
        (json!({"email": "no address"}), "token.email_malformed"),
        (json!({"email_verified": false}), "token.email_unverified"),
        (json!({"email_verified": "false"}), "token.email_unverified"),
        (json!({"email_verified": null}), "token.email_unverified"),
    ] {
        eprintln!("{claims}");
        refused(&stack, &stack.token_with(ALICE, &claims), reason);
    }
    refused(&stack, "e30.e30", "token.malformed");
}

#[test]
fn an_audience_on_the_command_line_is_the_tokens() {
    let stack = Stack::start();
    let token = stack.token_command(ALICE).args("--audience another").run().succeeds();
    refused(&stack, token.trim(), "token.audience");
    // Whoever is the other could use it here.
    refused(&stack, &stack.token_with(ALICE, &json!({"aud": ["another", "sigstore"]})), "token.other_audiences");
    let token = stack.token_with(ALICE, &json!({"aud": ["sigstore"]}));
    for response in ask(&stack, &token, &Key::generate(), ALICE) {
        assert!(response.status < 300, "{}", response.text());
    }
}

#[test]
fn tokens_nobody_signed() {
    let stack = Stack::start();
    let token = stack.token(ALICE);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let with_header = |header: &str, signature: &str| format!("{}.{payload}.{signature}", encode(header));
    refused(&stack, &with_header(r#"{"alg":"none"}"#, ""), "token.algorithm");
    refused(&stack, &with_header(r#"{"alg":"none","typ":"JWT"}"#, signature), "token.algorithm");
    refused(&stack, &with_header(r#"{"alg":"None"}"#, ""), "token.algorithm");
    refused(&stack, &with_header(r#"{"alg":"HS256"}"#, signature), "token.algorithm");
    refused(&stack, &format!("{header}.{payload}."), "token.signature");
    refused(&stack, &format!("{token}.{signature}"), "token.malformed");
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let forged = encode(&claims.replace(ALICE, MALLORY));
    refused(&stack, &format!("{header}.{forged}.{signature}"), "token.signature");
}

#[test]
fn tokens_of_another_instance() {
    let (stack, other) = (Stack::start(), Stack::start());
    refused(&stack, &other.token(ALICE), "token.issuer_unknown");
    // The same name for the issuer, but not its key.
    let claims = json!({"iss": stack.issuer()});
    refused(&stack, &other.token_with(ALICE, &claims), "token.key_unknown");
}

#[test]
fn a_token_that_is_only_dots_costs_nothing() {
    let stack = Stack::start();
    let token = ".".repeat(60 << 10);
    let body = key_request_with_token(&Key::generate(), ALICE, &token);
    let asked = std::time::Instant::now();
    Request::post(&stack.at(SIGNING_CERT_V2))
        .json(&body)
        .send()
        .expect_json(400, &refusal(BAD_TOKEN, "token.too_large"));
    assert!(asked.elapsed().as_secs() < 5, "{:?}", asked.elapsed());
}

#[test]
fn proof_of_possession_that_proves_nothing() {
    let stack = Stack::start();
    let token = stack.token(ALICE);
    let key = Key::generate();
    for response in ask(&stack, &token, &key, MALLORY) {
        response.expect_json(400, &refusal(BAD_PROOF, "key.possession"));
    }
    // Somebody else's proof for this key.
    let mut body = key_request(&key, ALICE);
    body["publicKeyRequest"]["proofOfPossession"] = Key::generate().sign_base64(ALICE.as_bytes()).into();
    let post = |body: &Value| {
        Request::post(&stack.at(SIGNING_CERT_V2)).header("Authorization", &format!("Bearer {token}")).json(body).send()
    };
    post(&body).expect_json(400, &refusal(BAD_PROOF, "key.possession"));
    body["publicKeyRequest"]["proofOfPossession"] = "".into();
    post(&body).expect_json(400, &refusal(BAD_PROOF, "key.possession"));
}

#[test]
fn keys_that_are_not_safe() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    for options in
        ["-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1"]
    {
        alice.openssl().arg("genpkey").args(options).args("-out key.pem").run().succeeds();
        alice.openssl().args("pkey -in key.pem -pubout -out public.pem").run().succeeds();
        alice.write("challenge", ALICE);
        alice.openssl().args("dgst -sha256 -sign key.pem -out proof challenge").run().succeeds();
        let mut body = key_request(&Key::generate(), ALICE);
        body["publicKeyRequest"]["publicKey"]["content"] = String::from_utf8(alice.read("public.pem")).unwrap().into();
        let proof = base64::engine::general_purpose::STANDARD.encode(alice.read("proof"));
        body["publicKeyRequest"]["proofOfPossession"] = proof.into();
        let request = Request::post(&stack.at(SIGNING_CERT_V2))
            .header("Authorization", &format!("Bearer {}", stack.token(ALICE)));
        request.json(&body).send().expect_json(400, &refusal(WEAK_KEY, "key.insecure"));
    }
}

#[test]
fn bodies_that_are_too_large() {
    let stack = Stack::start();
    for (path, length) in [SIGNING_CERT_V1, SIGNING_CERT_V2].into_iter().zip([(64 << 10) + 1, 4 << 20]) {
        let request = Request::post(&stack.at(path)).header("Authorization", &format!("Bearer {}", stack.token(ALICE)));
        let answer = request.body("application/json", vec![b' '; length]).send();
        answer.expect_json(400, &refusal("http: request body too large", "request.too_large"));
    }
    let limit = 32 << 20;
    let rekor = vec![b' '; limit + 1];
    for path in ["/api/v1/log/entries", "/api/v1/log/entries/retrieve"] {
        let answer = Request::post(&stack.at(path)).body("application/json", rekor.clone()).send();
        let message = format!("Request Entity Too Large. Limit set to {limit}");
        answer.expect_json(413, &json!({"code": 413, "message": message}));
    }
    assert_eq!(stack.get("/healthz").status, 200);
}

#[test]
fn bundles_of_another_instance() {
    let (stack, other) = (Stack::start(), Stack::start());
    let (alice, foreign) = (stack.person(ALICE), other.person(ALICE));
    alice.write("artifact", "hello");
    foreign.write("artifact", "hello");
    for client in Client::ALL {
        let bundle = format!("{client:?}.json");
        client.sign(&foreign, "artifact", &bundle).run().succeeds();
        alice.write(&bundle, foreign.read(&bundle));
        let verdict = client.verify(&alice, "artifact", &bundle, &Signer::of(&foreign)).run();
        let reason = match client {
            Client::Cosign3 | Client::Cosign2 => "failed to verify",
            Client::SigstorePython => "not enough sources of verified time",
        };
        verdict.fails_with(&[reason]);
    }
}

/// Trust files of `stack`, but with one member of the trusted root taken from `other`.
fn mixed_trust(stack: &Stack, other: &Stack, member: &str, to: &Path) {
    let read =
        |stack: &Stack, name: &str| -> Value { serde_json::from_slice(&fs::read(stack.trust(name)).unwrap()).unwrap() };
    let mut trusted_root = read(stack, "trusted_root.json");
    trusted_root[member] = read(other, "trusted_root.json")[member].clone();
    let mut client_trust_config = read(stack, "client_trust_config.json");
    client_trust_config["trustedRoot"] = trusted_root.clone();
    fs::create_dir(to).unwrap();
    fs::write(to.join("trusted_root.json"), trusted_root.to_string()).unwrap();
    fs::write(to.join("client_trust_config.json"), client_trust_config.to_string()).unwrap();
}

#[test]
fn clients_check_log_certificate_log_and_authority() {
    let (stack, other) = (Stack::start(), Stack::start());
    let mut alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    Client::Cosign3.sign(&alice, "artifact", "bundle.json").run().succeeds();
    for (member, cosign, python) in [
        ("ctlogs", "only able to verify 0 SCT entries", "failed to verify SCT on signing certificate"),
        ("tlogs", "not enough verified log entries from transparency log: 0 < 1", "invalid log entry: checkpoint"),
        (
            "certificateAuthorities",
            "leaf certificate verification failed",
            "failed to build timestamp certificate chain",
        ),
    ] {
        let trust = alice.path(member);
        mixed_trust(&stack, &other, member, &trust);
        alice = alice.trusting(trust);
        for client in Client::ALL {
            let reason = if client == Client::SigstorePython { python } else { cosign };
            client.verify(&alice, "artifact", "bundle.json", &Signer::of(&alice)).run().fails_with(&[reason]);
        }
    }
}

#[test]
fn clients_show_the_servers_reason() {
    let stack = Stack::start();
    let alice = stack.person(ALICE);
    alice.write("artifact", "hello");
    let expired = stack.token_with(ALICE, &json!({"exp": 1_000_000_000}));
    for client in Client::ALL {
        let reasons: &[&str] = match client {
            Client::Cosign3 | Client::Cosign2 => &[BAD_TOKEN, "token.expired"],
            // It looks at the time itself.
            Client::SigstorePython => &["Identity token is malformed"],
        };
        client.sign_with_token(&alice, &expired, "artifact", "bundle.json").run().fails_with(reasons);
        let unverified = stack.token_with(ALICE, &json!({"email_verified": false}));
        let reason = match client {
            Client::Cosign3 | Client::Cosign2 => "not verified by identity provider",
            // It means to show the server's message, and does not.
            Client::SigstorePython => "400 Client Error",
        };
        client.sign_with_token(&alice, &unverified, "artifact", "bundle.json").run().fails_with(&[reason]);
        assert!(!alice.path("bundle.json").exists());
    }
}
