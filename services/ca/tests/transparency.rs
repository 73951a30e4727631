//! How certificates are logged: a log over HTTP that misbehaves, timestamps beside the certificate, and no log at all.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod world;

use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_ca::transparency::{CertificateLog as _, HttpLog, LogError, Transparency, timestamp_json};
use chancery_daemon::signer::Signer;
use chancery_verify::certificate::{Certificate, verify_profile, verify_profile_without_sct};
use chancery_verify::key::KeyKind;
use chancery_verify::sct::{LogEntry, SignedCertificateTimestamp};
use chancery_verify::{PublicKey, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;
use world::{Behaviour, EMAIL, World, possession};

fn log_key() -> PublicKey {
    Signer::generate(KeyKind::P256).unwrap().0.public_key().clone()
}

/// A server that hangs up on its first `broken` connections without a word and answers the others with `answer`.
async fn serve(broken: usize, answer: String) -> (Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/log/", listener.local_addr().unwrap()).parse().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"POST /log/ct/v1/add-pre-chain HTTP/1.1\r\n"));
            if counter.fetch_add(1, Ordering::SeqCst) >= broken {
                // The client hangs up when it has read enough.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    (url, connections)
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

async fn ask(url: &Url) -> Result<SignedCertificateTimestamp, LogError> {
    HttpLog::new(url, log_key()).unwrap().add_pre_chain(vec![vec![1, 2, 3]]).await
}

fn sample() -> SignedCertificateTimestamp {
    SignedCertificateTimestamp {
        log_id: [7; 32],
        timestamp: Timestamp::from_millis(1_795_244_400_123),
        extensions: vec![0, 0, 5, 0, 0, 0, 0, 1],
        signature: vec![0x30, 0x06, 2, 1, 1, 2, 1, 1],
    }
}

#[tokio::test]
async fn a_timestamp_is_read_as_it_was_written() {
    let (url, connections) = serve(0, http("200 OK", &timestamp_json(&sample()).to_string())).await;
    assert_eq!(ask(&url).await.unwrap(), sample());
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_broken_connection_is_tried_once_more_and_no_more() {
    let answer = http("200 OK", &timestamp_json(&sample()).to_string());
    let (url, connections) = serve(1, answer.clone()).await;
    assert_eq!(ask(&url).await.unwrap(), sample());
    assert_eq!(connections.load(Ordering::SeqCst), 2);
    let (url, connections) = serve(2, answer).await;
    assert!(matches!(ask(&url).await, Err(LogError::Unavailable { .. })));
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn every_other_answer_is_a_refusal_or_an_outage_and_never_a_timestamp() {
    let with = |name: &str, value: Value| {
        let mut body = timestamp_json(&sample());
        body[name] = value;
        http("200 OK", &body.to_string())
    };
    let table = [
        (http("503 Service Unavailable", "busy"), "ct.unavailable"),
        (http("500 Internal Server Error", ""), "ct.unavailable"),
        (http("429 Too Many Requests", ""), "ct.unavailable"),
        (http("400 Bad Request", "unknown root\u{1b}[31m"), "ct.refused"),
        (http("404 Not Found", ""), "ct.refused"),
        (http("204 No Content", ""), "ct.refused"),
        (http("200 OK", "{}"), "ct.refused"),
        (http("200 OK", &" ".repeat(1 << 20)), "ct.refused"),
        (with("sct_version", json!(1)), "ct.refused"),
        (with("id", json!("AAAA")), "ct.refused"),
        (with("timestamp", json!("1")), "ct.refused"),
        (with("signature", json!("AAAA")), "ct.refused"),
    ];
    for (answer, code) in table {
        let (url, connections) = serve(0, answer.clone()).await;
        let error = ask(&url).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().len() < 500 && !error.to_string().contains('\u{1b}'), "{error}");
        assert_eq!(connections.load(Ordering::SeqCst), 1, "a log that answers is not asked again: {error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, visits) = serve(0, http("200 OK", &timestamp_json(&sample()).to_string())).await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let redirect =
            format!("HTTP/1.1 {status}\r\nlocation: {elsewhere}ct/v1/add-pre-chain\r\ncontent-length: 0\r\n\r\n");
        let (url, _) = serve(0, redirect).await;
        assert_eq!(ask(&url).await.unwrap_err().code(), "ct.refused");
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[test]
fn a_log_has_a_plain_base_url() {
    for bad in ["ftp://log.example.test/", "https://me@log.example.test/", "https://log.example.test/?a=b", "unix:/x"] {
        assert!(HttpLog::new(&bad.parse().unwrap(), log_key()).is_err(), "{bad}");
    }
}

/// Asks both versions of the API; returns v2's answer, and v1's chain and `SCT` header.
async fn sign(world: &World) -> (Value, Vec<Certificate>, Option<String>) {
    let token = world.token().await;
    let body = possession(&world.client, EMAIL).await;
    let (status, _, answer) = world.post("/api/v2/signingCert", Some(&token), body.to_string()).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(status, StatusCode::OK, "{answer}");
    let request = &body["publicKeyRequest"];
    let content = STANDARD.encode(request["publicKey"]["content"].as_str().unwrap());
    let v1 = json!({"publicKey": {"content": content}, "signedEmailAddress": request["proofOfPossession"]});
    let request = Request::post("/api/v1/signingCert").header("authorization", format!("Bearer {token}"));
    let response = world.respond(request.body(v1.to_string().into()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let header = response.headers().get("sct").map(|value| value.to_str().unwrap().to_owned());
    let chain = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (answer, Certificate::chain_from_pem(&chain).unwrap(), header)
}

#[tokio::test]
async fn a_detached_timestamp_is_about_the_certificate_it_stands_beside() {
    let world = World::with_transparency(|log| Transparency::Detached(log)).await;
    let (answer, v1_chain, header) = sign(&world).await;
    let members: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(members, ["signedCertificateDetachedSct"], "exactly one variant");
    let beside = &answer["signedCertificateDetachedSct"];
    let certificates = beside["chain"]["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 3);
    let v2_leaf = Certificate::from_pem(certificates[0].as_str().unwrap().as_bytes()).unwrap();
    let v2_sct = beside["signedCertificateTimestamp"].as_str().unwrap().to_owned();
    for (leaf, sct) in [(v2_leaf, v2_sct), (v1_chain[0].clone(), header.unwrap())] {
        verify_profile_without_sct(&leaf, world.chain.issuing()).unwrap();
        assert!(verify_profile(&leaf, world.chain.issuing()).is_err());
        let json: Value = serde_json::from_slice(&STANDARD.decode(sct).unwrap()).unwrap();
        assert_eq!(json["sct_version"], 0);
        let (url, _) = serve(0, http("200 OK", &json.to_string())).await;
        let sct = ask(&url).await.unwrap();
        let entry = LogEntry::X509 { certificate: leaf.der().to_vec() };
        sct.verify(&entry, world.log.public_key()).unwrap();
    }
    assert_eq!(world.log.submissions.lock().unwrap().len(), 2);
    for (behaviour, code) in [(Behaviour::Down, "ct.unavailable"), (Behaviour::SignsWithAnotherKey, "ct.promise")] {
        *world.log.behaviour.lock().unwrap() = behaviour;
        let body = possession(&world.client, EMAIL).await.to_string();
        let (status, _, answer) = world.post("/api/v2/signingCert", Some(&world.token().await), body).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert!(status.is_server_error(), "{answer}");
        assert_eq!(answer["details"][0]["reason"], code);
    }
}

#[tokio::test]
async fn without_a_log_the_answer_says_so_by_an_empty_timestamp() {
    let world = World::with_transparency(|_| Transparency::Unlogged).await;
    let (answer, v1_chain, header) = sign(&world).await;
    assert_eq!(answer["signedCertificateDetachedSct"]["signedCertificateTimestamp"], "");
    assert_eq!(header, None);
    verify_profile_without_sct(&v1_chain[0], world.chain.issuing()).unwrap();
    assert!(world.log.submissions.lock().unwrap().is_empty());
}
