//! The transit engine of Vault.

use crate::server::{Server, Service, header};
use crate::{KINDS, holds, try_open};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_keys::KeyUri;
use chancery_verify::key::KeyKind;
use serde_json::{Value, json};

const TOKEN: &str = "hvs.sesame";

fn routes(service: Service) -> Router {
    Router::new()
        .route("/v1/pki/transit/keys/ca", get(read))
        .route("/v1/pki/transit/keys/rotated", get(read_rotated))
        .route("/v1/pki/transit/keys/{name}", get(unusable))
        .route("/v1/pki/transit/sign/{name}/{hash}", post(sign))
        .with_state(service)
}

/// As the server refuses: a list of sentences, which is empty where a key does not exist.
fn errors(status: StatusCode, sentences: &[&str]) -> Response {
    (status, json!({"errors": sentences}).to_string()).into_response()
}

fn is_permitted(headers: &HeaderMap) -> bool {
    header(headers, "x-vault-token") == TOKEN && header(headers, "x-vault-namespace") == "team"
}

/// Keys that cannot sign for us: without public halves, with others, and none at all.
async fn unusable(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let keys = match name.as_str() {
        "aes256-gcm96" => json!({"1": 1_795_301_731}),
        "hmac" => Value::Null,
        "ed25519" => json!({"1": {"public_key": "YqOdlC4YB/FWq9Y7yOs1RNeEvCn4g/4t7SNt2mXcFxE="}}),
        _ => return errors(StatusCode::NOT_FOUND, &[]),
    };
    let mut data = json!({"type": name, "latest_version": 1, "keys": keys, "min_encryption_version": 0});
    if keys.is_null() {
        data.as_object_mut().unwrap().remove("keys");
    }
    if is_permitted(&headers) { answer(&data) } else { errors(StatusCode::FORBIDDEN, &["permission denied"]) }
}

fn answer(data: &Value) -> Response {
    let answer = json!({
        "request_id": "34a4c871-7ceb-6d2c-8c37-9cb233a8245d", "lease_id": "", "renewable": false, "lease_duration": 0,
        "data": data, "wrap_info": null, "warnings": null, "auth": null
    });
    answer.to_string().into_response()
}

fn kind(service: &Service) -> &'static str {
    match service.key.public_key().kind() {
        KeyKind::P256 => "ecdsa-p256",
        KeyKind::P384 => "ecdsa-p384",
        _ => "rsa-2048",
    }
}

async fn read(State(service): State<Service>, headers: HeaderMap) -> Response {
    versions(&service, &headers, 2)
}

/// The same, with one more version, and the first one shut.
async fn read_rotated(State(service): State<Service>, headers: HeaderMap) -> Response {
    versions(&service, &headers, 3)
}

fn versions(service: &Service, headers: &HeaderMap, latest: u32) -> Response {
    if !is_permitted(headers) {
        return errors(StatusCode::FORBIDDEN, &["permission denied"]);
    }
    let other = "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n";
    let version = |public_key: &str| json!({"creation_time": "2026-11-21T22:54:52.361752583Z", "name": "any", "public_key": public_key});
    let own = service.key.public_key().to_pem();
    let mut keys = json!({"1": version(other), "2": version(&own)});
    if latest == 3 {
        keys["3"] = version(other);
    }
    answer(&json!({
        "type": kind(service), "latest_version": latest, "keys": keys, "min_decryption_version": 1,
        "min_encryption_version": latest - 1, "min_available_version": 0, "supports_signing": true
    }))
}

async fn sign(
    State(service): State<Service>,
    Path((name, hash)): Path<(String, String)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let expected = if kind(&service) == "ecdsa-p384" { "sha2-384" } else { "sha2-256" };
    if !is_permitted(&headers) || hash != expected {
        return errors(StatusCode::FORBIDDEN, &["permission denied"]);
    }
    if !["ca", "rotated"].contains(&name.as_str()) {
        return errors(StatusCode::BAD_REQUEST, &["signing key not found"]);
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
            answer(&json!({"key_version": 2, "signature": signature}))
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
        for (name, reason) in [
            (format!("ca?{options}&version=1"), "public half"),
            (format!("ca?{options}&version=3"), "no version 3"),
            (format!("rotated?{options}&version=1"), "min_encryption_version is 2"),
            (format!("rotated?{options}"), "public half"),
            (format!("nobody?{options}"), "there is no key nobody in pki/transit"),
            (format!("aes256-gcm96?{options}"), "of type aes256-gcm96;"),
            (format!("ed25519?{options}"), "of type ed25519;"),
            (format!("hmac?{options}"), "of type hmac;"),
        ] {
            let refused = try_open(&format!("hashivault://{name}")).await.unwrap_err();
            assert!(refused.to_string().contains(reason), "{name}: {refused}");
        }
        let rotated: KeyUri = format!("hashivault://rotated?{options}").parse().unwrap();
        let fingerprint = server.key.public_key().fingerprint();
        let signer = chancery_keys::reopen(&rotated, &fingerprint).await.unwrap();
        signer.sign(b"message").await.unwrap();
        let refused = chancery_keys::reopen(&rotated, &[7; 32]).await.unwrap_err();
        assert!(refused.to_string().contains("no version of the key is the one that has signed"), "{refused}");
        let pinned: KeyUri = format!("hashivault://rotated?{options}&version=2").parse().unwrap();
        let refused = chancery_keys::reopen(&pinned, &[7; 32]).await.unwrap_err();
        assert!(refused.to_string().contains("another key now"), "{refused}");
        let wrong = server.file("wrong", "hvs.other");
        let refused = try_open(&format!("hashivault://ca?{}", options.replace(&token, &wrong))).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied: the token in the file"), "{refused}");
        drop(server);

        let server = Server::start(kind, routes).await;
        let token = server.file("token", TOKEN);
        let options = format!("address=http://{}&token-file={token}&mount=pki/transit&namespace=team", server.address);
        holds(&server, kind, &format!("hashivault://ca?{options}")).await;
    }
}
