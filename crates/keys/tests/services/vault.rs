//! The transit engine of Vault.

use crate::server::{Server, Service, header, refuse};
use crate::{KINDS, holds, try_open};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_verify::key::KeyKind;
use serde_json::{Value, json};

const TOKEN: &str = "hvs.sesame";

fn routes(service: Service) -> Router {
    Router::new()
        .route("/v1/pki/transit/keys/ca", get(read))
        .route("/v1/pki/transit/sign/ca/{hash}", post(sign))
        .with_state(service)
}

fn kind(service: &Service) -> &'static str {
    match service.key.public_key().kind() {
        KeyKind::P256 => "ecdsa-p256",
        KeyKind::P384 => "ecdsa-p384",
        _ => "rsa-2048",
    }
}

async fn read(State(service): State<Service>, headers: HeaderMap) -> Response {
    if header(&headers, "x-vault-token") != TOKEN || header(&headers, "x-vault-namespace") != "team" {
        return refuse("permission denied");
    }
    let other = "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n";
    let keys = json!({"1": {"public_key": other}, "2": {"public_key": service.key.public_key().to_pem()}});
    let data = json!({"type": kind(&service), "latest_version": 2, "keys": keys});
    json!({ "data": data }).to_string().into_response()
}

async fn sign(State(service): State<Service>, Path(hash): Path<String>, headers: HeaderMap, body: String) -> Response {
    let expected = if kind(&service) == "ecdsa-p384" { "sha2-384" } else { "sha2-256" };
    if header(&headers, "x-vault-token") != TOKEN || hash != expected {
        return refuse("permission denied");
    }
    let request: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(request["prehashed"], true);
    assert_eq!(request["key_version"], 2);
    assert_eq!(request["marshaling_algorithm"], "asn1");
    assert_eq!(request["signature_algorithm"], "pkcs1v15");
    let digest = STANDARD.decode(request["input"].as_str().unwrap()).unwrap();
    match service.sign(&digest, &(StatusCode::SERVICE_UNAVAILABLE, json!({"errors": ["Vault is sealed"]}))) {
        Ok(signature) => {
            let signature = format!("vault:v2:{}", STANDARD.encode(signature));
            json!({"data": {"signature": signature}}).to_string().into_response()
        }
        Err(refusal) => *refusal,
    }
}

#[tokio::test]
async fn keys_in_vault_sign() {
    for kind in KINDS {
        let server = Server::start(kind, routes).await;
        let token = server.file("token", &format!("{TOKEN}\n"));
        let options = format!("address=http://{}&token-file={token}&mount=pki/transit&namespace=team", server.address);
        for (version, reason) in [("1", "public half"), ("3", "no version 3")] {
            let refused = try_open(&format!("hashivault://ca?{options}&version={version}")).await.unwrap_err();
            assert!(refused.to_string().contains(reason), "{refused}");
        }
        let wrong = server.file("wrong", "hvs.other");
        let refused = try_open(&format!("hashivault://ca?{}", options.replace(&token, &wrong))).await.unwrap_err();
        assert!(refused.to_string().contains("403: permission denied"), "{refused}");
        drop(server);

        let server = Server::start(kind, routes).await;
        let token = server.file("token", TOKEN);
        let options = format!("address=http://{}&token-file={token}&mount=pki/transit&namespace=team", server.address);
        holds(&server, kind, &format!("hashivault://ca?{options}")).await;
    }
}
