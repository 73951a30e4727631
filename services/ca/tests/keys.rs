//! The authority's own key, of every kind and in every mood, and the keys clients may have.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod world;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use chancery_ca::{ClientAlgorithm, ClientAlgorithms};
use chancery_daemon::signer::{RemoteKey, RemoteSignature, Signer, SignerError};
use chancery_verify::HashAlgorithm;
use chancery_verify::certificate::{Certificate, verify_chain};
use chancery_verify::key::KeyKind;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::ServiceExt as _;
use world::{EMAIL, NOW, World, possession};

async fn sign(world: &World, body: &Value) -> (StatusCode, Value) {
    let token = world.token().await;
    let (status, _, body) = world.post("/api/v2/signingCert", Some(&token), body.to_string()).await;
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn authorities_of_every_kind_issue() {
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa(2048), KeyKind::Rsa(3072), KeyKind::Rsa(4096)] {
        let world = World::issuing_with(Signer::generate(kind).unwrap().0, ClientAlgorithms::default()).await;
        let (status, body) = sign(&world, &world.possession(EMAIL).await).await;
        assert_eq!(status, StatusCode::OK, "{kind:?}: {body}");
        let leaf = &body["signedCertificateEmbeddedSct"]["chain"]["certificates"][0];
        let leaf = Certificate::from_pem(leaf.as_str().unwrap().as_bytes()).unwrap();
        let issuers = world.chain.certificates();
        verify_chain(&leaf, issuers, &issuers[1..], NOW).unwrap();
        assert_eq!(issuers[0].public_key().kind(), kind);
    }
}

/// A key that never answers in time.
#[derive(Default)]
struct Away(AtomicUsize);

impl RemoteKey for Away {
    fn sign_digest<'a>(&'a self, _hash: HashAlgorithm, _digest: &'a [u8]) -> RemoteSignature<'a> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Err(SignerError::Unavailable { reason: "throttled".to_owned() }) })
    }
}

/// no fallback key, no certificate, nothing in the log, and the client may ask again.
#[tokio::test]
async fn a_key_that_is_away_means_503_and_nothing_else() {
    let public_key = Signer::generate(KeyKind::P256).unwrap().0.public_key().clone();
    let away = Arc::new(Away::default());
    let signer = Signer::remote(public_key, away.clone()).unwrap();
    let world = World::issuing_with(signer, ClientAlgorithms::default()).await;
    let request =
        Request::post("/api/v2/signingCert").header("authorization", format!("Bearer {}", world.token().await));
    let body = Body::from(world.possession(EMAIL).await.to_string());
    let response = world.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "2");
    let (status, body) = sign(&world, &world.possession(EMAIL).await).await;
    assert_eq!((status, &body["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(14)));
    assert_eq!(body["details"][0]["reason"], "ca.signer_unavailable");
    assert!(!body.to_string().contains("throttled"), "the backend's words are for the log: {body}");
    assert_eq!(away.0.load(Ordering::SeqCst), 2, "each request asks once");
    assert!(world.log.submissions.lock().unwrap().is_empty());
    let (status, _, _) = world.get("/api/v2/trustBundle").await;
    assert_eq!(status, StatusCode::OK, "reads go on");
}

#[tokio::test]
async fn only_permitted_kinds_of_client_keys_get_certificates() {
    let permitted = ["ecdsa-sha2-256-nistp256".parse::<ClientAlgorithm>().unwrap()].into_iter().collect();
    let world = World::issuing_with(Signer::generate(KeyKind::P256).unwrap().0, permitted).await;
    let (status, _) = sign(&world, &world.possession(EMAIL).await).await;
    assert_eq!(status, StatusCode::OK);
    for (kind, said) in [(KeyKind::P384, "*ecdsa.PublicKey, SHA-384"), (KeyKind::Rsa(2048), "*rsa.PublicKey, SHA-256")]
    {
        let client = Signer::generate(kind).unwrap().0;
        let (status, body) = sign(&world, &possession(&client, EMAIL).await).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(body["message"], format!("signing algorithm not permitted: {said}"));
        assert_eq!(body["details"][0]["reason"], "key.algorithm");
    }
    assert_eq!(world.log.submissions.lock().unwrap().len(), 1);
}
