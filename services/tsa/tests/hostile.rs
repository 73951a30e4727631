//! Requests that get no timestamp (S-19, S-29), each with its exact answer. Which encodings are no request at all,
//! `hostile_timestamps.rs` of chancery-verify lists; here one stands for all.

#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

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

#[tokio::test]
async fn every_refusal_has_its_answer() {
    let world = World::new().await;
    let good = request(&[7; 32]).to_der();
    let sha1 = write(asn1::SEQUENCE, &[VERSION, &imprint(&[0x2b, 0x0e, 3, 2, 0x1a], &[7; 20])]);
    let md5 = write(asn1::SEQUENCE, &[VERSION, &imprint(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5], &[7; 16])]);
    let sha3 = write(asn1::SEQUENCE, &[VERSION, &imprint(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 8], &[7; 32])]);
    let short = write(asn1::SEQUENCE, &[VERSION, &imprint(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], &[7; 20])]);
    let long_nonce = write(asn1::INTEGER, &[&[1; 65]]);
    let huge_nonce = write(asn1::INTEGER, &[&vec![1; 1 << 20]]);
    let arcs = |count| write(asn1::OBJECT_IDENTIFIER, &[&vec![1; count]]);
    let indefinite = [&[0x30, 0x80], &good[2..], &[0, 0]].concat();
    let critical = write(asn1::constructed(0), &[&write(asn1::SEQUENCE, &[&[6, 1, 0x2a], &[1, 1, 0xff], &[4, 0]])]);
    let harmless = write(asn1::constructed(0), &[&write(asn1::SEQUENCE, &[&[6, 1, 0x2a], &[4, 0]])]);
    let (many, parts) = (vec!["1"; 129].join("."), "1.".repeat(400));
    let table: Vec<(&str, &str, Vec<u8>, u16, &str, &str)> = vec![
        ("nothing", DER, vec![], 400, GENERAL, "timestamp.request"),
        ("text", DER, b"timestamp, please".to_vec(), 400, GENERAL, "timestamp.request"),
        ("JSON as DER", DER, json_with("\"nonce\":1"), 400, GENERAL, "timestamp.request"),
        ("BER", DER, indefinite, 400, GENERAL, "timestamp.request"),
        ("trailing bytes", DER, [&good[..], &[0]].concat(), 400, GENERAL, "timestamp.request"),
        ("a padded nonce", DER, with(&[2, 2, 0, 1]), 400, GENERAL, "timestamp.request"),
        ("a long nonce", DER, with(&long_nonce), 400, GENERAL, "timestamp.request"),
        ("a nonce of a megabyte", DER, with(&huge_nonce), 413, LARGE, "request.too_large"),
        ("a policy of a million arcs", DER, with(&arcs(1_000_000)), 413, LARGE, "request.too_large"),
        ("a policy of a thousand arcs", DER, with(&arcs(1000)), 400, POLICY, "timestamp.policy"),
        ("an unknown policy", DER, with(&[6, 1, 0x2a]), 400, POLICY, "timestamp.policy"),
        ("a critical extension", DER, with(&critical), 400, EXTENSION, "timestamp.extension"),
        ("an unknown extension", DER, with(&harmless), 400, EXTENSION, "timestamp.extension"),
        ("SHA-1", DER, sha1, 400, WEAK, "timestamp.hash_weak"),
        ("MD5", DER, md5, 400, WEAK, "timestamp.hash_weak"),
        ("SHA3-256", DER, sha3, 400, GENERAL, "timestamp.hash"),
        ("a short digest", DER, short, 400, LENGTH, "digest.length"),
        ("no JSON", JSON, b"{".to_vec(), 400, GENERAL, "request.malformed"),
        ("DER as JSON", JSON, good.clone(), 400, GENERAL, "request.malformed"),
        ("an empty object", JSON, b"{}".to_vec(), 400, GENERAL, "request.malformed"),
        ("a member twice", JSON, json_with(r#""hashAlgorithm":"sha512""#), 400, GENERAL, "request.malformed"),
        ("a nonce that is text", JSON, json_with(r#""nonce":"1""#), 400, GENERAL, "request.malformed"),
        (
            "a nonce of 900 digits",
            JSON,
            json_with(&format!(r#""nonce":{}"#, "9".repeat(900))),
            400,
            GENERAL,
            "request.malformed",
        ),
        (
            "a nonce of a million digits",
            JSON,
            json_with(&format!(r#""nonce":{}"#, "9".repeat(1_000_000))),
            400,
            LARGE,
            "request.too_large",
        ),
        ("a policy that is none", JSON, json_with(r#""tsaPolicyOID":"today""#), 400, ARCS, "request.policy"),
        ("a policy of 129 arcs", JSON, json_with(&format!(r#""tsaPolicyOID":"{many}""#)), 400, ARCS, "request.policy"),
        ("a policy of dots", JSON, json_with(&format!(r#""tsaPolicyOID":"{parts}""#)), 400, ARCS, "request.policy"),
        ("another policy", JSON, json_with(r#""tsaPolicyOID":"1.2.3""#), 400, POLICY, "timestamp.policy"),
        (
            "a hash that is no base64",
            JSON,
            br#"{"artifactHash":"!","hashAlgorithm":"sha256"}"#.to_vec(),
            400,
            GENERAL,
            "request.malformed",
        ),
        (
            "a hash of another length",
            JSON,
            br#"{"artifactHash":"AAAA","hashAlgorithm":"sha256"}"#.to_vec(),
            400,
            LENGTH,
            "digest.length",
        ),
        (
            "SHA-1 in JSON",
            JSON,
            br#"{"artifactHash":"AAAA","hashAlgorithm":"sha1"}"#.to_vec(),
            400,
            WEAK,
            "timestamp.hash_weak",
        ),
        (
            "an unknown hash",
            JSON,
            br#"{"artifactHash":"AAAA","hashAlgorithm":"sha3"}"#.to_vec(),
            400,
            GENERAL,
            "timestamp.hash",
        ),
    ];
    for (what, kind, body, status, message, reason) in table {
        let answer = world.ask(kind, body).await;
        let expected = json!({ "code": status, "message": message, "reason": reason });
        assert_eq!((answer.status.as_u16(), answer.json()), (status, expected), "{what}");
    }
    assert_eq!(world.ask(DER, good).await.status, StatusCode::OK, "nothing of it lasts");
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
