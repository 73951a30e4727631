//! For any claims of any kind of issuer: either a refusal, or a certificate that parses, has exactly one name, and is read
//! back by the verification crate as what the authority meant.

mod world;

use chancery_ca::config::IssuersFile;
use chancery_ca::{IssuerName, KeySource};
use chancery_verify::certificate::{Certificate, verify_profile};
use chancery_verify::extension::Claim;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::cell::Cell;
use std::path::Path;
use world::{NOW, World, header, jwk, token};
use x509_cert::ext::pkix::SubjectAltName;

const GOLDEN: &str = include_str!("golden/identities.json");

/// Any JSON a claim may be, more often one that is nearly right.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => "[a-zA-Z0-9/@:._#?%&=+ -]{0,40}".prop_map(Value::from),
        2 => ".{0,40}".prop_map(Value::from),
        1 => prop_oneof![
            Just("{sha}"), Just("\u{202e}"), Just("https://evil.test/"), Just("spiffe://example.test/a"), Just("a@b.test"), Just("../..")
        ].prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!({"namespace": "a", "serviceaccount": {"name": "b"}})),
        1 => Just(json!([1, "a"])),
    ]
}

#[test]
fn a_certificate_says_what_was_meant_or_there_is_none() {
    let cases: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let keys = json!({"keys": [jwk(world.issuer_key.public_key(), Some("k1"))]}).to_string();
    let issued = Cell::new(0_usize);
    for case in &cases {
        let file: IssuersFile = toml::from_str(&format!("[[issuer]]\n{}", case["issuer"].as_str().unwrap())).unwrap();
        let mut settings = file.settings(Path::new("")).unwrap().swap_remove(0);
        settings.keys = KeySource::Static(keys.clone());
        let IssuerName::Exact(url) = settings.name.clone() else { panic!("an exact name") };
        let issuing = runtime.block_on(World::trusting(vec![settings]));
        let names: Vec<String> = case["claims"].as_object().unwrap().keys().cloned().collect();
        let changes = prop::collection::vec((prop::sample::select(names), value()), 0..3);
        let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
        let outcome = runner.run(&changes, |changes| {
            let mut claims = case["claims"].clone();
            claims["iss"] = json!(url);
            claims["aud"] = json!("sigstore");
            claims["exp"] = json!(NOW.seconds() + 300);
            claims["iat"] = json!(NOW.seconds());
            for (name, value) in changes {
                claims[name] = value;
            }
            let leaf = runtime.block_on(async {
                let token = token(&world.issuer_key, &header("ES256", Some("k1")), &claims).await;
                let meant = issuing.authority.authenticator().authenticate(&token, NOW).await.ok()?;
                let body = issuing.possession(&meant.challenges[0]).await.to_string();
                let (status, _, answer) = issuing.post("/api/v2/signingCert", Some(&token), body).await;
                let answer: Value = serde_json::from_slice(&answer).unwrap();
                assert_eq!(status, 200, "what is authenticated is issued: {answer} for {claims}");
                let leaf = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"][0].as_str().unwrap();
                Some((Certificate::from_pem(leaf.as_bytes()).unwrap(), meant))
            });
            let Some((leaf, meant)) = leaf else { return Ok(()) };
            let names = leaf.tbs().get_extension::<SubjectAltName>().unwrap().unwrap().1;
            prop_assert_eq!(names.0.len(), 1);
            prop_assert_eq!(leaf.identity().unwrap(), meant.identity);
            prop_assert_eq!(leaf.issuer_claim().unwrap(), meant.issuer);
            prop_assert_eq!(leaf.claim(Claim::TokenSubject).unwrap(), Some(meant.subject));
            for claim in Claim::ALL {
                if let Some(value) = meant.claims.get(claim) {
                    let read = leaf.claim(*claim).unwrap();
                    prop_assert_eq!(read.as_ref(), Some(value));
                }
            }
            verify_profile(&leaf, issuing.chain.issuing()).unwrap();
            issued.set(issued.get() + 1);
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{}: {error}", case["name"]));
    }
    assert!(issued.get() > cases.len() * 5, "many of them are still in order: {}", issued.get());
}
