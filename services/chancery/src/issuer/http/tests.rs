//! The endpoints as clients use and attackers misuse them, over the router itself.

use super::*;
use axum::{body::Body, extract::Request};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chancery_daemon::{clock::FixedClock, random::SystemRandom, signer::Signer};
use chancery_verify::{Timestamp, key::KeyKind};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::sync::LazyLock;
use tower::ServiceExt as _;
use url::{Url, form_urlencoded};

const URL: &str = "http://127.0.0.1:8080";
const REDIRECT: &str = "http://localhost:45678/auth/callback";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// An RSA key takes long to make in a debug build.
static KEY: LazyLock<String> = LazyLock::new(|| Signer::generate(KeyKind::Rsa(2048)).unwrap().1);

struct Browser {
    router: Router,
    clock: Arc<FixedClock>,
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// A parameter of the redirect.
    fn redirected(&self, name: &str) -> Option<String> {
        let location = Url::parse(self.headers[header::LOCATION].to_str().unwrap()).unwrap();
        assert!(location.as_str().starts_with(REDIRECT), "{location}");
        location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

impl Browser {
    fn new() -> Self {
        let clock = Arc::new(FixedClock::new(Timestamp::from_seconds(1_800_000_000)));
        let signer = Signer::from_pkcs8_pem(&KEY).unwrap();
        let issuer = Issuer::new(URL, signer, Arc::clone(&clock) as Arc<_>, Arc::new(SystemRandom));
        Self { router: router(Arc::new(issuer)), clock }
    }

    async fn send(&self, request: Request) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).header(header::HOST, "127.0.0.1:8080").body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_with(path, form, &[]).await
    }

    async fn post_with(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::post(path)
            .header(header::HOST, "127.0.0.1:8080")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(encode(form))).unwrap()).await
    }

    /// Signs in with the form and returns the code.
    async fn code(&self) -> String {
        let answer = self.post("/oidc/authorize", &authorize(&[("email", "alice@example.test")])).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        assert_eq!(answer.redirected("state").as_deref(), Some("s&t=1"));
        answer.redirected("code").unwrap()
    }

    async fn redeem(&self, code: &str, verifier: &str, redirect: &str, client: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", verifier),
            ("redirect_uri", redirect),
            ("client_id", client),
        ];
        self.post("/oidc/token", &form).await
    }

    async fn token_for(&self, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::post("/oidc/token-for")
            .header(header::HOST, "localhost:8080")
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }
}

fn encode(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// A good authorization request, with `changes` in place of or after what it has.
fn authorize<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut form = vec![
        ("response_type", "code"),
        ("client_id", "sigstore"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid email"),
        ("state", "s&t=1"),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    form.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    form.extend_from_slice(changes);
    form
}

/// Checks signature and key id as a client would, from the key set alone.
async fn claims(browser: &Browser, token: &str) -> Value {
    let parts: Vec<&str> = token.split('.').collect();
    let part =
        |index: usize| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[index]).unwrap()).unwrap() };
    let keys = browser.get("/oidc/keys").await.json();
    assert_eq!(part(0), json!({"alg": "RS256", "typ": "JWT", "kid": keys["keys"][0]["kid"]}));
    let component = |name: &str| URL_SAFE_NO_PAD.decode(keys["keys"][0][name].as_str().unwrap()).unwrap();
    assert_eq!((component("n").len(), component("e")), (256, vec![1, 0, 1]));
    let key = Signer::from_pkcs8_pem(&KEY).unwrap();
    let signed = format!("{}.{}", parts[0], parts[1]);
    key.public_key().verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
    assert!(key.public_key().spki_der().windows(256).any(|window| window == component("n")));
    part(1)
}

#[tokio::test]
async fn discovery_says_what_clients_look_for() {
    let found = Browser::new().get("/oidc/.well-known/openid-configuration").await.json();
    assert_eq!(found["issuer"], "http://127.0.0.1:8080/oidc");
    assert_eq!(found["authorization_endpoint"], "http://127.0.0.1:8080/oidc/authorize");
    assert_eq!(found["token_endpoint"], "http://127.0.0.1:8080/oidc/token");
    assert_eq!(found["device_authorization_endpoint"], "http://127.0.0.1:8080/oidc/device_authorization");
    assert_eq!(found["jwks_uri"], "http://127.0.0.1:8080/oidc/keys");
    assert_eq!(found["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(found["id_token_signing_alg_values_supported"], json!(["RS256"]));
}

#[tokio::test]
async fn a_code_and_its_verifier_become_a_token_once() {
    let browser = Browser::new();
    let page = browser.get(&format!("/oidc/authorize?{}", encode(&authorize(&[])))).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Sign in as") && page.body.contains(r#"value="s&amp;t=1""#), "{}", page.body);
    let code = browser.code().await;
    let answer = browser.redeem(&code, VERIFIER, REDIRECT, "sigstore").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let tokens = answer.json();
    assert_eq!(tokens["id_token"], tokens["access_token"]);
    let expected = json!({
        "iss": "http://127.0.0.1:8080/oidc", "sub": "alice@example.test", "aud": "sigstore", "iat": 1_800_000_000_u64,
        "nbf": 1_800_000_000_u64, "exp": 1_800_000_600_u64, "email": "alice@example.test", "email_verified": true, "nonce": "n-1"
    });
    assert_eq!(claims(&browser, tokens["id_token"].as_str().unwrap()).await, expected);
    let again = browser.redeem(&code, VERIFIER, REDIRECT, "sigstore").await;
    assert_eq!((again.status, again.json()["error"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_grant")));
}

#[tokio::test]
async fn a_code_is_useless_without_its_verifier_client_and_redirect_uri() {
    let browser = Browser::new();
    let wrong = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX";
    let cases = [
        (wrong, REDIRECT, "sigstore"),
        ("", REDIRECT, "sigstore"),
        (VERIFIER, "http://localhost:1/auth/callback", "sigstore"),
        (VERIFIER, REDIRECT, "other"),
    ];
    for (verifier, redirect, client) in cases {
        let code = browser.code().await;
        let refused = browser.redeem(&code, verifier, redirect, client).await;
        assert_eq!(refused.json()["error"], "invalid_grant", "{verifier} {redirect} {client}");
        let spent = browser.redeem(&code, VERIFIER, REDIRECT, "sigstore").await;
        assert_eq!(spent.json()["error"], "invalid_grant", "a failed attempt must spend the code");
    }
    let late = browser.code().await;
    browser.clock.set(Timestamp::from_seconds(1_800_000_300));
    assert_eq!(browser.redeem(&late, VERIFIER, REDIRECT, "sigstore").await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn the_client_may_name_itself_by_basic_authentication() {
    let browser = Browser::new();
    let code = browser.code().await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", REDIRECT),
    ];
    let basic = format!("Basic {}", STANDARD.encode("sigstore:"));
    let answer = browser.post_with("/oidc/token", &form, &[("authorization", &basic)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let nameless = browser.post("/oidc/token", &form).await;
    assert_eq!(
        (nameless.status, nameless.json()["error"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("invalid_client"))
    );
}

#[tokio::test]
async fn a_foreign_redirect_is_shown_and_never_followed() {
    let browser = Browser::new();
    for foreign in [
        "https://evil.example/",
        "http://localhost.evil.example/",
        "http://localhost:1@evil.example/",
        "javascript:alert(1)",
    ] {
        let form = authorize(&[("redirect_uri", foreign), ("email", "alice@example.test")]);
        for answer in [
            browser.get(&format!("/oidc/authorize?{}", encode(&form))).await,
            browser.post("/oidc/authorize", &form).await,
        ] {
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{foreign}");
            assert!(!answer.headers.contains_key(header::LOCATION) && !answer.body.contains("evil"), "{foreign}");
        }
    }
}

#[tokio::test]
async fn without_pkce_the_client_gets_an_error() {
    let browser = Browser::new();
    for changes in [("code_challenge", ""), ("code_challenge_method", "plain"), ("response_type", "token")] {
        let answer = browser.get(&format!("/oidc/authorize?{}", encode(&authorize(&[changes])))).await;
        assert_eq!(answer.redirected("error").as_deref(), Some("invalid_request"), "{changes:?}");
        assert_eq!(answer.redirected("state").as_deref(), Some("s&t=1"));
    }
}

#[tokio::test]
async fn a_terminal_without_browser_gets_a_code_to_paste() {
    let browser = Browser::new();
    let oob = "urn:ietf:wg:oauth:2.0:oob";
    let page =
        browser.post("/oidc/authorize", &authorize(&[("redirect_uri", oob), ("email", "alice@example.test")])).await;
    let code = page.body.split("<code>").nth(1).and_then(|rest| rest.split("</code>").next()).unwrap();
    assert_eq!(browser.redeem(code, VERIFIER, oob, "sigstore").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_device_signs_in() {
    let browser = Browser::new();
    let start = [
        ("client_id", "sigstore"),
        ("scope", "openid email"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let started = browser.post("/oidc/device_authorization", &start).await.json();
    let (device_code, user_code) = (started["device_code"].as_str().unwrap(), started["user_code"].as_str().unwrap());
    assert_eq!((&started["interval"], &started["expires_in"]), (&json!(1), &json!(600)));
    assert_eq!(
        started["verification_uri_complete"],
        format!("http://127.0.0.1:8080/oidc/device?user_code={user_code}")
    );
    let form = [
        ("grant_type", DEVICE_GRANT),
        ("client_id", "sigstore"),
        ("device_code", device_code),
        ("code_verifier", VERIFIER),
    ];
    let error = async || browser.post("/oidc/token", &form).await.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(error().await, "authorization_pending");
    assert_eq!(error().await, "slow_down");
    let page = browser.get(&format!("/oidc/device?user_code={user_code}")).await;
    assert!(page.body.contains(user_code), "{}", page.body);
    let unknown = browser.post("/oidc/device", &[("user_code", "BBBB-BBBB"), ("email", "alice@example.test")]).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    let done = browser.post("/oidc/device", &[("user_code", user_code), ("email", "alice@example.test")]).await;
    assert_eq!(done.status, StatusCode::OK);
    let tokens = browser.post("/oidc/token", &form).await.json();
    let claims = claims(&browser, tokens["id_token"].as_str().unwrap()).await;
    assert_eq!((&claims["email"], &claims["aud"]), (&json!("alice@example.test"), &json!("sigstore")));
    assert_eq!(error().await, "invalid_grant");
}

#[tokio::test]
async fn a_device_that_nobody_confirms_is_told_so() {
    let browser = Browser::new();
    let started = browser.post("/oidc/device_authorization", &[("client_id", "sigstore")]).await.json();
    browser.clock.set(Timestamp::from_seconds(1_800_000_600));
    let code = started["device_code"].as_str().unwrap();
    let form = [("grant_type", DEVICE_GRANT), ("client_id", "sigstore"), ("device_code", code)];
    assert_eq!(browser.post("/oidc/token", &form).await.json()["error"], "expired_token");
}

#[tokio::test]
async fn only_this_machine_and_its_own_pages_are_answered() {
    let browser = Browser::new();
    for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example"] {
        let request = Request::get("/oidc/keys").header(header::HOST, host).body(Body::empty()).unwrap();
        assert_eq!(browser.send(request).await.status, StatusCode::FORBIDDEN, "{host}");
    }
    assert_eq!(
        browser.send(Request::get("/oidc/keys").body(Body::empty()).unwrap()).await.status,
        StatusCode::FORBIDDEN
    );
    let form = authorize(&[("email", "alice@example.test")]);
    for (origin, status) in [
        ("https://evil.example", StatusCode::FORBIDDEN),
        ("null", StatusCode::FORBIDDEN),
        ("http://127.0.0.1:9999", StatusCode::FORBIDDEN),
        (URL, StatusCode::SEE_OTHER),
    ] {
        assert_eq!(browser.post_with("/oidc/authorize", &form, &[("origin", origin)]).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn what_a_request_says_never_becomes_markup() {
    let browser = Browser::new();
    let script = r#""><script>alert(1)</script>'"#;
    let form = authorize(&[
        ("client_id", r#""><script>alert(1)</script>'"#),
        ("state", script),
        ("nonce", script),
        ("email", script),
    ]);
    let answers = [
        browser.get(&format!("/oidc/authorize?{}", encode(&form))).await,
        browser.post("/oidc/authorize", &form).await,
        browser.get(&format!("/oidc/device?{}", encode(&[("user_code", script)]))).await,
        browser.post("/oidc/device", &[("user_code", script), ("email", script)]).await,
        browser.post("/oidc/device", &[("user_code", script), ("email", "\"<b>\"@x")]).await,
    ];
    for answer in answers {
        assert!(!answer.body.contains("<script") && !answer.body.contains("<b>"), "{}", answer.body);
        assert!(answer.body.contains("&lt;script&gt;") && answer.body.contains("</html>"), "{}", answer.body);
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("script-src") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(answer.headers[header::X_FRAME_OPTIONS], "DENY");
    }
}

#[tokio::test]
async fn tokens_for_the_asking_need_the_header_and_no_browser() {
    let browser = Browser::new();
    let body = json!({"email": "bob@example.test", "audience": "other", "lifetime_seconds": 60, "claims": {"email_verified": false}});
    let answer = browser.token_for(&body, &[(DEV_HEADER, "1")]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let claims = claims(&browser, answer.json()["token"].as_str().unwrap()).await;
    assert_eq!((&claims["aud"], &claims["email_verified"]), (&json!("other"), &json!(false)));
    assert_eq!(claims["exp"], 1_800_000_060_u64);
    for headers in [vec![], vec![(DEV_HEADER, "0")], vec![(DEV_HEADER, "1"), ("origin", "http://localhost:8080")]] {
        let refused = browser.token_for(&body, &headers).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{headers:?}");
        assert!(!refused.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }
    for bad in [json!({"email": "no address"}), json!({"email": "a@b.test", "admin": true}), json!([])] {
        assert_eq!(browser.token_for(&bad, &[(DEV_HEADER, "1")]).await.json()["error"], "invalid_request", "{bad}");
    }
}

#[tokio::test]
async fn repeated_and_oversized_parameters_are_refused() {
    let browser = Browser::new();
    let mut twice = authorize(&[]);
    twice.push(("redirect_uri", "https://evil.example/"));
    assert_eq!(browser.get(&format!("/oidc/authorize?{}", encode(&twice))).await.status, StatusCode::BAD_REQUEST);
    let long = "x".repeat(MAX_BODY_BYTES + 1);
    assert_eq!(browser.post("/oidc/token", &[("code", &long)]).await.json()["error"], "invalid_request");
    assert_eq!(
        browser.get(&format!("/oidc/authorize?{}", encode(&authorize(&[("state", &long[..600])])))).await.status,
        StatusCode::BAD_REQUEST
    );
}
