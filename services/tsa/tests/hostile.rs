//! Requests that get no timestamp (S-19, S-29), each with its exact answer. Which encodings are no request at all,
//! `hostile_timestamps.rs` of chancery-verify lists; here one stands for all.

mod world;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_verify::timestamping::asn1::{self, write};
use serde_json::json;
use std::time::{Duration, Instant};
use world::{DER, JSON, PATH, World, request};

const GENERAL: &str = "Error generating timestamp response";
const POLICY: &str = "unaccepted policy: requested TSA policy is not supported by the TSA";
const EXTENSION: &str = "unaccepted extension: requested extensions are not supported by the TSA";
const WEAK: &str = "Weak hash algorithm in timestamp request";
const LENGTH: &str = "Message digest has incorrect length for specified algorithm";
const ARCS: &str = "OID should be comprised of at most 128 components";
const LARGE: &str = "timestamp request is too large";
const VERSION: &[u8] = &[2, 1, 1];

fn imprint(algorithm: &[u8], digest: &[u8]) -> Vec<u8> {
    let algorithm = write(asn1::SEQUENCE, &[&write(asn1::OBJECT_IDENTIFIER, &[algorithm]), &[5, 0]]);
    write(asn1::SEQUENCE, &[&algorithm, &write(asn1::OCTET_STRING, &[digest])])
}

fn with(field: &[u8]) -> Vec<u8> {
    write(asn1::SEQUENCE, &[VERSION, &request(&[7; 32]).imprint.to_der(), field])
}

fn json_with(member: &str) -> Vec<u8> {
    format!(r#"{{"artifactHash":"{}","hashAlgorithm":"sha256",{member}}}"#, STANDARD.encode([7; 32])).into_bytes()
}

/// What it is, body, message, reason.
type Refusal = (&'static str, Vec<u8>, &'static str, &'static str);

async fn demand(kind: &str, status: u16, table: Vec<Refusal>) {
    let world = World::new().await;
    for (what, body, message, reason) in table {
        let answer = world.ask(kind, body).await;
        let expected = json!({ "code": status, "message": message, "reason": reason });
        assert_eq!((answer.status.as_u16(), answer.json()), (status, expected), "{what}");
    }
    assert_eq!(world.ask(DER, request(&[7; 32]).to_der()).await.status, StatusCode::OK, "nothing of it lasts");
}

fn arcs(count: usize) -> Vec<u8> {
    write(asn1::OBJECT_IDENTIFIER, &[&vec![1; count]])
}

#[tokio::test]
async fn what_is_no_request_has_one_answer() {
    let good = request(&[7; 32]).to_der();
    let (malformed, long) = ("timestamp.request", write(asn1::INTEGER, &[&[1; 65]]));
    let table = vec![
        ("nothing", vec![], GENERAL, malformed),
        ("text", b"timestamp, please".to_vec(), GENERAL, malformed),
        ("JSON", json_with("\"nonce\":1"), GENERAL, malformed),
        ("indefinite length", [&[0x30, 0x80], &good[2..], &[0, 0]].concat(), GENERAL, malformed),
        ("trailing bytes", [&good[..], &[0]].concat(), GENERAL, malformed),
        ("a padded nonce", with(&[2, 2, 0, 1]), GENERAL, malformed),
        ("a long nonce", with(&long), GENERAL, malformed),
    ];
    demand(DER, 400, table).await;
    let (large, huge) = ("request.too_large", write(asn1::INTEGER, &[&vec![1; 1 << 20]]));
    let table = vec![
        ("a nonce of a megabyte", with(&huge), LARGE, large),
        ("a policy of a million arcs", with(&arcs(1_000_000)), LARGE, large),
    ];
    demand(DER, 413, table).await;
}

#[tokio::test]
async fn what_is_asked_in_vain_has_its_answer() {
    let asked = |algorithm: &[u8], length| write(asn1::SEQUENCE, &[VERSION, &imprint(algorithm, &vec![7; length])]);
    let extension = |critical: &[u8]| {
        let extension = write(asn1::SEQUENCE, &[&[6, 1, 0x2a], critical, &[4, 0]]);
        with(&write(asn1::constructed(0), &[&extension]))
    };
    let table = vec![
        ("a policy of a thousand arcs", with(&arcs(1000)), POLICY, "timestamp.policy"),
        ("an unknown policy", with(&[6, 1, 0x2a]), POLICY, "timestamp.policy"),
        ("a critical extension", extension(&[1, 1, 0xff]), EXTENSION, "timestamp.extension"),
        ("an unknown extension", extension(&[]), EXTENSION, "timestamp.extension"),
        ("SHA-1", asked(&[0x2b, 0x0e, 3, 2, 0x1a], 20), WEAK, "timestamp.hash_weak"),
        ("MD5", asked(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5], 16), WEAK, "timestamp.hash_weak"),
        ("SHA3-256", asked(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 8], 32), GENERAL, "timestamp.hash"),
        ("a short digest", asked(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], 20), LENGTH, "digest.length"),
    ];
    demand(DER, 400, table).await;
}

#[tokio::test]
async fn json_is_bounded_and_refused_alike() {
    let nonce = |digits| json_with(&format!(r#""nonce":{}"#, "9".repeat(digits)));
    let policy = |text: &str| json_with(&format!(r#""tsaPolicyOID":"{text}""#));
    let hashed =
        |hash: &str, name: &str| format!(r#"{{"artifactHash":"{hash}","hashAlgorithm":"{name}"}}"#).into_bytes();
    let malformed = "request.malformed";
    let table = vec![
        ("no JSON", b"{".to_vec(), GENERAL, malformed),
        ("DER", request(&[7; 32]).to_der(), GENERAL, malformed),
        ("an empty object", b"{}".to_vec(), GENERAL, malformed),
        ("a member twice", json_with(r#""hashAlgorithm":"sha512""#), GENERAL, malformed),
        ("a nonce that is text", json_with(r#""nonce":"1""#), GENERAL, malformed),
        ("a negative nonce", json_with(r#""nonce":-1"#), GENERAL, malformed),
        ("a nonce of 900 digits", nonce(900), GENERAL, malformed),
        ("a nonce of a million digits", nonce(1_000_000), LARGE, "request.too_large"),
        ("a policy that is none", policy("today"), ARCS, "request.policy"),
        ("a policy of 129 arcs", policy(&vec!["1"; 129].join(".")), ARCS, "request.policy"),
        ("a policy of dots", policy(&"1.".repeat(400)), ARCS, "request.policy"),
        ("another policy", policy("1.2.3"), POLICY, "timestamp.policy"),
        ("a hash that is no base64", hashed("!", "sha256"), GENERAL, malformed),
        ("a hash of another length", hashed("AAAA", "sha256"), LENGTH, "digest.length"),
        ("SHA-1", hashed("AAAA", "sha1"), WEAK, "timestamp.hash_weak"),
        ("an unknown hash", hashed("AAAA", "sha3"), GENERAL, "timestamp.hash"),
    ];
    demand(JSON, 400, table).await;
}

#[tokio::test]
async fn only_two_media_types_are_requests() {
    let world = World::new().await;
    let good = request(&[7; 32]).to_der();
    for kind in [
        "",
        "text/plain",
        "application/octet-stream",
        "application/timestamp-reply",
        "multipart/form-data; boundary=application/json",
        "application/timestamp-query-x",
    ] {
        let answer = world.ask(kind, good.clone()).await;
        let message =
            format!("unsupported media type {kind:?}, only [application/timestamp-query application/json] are allowed");
        let expected = json!({ "code": 415, "message": message, "reason": "request.content_type" });
        assert_eq!((answer.status.as_u16(), answer.json()), (415, expected), "{kind}");
    }
    for kind in ["application/timestamp-query; a=b", "Application/Timestamp-Query", " application/timestamp-query"] {
        assert_eq!(world.ask(kind, good.clone()).await.status, StatusCode::OK, "{kind}");
    }
    let answer = world.send(Method::POST, PATH, &[], Body::from(good)).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_bomb_of_a_content_type_is_read_once_and_not_repeated() {
    let world = World::new().await;
    let begun = Instant::now();
    for bomb in [";".repeat(60_000), "/".repeat(60_000), "application/json,".repeat(3000), "a;b=c;".repeat(10_000)] {
        let answer = world.ask(&bomb, vec![]).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(answer.body.len() < 500, "{}", answer.body.len());
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
