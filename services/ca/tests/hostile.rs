//! Hostile input that is about tokens, identities and keys, as tables: what is sent, and the exact status and code of the
//! answer. The numbers are those of the project's list of faults. What is about connections is in the daemon's tests, what is
//! about fetching in `fetcher.rs` and `tokens.rs`, what is about the meaning of claims in `identities.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

mod world;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery_ca::identity::{ClaimPath, Condition};
use chancery_ca::{IssuerName, IssuerSettings};
use chancery_daemon::signer::Signer;
use chancery_verify::key::KeyKind;
use chancery_verify::pem;
use serde_json::{Value, json};
use world::{EMAIL, EMAIL_KIND, ISSUER, NOW, World, claims, email_issuer, header, jwk, token, token_of, unsigned};

/// Number, what it is, the token, the code.
type Row = (&'static str, String, String, &'static str);

/// Sends every token with a key that is in order, and demands Fulcio's one answer with this row's code.
async fn refused(world: &World, rows: Vec<Row>) {
    let body = world.possession(EMAIL).await;
    for (number, what, token, code) in rows {
        let mut body = body.clone();
        body["credentials"] = json!({"oidcIdentityToken": token});
        let (status, _, answer) = world.post("/api/v2/signingCert", None, body.to_string()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let found = (status.as_u16(), answer["details"][0]["reason"].as_str().unwrap_or_default().to_owned());
        assert_eq!(found, (400, code.to_owned()), "{number} {what:.200}");
        assert_eq!(answer["message"], "There was an error processing the identity token", "{number}");
        assert_eq!(answer["details"].as_array().unwrap().len(), 1);
    }
    assert!(world.log.submissions.lock().unwrap().is_empty(), "nothing was logged for any of them");
}

#[tokio::test]
async fn algorithms_and_headers() {
    let world = World::new().await;
    let (rsa, _) = Signer::generate(KeyKind::Rsa(2048)).unwrap();
    world.documents.publish(&[jwk(world.issuer_key.public_key(), Some("k1")), jwk(rsa.public_key(), Some("rsa"))]);
    let mut rows: Vec<Row> = Vec::new();
    let body = claims().to_string();
    for name in ["none", "None", "nOnE", "NONE", "", "HS256", "HS384", "HS512"] {
        let token = format!("{}.", unsigned(&header(name, Some("k1")).to_string(), &body));
        rows.push(("S-01", format!("alg {name:?}, no signature"), token, "token.algorithm"));
    }
    let signed = unsigned(&header("HS256", Some("rsa")).to_string(), &body);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, rsa.public_key().spki_der()), signed.as_bytes());
    let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
    rows.push(("S-02", "HS256 with the public key".to_owned(), forged, "token.algorithm"));
    rows.push(("S-02", "JWE".to_owned(), "e30.e30.e30.e30.e30".to_owned(), "token.malformed"));
    let confused = token(&rsa, &header("ES256", Some("rsa")), &claims()).await;
    rows.push(("S-02", "ES256 with an RSA key".to_owned(), confused, "token.key_unknown"));
    for (extra, code) in [
        (r#""crit":["exp"]"#, "token.header"),
        (r#""b64":false"#, "token.header"),
        (r#""zip":"DEF""#, "token.header"),
        (r#""enc":"A256GCM""#, "token.header"),
        (r#""kid":7"#, "token.header"),
        (r#""kid":null"#, "token.header"),
        (r#""kid":"https://evil.test/key""#, "token.key_unknown"),
        (r#""kid":"../../../etc/passwd""#, "token.key_unknown"),
        (r#""kid":"k1' OR '1'='1""#, "token.key_unknown"),
        (r#""kid":"k1\u0000""#, "token.key_unknown"),
    ] {
        let token = token_of(&world.issuer_key, &format!("{{\"alg\":\"ES256\",{extra}}}"), &body).await;
        rows.push(("S-09", extra.to_owned(), token, code));
    }
    let long = format!("{{\"alg\":\"ES256\",\"kid\":\"{}\"}}", "k".repeat(257));
    rows.push(("S-09", "long kid".to_owned(), token_of(&world.issuer_key, &long, &body).await, "token.header"));
    let (mallory, _) = Signer::generate(KeyKind::P256).unwrap();
    let own = jwk(mallory.public_key(), Some("k1"));
    for name in ["jwk", "jku", "x5u", "x5c"] {
        let mut header = header("ES256", Some("k1"));
        header[name] = if name == "jwk" { own.clone() } else { json!("https://evil.test/keys") };
        let token = token(&mallory, &header, &claims()).await;
        rows.push(("S-09", format!("{name} is ignored"), token, "token.signature"));
    }
    refused(&world, rows).await;
    assert_eq!(world.documents.requests(), 2, "no header made the server fetch anything else");
}

#[tokio::test]
async fn claims_that_anybody_can_write() {
    let world = World::new().await;
    let now = NOW.seconds();
    let mut rows: Vec<Row> = Vec::new();
    let table: &[(&str, &str, Value, &str)] = &[
        ("S-03", "aud", Value::Null, "token.claim_missing"),
        ("S-03", "aud", json!("sigstore2"), "token.audience"),
        ("S-03", "aud", json!("xsigstore"), "token.audience"),
        ("S-03", "aud", json!("SIGSTORE"), "token.audience"),
        ("S-03", "aud", json!(["other"]), "token.audience"),
        ("S-03", "aud", json!([]), "token.audience"),
        ("S-03", "aud", json!(["sigstore", "other"]), "token.other_audiences"),
        ("S-03", "aud", json!(["", "sigstore"]), "token.other_audiences"),
        ("S-03", "aud", json!({"sigstore": true}), "token.claim_missing"),
        ("S-03", "aud", json!([["sigstore"]]), "token.claim_missing"),
        ("S-04", "exp", json!(now), "token.expired"),
        ("S-04", "exp", Value::Null, "token.claim_missing"),
        ("S-04", "exp", json!("9999999999"), "token.claim_missing"),
        ("S-04", "exp", json!(-1), "token.claim_missing"),
        ("S-04", "exp", json!(1e300), "token.claim_missing"),
        ("S-04", "nbf", json!(now + 61), "token.not_yet_valid"),
        ("S-04", "iat", json!(now + 61), "token.issued_in_future"),
        ("S-04", "iat", json!(now - 86_401), "token.too_old"),
        ("S-14", "email", json!("аlice@example.test"), "token.email_malformed"),
        ("S-14", "email", json!("alice@exämple.test"), "token.email_malformed"),
        ("S-14", "email", json!("\"alice\"@example.test"), "token.email_malformed"),
        ("S-14", "email", json!("alice\u{202e}@example.test"), "token.email_malformed"),
        ("S-14", "email", json!("alice@example.test\r\nbcc: x"), "token.email_malformed"),
        ("S-14", "email", json!("alice\u{0}@example.test"), "token.email_malformed"),
        ("S-14", "email_verified", json!(false), "token.email_unverified"),
        ("S-14", "email_verified", Value::Null, "token.email_unverified"),
        ("S-14", "email_verified", json!("true"), "token.email_unverified"),
        ("S-32", "sub", json!("a\u{1b}[2J"), "token.claim_missing"),
        ("S-32", "sub", json!("a\r\nforged: line"), "token.claim_missing"),
    ];
    for (number, claim, value, code) in table {
        let mut claims = claims();
        claims[*claim] = value.clone();
        let token = token(&world.issuer_key, &header("ES256", Some("k1")), &claims).await;
        rows.push((number, format!("{claim} = {value}"), token, code));
    }
    for iss in [
        "https://issuer.example.test/realm/",
        "https://Issuer.example.test/realm",
        "https://issuer.example.test:443/realm",
        "https://issuer.example.test/x/../realm",
        "https://issuer.example.test/%2e/realm",
        "https://issuer.example.test@evil.test/realm",
        "https://xn--issuer-.example.test/realm",
        "http://issuer.example.test/realm",
        "http://169.254.169.254/",
        "",
    ] {
        let mut claims = claims();
        claims["iss"] = json!(iss);
        let token = token(&world.issuer_key, &header("ES256", Some("k1")), &claims).await;
        rows.push(("S-05", iss.to_owned(), token, "token.issuer_unknown"));
    }
    refused(&world, rows).await;
}

#[tokio::test]
async fn issuers_of_a_pattern() {
    let pattern = IssuerSettings {
        name: IssuerName::Pattern("https://oidc.*.example.test/id/*".to_owned()),
        ..IssuerSettings::new("", EMAIL_KIND)
    };
    let world = World::trusting(vec![email_issuer(), pattern]).await;
    let (_, _, listed) = world.get("/api/v2/configuration").await;
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    assert_eq!(listed["issuers"][1]["wildcardIssuerUrl"], "https://oidc.*.example.test/id/*");
    assert!(listed["issuers"][1].get("issuerUrl").is_none());
    let of = async |iss: &str| {
        let mut claims = claims();
        claims["iss"] = json!(iss);
        token(&world.issuer_key, &header("ES256", Some("k1")), &claims).await
    };
    let mut rows: Vec<Row> = Vec::new();
    for iss in [
        "http://localhost:3000?https://oidc.a.example.test/id/x",
        "https://localhost:3000/?https://oidc.a.example.test/id/x",
        "https://oidc.a.b.example.test/id/x",
        "https://oidc.a.example.test/id/x/y",
        "https://oidc.a.example.test/id/x?y",
        "https://oidc.a.example.test/id/x\n",
        "https://oidc.evil.test#.example.test/id/x",
        "https://oidc.evil.test\\.example.test/id/x",
        "https://me@oidc.a.example.test/id/x",
        "http://oidc.a.example.test/id/x",
    ] {
        rows.push(("S-06", iss.to_owned(), of(iss).await, "token.issuer_unknown"));
    }
    let long = format!("https://oidc.a.example.test/id/{}", "x".repeat(4096));
    rows.push(("S-06", "overlong".to_owned(), of(&long).await, "token.issuer_unknown"));
    refused(&world, rows).await;
    assert_eq!(world.documents.requests(), 0, "none of them made the server fetch anything");

    // S-10: strangers make up issuers; one failed attempt each, and no more than thirty in a minute at one host.
    let mut rows: Vec<Row> = Vec::new();
    for number in 0..30 {
        let made_up = of(&format!("https://oidc.a.example.test/id/{number}")).await;
        rows.push(("S-10", "made up".to_owned(), made_up.clone(), "issuer.unreachable"));
        rows.push(("S-10", "again".to_owned(), made_up, "issuer.stale"));
    }
    rows.push(("S-10", "one more".to_owned(), of("https://oidc.a.example.test/id/30").await, "issuer.busy"));
    refused(&world, rows).await;
    assert_eq!(world.documents.requests(), 30);

    // And a real one is found as soon as the flood is over.
    let real = "https://oidc.eu-1.example.test/id/REAL";
    let keys = format!("{real}/keys");
    world
        .documents
        .put(&format!("{real}/.well-known/openid-configuration"), &json!({"issuer": real, "jwks_uri": keys}));
    world.documents.put(&keys, &json!({"keys": [jwk(world.issuer_key.public_key(), Some("k1"))]}));
    let later = NOW.plus_seconds(61);
    let principal = world.authority.authenticator().authenticate(&of(real).await, later).await.unwrap();
    assert_eq!(principal.issuer, real);
    // S-34: what one issuer's key has signed counts for no other.
    let (other, _) = Signer::generate(KeyKind::P256).unwrap();
    let crossed = token(&other, &header("ES256", Some("k1")), &claims()).await;
    refused(&world, vec![("S-34", "another issuer's key".to_owned(), crossed, "token.signature")]).await;
}

#[tokio::test]
async fn discovery_documents_that_lead_elsewhere() {
    for keys in [
        "https://evil.test/keys",
        "http://issuer.example.test/keys",
        "https://issuer.example.test:8443/keys",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/keys",
        "https://10.0.0.1/keys",
        "file:///etc/passwd",
        "//evil.test/keys",
    ] {
        let world = World::new().await;
        let document = format!("{ISSUER}/.well-known/openid-configuration");
        world.documents.put(&document, &json!({"issuer": ISSUER, "jwks_uri": keys}));
        let token = world.token().await;
        refused(&world, vec![("S-08", keys.to_owned(), token, "issuer.document")]).await;
        assert_eq!(world.documents.requests(), 1, "{keys}");
    }
    let world = World::new().await;
    let document = format!("{ISSUER}/.well-known/openid-configuration");
    world.documents.put(&document, &json!({"issuer": format!("{ISSUER}/"), "jwks_uri": format!("{ISSUER}/keys")}));
    let token = world.token().await;
    refused(&world, vec![("S-08", "another issuer's document".to_owned(), token, "issuer.document")]).await;
}

#[tokio::test]
async fn tokens_that_are_made_to_be_expensive_or_ambiguous() {
    let world = World::new().await;
    let (head, body) = (header("ES256", Some("k1")).to_string(), claims().to_string());
    let key = &world.issuer_key;
    let good = token_of(key, &head, &body).await;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let twice = |name: &str, value: &str| body.replacen('{', &format!("{{\"{name}\":\"{value}\","), 1);
    let malformed = "token.malformed";
    let rows: Vec<Row> = vec![
        ("S-12", "more dots than are looked at".to_owned(), ".".repeat(60 << 10), "token.too_large"),
        ("S-12", "as many dots as are looked at".to_owned(), ".".repeat(32 << 10), malformed),
        ("S-12", "a large header".to_owned(), format!("{}.e30.AA", "A".repeat(60 << 10)), "token.too_large"),
        ("S-12", "deep".to_owned(), token_of(key, &head, &deep).await, malformed),
        (
            "S-12",
            "1e999".to_owned(),
            token_of(key, &head, &twice("x", "").replace("\"x\":\"\"", "\"x\":1e999")).await,
            malformed,
        ),
        ("S-12", "sub twice".to_owned(), token_of(key, &head, &twice("sub", "admin")).await, malformed),
        ("S-12", "iss twice".to_owned(), token_of(key, &head, &twice("iss", ISSUER)).await, malformed),
        ("S-13", "padding".to_owned(), format!("{good}="), malformed),
        ("S-13", "a space".to_owned(), good.replacen('.', " .", 1), malformed),
        ("S-13", "a line break".to_owned(), good.replacen('.', "\n.", 1), malformed),
        ("S-13", "the other alphabet".to_owned(), format!("{good}+/+/"), malformed),
        ("S-13", "unused bits".to_owned(), format!("e31.{}", good.split_once('.').unwrap().1), malformed),
    ];
    refused(&world, rows).await;
    assert_eq!(world.documents.requests(), 0);
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        Ok(long) => out.extend([0x81, long]),
        Err(_) => {
            let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
            out.extend([0x82, high, low]);
        }
    }
    out.extend_from_slice(content);
    out
}

/// A `SubjectPublicKeyInfo`: the contents of the algorithm, and the key.
fn spki(algorithm: &str, key: &[u8]) -> Vec<u8> {
    let bits = [&[0], key].concat();
    tlv(0x30, &[tlv(0x30, &hex::decode(algorithm).unwrap()), tlv(0x03, &bits)].concat())
}

const P256: &str = "06072a8648ce3d020106082a8648ce3d030107";
const P224: &str = "06072a8648ce3d020106052b81040021";
const K256: &str = "06072a8648ce3d020106052b8104000a";
const RSA: &str = "06092a864886f70d0101010500";
const ED25519: &str = "06032b6570";

fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let modulus = [&[0][..], modulus].concat();
    spki(RSA, &tlv(0x30, &[tlv(0x02, &modulus), tlv(0x02, exponent)].concat()))
}

#[tokio::test]
async fn keys_that_prove_nothing() {
    let world = World::new().await;
    let token = world.token().await;
    let good = world.client.public_key().spki_der().to_vec();
    let point = &good[good.len() - 64..];
    let with_length = |position: usize, value: u8| {
        let mut changed = good.clone();
        changed[position] = value;
        changed
    };
    let indefinite = [&[0x30, 0x80][..], &good[2..], &[0, 0]].concat();
    let long_form = [&[0x30, 0x81, good[1]][..], &good[2..]].concat();
    let modulus = [&[0xc3][..], &[0x55; 254], &[0x01]].concat();
    let rows: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("S-18", "P-256, off the curve", spki(P256, &[&[4][..], &[1; 64]].concat()), "key.insecure"),
        ("S-18", "P-256, infinity", spki(P256, &[0]), "key.insecure"),
        ("S-18", "P-256, compressed", spki(P256, &[&[2 + (point[63] & 1)], &point[..32]].concat()), "key.insecure"),
        ("S-18", "P-224", spki(P224, &[&[4][..], &[1; 56]].concat()), "key.insecure"),
        ("S-18", "secp256k1", spki(K256, &[&[4][..], point].concat()), "key.insecure"),
        ("S-18", "RSA 1024", rsa(&modulus[..128], &[1, 0, 1]), "key.insecure"),
        ("S-18", "RSA, e = 1", rsa(&modulus, &[1]), "key.insecure"),
        ("S-18", "RSA, e even", rsa(&modulus, &[1, 0, 0]), "key.insecure"),
        ("S-18", "RSA 16384", rsa(&modulus.repeat(8), &[1, 0, 1]), "key.insecure"),
        ("S-18", "RSA, even modulus", rsa(&[&modulus[..255], &[2]].concat(), &[1, 0, 1]), "key.insecure"),
        ("S-18", "Ed25519, the neutral element", spki(ED25519, &[&[1][..], &[0; 31]].concat()), "key.insecure"),
        ("S-18", "Ed25519, order four", spki(ED25519, &[0; 32]), "key.insecure"),
        (
            "S-18",
            "Ed25519, not canonical",
            spki(ED25519, &[&[0xee][..], &[0xff; 30], &[0x7f]].concat()),
            "key.insecure",
        ),
        ("S-19", "indefinite length", indefinite, "key.malformed"),
        ("S-19", "length in the long form", long_form, "key.malformed"),
        ("S-19", "trailing byte", [&good[..], &[0]].concat(), "key.malformed"),
        ("S-19", "length too short", with_length(1, good[1] - 1), "key.malformed"),
    ];
    for (number, what, der, code) in rows {
        let mut body = world.possession(EMAIL).await;
        body["publicKeyRequest"]["publicKey"]["content"] = json!(pem::encode("PUBLIC KEY", &der));
        let (status, _, answer) = world.post("/api/v2/signingCert", Some(&token), body.to_string()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let found = (status.as_u16(), answer["details"][0]["reason"].as_str().unwrap_or_default());
        assert_eq!(found, (400, code), "{number} {what}");
    }
}

#[tokio::test]
async fn tokens_that_others_may_use_count_only_where_it_was_asked_for() {
    let azp = Condition { claim: ClaimPath::parse("azp").unwrap(), any_of: vec!["signer".to_owned()] };
    let settings = IssuerSettings { other_audiences: true, conditions: vec![azp], ..world::email_issuer() };
    let world = World::trusting(vec![settings]).await;
    for (audience, azp, expected) in [
        (json!(["sigstore", "account"]), json!("signer"), Ok(())),
        (json!("sigstore"), json!("signer"), Ok(())),
        (json!(["sigstore", "account"]), json!("browser"), Err("token.condition")),
        (json!("sigstore"), json!("signer "), Err("token.condition")),
        (json!(["sigstore", "account"]), Value::Null, Err("token.condition")),
        (json!(["account"]), json!("signer"), Err("token.audience")),
    ] {
        let mut claims = claims();
        claims["aud"] = audience.clone();
        claims["azp"] = azp.clone();
        let token = world::token(&world.issuer_key, &header("ES256", Some("k1")), &claims).await;
        let body = world.possession(EMAIL).await.to_string();
        let (status, _, answer) = world.post("/api/v2/signingCert", Some(&token), body).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let found = match status.as_u16() {
            200 => Ok(()),
            _ => Err(answer["details"][0]["reason"].as_str().unwrap_or_default()),
        };
        assert_eq!(found, expected, "S-03 {audience} {azp}");
    }
}

#[tokio::test]
async fn proofs_that_prove_nothing() {
    let world = World::new().await;
    let token = world.token().await;
    let (other, _) = Signer::generate(KeyKind::P256).unwrap();
    let sign = async |key: &Signer, text: &str| key.sign(text.as_bytes()).await.unwrap();
    let good = sign(&world.client, EMAIL).await;
    let order = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let pair = |r: &[u8], s: &[u8]| tlv(0x30, &[tlv(0x02, r), tlv(0x02, s)].concat());
    let n = [&[0][..], &order].concat();
    let beyond =
        [&[0][..], &hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552").unwrap()].concat();
    for (number, what, proof) in [
        ("S-17", "another key's", sign(&other, EMAIL).await),
        ("S-17", "over another name", sign(&world.client, "mallory@example.test").await),
        ("S-17", "over the token", sign(&world.client, &token).await),
        ("S-19", "a byte too many", [&good[..], &[0]].concat()),
        ("S-20", "r and s are zero", pair(&[0], &[0])),
        ("S-20", "r is zero", pair(&[0], &[1])),
        ("S-20", "s is zero", pair(&[1], &[0])),
        ("S-20", "s is the order", pair(&[1], &n)),
        ("S-20", "r is the order", pair(&n, &[1])),
        ("S-20", "r and s are past the order", pair(&beyond, &beyond)),
        ("S-20", "s is negative", pair(&[1], &[0xff])),
        ("S-20", "all zero, fixed", vec![0; 64]),
        ("S-20", "empty", Vec::new()),
    ] {
        let mut body = world.possession(EMAIL).await;
        body["publicKeyRequest"]["proofOfPossession"] = json!(STANDARD.encode(proof));
        let (status, _, answer) = world.post("/api/v2/signingCert", Some(&token), body.to_string()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let found = (status.as_u16(), answer["details"][0]["reason"].as_str().unwrap_or_default());
        assert_eq!(found, (400, "key.possession"), "{number} {what}");
    }
    assert!(world.log.submissions.lock().unwrap().is_empty());
}

/// `n - s` in place of `s`: the second signature that anyone can make from an ECDSA signature on P-256.
fn twin(signature: &[u8]) -> Vec<u8> {
    let (r, s) = p256::ecdsa::Signature::from_der(signature).unwrap().split_scalars();
    p256::ecdsa::Signature::from_scalars(r, -s).unwrap().to_der().as_bytes().to_vec()
}

#[tokio::test]
async fn the_twin_of_a_proof_proves_the_same_and_an_ed25519_signature_has_none() {
    let world = World::new().await;
    let ask = async |key: String, proof: &[u8]| {
        let body = json!({"publicKeyRequest": {
            "publicKey": {"content": key}, "proofOfPossession": STANDARD.encode(proof)
        }});
        let (status, _, _) = world.post("/api/v2/signingCert", Some(&world.token().await), body.to_string()).await;
        status.as_u16()
    };
    let proof = world.client.sign(EMAIL.as_bytes()).await.unwrap();
    let other = twin(&proof);
    assert_ne!(proof, other);
    // S-20: an attacker who has seen one proof can make the other, and gets a certificate for a key that only the
    // victim holds.
    for proof in [&proof, &other] {
        assert_eq!(ask(world.client.public_key().to_pem(), proof).await, 200);
    }
    let key = Ed25519KeyPair::generate().unwrap();
    let prefix = hex::decode("302a300506032b6570032100").unwrap();
    let pem = pem::encode("PUBLIC KEY", &[&prefix, key.public_key().as_ref()].concat());
    let proof = key.sign(EMAIL.as_bytes()).as_ref().to_vec();
    // The order of the group, least byte first.
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut beyond = proof.clone();
    let mut carry = 0;
    for (byte, add) in beyond[32..].iter_mut().zip(&order) {
        let sum = u16::from(*byte) + u16::from(*add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0, "S + L still fits");
    assert_eq!(ask(pem.clone(), &proof).await, 200);
    assert_eq!(ask(pem, &beyond).await, 400, "S-20");
}

#[tokio::test]
async fn bodies_and_times() {
    let world = World::new().await;
    let token = world.token().await;
    let post = async |path: &str, body: String| {
        let (status, _, answer) = world.post(path, Some(&token), body).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        (status.as_u16(), answer["details"][0]["reason"].as_str().unwrap_or_default().to_owned())
    };
    let large = format!("{{\"x\":\"{}\"}}", "a".repeat(64 << 10));
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(32_000), "]".repeat(32_000));
    for (number, path, body, status, code) in [
        ("S-23", "/api/v2/signingCert", large.clone(), 400, "request.too_large"),
        ("S-23", "/api/v1/signingCert", large, 400, "request.too_large"),
        ("S-12", "/api/v2/signingCert", deep, 400, "request.malformed"),
        ("S-12", "/api/v2/signingCert", "{\"x\":1,\"x\":1}".to_owned(), 400, "request.malformed"),
        ("S-34", "/api/v2/signingCert", "{\"signatureRequest\":{}}".to_owned(), 400, "key.malformed"),
        ("S-34", "/api/v2/signingCert", "{\"publicKeyRequest\":{}}".to_owned(), 400, "key.malformed"),
    ] {
        assert_eq!(post(path, body).await, (status, code.to_owned()), "{number}");
    }
    // S-35: the authority's own certificates have ended; the token is new.
    let end = world.chain.issuing().not_after();
    world.clock.set(end.plus_seconds(1));
    let mut claims = claims();
    claims["iat"] = json!(end.seconds());
    claims["exp"] = json!(end.seconds() + 300);
    let late = world::token(&world.issuer_key, &header("ES256", Some("k1")), &claims).await;
    let body = world.possession(EMAIL).await.to_string();
    let (status, _, answer) = world.post("/api/v2/signingCert", Some(&late), body).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!((status.as_u16(), &answer["details"][0]["reason"]), (500, &json!("ca.expired")), "S-35");
}
