//! Every kind of issuer: the reference's tables of claims and what a certificate says for them, and what is refused.
//!
//! `golden/identities.json` has a case for every kind and preset: the issuer as an operator writes it, a token's claims, and
//! every identity and extension of the certificate. The extensions are read here byte by byte, not with the product's table.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set its scene has failed")]

mod world;

use chancery_ca::config::IssuersFile;
use chancery_ca::{IssuerName, IssuerSettings, KeySource};
use chancery_verify::certificate::{Certificate, Identity};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use world::{NOW, World, header, jwk, token};

const GOLDEN: &str = include_str!("golden/identities.json");

fn settings(issuer: &str) -> IssuerSettings {
    let file: IssuersFile = toml::from_str(&format!("[[issuer]]\n{issuer}")).unwrap();
    file.settings(Path::new("")).unwrap_or_else(|error| panic!("{issuer}: {error}")).swap_remove(0)
}

/// A world that believes one issuer, by keys that were uploaded.
async fn world(issuer: &str) -> (World, String) {
    let mut settings = settings(issuer);
    let IssuerName::Exact(url) = settings.name.clone() else { panic!("an exact name") };
    let probe = World::new().await;
    settings.keys = KeySource::Static(json!({"keys": [jwk(probe.issuer_key.public_key(), Some("k1"))]}).to_string());
    let world = World::trusting(vec![settings]).await;
    (World { issuer_key: probe.issuer_key, ..world }, url)
}

fn complete(url: &str, claims: &Value) -> Value {
    let mut all = claims.clone();
    let mut put = |name: &str, value: Value| {
        if all.get(name).is_none() {
            all[name] = value;
        }
    };
    put("iss", json!(url));
    put("aud", json!("sigstore"));
    put("iat", json!(NOW.seconds()));
    put("exp", json!(NOW.seconds() + 300));
    all
}

/// The certificate for these claims, or the code of the refusal.
async fn issue(world: &World, claims: &Value) -> Result<Certificate, String> {
    let token = token(&world.issuer_key, &header("ES256", Some("k1")), claims).await;
    let challenge = claims["email"].as_str().or(claims["sub"].as_str()).unwrap_or_default();
    let body = world.possession(challenge).await.to_string();
    let (status, _, answer) = world.post("/api/v2/signingCert", Some(&token), body).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    if status == 200 {
        let leaf = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"][0].as_str().unwrap();
        return Ok(Certificate::from_pem(leaf.as_bytes()).unwrap());
    }
    assert_eq!((status.as_u16(), &answer["code"]), (400, &json!(3)), "{answer}");
    assert_eq!(answer["message"], "There was an error processing the identity token");
    Err(answer["details"][0]["reason"].as_str().unwrap().to_owned())
}

/// Every extension of Fulcio's arc by its last number; 1 to 6 as they are, the others as short DER `UTF8String`s.
fn extensions(certificate: &Certificate) -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    for extension in certificate.extensions() {
        let oid = extension.extn_id.to_string();
        let Some(arc) = oid.strip_prefix("1.3.6.1.4.1.57264.1.") else { continue };
        let (arc, bytes) = (arc.parse().unwrap(), extension.extn_value.as_bytes());
        let text = match (arc, bytes) {
            (1..=6, raw) => raw,
            (8..=24, [0x0c, length, text @ ..]) if usize::from(*length) == text.len() && *length < 0x80 => text,
            (8..=24, [0x0c, 0x81, length, text @ ..]) if usize::from(*length) == text.len() && *length >= 0x80 => text,
            other => panic!("{other:?}"),
        };
        found.insert(arc, String::from_utf8(text.to_vec()).unwrap());
    }
    found
}

#[tokio::test]
async fn certificates_say_what_the_tables_say() {
    let cases: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let (world, url) = world(case["issuer"].as_str().unwrap()).await;
        let claims = complete(&url, &case["claims"]);
        let certificate = issue(&world, &claims).await.unwrap_or_else(|code| panic!("{name}: {code}"));

        let expected: Map<String, Value> = case["extensions"].as_object().unwrap().clone();
        let mut expected: BTreeMap<u32, String> =
            expected.iter().map(|(arc, value)| (arc.parse().unwrap(), value.as_str().unwrap().to_owned())).collect();
        let issuer = case["issuer_extension"].as_str().unwrap_or(&url).to_owned();
        expected.extend([(1, issuer.clone()), (8, issuer), (24, claims["sub"].as_str().unwrap().to_owned())]);
        assert_eq!(extensions(&certificate), expected, "{name}");

        let value = case["san"][1].as_str().unwrap().to_owned();
        let identity = match case["san"][0].as_str().unwrap() {
            "email" => Identity::Email(value),
            "uri" => Identity::Uri(value),
            _ => Identity::Username(value),
        };
        assert_eq!(certificate.identity().unwrap(), identity, "{name}");
    }
}

#[tokio::test]
async fn a_username_is_an_other_name_to_the_byte() {
    let (world, url) = world("url='https://login.example.test'\ntype='username'\nsubject_domain='example.test'").await;
    let certificate = issue(&world, &complete(&url, &json!({"sub": "al"}))).await.unwrap();
    let names = certificate.extensions().iter().find(|extension| extension.extn_id.to_string() == "2.5.29.17").unwrap();
    assert!(names.critical);
    let mut expected = vec![0x30, 0x21, 0xa0, 0x1f, 0x06, 0x0a];
    expected.extend([0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01, 0x07]);
    expected.extend([0xa0, 0x11, 0x0c, 0x0f]);
    expected.extend(b"al!example.test");
    assert_eq!(names.extn_value.as_bytes(), expected);
}

/// A golden case by its name.
fn golden(name: &str) -> (String, Value) {
    let cases: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    let case = cases.iter().find(|case| case["name"] == name).unwrap_or_else(|| panic!("{name}")).clone();
    (case["issuer"].as_str().unwrap().to_owned(), case["claims"].clone())
}

/// Claims with a text for people: one that does not fit is left out of the certificate.
const DECORATIVE: [&str; 2] = ["workflow", "environment"];

#[tokio::test]
async fn every_claim_of_a_mapping_must_be_there_and_be_one_text() {
    for name in [
        "github",
        "buildkite",
        "gitlab, self-managed, a tag, little said",
        "codefresh-workflow, whose platform_url no claim decides",
    ] {
        let (issuer, claims) = golden(name);
        let (world, url) = world(&issuer).await;
        let good = complete(&url, &claims);
        assert!(issue(&world, &good).await.is_ok(), "{name}");
        let optional = [
            "build_commit",
            "build_source",
            "ci_config_sha",
            "job_workflow_env",
            "namespace",
            "pipeline_id",
            "platform_url",
            "ref_protected",
            "ref_type",
            "runner_environment",
            "runner_id",
            "scm_ref",
            "scm_repo_url",
        ];
        for claim in claims.as_object().unwrap().keys().filter(|claim| *claim != "sub") {
            let used = !optional.contains(&claim.as_str());
            let mut changed = good.clone();
            changed.as_object_mut().unwrap().remove(claim);
            let missing = issue(&world, &changed).await.err();
            let condition = matches!(missing.as_deref(), Some("token.condition"));
            assert!(
                !used || condition || missing.as_deref() == Some("token.claim_missing"),
                "{name} without {claim}: {missing:?}"
            );
            for unfit in [
                json!({}),
                json!([]),
                json!(1.5),
                json!("a\nb"),
                json!("a\u{0}"),
                json!("\u{202e}x"),
                json!("x".repeat(3000)),
            ] {
                changed[claim] = unfit.clone();
                let refused = issue(&world, &changed).await.err();
                if DECORATIVE.contains(&claim.as_str()) && unfit.is_string() {
                    assert_eq!(refused, None, "{name} {claim} = {unfit}");
                    continue;
                }
                let expected = ["token.claim_unfit", "token.condition"];
                assert!(
                    !used || refused.as_deref().is_some_and(|code| expected.contains(&code)),
                    "{name} {claim} = {unfit}: {refused:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_decorative_text_that_fits_no_certificate_is_left_out_of_it() {
    let (issuer, claims) = golden("github");
    let (world, url) = world(&issuer).await;
    let good = complete(&url, &claims);
    let expected = extensions(&issue(&world, &good).await.unwrap());
    for text in ["Release\tand deploy", "a\u{202e}b", "line\nbreak", &"x".repeat(3000)] {
        let mut claims = good.clone();
        claims["workflow"] = json!(text);
        let mut without = expected.clone();
        without.remove(&4);
        assert_eq!(extensions(&issue(&world, &claims).await.unwrap()), without, "{text:?}");
    }
}

#[tokio::test]
async fn the_address_is_in_the_claim_that_is_configured() {
    let issuer = "url='https://login.example.test'\ntype='email'\naccept_unverified_email=true\nemail_claim=";
    for (claim, value) in
        [("'upn'", json!({"upn": "al@example.test"})), ("'/user/name'", json!({"user": {"name": "al@example.test"}}))]
    {
        let (world, url) = world(&format!("{issuer}{claim}")).await;
        let mut claims = complete(&url, &json!({"sub": "1"}));
        claims.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        let certificate = issue(&world, &claims).await.unwrap();
        assert_eq!(certificate.identity().unwrap(), Identity::Email("al@example.test".to_owned()), "{claim}");
        // Another address in the token does not count.
        claims["email"] = json!("other@example.test");
        let certificate = issue(&world, &claims).await.unwrap();
        assert_eq!(certificate.identity().unwrap(), Identity::Email("al@example.test".to_owned()), "{claim}");
    }
    let (world, url) = world(&format!("{issuer}'upn'")).await;
    for (value, code) in [
        (Value::Null, "token.claim_missing"),
        (json!(""), "token.claim_missing"),
        (json!("DOMAIN\\al"), "token.email_malformed"),
        (json!({"a": "al@example.test"}), "token.claim_unfit"),
    ] {
        let claims = json!({"sub": "1", "email": "al@example.test", "email_verified": true, "upn": value});
        assert_eq!(issue(&world, &complete(&url, &claims)).await.err().as_deref(), Some(code), "{value}");
    }
}

/// Case of the golden table, claim that is changed, to what, and the code. Among them: empty names in Kubernetes tokens, of
/// which Fulcio makes a name (W6); SPIFFE IDs outside of the grammar or the trust domain (S-16); claims that would choose the
/// host of a name (W7, S-15).
const REFUSALS: &str = include_str!("golden/refusals.json");

#[tokio::test]
async fn subjects_and_claims_that_name_nobody_are_refused() {
    let rows: Vec<(String, String, Value, String)> = serde_json::from_str(REFUSALS).unwrap();
    assert!(rows.len() > 30);
    for (name, claim, value, code) in rows {
        let (issuer, claims) = golden(&name);
        let (world, url) = world(&issuer).await;
        let mut claims = complete(&url, &claims);
        claims[&claim] = value.clone();
        assert_eq!(issue(&world, &claims).await.err(), Some(code), "{name}: {claim} = {value}");
    }
}

#[tokio::test]
async fn a_value_that_looks_like_a_template_or_a_name_is_only_a_value() {
    let (issuer, claims) = golden("github");
    let (world, url) = world(&issuer).await;
    // S-15.
    for text in ["{sha}", "{{ .sha }}", "\"},\"x\":{\"", "a,URI:https://evil.example", "${jndi:ldap://x}", "<script>"] {
        let mut claims = complete(&url, &claims);
        claims["workflow"] = json!(text);
        let certificate = issue(&world, &claims).await.unwrap();
        assert_eq!(extensions(&certificate)[&4], text);
        assert_eq!(certificate.identity().unwrap(), Identity::Uri(golden_name()));
    }
}

fn golden_name() -> String {
    "https://github.com/acme/shared/.github/workflows/build.yml@refs/tags/v1".to_owned()
}

#[tokio::test]
async fn conditions_hold_for_every_token() {
    let (issuer, claims) = golden("github");
    let issuer = format!(
        "{issuer}\nmax_age_seconds = 60\naudiences = ['a', 'sigstore']\n[issuer.require]\nrepository_owner = 'acme'\n\
         ref = ['refs/heads/main', 'refs/tags/v*']\nrepository_id = '900000001'\n\"/deep/list\" = '*x*'"
    );
    let (world, url) = world(&issuer).await;
    let mut good = complete(&url, &claims);
    good["deep"] = json!({"list": ["a", "bxb"]});
    assert!(issue(&world, &good).await.is_ok());
    let now = NOW.seconds();
    for (claim, value, code) in [
        ("repository_owner", json!("acme2"), Some("token.condition")),
        ("repository_owner", Value::Null, Some("token.condition")),
        ("repository_owner", json!({"acme": 1}), Some("token.claim_unfit")),
        ("ref", json!("refs/tags/v2"), None),
        ("ref", json!("refs/tags/w"), Some("token.condition")),
        ("repository_id", json!(900_000_001), None),
        ("deep", json!({"list": []}), Some("token.condition")),
        ("deep", json!({"list": "x"}), None),
        ("iat", json!(now - 60), None),
        ("iat", json!(now - 61), Some("token.too_old")),
        ("iat", Value::Null, Some("token.claim_missing")),
        ("aud", json!(["a"]), None),
        ("aud", json!("b"), Some("token.audience")),
    ] {
        let mut claims = good.clone();
        claims[claim] = value.clone();
        assert_eq!(issue(&world, &claims).await.err().as_deref(), code, "{claim} = {value}");
    }
    let mut ageless = good.clone();
    ageless.as_object_mut().unwrap().remove("iat");
    assert_eq!(issue(&world, &ageless).await.err().as_deref(), Some("token.too_old"), "300 s to go, 60 are allowed");
    ageless["exp"] = json!(now + 60);
    assert!(issue(&world, &ageless).await.is_ok());
}

#[tokio::test]
async fn numbers_are_whole_or_refused() {
    let (issuer, claims) = golden("buildkite");
    let (world, url) = world(&issuer).await;
    // W7: Fulcio reads 9007199254740993 as a floating-point number, and writes 9007199254740992.
    for (number, text) in
        [("9007199254740993", Some("9007199254740993")), ("-1", Some("-1")), ("1e3", None), ("1.0", None)]
    {
        let mut claims = complete(&url, &claims);
        claims["build_number"] = serde_json::from_str(number).unwrap();
        let run = issue(&world, &claims).await.ok().map(|certificate| extensions(&certificate)[&21].clone());
        assert_eq!(run, text.map(|text| format!("https://buildkite.com/acme/app/builds/{text}#0184990a")), "{number}");
    }
}

#[tokio::test]
async fn possession_is_proven_over_email_or_sub_whatever_the_kind() {
    let (issuer, claims) = golden("kubernetes");
    let (world, url) = world(&issuer).await;
    let mut claims = complete(&url, &claims);
    claims["email"] = json!("signer@example.test");
    let token = token(&world.issuer_key, &header("ES256", Some("k1")), &claims).await;
    for (challenge, status) in
        [("signer@example.test", 200), (claims["sub"].as_str().unwrap(), 200), ("x", 400), ("", 400)]
    {
        let body = world.possession(challenge).await.to_string();
        let (found, _, _) = world.post("/api/v2/signingCert", Some(&token), body).await;
        assert_eq!(found.as_u16(), status, "{challenge}");
    }
}
