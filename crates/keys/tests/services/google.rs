//! Google Cloud KMS: requests carry a token that a service account has signed itself.

use crate::server::{Server, Service, header, refuse};
use crate::{KINDS, holds, try_open};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chancery_daemon::signer::Signer;
use chancery_verify::key::KeyKind;
use serde_json::{Value, json};
use std::sync::LazyLock;

const NAME: &str = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/ca/cryptoKeyVersions/7";
const ACCOUNT: &str = "chancery@p.iam.gserviceaccount.com";

/// The service account's key.
static ACCOUNT_KEY: LazyLock<(Signer, String)> = LazyLock::new(|| Signer::generate(KeyKind::Rsa(2048)).unwrap());

fn routes(service: Service) -> Router {
    Router::new()
        .route(&format!("/v1/{NAME}/publicKey"), get(public_key))
        .route(&format!("/v1/{NAME}:asymmetricSign"), post(sign))
        .with_state(service)
}

/// Whether the caller is the service account.
fn is_authorized(headers: &HeaderMap) -> bool {
    let token = header(headers, "authorization").strip_prefix("Bearer ").unwrap_or_default();
    let Some((signed, signature)) = token.rsplit_once('.') else { return false };
    let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    ACCOUNT_KEY.0.public_key().verify(signed.as_bytes(), &signature).is_ok()
        && claims["iss"] == ACCOUNT
        && claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
}

async fn public_key(State(service): State<Service>, headers: HeaderMap) -> Response {
    if !is_authorized(&headers) {
        return refuse("PERMISSION_DENIED");
    }
    let key = service.key.public_key();
    let algorithm = match key.kind() {
        KeyKind::P256 => "EC_SIGN_P256_SHA256",
        KeyKind::P384 => "EC_SIGN_P384_SHA384",
        _ => "RSA_SIGN_PKCS1_2048_SHA256",
    };
    json!({"name": NAME, "pem": key.to_pem(), "algorithm": algorithm}).to_string().into_response()
}

async fn sign(State(service): State<Service>, headers: HeaderMap, body: String) -> Response {
    if !is_authorized(&headers) {
        return refuse("PERMISSION_DENIED");
    }
    let request: Value = serde_json::from_str(&body).unwrap();
    let hash = service.key.public_key().kind().hash().name();
    let digest = STANDARD.decode(request["digest"][hash].as_str().unwrap()).unwrap();
    match service.sign(&digest, &(StatusCode::TOO_MANY_REQUESTS, json!({"error": {"status": "RESOURCE_EXHAUSTED"}}))) {
        Ok(signature) => json!({"signature": STANDARD.encode(signature)}).to_string().into_response(),
        Err(refusal) => *refusal,
    }
}

fn credentials(key: &str) -> String {
    let account = json!({
        "type": "service_account", "private_key_id": "k1", "private_key": key, "client_email": ACCOUNT,
    });
    account.to_string()
}

#[tokio::test]
async fn keys_in_google_s_cloud_sign() {
    for kind in KINDS {
        let server = Server::start(kind, routes).await;
        let file = server.file("account.json", &credentials(&ACCOUNT_KEY.1));
        let uri = format!("gcpkms://{NAME}?endpoint=http://{}&credentials={file}", server.address);
        holds(&server, kind, &uri).await;
    }
}

#[tokio::test]
async fn another_account_s_key_is_refused() {
    let server = Server::start(KeyKind::P256, routes).await;
    let file = server.file("account.json", &credentials(&Signer::generate(KeyKind::Rsa(2048)).unwrap().1));
    let uri = format!("gcpkms://{NAME}?endpoint=http://{}&credentials={file}", server.address);
    let refused = try_open(&uri).await.unwrap_err();
    assert!(refused.to_string().contains("PERMISSION_DENIED"), "{refused}");
}
