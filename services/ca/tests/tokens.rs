//! Tokens, above all hostile ones: each is refused for its own reason, and none makes the server fetch more than it must.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod world;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, Ed25519KeyPair, KeyPair as _};
use aws_lc_rs::{hmac, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use chancery_ca::identity::{IssuerKind, Principal};
use chancery_ca::oidc::{Authenticator, Fetch, Fetched, InvalidIssuer, TokenRefusal};
use chancery_ca::{DEFAULT_MAX_AGE_SECONDS, IssuerName, IssuerSettings};
use chancery_daemon::signer::Signer;
use chancery_verify::certificate::Identity;
use chancery_verify::key::KeyKind;
use chancery_verify::{PublicKey, Timestamp};
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use url::Url;
use world::{
    Documents, EMAIL, EMAIL_KIND, ISSUER, NOW, SUBJECT, claims, email_issuer, fetchers, header, jwk, token, token_of,
    unsigned,
};

struct Scene {
    documents: Arc<Documents>,
    authenticator: Authenticator,
    key: Signer,
}

fn scene() -> Scene {
    let (key, _) = Signer::generate(KeyKind::P256).unwrap();
    let documents = Arc::new(Documents::default());
    documents.publish(&[jwk(key.public_key(), Some("k1"))]);
    let authenticator = Authenticator::new(vec![email_issuer()], &fetchers(&documents)).unwrap();
    Scene { documents, authenticator, key }
}

impl Scene {
    async fn verdict(&self, token: &str) -> Result<Principal, &'static str> {
        self.authenticator.authenticate(token, NOW).await.map_err(|refusal| refusal.code())
    }

    async fn with(&self, name: &str, value: Value) -> Result<Principal, &'static str> {
        let mut claims = claims();
        claims[name] = value;
        self.verdict(&token(&self.key, &header("ES256", Some("k1")), &claims).await).await
    }
}

#[tokio::test]
async fn a_good_token_names_its_principal() {
    let scene = scene();
    let good = token(&scene.key, &header("ES256", Some("k1")), &claims()).await;
    let principal = scene.verdict(&good).await.unwrap();
    assert_eq!(principal.identity, Identity::Email(EMAIL.to_owned()));
    assert_eq!((principal.issuer.as_str(), principal.subject.as_str()), (ISSUER, SUBJECT));
    assert_eq!(principal.challenges, [EMAIL, SUBJECT]);
    let unnamed = token(&scene.key, &header("ES256", None), &claims()).await;
    assert!(scene.verdict(&unnamed).await.is_ok(), "without kid every fitting key is tried");
    assert!(scene.with("aud", json!(["sigstore", "sigstore"])).await.is_ok());
    assert!(scene.with("exp", json!(NOW.seconds() + 1)).await.is_ok());
    assert!(scene.with("exp", json!(f64::from(u32::try_from(NOW.seconds() + 1).unwrap()) + 0.5)).await.is_ok());
    assert!(scene.with("nbf", json!(NOW.seconds() + 60)).await.is_ok());
    assert!(scene.with("iat", json!(NOW.seconds() + 60)).await.is_ok());
    assert_eq!(scene.documents.requests(), 2, "one document and one key set, for all of this");
}

#[tokio::test]
async fn a_token_is_accepted_until_it_expires_or_gets_too_old() {
    let (scene, issued) = (scene(), NOW.seconds());
    for (expires, until) in [(issued + 50, issued + 50), (issued + 1_000_000, issued + DEFAULT_MAX_AGE_SECONDS + 1)] {
        let mut claims = claims();
        claims["exp"] = json!(expires);
        let token = token(&scene.key, &header("ES256", Some("k1")), &claims).await;
        let (principal, found) = scene.authenticator.authenticate_until(&token, NOW).await.unwrap();
        assert_eq!((principal.subject.as_str(), found.seconds()), (SUBJECT, until));
        for (now, is_accepted) in [(until - 1, true), (until, false)] {
            let verdict = scene.authenticator.authenticate(&token, Timestamp::from_seconds(now)).await;
            assert_eq!(verdict.is_ok(), is_accepted, "{expires} {now}");
        }
    }
}

#[tokio::test]
async fn claims_that_are_refused() {
    let now = NOW.seconds();
    let missing = "token.claim_missing";
    let table: &[(&str, Value, &str)] = &[
        ("aud", json!("other"), "token.audience"),
        ("aud", json!(["other", "sigstore2"]), "token.audience"),
        ("aud", json!([]), "token.audience"),
        ("aud", json!("Sigstore"), "token.audience"),
        ("aud", json!(["sigstore", 1]), missing),
        ("aud", Value::Null, missing),
        ("exp", json!(now), "token.expired"),
        ("exp", json!(now - 1), "token.expired"),
        ("exp", json!(0), "token.expired"),
        ("exp", json!(-1), missing),
        ("exp", json!(1e300), missing),
        ("exp", json!("9999999999"), missing),
        ("exp", Value::Null, missing),
        ("nbf", json!(now + 61), "token.not_yet_valid"),
        ("nbf", json!("soon"), missing),
        ("iat", json!(now + 61), "token.issued_in_future"),
        ("sub", json!(""), missing),
        ("sub", json!(7), missing),
        ("sub", json!("a\nb"), missing),
        ("sub", json!("x".repeat(3000)), missing),
        ("email", Value::Null, missing),
        ("email", json!(""), missing),
        ("email", json!([EMAIL]), missing),
        ("email", json!("alice"), "token.email_malformed"),
        ("email", json!("alice@example.test\n"), "token.email_malformed"),
        ("email", json!("аlice@example.test"), "token.email_malformed"),
        ("email_verified", json!(false), "token.email_unverified"),
        ("email_verified", json!("true"), "token.email_unverified"),
        ("email_verified", json!(1), "token.email_unverified"),
        ("email_verified", Value::Null, "token.email_unverified"),
    ];
    let scene = scene();
    for (name, value, code) in table {
        assert_eq!(scene.with(name, value.clone()).await, Err(*code), "{name} = {value}");
    }
}

#[tokio::test]
async fn an_issuer_is_known_letter_by_letter_or_not_at_all() {
    let scene = scene();
    for iss in [
        "https://issuer.example.test/realm/",
        "https://issuer.example.test/Realm",
        "https://issuer.example.test",
        "http://issuer.example.test/realm",
        "https://ISSUER.example.test/realm",
        " https://issuer.example.test/realm",
        "https://issuer.example.test/realm\n",
        "https://issuer.example.test/realm?x",
        "https://issuer.example.test/realm#x",
        "https://issuer.example.test:443/realm",
        "https://me@issuer.example.test/realm",
        "https://issuer.example.test/%72ealm",
        "http://localhost:3000?https://issuer.example.test/realm",
        "https://issuer.example.test.evil.test/realm",
        "",
        "*",
    ] {
        assert_eq!(scene.with("iss", json!(iss)).await, Err("token.issuer_unknown"), "{iss:?}");
    }
    assert_eq!(scene.with("iss", json!([ISSUER])).await, Err("token.claim_missing"));
    let upper = claims().to_string().replace("\"iss\"", "\"ISS\"");
    assert_eq!(
        scene.verdict(&token_of(&scene.key, &header("ES256", None).to_string(), &upper).await).await,
        Err("token.claim_missing")
    );
    assert_eq!(scene.documents.requests(), 0, "a token of an unknown issuer causes no request");
}

#[tokio::test]
async fn what_is_not_a_strict_compact_jws_is_refused() {
    let scene = scene();
    let (head, body) = (header("ES256", Some("k1")).to_string(), claims().to_string());
    let good = token_of(&scene.key, &head, &body).await;
    let parts: Vec<&str> = good.split('.').collect();
    let padded = URL_SAFE.encode(&head);
    assert_ne!(padded, parts[0], "the example must need padding");
    let non_canonical = {
        // Flips an unused bit of the last character of the signature (64 bytes leave four).
        let (rest, last) = parts[2].split_at(parts[2].len() - 1);
        let other = ['A', 'Q', 'g', 'w'].map(|used| (used.to_string(), char::from(used as u8 + 1)));
        let (_, changed) = other.iter().find(|(used, _)| used == last).unwrap();
        format!("{}.{}.{rest}{changed}", parts[0], parts[1])
    };
    let twice = body.replacen('{', &format!("{{\"iss\":\"{ISSUER}\","), 1);
    let mut table: Vec<(String, &str)> = vec![
        (String::new(), "token.missing"),
        ("x".to_owned(), "token.malformed"),
        ("..".to_owned(), "token.malformed"),
        (".".repeat(32 * 1024), "token.malformed"),
        (".".repeat(4 << 20), "token.too_large"),
        (format!("{good}."), "token.malformed"),
        (format!("{good} "), "token.malformed"),
        (format!(" {good}"), "token.malformed"),
        (format!("{}.{}", parts[0], parts[1]), "token.malformed"),
        (format!("{}.{}.", parts[0], parts[1]), "token.signature"),
        (format!("{padded}.{}.{}", parts[1], parts[2]), "token.malformed"),
        (non_canonical, "token.malformed"),
        (format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)), "token.signature"),
        (token_of(&scene.key, &head, &twice).await, "token.malformed"),
        (token_of(&scene.key, "{\"alg\":\"ES256\",\"alg\":\"none\"}", &body).await, "token.malformed"),
        (token_of(&scene.key, "[]", &body).await, "token.malformed"),
        (token_of(&scene.key, &head, "[]").await, "token.malformed"),
        (token_of(&scene.key, &head, &"[".repeat(20_000)).await, "token.malformed"),
        (token_of(&scene.key, "{\"alg\":\"ES256\",\"kid\":7}", &body).await, "token.header"),
        (serde_json::to_string(&json!({"payload": parts[1], "signatures": []})).unwrap(), "token.malformed"),
        ("a.b.c.d.e".to_owned(), "token.malformed"),
    ];
    for extra in [r#""crit":["b64"]"#, r#""crit":[]"#, r#""b64":false"#, r#""zip":"DEF""#, r#""enc":"A256GCM""#] {
        table.push((token_of(&scene.key, &format!("{{\"alg\":\"ES256\",{extra}}}"), &body).await, "token.header"));
    }
    for (token, code) in table {
        assert_eq!(scene.verdict(&token).await, Err(code), "{token:.80}");
    }
    assert!(scene.verdict(&good).await.is_ok());
}

#[tokio::test]
async fn the_key_decides_which_algorithm_counts() {
    let scene = scene();
    let (rsa, _) = Signer::generate(KeyKind::Rsa(2048)).unwrap();
    scene.documents.publish(&[jwk(scene.key.public_key(), Some("k1")), jwk(rsa.public_key(), Some("rsa"))]);
    for name in ["none", "None", "NONE", "", "HS256", "HS512", "RS1", "es256", "ES256K", "RSA-OAEP", "dir"] {
        let body = unsigned(&header(name, None).to_string(), &claims().to_string());
        assert_eq!(scene.verdict(&format!("{body}.")).await, Err("token.algorithm"), "{name}");
    }
    // HS256 with the public key as secret, in each form it is published in.
    for secret in [rsa.public_key().to_pem().into_bytes(), rsa.public_key().spki_der().to_vec()] {
        let body = unsigned(&header("HS256", Some("rsa")).to_string(), &claims().to_string());
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), body.as_bytes());
        assert_eq!(scene.verdict(&format!("{body}.{}", URL_SAFE_NO_PAD.encode(tag))).await, Err("token.algorithm"));
    }
    assert!(scene.verdict(&token(&rsa, &header("RS256", Some("rsa")), &claims()).await).await.is_ok());
    let confused = [("RS256", "k1"), ("ES256", "rsa"), ("ES384", "k1"), ("EdDSA", "k1"), ("PS256", "k1")];
    for (name, key_id) in confused {
        let confused = token(&rsa, &header(name, Some(key_id)), &claims()).await;
        assert_eq!(scene.verdict(&confused).await, Err("token.key_unknown"), "{name} {key_id}");
    }
    assert_eq!(
        scene.verdict(&token(&rsa, &header("RS512", Some("rsa")), &claims()).await).await,
        Err("token.signature")
    );
    assert_eq!(
        scene.verdict(&token(&rsa, &header("PS256", Some("rsa")), &claims()).await).await,
        Err("token.signature")
    );
    // DER is how X.509 writes ECDSA; JWS has one form, and it is the other one.
    let body = unsigned(&header("ES256", Some("k1")).to_string(), &claims().to_string());
    let der = scene.key.sign(body.as_bytes()).await.unwrap();
    assert_eq!(scene.verdict(&format!("{body}.{}", URL_SAFE_NO_PAD.encode(der))).await, Err("token.signature"));
}

#[tokio::test]
async fn pss_and_ed25519_verify() {
    let scene = scene();
    let random = SystemRandom::new();
    let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let rsa_key = {
        use aws_lc_rs::encoding::AsDer as _;
        let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = rsa.public_key().as_der().unwrap();
        PublicKey::from_spki_der(der.as_ref()).unwrap()
    };
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let ed25519_key = PublicKey::from_ed25519(ed25519.public_key().as_ref()).unwrap();
    scene.documents.publish(&[jwk(&rsa_key, Some("rsa")), jwk(&ed25519_key, Some("ed"))]);

    let body = unsigned(&header("PS256", Some("rsa")).to_string(), &claims().to_string());
    let mut signature = vec![0; rsa.public_modulus_len()];
    rsa.sign(&signature::RSA_PSS_SHA256, &random, body.as_bytes(), &mut signature).unwrap();
    assert!(scene.verdict(&format!("{body}.{}", URL_SAFE_NO_PAD.encode(&signature))).await.is_ok());

    let body = unsigned(&header("EdDSA", Some("ed")).to_string(), &claims().to_string());
    let signature = ed25519.sign(body.as_bytes());
    assert!(scene.verdict(&format!("{body}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))).await.is_ok());
}

#[tokio::test]
async fn keys_that_must_not_verify_are_left_out_of_the_set() {
    let scene = scene();
    let good = token(&scene.key, &header("ES256", Some("k1")), &claims()).await;
    let mut encryption = jwk(scene.key.public_key(), Some("k1"));
    encryption["use"] = json!("enc");
    let mut other_algorithm = jwk(scene.key.public_key(), Some("k1"));
    other_algorithm["alg"] = json!("RS256");
    let mut off_curve = jwk(scene.key.public_key(), Some("k1"));
    off_curve["y"] = off_curve["x"].clone();
    let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "k1"});
    for (keys, code) in [
        (vec![encryption], "issuer.document"),
        (vec![off_curve], "issuer.document"),
        (vec![symmetric.clone()], "issuer.document"),
        (vec![], "issuer.document"),
        (vec![other_algorithm], "token.key_unknown"),
    ] {
        scene.documents.publish(&keys);
        let authenticator = Authenticator::new(vec![email_issuer()], &fetchers(&scene.documents)).unwrap();
        let verdict = authenticator.authenticate(&good, NOW).await.map_err(|refusal| refusal.code());
        assert_eq!(verdict, Err(code), "{keys:?}");
    }
    scene.documents.publish(&[symmetric, json!({"kty": "future"}), json!(7), jwk(scene.key.public_key(), Some("k1"))]);
    assert!(scene.verdict(&good).await.is_ok(), "unknown kinds of keys do not spoil the others");
}

#[tokio::test]
async fn unknown_keys_cause_one_request_in_thirty_seconds() {
    let scene = scene();
    let (next, _) = Signer::generate(KeyKind::P256).unwrap();
    let good = token(&scene.key, &header("ES256", Some("k1")), &claims()).await;
    assert!(scene.verdict(&good).await.is_ok());
    assert_eq!(scene.documents.requests(), 2);
    let rotated = token(&next, &header("ES256", Some("k2")), &claims()).await;
    for _ in 0..50 {
        assert_eq!(scene.verdict(&rotated).await, Err("token.key_unknown"));
    }
    assert_eq!(scene.documents.requests(), 2, "the last fetch was just now");

    scene.documents.publish(&[jwk(scene.key.public_key(), Some("k1")), jwk(next.public_key(), Some("k2"))]);
    let later = NOW.plus_seconds(31);
    assert!(scene.authenticator.authenticate(&rotated, later).await.is_ok(), "a rotated key is found");
    assert_eq!(scene.documents.requests(), 4);
    let foreign = token(&next, &header("ES256", Some("k3")), &claims()).await;
    for _ in 0..50 {
        assert!(scene.authenticator.authenticate(&foreign, later).await.is_err());
    }
    assert_eq!(scene.documents.requests(), 4);
}

#[tokio::test]
async fn keys_outlive_an_outage_but_not_for_ever() {
    let scene = scene();
    let mut long = claims();
    long["iat"] = json!(NOW.seconds() + 60);
    long["exp"] = json!(NOW.seconds() + 7 * 86_400);
    let good = token(&scene.key, &header("ES256", Some("k1")), &long).await;
    assert!(scene.verdict(&good).await.is_ok());
    let state = || scene.authenticator.key_states().swap_remove(0);
    assert_eq!((state().fetched, state().failing), (Some(NOW), None));
    scene.documents.remove_all();
    let at = |seconds| scene.authenticator.authenticate(&good, NOW.plus_seconds(seconds));
    assert!(at(3600).await.is_ok(), "an hour old, the issuer is down");
    assert!(at(86_399).await.is_ok());
    let failing = Some((NOW.plus_seconds(3600), "issuer.unreachable"));
    assert_eq!((state().fetched, state().failing), (Some(NOW), failing), "and says so");
    assert!(matches!(at(86_401).await, Err(TokenRefusal::IssuerUnreachable(_) | TokenRefusal::IssuerStale)));
    scene.documents.publish(&[jwk(scene.key.public_key(), Some("k1"))]);
    assert!(at(86_440).await.is_ok(), "and back");
    assert_eq!(state().failing, None);
}

#[tokio::test]
async fn an_issuer_may_start_after_the_authority() {
    let scene = scene();
    let good = token(&scene.key, &header("ES256", Some("k1")), &claims()).await;
    scene.documents.remove_all();
    assert_eq!(scene.verdict(&good).await, Err("issuer.unreachable"));
    scene.documents.publish(&[jwk(scene.key.public_key(), Some("k1"))]);
    assert!(scene.authenticator.authenticate(&good, NOW.plus_seconds(1)).await.is_ok());
}

#[tokio::test]
async fn concurrent_callers_share_one_fetch() {
    let scene = Arc::new(scene());
    let good = token(&scene.key, &header("ES256", Some("k1")), &claims()).await;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (scene, good) = (scene.clone(), good.clone());
            tokio::spawn(async move { scene.verdict(&good).await.is_ok() })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert_eq!(scene.documents.requests(), 2);
}

#[tokio::test]
async fn a_key_that_its_issuer_has_removed_counts_ten_minutes_more() {
    let scene = scene();
    let (next, _) = Signer::generate(KeyKind::P256).unwrap();
    let mut claims = claims();
    claims["exp"] = json!(NOW.seconds() + 3600);
    let old = token(&scene.key, &header("ES256", Some("k1")), &claims).await;
    assert!(scene.verdict(&old).await.is_ok());
    scene.documents.publish(&[jwk(next.public_key(), Some("k2"))]);
    assert!(scene.authenticator.authenticate(&old, NOW.plus_seconds(599)).await.is_ok());
    let refused = scene.authenticator.authenticate(&old, NOW.plus_seconds(600)).await;
    assert!(matches!(refused, Err(TokenRefusal::KeyUnknown)));
}

/// Answers while it is told to; then never.
struct Hanging {
    documents: Arc<Documents>,
    answers: AtomicBool,
}

impl Fetch for Hanging {
    fn get<'a>(&'a self, url: &'a Url) -> Fetched<'a> {
        if self.answers.load(Ordering::SeqCst) { self.documents.get(url) } else { Box::pin(std::future::pending()) }
    }
}

#[tokio::test]
async fn who_has_a_known_key_does_not_wait_for_an_issuer_that_hangs() {
    let scene = scene();
    let hanging = Arc::new(Hanging { documents: scene.documents.clone(), answers: AtomicBool::new(true) });
    let fetcher = hanging.clone();
    let authenticator =
        Authenticator::new(vec![email_issuer()], &move |_| Ok(fetcher.clone() as Arc<dyn Fetch>)).unwrap();
    let mut claims = claims();
    claims["exp"] = json!(NOW.seconds() + 3600);
    let good = token(&scene.key, &header("ES256", Some("k1")), &claims).await;
    assert!(authenticator.authenticate(&good, NOW).await.is_ok());
    hanging.answers.store(false, Ordering::SeqCst);
    let later = NOW.plus_seconds(700);
    let mut first = pin!(authenticator.authenticate(&good, later));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending(), "one asks the issuer");
    for _ in 0..10 {
        let verdict = pin!(authenticator.authenticate(&good, later)).poll(&mut context);
        assert!(matches!(verdict, Poll::Ready(Ok(_))), "and no other token waits for it");
    }
}

#[tokio::test]
async fn of_overlapping_patterns_the_first_counts_and_an_exact_name_before_all() {
    let (key, _) = Signer::generate(KeyKind::P256).unwrap();
    let documents = Arc::new(Documents::default());
    let exact = "https://a.b.example.test/x";
    for iss in [exact, "https://a.b.example.test/y", "https://c.b.example.test/x", "https://*.z.example.test/x"] {
        documents.put(
            &format!("{iss}/.well-known/openid-configuration"),
            &json!({"issuer": iss, "jwks_uri": format!("{iss}/k")}),
        );
        documents.put(&format!("{iss}/k"), &json!({"keys": [jwk(key.public_key(), None)]}));
    }
    let settings = |name: IssuerName, domain: &str| IssuerSettings {
        name,
        ..IssuerSettings::new("", IssuerKind::Username { subject_domain: domain.to_owned() })
    };
    let pattern = |text: &str, domain: &str| settings(IssuerName::Pattern(text.to_owned()), domain);
    let issuers = vec![
        pattern("https://a.b.example.test/*", "first.test"),
        pattern("https://*.b.example.test/x", "second.test"),
        settings(IssuerName::Exact(exact.to_owned()), "exact.test"),
        // W3: a star in a name that is not announced as a pattern is a star.
        settings(IssuerName::Exact("https://*.z.example.test/x".to_owned()), "star.test"),
    ];
    let authenticator = Authenticator::new(issuers, &fetchers(&documents)).unwrap();
    for (iss, verdict) in [
        (exact, Ok("alice!exact.test")),
        ("https://a.b.example.test/y", Ok("alice!first.test")),
        ("https://c.b.example.test/x", Ok("alice!second.test")),
        ("https://*.z.example.test/x", Ok("alice!star.test")),
        ("https://q.z.example.test/x", Err("token.issuer_unknown")),
    ] {
        let mut claims = claims();
        (claims["iss"], claims["sub"]) = (json!(iss), json!("alice"));
        let token = token(&key, &header("ES256", None), &claims).await;
        // W2: and so every time.
        for _ in 0..8 {
            let found = authenticator.authenticate(&token, NOW).await;
            let found = found.map(|principal| principal.identity.to_string()).map_err(|refusal| refusal.code());
            assert_eq!(found.as_deref().map_err(|code| *code), verdict, "{iss}");
        }
    }
}

#[tokio::test]
async fn changed_settings_keep_what_is_known_of_other_issuers() {
    let scene = scene();
    let good = token(&scene.key, &header("ES256", Some("k1")), &claims()).await;
    assert!(scene.verdict(&good).await.is_ok());
    scene.documents.remove_all();
    let other = IssuerSettings::new("https://other.example.test", EMAIL_KIND);
    let again = scene.authenticator.reconfigured(vec![other, email_issuer()], &fetchers(&scene.documents)).unwrap();
    assert!(again.authenticate(&good, NOW).await.is_ok(), "a reload during an outage forgets no keys");
    let changed = IssuerSettings { audiences: vec!["other".to_owned()], ..email_issuer() };
    let again = scene.authenticator.reconfigured(vec![changed], &fetchers(&scene.documents)).unwrap();
    assert!(again.authenticate(&good, NOW).await.is_err(), "what has changed counts from now on");
}

#[test]
fn issuers_are_checked_when_they_are_configured() {
    let build = |issuers| Authenticator::new(issuers, &fetchers(&Arc::default())).err();
    assert_eq!(build(vec![]), None);
    let twice = vec![email_issuer(), email_issuer()];
    assert_eq!(build(twice), Some(InvalidIssuer::Duplicate { url: ISSUER.to_owned() }));
    let plain = IssuerSettings::new("http://issuer.test", EMAIL_KIND);
    assert!(matches!(build(vec![plain]), Some(InvalidIssuer::Insecure { .. })));
}

#[tokio::test]
async fn keys_of_issuers_are_fetched_without_a_token_too() {
    let (scene, unpublished) = (scene(), IssuerSettings::new("https://other.example.test", EMAIL_KIND));
    let issuers = vec![unpublished, email_issuer()];
    let authenticator = Authenticator::new(issuers, &fetchers(&scene.documents)).unwrap();
    let reached = authenticator.fetch_keys(NOW).await;
    let told: Vec<_> = reached.iter().map(|reached| (reached.issuer.as_str(), reached.verdict.is_ok())).collect();
    assert_eq!(told, [(ISSUER, true), ("https://other.example.test", false)]);
}
