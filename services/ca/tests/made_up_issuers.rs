//! Unsigned tokens of issuers that match a pattern and do not exist (S-10) do not block real issuers.

mod world;

use chancery_ca::{IssuerName, IssuerSettings};
use chancery_verify::Timestamp;
use serde_json::json;
use world::{EMAIL_KIND, NOW, World, claims, header, jwk, token};

/// A world that accepts the issuers of a pattern.
async fn world() -> World {
    let name = IssuerName::Pattern("https://oidc.*.example.test/id/*".to_owned());
    World::trusting(vec![IssuerSettings { name, ..IssuerSettings::new("", EMAIL_KIND) }]).await
}

/// Why a token of this issuer is refused, or that it is not.
async fn verdict(world: &World, issuer: &str, now: Timestamp) -> &'static str {
    let mut claims = claims();
    claims["iss"] = json!(issuer);
    let token = token(&world.issuer_key, &header("ES256", Some("k1")), &claims).await;
    world
        .authority
        .authenticator()
        .authenticate(&token, now)
        .await
        .map_or_else(|refusal| refusal.code(), |_| "accepted")
}

/// Makes an issuer real.
fn publish(world: &World, issuer: &str) {
    let keys = format!("{issuer}/keys");
    let document = json!({"issuer": issuer, "jwks_uri": keys});
    world.documents.put(&format!("{issuer}/.well-known/openid-configuration"), &document);
    world.documents.put(&keys, &json!({"keys": [jwk(world.issuer_key.public_key(), Some("k1"))]}));
}

#[tokio::test]
async fn made_up_issuers_of_many_hosts_keep_no_real_one_out() {
    let world = world().await;
    for number in 0..2000 {
        let made_up = format!("https://oidc.made-up-{number}.example.test/id/x");
        assert_eq!(verdict(&world, &made_up, NOW).await, "issuer.unreachable");
    }
    let real = "https://oidc.eu-1.example.test/id/REAL";
    publish(&world, real);
    assert_eq!(verdict(&world, real, NOW).await, "accepted");
}

#[tokio::test]
async fn a_host_is_left_alone_after_thirty_failures_and_no_other_is() {
    let world = world().await;
    let known = "https://oidc.a.example.test/id/KNOWN";
    publish(&world, known);
    assert_eq!(verdict(&world, known, NOW).await, "accepted");
    for number in 0..30 {
        let made_up = format!("https://oidc.a.example.test/id/{number}");
        assert_eq!(verdict(&world, &made_up, NOW).await, "issuer.unreachable");
    }
    let [same, other] = ["a", "b"].map(|host| format!("https://oidc.{host}.example.test/id/REAL"));
    publish(&world, &same);
    publish(&world, &other);
    let asked = world.documents.requests();
    assert_eq!(verdict(&world, &same, NOW).await, "issuer.busy");
    assert_eq!(world.documents.requests(), asked, "it is not asked");
    assert_eq!(verdict(&world, &other, NOW).await, "accepted");
    assert_eq!(verdict(&world, known, NOW).await, "accepted", "its keys are known");
    assert_eq!(verdict(&world, &same, NOW.plus_seconds(61)).await, "accepted");
}

#[tokio::test]
async fn lookups_that_succeed_do_not_count() {
    let world = world().await;
    for number in 0..100 {
        let real = format!("https://oidc.a.example.test/id/{number}");
        publish(&world, &real);
        assert_eq!(verdict(&world, &real, NOW).await, "accepted");
    }
}
