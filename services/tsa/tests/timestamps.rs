//! Answers to valid requests: exactly what was requested, from this authority, at this time.

mod world;

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_daemon::clock::ClockFault;
use chancery_daemon::random::SystemRandom;
use chancery_daemon::signer::{RemoteKey, RemoteSignature, Signer, SignerError};
use chancery_tsa::{DEFAULT_POLICY, Error, Policies, Profile, chain};
use chancery_verify::certificate::Certificate;
use chancery_verify::key::KeyKind;
use chancery_verify::timestamping::asn1::{SEQUENCE, write};
use chancery_verify::timestamping::{Authority, Imprint, Request, Token};
use chancery_verify::{HashAlgorithm, Rejection, Timestamp};
use const_oid::ObjectIdentifier;
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use world::{DER, JSON, PATH, START, World, request};

const OTHER_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.3.4.1");

#[tokio::test]
async fn every_kind_of_key_makes_timestamps_that_verify() {
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa(2048)] {
        let world = World::with(kind, Policies::default()).await;
        for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
            let digest = hash.digest(b"artifact");
            let asked = Request { imprint: Imprint { hash, digest: &digest, null_parameters: false }, ..request(&[]) };
            let answer = world.ask(DER, asked.to_der()).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/timestamp-reply");
            assert_eq!(answer.header(header::CACHE_CONTROL), "no-cache, no-store");
            let token = Token::from_response(&answer.body).unwrap();
            token.verify_answers(&asked).unwrap();
            world.authority.authority().verify(&token).unwrap();
            let info = token.info();
            assert_eq!(info.policy, DEFAULT_POLICY.as_bytes());
            assert_eq!((info.time, info.accuracy_micros), (Timestamp::from_seconds(START), 1_000_000));
            assert_eq!((info.ordering, info.nonce), (false, None));
            assert!(!info.imprint.null_parameters, "as it was asked");
            assert_eq!(info.serial.len(), 20);
        }
    }
}

#[tokio::test]
async fn serial_numbers_are_never_the_same() {
    let world = World::new().await;
    let asked = request(&[7; 32]).to_der();
    let mut seen = HashSet::new();
    for _ in 0..200 {
        let answer = world.ask(DER, asked.clone()).await;
        let serial = Token::from_response(&answer.body).unwrap().info().serial.to_vec();
        assert!(serial[0] < 0x80 && seen.insert(serial));
    }
}

#[tokio::test]
async fn json_is_answered_in_der() {
    let world = World::new().await;
    let nonce = "123456789012345678901234567890";
    let digest = HashAlgorithm::Sha384.digest(b"artifact");
    let body = format!(
        r#"{{"artifactHash":"{}","hashAlgorithm":"SHA384","certificates":true,"nonce":{nonce},"tsaPolicyOID":"1.3.6.1.4.1.57264.2","more":[]}}"#,
        STANDARD.encode(&digest)
    );
    let answer = world.ask("application/json; charset=utf-8", body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let token = Token::from_response(&answer.body).unwrap();
    world.authority.authority().verify(&token).unwrap();
    assert_eq!(token.info().imprint.digest, digest);
    let nonce = token.info().nonce.unwrap().iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    assert_eq!(nonce.to_string(), "123456789012345678901234567890");
    assert_eq!(token.certificates(), [world.authority.authority().leaf().der()]);

    // What sigstore-js sends.
    let minimal = json!({ "artifactHash": STANDARD.encode([7; 32]), "hashAlgorithm": "sha256" }).to_string();
    let answer = world.ask(JSON, minimal).await;
    let token = Token::from_response(&answer.body).unwrap();
    token.verify_answers(&request(&[7; 32])).unwrap();
}

#[tokio::test]
async fn policies_are_the_configured_ones() {
    let world = World::with(KeyKind::P256, Policies::new(DEFAULT_POLICY, vec![OTHER_POLICY])).await;
    for (asked, expected) in [
        (None, Some(DEFAULT_POLICY)),
        (Some(DEFAULT_POLICY), Some(DEFAULT_POLICY)),
        (Some(OTHER_POLICY), Some(OTHER_POLICY)),
        (Some(ObjectIdentifier::new_unwrap("1.2.3.4")), None),
    ] {
        let asked = Request { policy: asked.as_ref().map(ObjectIdentifier::as_bytes), ..request(&[7; 32]) };
        let answer = world.ask(DER, asked.to_der()).await;
        match expected {
            Some(policy) => {
                let token = Token::from_response(&answer.body).unwrap();
                assert_eq!(token.info().policy, policy.as_bytes());
            }
            None => assert_eq!(answer.status, StatusCode::BAD_REQUEST),
        }
    }
}

/// As upstream's `--include-chain-in-response`.
#[tokio::test]
async fn certificates_are_the_leaf_or_the_chain_and_only_where_they_are_asked_for() {
    for includes_chain in [false, true] {
        let world = World::with(KeyKind::P256, Profile { includes_chain, ..Profile::default() }).await;
        let authority = world.authority.authority();
        let chain: Vec<&[u8]> = authority.chain().iter().map(Certificate::der).collect();
        for certificates in [false, true] {
            let asked = Request { certificates, ..request(&[7; 32]) };
            let answer = world.ask(DER, asked.to_der()).await;
            let token = Token::from_response(&answer.body).unwrap();
            assert_eq!(token.verify_answers(&asked), Ok(()));
            assert_eq!(authority.verify(&token), Ok(()));
            let expected = match (certificates, includes_chain) {
                (false, _) => &[][..],
                (true, false) => &chain[..1],
                (true, true) => &chain[..],
            };
            // A SET in DER is in the order of its members' bytes, whatever the order of the chain.
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(token.certificates(), expected);
        }
    }
}

/// As upstream's `--allow-custom-extensions`, except that critical ones are refused. `hostile.rs` has the default.
#[tokio::test]
async fn extensions_are_copied_where_an_operator_allows_it() {
    let world = World::with(KeyKind::P256, Profile { copies_extensions: true, ..Profile::default() }).await;
    let extension = |critical: &[u8]| write(SEQUENCE, &[&[6, 3, 0x2a, 3, 4], critical, &[4, 4, 1, 2, 3, 4]]);
    let two = [extension(&[]), write(SEQUENCE, &[&[6, 1, 0x2b], &[4, 0]])].concat();
    for extensions in [extension(&[]), two] {
        let asked = Request { extensions: Some(&extensions), nonce: Some(&[5]), ..request(&[7; 32]) };
        let answer = world.ask(DER, asked.to_der()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let token = Token::from_response(&answer.body).unwrap();
        assert_eq!(token.info().extensions, Some(&extensions[..]));
        assert_eq!(world.authority.authority().verify(&token), Ok(()));
    }
    let asked = Request { extensions: Some(&extension(&[1, 1, 0xff])), ..request(&[7; 32]) }.to_der();
    let answer = world.ask(DER, asked).await;
    assert_eq!(
        (answer.status, answer.json()["reason"].as_str()),
        (StatusCode::BAD_REQUEST, Some("timestamp.extension"))
    );
    let answer = world.ask(DER, request(&[7; 32]).to_der()).await;
    assert_eq!(Token::from_response(&answer.body).unwrap().info().extensions, None);
}

#[tokio::test]
async fn the_chain_is_served_leaf_first() {
    let world = World::new().await;
    let answer = world.send(Method::GET, "/api/v1/timestamp/certchain", &[], Body::empty()).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/pem-certificate-chain");
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-cache");
    let chain = Certificate::chain_from_pem(&answer.body).unwrap();
    assert_eq!(chain, world.authority.authority().chain());
    let published = Authority::new(chain).unwrap();
    let answer = world.ask(DER, request(&[7; 32]).to_der()).await;
    published.verify(&Token::from_response(&answer.body).unwrap()).unwrap();
}

#[tokio::test]
async fn nobody_gets_a_timestamp_while_the_clock_is_wrong() {
    let world = World::new().await;
    let asked = request(&[7; 32]).to_der();
    let time = |body: &[u8]| Token::from_response(body).unwrap().info().time.seconds();
    world.pass(60);
    assert_eq!(time(&world.ask(DER, asked.clone()).await.body), START + 60);
    // R-13: an hour back. R-14: a year forward. Neither leaves a trace.
    for (clock, fault) in [
        (START - 3540, ClockFault::Behind { seconds: 3600 }),
        (START + 60 + 365 * 86_400, ClockFault::Ahead { seconds: 365 * 86_400 }),
    ] {
        world.clock.set(Timestamp::from_seconds(clock));
        let answer = world.ask(DER, asked.clone()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header(header::RETRY_AFTER), "5");
        assert_eq!(answer.json()["reason"], fault.code());
        assert_eq!(answer.json()["message"], "Error generating timestamp response");
        assert!(matches!(world.authority.obstacle(), Some(Error::Clock(found)) if found == fault));
    }
    world.pass(61);
    assert_eq!(time(&world.ask(DER, asked).await.body), START + 61);
    assert!(world.authority.obstacle().is_none());
}

#[tokio::test]
async fn no_timestamp_is_dated_when_the_chain_is_not_valid() {
    let world = World::new().await;
    let asked = request(&[7; 32]).to_der();
    let end = world.authority.authority().expires().seconds() - START;
    for (at, granted) in [(0, true), (end, true), (end + 1, false), (end + 86_400, false)] {
        world.pass(at);
        let answer = world.ask(DER, asked.clone()).await;
        assert_eq!(answer.status == StatusCode::OK, granted, "{at}: {answer:?}");
        if !granted {
            assert_eq!(answer.json()["reason"], "tsa.expired");
        }
    }
    // Before it begins.
    let world = World::new().await;
    world.clock.set(Timestamp::from_seconds(START - 11));
    assert_eq!(world.ask(DER, request(&[7; 32]).to_der()).await.json()["reason"], "tsa.expired");
}

#[tokio::test]
async fn a_timestamp_after_the_chain_does_not_verify() {
    let (first, second) = (World::new().await, World::new().await);
    let answer = first.ask(DER, request(&[7; 32]).to_der()).await;
    let token = Token::from_response(&answer.body).unwrap();
    assert_eq!(second.authority.authority().verify(&token), Err(Rejection::TimestampSigner));
}

/// A key that cannot be reached.
struct Unplugged;

impl RemoteKey for Unplugged {
    fn sign_digest<'a>(&'a self, _hash: HashAlgorithm, _digest: &'a [u8]) -> RemoteSignature<'a> {
        Box::pin(async { Err(SignerError::Unavailable { reason: "unplugged".to_owned() }) })
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_reached_is_an_outage() {
    let ((key, _), (root, _)) = (Signer::generate(KeyKind::P256).unwrap(), Signer::generate(KeyKind::P256).unwrap());
    let signer = Signer::remote(key.public_key().clone(), Arc::new(Unplugged)).unwrap();
    let start = Timestamp::from_seconds(START);
    let certificates = chain::create("Test", 1, &root, &signer, &SystemRandom, start).await.unwrap();
    let world = World::over(certificates, Arc::new(signer), Policies::default());
    let answer = world.ask(DER, request(&[7; 32]).to_der()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["reason"], "tsa.signer");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_accepted_is_answered_as_asked(
        hash in prop::sample::select(vec![HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512]),
        null_parameters: bool,
        certificates: bool,
        asks_policy: bool,
        nonce in prop::option::of(prop::collection::vec(any::<u8>(), 1..70)),
        seed: u64,
        passed in 0..300_000_000_u64,
    ) {
        let digest = hash.digest(&seed.to_be_bytes());
        let policy = asks_policy.then_some(DEFAULT_POLICY);
        let asked = Request {
            imprint: Imprint { hash, digest: &digest, null_parameters },
            policy: policy.as_ref().map(ObjectIdentifier::as_bytes),
            nonce: nonce.as_deref(),
            certificates,
            extensions: None,
        };
        let der = asked.to_der();
        let accepted = Request::from_der(&der);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            world.clock.set(Timestamp::from_seconds(START + passed));
            world.uptime.set(Duration::from_secs(passed));
            let answer = world.ask(DER, der.clone()).await;
            let Ok(accepted) = accepted else {
                assert_eq!(answer.status, StatusCode::BAD_REQUEST);
                return;
            };
            assert_eq!(accepted, asked);
            assert_eq!(answer.status, StatusCode::OK);
            let token = Token::from_response(&answer.body).unwrap();
            assert_eq!(token.verify_answers(&asked), Ok(()));
            assert_eq!(world.authority.authority().verify(&token), Ok(()));
            assert_eq!(token.info().nonce, nonce.as_deref());
            assert_eq!(token.info().time, Timestamp::from_seconds(START + passed));
            assert_eq!(token.certificates().len(), usize::from(certificates));
        });
    }
}

#[tokio::test]
async fn other_ways_of_asking_are_named() {
    let world = World::new().await;
    let answer = world.send(Method::GET, PATH, &[], Body::empty()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header(header::ALLOW), "POST");
    assert_eq!(answer.json(), json!({ "code": 405, "message": "method GET is not allowed, but [POST] are" }));
    let answer = world.send(Method::POST, "/api/v1/timestamp/certchain", &[], Body::empty()).await;
    assert_eq!((answer.status, answer.header(header::ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, "GET"));
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_configured_url_is_answered_alike() {
    let world = World::new().await;
    let path = format!("{PATH}/");
    let body = request(&[7; 32]).to_der();
    let answer = world.send(Method::POST, &path, &[("content-type", DER)], body.into()).await;
    assert_eq!((answer.status, answer.header(header::CONTENT_TYPE)), (StatusCode::OK, "application/timestamp-reply"));
    let answer = world.send(Method::GET, "/api/v1/timestamp/certchain/", &[], Body::empty()).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/pem-certificate-chain");
    let refused = world.send(Method::GET, &path, &[], Body::empty()).await;
    assert_eq!((refused.status, refused.header(header::ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
}
