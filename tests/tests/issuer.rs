//! The development issuer by hand: discovery, authorization code with PKCE, and what it refuses.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chancery_tests::{
    ALICE, Stack, browser,
    fulcio::{SIGNING_CERT_V2, key_request},
    http::{Request, Response},
    key::{Key, sha256},
};
use serde_json::{Value, json};
use url::Url;

const REDIRECT: &str = "http://localhost:45678/auth/callback";
const VERIFIER: &str = "0123456789-0123456789-0123456789-0123456789-verifier";

/// Where a browser is sent to ask for a code.
fn authorize_url(stack: &Stack) -> String {
    let mut url = Url::parse(&format!("{}/authorize", stack.issuer())).unwrap();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", "sigstore")
        .append_pair("redirect_uri", REDIRECT)
        .append_pair("scope", "openid email")
        .append_pair("state", "<s&\"t>")
        .append_pair("nonce", "n-1")
        .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes())))
        .append_pair("code_challenge_method", "S256");
    url.into()
}

/// Signs in and returns the code of the redirect.
fn code(stack: &Stack) -> String {
    let answer = browser::submit(&authorize_url(stack), ALICE).expect(303);
    let location = Url::parse(answer.header("location").unwrap()).unwrap();
    assert!(location.as_str().starts_with(REDIRECT), "{location}");
    let parameter =
        |name: &str| location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(parameter("state").as_deref(), Some("<s&\"t>"), "the state comes back as it was");
    parameter("code").expect("a code")
}

fn redeem(stack: &Stack, code: &str, verifier: &str, redirect_uri: &str) -> Response {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "sigstore"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ];
    Request::post(&format!("{}/token", stack.issuer())).form(fields).send()
}

/// What is in a token; its signature is the certificate authority's to check.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[test]
fn discovery_says_what_clients_need() {
    let stack = Stack::start();
    let document =
        Request::get(&format!("{}/.well-known/openid-configuration", stack.issuer())).send().expect(200).json();
    assert_eq!(document["issuer"], stack.issuer());
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256"]));
    for endpoint in ["authorization_endpoint", "token_endpoint", "device_authorization_endpoint", "jwks_uri"] {
        let url = document[endpoint].as_str().unwrap_or_else(|| panic!("{endpoint}: {document}"));
        assert!(url.starts_with(&stack.issuer()), "{endpoint}: {url}");
    }
    let keys = Request::get(document["jwks_uri"].as_str().unwrap()).send().expect(200).json();
    assert_eq!(keys["keys"][0]["kty"], "RSA");
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn a_code_becomes_a_token_that_becomes_a_certificate() {
    let stack = Stack::start();
    let answer = redeem(&stack, &code(&stack), VERIFIER, REDIRECT).expect(200).json();
    let token = answer["id_token"].as_str().unwrap();
    assert_eq!(answer["access_token"], token, "sigstore-python hands the access token to the certificate authority");
    let claims = claims(token);
    for (name, value) in [("iss", stack.issuer().as_str()), ("aud", "sigstore"), ("email", ALICE), ("nonce", "n-1")] {
        assert_eq!(claims[name], value, "{claims}");
    }
    let request = Request::post(&stack.at(SIGNING_CERT_V2)).header("Authorization", &format!("Bearer {token}"));
    request.json(&key_request(&Key::generate(), ALICE)).send().expect(200);
}

#[test]
fn a_code_is_good_once_and_only_for_who_asked() {
    let stack = Stack::start();
    let invalid = |response: Response| {
        let body = response.expect(400).json();
        assert_eq!(body["error"], "invalid_grant", "{body}");
    };
    invalid(redeem(&stack, &code(&stack), "0123456789-0123456789-0123456789-0123456789-another", REDIRECT));
    invalid(redeem(&stack, &code(&stack), "", REDIRECT));
    invalid(redeem(&stack, &code(&stack), VERIFIER, "http://localhost:45679/auth/callback"));
    invalid(redeem(&stack, "no-such-code", VERIFIER, REDIRECT));
    let code = code(&stack);
    redeem(&stack, &code, VERIFIER, REDIRECT).expect(200);
    invalid(redeem(&stack, &code, VERIFIER, REDIRECT));
}

#[test]
fn a_code_is_not_sent_without_pkce_or_to_another_machine() {
    let stack = Stack::start();
    let without = |name: &str, value: &str| {
        let mut url = Url::parse(&authorize_url(&stack)).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        url.query_pairs_mut().clear().extend_pairs(pairs.into_iter().map(|(key, old)| {
            let new = if key == name { value.to_owned() } else { old };
            (key, new)
        }));
        Request::get(url.as_str()).send()
    };
    for (name, value) in [("code_challenge", ""), ("code_challenge_method", "plain"), ("response_type", "token")] {
        let answer = without(name, value).expect(303);
        let location = answer.header("location").unwrap();
        assert!(location.starts_with(REDIRECT) && location.contains("error=invalid_request"), "{location}");
    }
    for redirect in ["https://example.test/callback", "http://localhost.example.test/callback", "http://192.0.2.1/"] {
        let answer = without("redirect_uri", redirect).expect(400);
        assert_eq!(answer.header("location"), None);
    }
}

#[test]
fn web_pages_of_others_cannot_use_it() {
    let stack = Stack::start();
    let token_for = |request: Request| request.json(&json!({"email": ALICE})).send();
    let url = format!("{}/token-for", stack.issuer());
    token_for(Request::post(&url).header("x-chancery-dev", "1")).expect(200);
    token_for(Request::post(&url)).expect(403);
    token_for(Request::post(&url).header("x-chancery-dev", "1").header("Origin", "https://example.test")).expect(403);
    token_for(Request::post(&url).header("x-chancery-dev", "1").header("Host", "example.test")).expect(403);
}
