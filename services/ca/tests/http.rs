//! The protocol's outside: paths, statuses, bodies and texts that clients depend on.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod world;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery_verify::certificate::Certificate;
use chancery_verify::pem;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA512};
use serde_json::{Value, json};
use world::{EMAIL, ISSUER, World};

const TOKEN: &str = "There was an error processing the identity token";
const KEY: &str = "The public key supplied in the request could not be parsed";
const INSECURE: &str = "The public key supplied in the request is insecure";
const CSR: &str = "The certificate signing request could not be parsed";
const PROOF: &str = "The signature supplied in the request could not be verified";

fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn csr(key: &KeyPair) -> String {
    CertificateParams::new(vec!["ignored.example.test".to_owned()])
        .unwrap()
        .serialize_request(key)
        .unwrap()
        .pem()
        .unwrap()
}

#[tokio::test]
async fn a_signing_request_is_enough_and_nothing_in_it_counts_but_the_key() {
    let world = World::new().await;
    let token = world.token().await;
    let text = csr(&KeyPair::generate().unwrap());
    for text in
        [text.clone(), text.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"), format!("{text}trailing")]
    {
        for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            let body = json!({"certificateSigningRequest": encoded}).to_string();
            let request = Request::post("/api/v2/signingCert")
                .header("authorization", format!("Bearer {token}"))
                .header("accept", "application/pem-certificate-chain")
                .body(Body::from(body));
            let (status, kind, answer) = world.request(request.unwrap()).await;
            assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"), "{}", parse(&answer));
            let leaf =
                parse(&answer)["signedCertificateEmbeddedSct"]["chain"]["certificates"][0].as_str().unwrap().to_owned();
            assert_eq!(Certificate::from_pem(leaf.as_bytes()).unwrap().identity().unwrap().as_str(), EMAIL);
        }
    }
}

#[tokio::test]
async fn v1_answers_201_with_a_pem_chain() {
    let world = World::new().await;
    let token = world.token().await;
    let proof = STANDARD.encode(world.client.sign(EMAIL.as_bytes()).await.unwrap());
    let key = world.client.public_key();
    for content in [key.to_pem().into_bytes(), key.spki_der().to_vec()] {
        let body = json!({
            "publicKey": {"content": STANDARD.encode(content), "algorithm": "ecdsa"},
            "signedEmailAddress": proof, "certificateSigningRequest": null,
        });
        let (status, kind, answer) = world.post("/api/v1/signingCert", Some(&token), body.to_string()).await;
        assert_eq!((status, kind.as_str()), (StatusCode::CREATED, "application/pem-certificate-chain"), "{answer:?}");
        assert!(answer.ends_with(b"-----END CERTIFICATE-----"));
        let chain = Certificate::chain_from_pem(&answer).unwrap();
        assert_eq!((chain.len(), &chain[1..]), (3, world.chain.certificates()));
    }
    // A missing key is found before a missing token.
    let (status, _, answer) = world.post("/api/v1/signingCert", None, "{}").await;
    assert_eq!((status, &parse(&answer)["message"]), (StatusCode::BAD_REQUEST, &json!(KEY)));
    let in_body = json!({"credentials": {"oidcIdentityToken": token}, "certificateSigningRequest": STANDARD.encode(csr(&KeyPair::generate().unwrap()))});
    let (_, _, answer) = world.post("/api/v1/signingCert", None, in_body.to_string()).await;
    assert_eq!(parse(&answer)["message"], TOKEN, "v1 has no token in the body");
}

#[tokio::test]
async fn tokens_come_in_header_or_body_and_the_body_wins() {
    let world = World::new().await;
    let token = world.token().await;
    let mut body = world.possession(EMAIL).await;
    let post = async |token: Option<&str>, body: &Value| {
        let (status, _, answer) = world.post("/api/v2/signingCert", token, body.to_string()).await;
        (status, parse(&answer))
    };
    assert_eq!(post(Some(&token), &body).await.0, StatusCode::OK);
    let (status, answer) = post(None, &body).await;
    assert_eq!((status, &answer["message"], &answer["code"]), (StatusCode::BAD_REQUEST, &json!(TOKEN), &json!(3)));
    assert_eq!(answer["details"][0]["reason"], "token.missing");
    assert_eq!(answer["details"][0]["domain"], "chancery");
    body["credentials"] = json!({"oidcIdentityToken": token});
    assert_eq!(post(None, &body).await.0, StatusCode::OK);
    assert_eq!(post(Some("nonsense"), &body).await.0, StatusCode::OK);
    body["credentials"] = json!({"oidcIdentityToken": "nonsense"});
    assert_eq!(post(Some(&token), &body).await.1["message"], TOKEN);
    body["credentials"] = json!({"oidcIdentityToken": ""});
    assert_eq!(post(Some(&token), &body).await.0, StatusCode::OK);
    let verbatim =
        Request::post("/api/v2/signingCert").header("authorization", &token).body(Body::from(body.to_string()));
    assert_eq!(
        world.request(verbatim.unwrap()).await.0,
        StatusCode::OK,
        "Fulcio takes a header without Bearer as it is"
    );
}

#[tokio::test]
async fn keys_and_proofs_that_are_refused() {
    let world = World::new().await;
    let token = world.token().await;
    let good = world.possession(EMAIL).await;
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let (key, proof) = ("/publicKeyRequest/publicKey/content", "/publicKeyRequest/proofOfPossession");
    let p224 = pem::encode(
        "PUBLIC KEY",
        &[
            &b"\x30\x4e\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x21\x03\x3a\x00\x04"[..],
            &[1; 56],
        ]
        .concat(),
    );
    let rsa512 = rsa_512();
    let of_csr = |text: &str| json!({"certificateSigningRequest": STANDARD.encode(text)});
    let good_csr = csr(&KeyPair::generate().unwrap());
    let tampered = {
        let mut der = pem::decode(good_csr.as_bytes()).unwrap().der;
        let at = der.windows(7).position(|bytes| bytes == b"ignored").unwrap();
        der[at] = b'x';
        pem::encode("CERTIFICATE REQUEST", &der)
    };
    let rsa = KeyPair::generate_for(&PKCS_RSA_SHA512).unwrap();
    let table = [
        (json!({}), KEY),
        (json!({"publicKeyRequest": null, "certificateSigningRequest": null}), KEY),
        (with(key, json!("")), KEY),
        (with(key, json!("nonsense")), KEY),
        (with(key, json!(world.chain.root().to_pem())), KEY),
        (with(key, json!(p224)), INSECURE),
        (with(key, json!(rsa512)), INSECURE),
        (with(proof, json!("")), PROOF),
        (with(proof, json!("AAAA")), PROOF),
        (world.possession(&EMAIL.to_uppercase()).await, PROOF),
        (world.possession("").await, PROOF),
        (of_csr("nonsense"), CSR),
        (of_csr(&good_csr.replace("CERTIFICATE REQUEST", "CERTIFICATE")), CSR),
        (of_csr(&world.chain.root().to_pem().replace("CERTIFICATE", "CERTIFICATE REQUEST")), CSR),
        (of_csr(&tampered), PROOF),
        (of_csr(&csr(&rsa)), "signing algorithm not permitted: *rsa.PublicKey, SHA-512"),
    ];
    for (body, message) in table {
        let (status, _, answer) = world.post("/api/v2/signingCert", Some(&token), body.to_string()).await;
        let answer = parse(&answer);
        assert_eq!(
            (status, &answer["message"], &answer["code"]),
            (StatusCode::BAD_REQUEST, &json!(message), &json!(3)),
            "{body}"
        );
    }
    assert_eq!(world.log.submissions.lock().unwrap().len(), 0);
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384] {
        let body = of_csr(&csr(&KeyPair::generate_for(algorithm).unwrap()));
        assert_eq!(world.post("/api/v2/signingCert", Some(&token), body.to_string()).await.0, StatusCode::OK);
    }
}

/// An RSA key of 512 bits, written by hand because nothing makes one any more.
fn rsa_512() -> String {
    let head = b"\x30\x5c\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x4b\x00\x30\x48\x02\x41\x00";
    pem::encode("PUBLIC KEY", &[&head[..], &[0xff; 64], b"\x02\x03\x01\x00\x01"].concat())
}

#[tokio::test]
async fn bodies_follow_protobufs_json() {
    let world = World::new().await;
    let token = world.token().await;
    let good = world.possession(EMAIL).await;
    let post = async |body: String| {
        let (status, _, answer) = world.post("/api/v2/signingCert", Some(&token), body).await;
        (status, parse(&answer))
    };
    let key = &good["publicKeyRequest"]["publicKey"]["content"];
    let proof = &good["publicKeyRequest"]["proofOfPossession"];
    for algorithm in [json!(""), json!("RSA"), json!(2), json!(null), json!("ECDSA"), json!({"x": 1})] {
        let body = json!({"unknown": [1], "credentials": null, "publicKeyRequest": {
            "publicKey": {"algorithm": algorithm, "content": key}, "proofOfPossession": proof, "nonce": 7}});
        assert_eq!(post(body.to_string()).await.0, StatusCode::OK, "{algorithm}");
    }
    let snake = json!({"public_key_request": {"public_key": {"content": key}, "proof_of_possession": proof}});
    assert_eq!(post(snake.to_string()).await.0, StatusCode::OK);

    let mut both = good.clone();
    both["certificateSigningRequest"] = json!("");
    let mut spelled_twice = good.clone();
    spelled_twice["public_key_request"] = good["publicKeyRequest"].clone();
    let table = [
        ("{".to_owned(), "proto: syntax error (line 1:1): EOF while parsing an object"),
        ("[]".to_owned(), "proto: syntax error"),
        (r#"{"a":1,"a":1}"#.to_owned(), "proto: syntax error (line 1:10): duplicate field \"a\""),
        (r#"{"publicKeyRequest":7}"#.to_owned(), "proto: syntax error"),
        (
            r#"{"credentials":{"oidcIdentityToken":7}}"#.to_owned(),
            "proto: (line 1:1): invalid value for string field oidcIdentityToken",
        ),
        (
            r#"{"certificateSigningRequest":"!"}"#.to_owned(),
            "proto: (line 1:1): invalid value for bytes field certificateSigningRequest",
        ),
        (both.to_string(), "proto: (line 1:1): error parsing \"certificateSigningRequest\", oneof"),
        (spelled_twice.to_string(), "proto: (line 1:1): duplicate field"),
    ];
    for (body, message) in table {
        let (status, answer) = post(body.clone()).await;
        assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!(3)), "{body}");
        assert!(answer["message"].as_str().unwrap().starts_with(message), "{body}: {}", answer["message"]);
    }
    let (status, answer) = post(String::new()).await;
    assert_eq!(
        (status, &answer["message"]),
        (StatusCode::BAD_REQUEST, &json!(KEY)),
        "an empty body is an empty message"
    );
    let (status, answer) = post(format!("{{\"x\":\"{}\"}}", "a".repeat(64 << 10))).await;
    assert_eq!((status, &answer["message"]), (StatusCode::BAD_REQUEST, &json!("http: request body too large")));
}

#[tokio::test]
async fn reads_and_wrong_methods() {
    let world = World::new().await;
    let (status, kind, body) = world.get("/api/v2/trustBundle").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"));
    let pems: Vec<String> = world.chain.certificates().iter().map(Certificate::to_pem).collect();
    assert_eq!(parse(&body), json!({"chains": [{"certificates": pems}]}));
    assert!(pems[0].ends_with("-----END CERTIFICATE-----\n"));

    let (status, kind, body) = world.get("/api/v1/rootCert").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/pem-certificate-chain"));
    assert_eq!(body, pems.concat().into_bytes());

    let (_, _, body) = world.get("/api/v2/configuration").await;
    assert_eq!(
        parse(&body),
        json!({"issuers": [{
            "issuerUrl": ISSUER, "audience": "sigstore", "challengeClaim": "email", "spiffeTrustDomain": "", "issuerType": "email",
            "subjectDomain": "", "skipEmailVerification": false,
        }]})
    );
    for (method, path) in [
        ("GET", "/api/v2/signingCert"),
        ("PUT", "/api/v2/signingCert"),
        ("GET", "/api/v1/signingCert"),
        ("POST", "/api/v2/trustBundle"),
        ("DELETE", "/api/v2/configuration"),
        ("POST", "/api/v1/rootCert"),
    ] {
        let (status, _, body) =
            world.request(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::NOT_IMPLEMENTED, "{method} {path}");
        assert_eq!(parse(&body), json!({"code": 12, "message": "Method Not Allowed", "details": []}));
    }
}
