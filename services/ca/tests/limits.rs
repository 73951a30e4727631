//! How often one may ask: who is limited, who is not, and for how long.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod world;

use axum::http::{Request, StatusCode};
use chancery_ca::Rates;
use serde_json::{Value, json};
use std::num::NonZeroU32;
use world::{EMAIL, NOW, World, claims, header, token};

/// Asks as `email`; returns the status, `Retry-After` and the reason.
async fn ask(world: &World, email: &str) -> (StatusCode, Option<String>, Value) {
    let mut claims = claims();
    claims["email"] = json!(email);
    let token = token(&world.issuer_key, &header("ES256", Some("k1")), &claims).await;
    ask_with(world, &token, email).await
}

async fn ask_with(world: &World, token: &str, challenge: &str) -> (StatusCode, Option<String>, Value) {
    let body = world.possession(challenge).await.to_string();
    let request = Request::post("/api/v2/signingCert").header("authorization", format!("Bearer {token}"));
    let response = world.respond(request.body(body.into()).unwrap()).await;
    let status = response.status();
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    if status == StatusCode::TOO_MANY_REQUESTS {
        assert_eq!(body["code"], 8);
    }
    (status, retry_after, body["details"][0]["reason"].clone())
}

fn rates(per_identity: u32, per_issuer: u32) -> Rates {
    Rates { per_identity: NonZeroU32::new(per_identity), per_issuer: NonZeroU32::new(per_issuer) }
}

#[tokio::test]
async fn an_identity_has_its_own_share_and_gets_it_back() {
    let world = World::limited(rates(3, 0)).await;
    for _ in 0..3 {
        assert_eq!(ask(&world, EMAIL).await.0, StatusCode::OK);
    }
    let refused = (StatusCode::TOO_MANY_REQUESTS, Some("20".to_owned()), json!("limit.identity"));
    assert_eq!(ask(&world, EMAIL).await, refused);
    assert_eq!(ask(&world, "bob@example.test").await.0, StatusCode::OK);
    world.clock.set(NOW.plus_seconds(19));
    assert_eq!(ask(&world, EMAIL).await.1.as_deref(), Some("1"));
    world.clock.set(NOW.plus_seconds(20));
    assert_eq!(ask(&world, EMAIL).await.0, StatusCode::OK);
    assert_eq!(ask(&world, EMAIL).await.0, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn an_issuers_identities_share_and_who_is_over_their_own_limit_uses_up_nothing() {
    let world = World::limited(rates(2, 4)).await;
    for (email, expected) in [
        (EMAIL, None),
        (EMAIL, None),
        (EMAIL, Some("limit.identity")),
        (EMAIL, Some("limit.identity")),
        ("bob@example.test", None),
        ("carol@example.test", None),
        ("dave@example.test", Some("limit.issuer")),
    ] {
        let (status, _, reason) = ask(&world, email).await;
        assert_eq!((status == StatusCode::OK, reason.as_str()), (expected.is_none(), expected), "{email}");
    }
}

#[tokio::test]
async fn tokens_that_do_not_verify_count_for_nobody() {
    let world = World::limited(rates(1, 1)).await;
    let stranger = &world.client;
    let forged = token(stranger, &header("ES256", Some("k1")), &claims()).await;
    for _ in 0..5 {
        let (status, _, reason) = ask_with(&world, &forged, EMAIL).await;
        assert_eq!((status, reason), (StatusCode::BAD_REQUEST, json!("token.signature")));
    }
    assert_eq!(ask(&world, EMAIL).await.0, StatusCode::OK);
}
