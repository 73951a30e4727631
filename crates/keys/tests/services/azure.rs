//! Azure Key Vault, and the part of Microsoft Entra that gives tokens to applications.

use crate::server::{Server, Service, header, refuse};
use crate::{KINDS, holds, open, try_open};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_verify::key::KeyKind;
use der::Decode as _;
use der::asn1::UintRef;
use serde_json::{Value, json};

const SECRET: &str = "sesame&=+ /";
const ASSERTION: &str = "eyJ.a.b";
const TOKEN: &str = "a-token-of-entra";
const VERSION: &str = "78deebed173b48e48f55abf87ed4cf71";

fn routes(service: Service) -> Router {
    Router::new()
        .route("/tenant-1/oauth2/v2.0/token", post(token))
        .route("/keys/ca", get(read))
        .route(&format!("/keys/ca/{VERSION}/sign"), post(sign))
        .with_state(service)
}

async fn token(headers: HeaderMap, body: String) -> Response {
    assert_eq!(header(&headers, "content-type"), "application/x-www-form-urlencoded");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let field = |name: &str| form.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let shown = field("client_secret") == Some(SECRET)
        || field("client_assertion") == Some(ASSERTION)
            && field("client_assertion_type") == Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let asked = field("grant_type") == Some("client_credentials")
        && field("client_id") == Some("app-1")
        && field("scope") == Some("https://vault.azure.net/.default");
    if shown && asked {
        json!({"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN}).to_string().into_response()
    } else {
        (StatusCode::UNAUTHORIZED, "invalid_client").into_response()
    }
}

fn is_authorized(headers: &HeaderMap, query: Option<&str>) -> bool {
    header(headers, "authorization") == format!("Bearer {TOKEN}") && query == Some("api-version=7.4")
}

async fn read(State(service): State<Service>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if !is_authorized(&headers, query.as_deref()) {
        return refuse("Forbidden");
    }
    let key = service.key.public_key();
    let spki = key.spki_der();
    let end = |from: usize, to: usize| URL_SAFE_NO_PAD.encode(&spki[spki.len() - from..spki.len() - to]);
    let mut jwk = match key.kind() {
        KeyKind::P256 => json!({"kty": "EC", "crv": "P-256", "x": end(64, 32), "y": end(32, 0)}),
        KeyKind::P384 => json!({"kty": "EC-HSM", "crv": "P-384", "x": end(96, 48), "y": end(48, 0)}),
        _ => json!({"kty": "RSA", "n": end(261, 5), "e": end(3, 0)}),
    };
    jwk["kid"] = json!(format!("https://example.vault.azure.net/keys/ca/{VERSION}"));
    json!({ "key": jwk }).to_string().into_response()
}

async fn sign(State(service): State<Service>, RawQuery(query): RawQuery, headers: HeaderMap, body: String) -> Response {
    if !is_authorized(&headers, query.as_deref()) {
        return refuse("Forbidden");
    }
    let request: Value = serde_json::from_str(&body).unwrap();
    let (algorithm, field_bytes) = match service.key.public_key().kind() {
        KeyKind::P256 => ("ES256", Some(32)),
        KeyKind::P384 => ("ES384", Some(48)),
        _ => ("RS256", None),
    };
    assert_eq!(request["alg"], algorithm);
    let digest = URL_SAFE_NO_PAD.decode(request["value"].as_str().unwrap()).unwrap();
    match service.sign(&digest, &(StatusCode::TOO_MANY_REQUESTS, json!({"error": {"code": "Throttled"}}))) {
        Ok(signature) => {
            let signature = field_bytes.map_or_else(|| signature.clone(), |bytes| fixed(&signature, bytes));
            json!({"kid": "k", "value": URL_SAFE_NO_PAD.encode(signature)}).to_string().into_response()
        }
        Err(refusal) => *refusal,
    }
}

/// `r‖s`, as this service answers.
fn fixed(signature: &[u8], field_bytes: usize) -> Vec<u8> {
    let parts = Vec::<UintRef<'_>>::from_der(signature).unwrap();
    let pad = |part: &UintRef<'_>| [&vec![0; field_bytes - part.as_bytes().len()], part.as_bytes()].concat();
    parts.iter().flat_map(pad).collect()
}

#[tokio::test]
async fn keys_in_azure_sign() {
    for kind in KINDS {
        let server = Server::start(kind, routes).await;
        let address = &server.address;
        let login = format!("tenant=tenant-1&client=app-1&authority=http://{address}");
        let secret = server.file("secret", SECRET);
        holds(&server, kind, &format!("azurekms://{address}/ca?{login}&secret-file={secret}")).await;
    }
}

#[tokio::test]
async fn a_federated_token_is_enough_and_a_wrong_secret_is_not() {
    let server = Server::start(KeyKind::P256, routes).await;
    let address = &server.address;
    let login = format!("tenant=tenant-1&client=app-1&authority=http://{address}");
    let assertion = server.file("assertion", ASSERTION);
    open(&format!("azurekms://{address}/ca?{login}&assertion-file={assertion}")).await;
    let wrong = server.file("wrong", "guess");
    let refused = try_open(&format!("azurekms://{address}/ca?{login}&secret-file={wrong}")).await.unwrap_err();
    assert!(refused.to_string().contains("invalid_client") && !refused.to_string().contains("guess"), "{refused}");
}
