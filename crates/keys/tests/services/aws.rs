//! AWS KMS, with the signature of each request computed again from what has arrived.

use crate::server::{Server, Service, header, refuse};
use crate::{KINDS, holds, open, try_open};
use aws_lc_rs::{digest, hmac};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_verify::key::KeyKind;
use serde_json::{Value, json};

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn routes(service: Service) -> Router {
    Router::new().route("/", post(call)).with_state(service)
}

fn sha256(data: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, data))
}

fn hmac(key: &[u8], data: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data.as_bytes()).as_ref().to_vec()
}

/// Whether `authorization` is Signature Version 4 over this request, by the one who knows [`SECRET`].
fn is_authorized(headers: &HeaderMap, body: &str) -> bool {
    let authorization = header(headers, "authorization").strip_prefix("AWS4-HMAC-SHA256 ").unwrap_or_default();
    let field = |name: &str| authorization.split(", ").find_map(|field| field.strip_prefix(name)).unwrap_or_default();
    let (credential, signed, signature) = (field("Credential="), field("SignedHeaders="), field("Signature="));
    let Some((id, scope)) = credential.split_once('/') else { return false };
    let date = header(headers, "x-amz-date");
    let names: Vec<&str> = signed.split(';').collect();
    let all_there = ["content-type", "host", "x-amz-date", "x-amz-target"].iter().all(|name| names.contains(name));
    if id != "AKIDEXAMPLE" || !all_there || scope != format!("{}/eu-central-1/kms/aws4_request", &date[..8]) {
        return false;
    }
    let lines: Vec<String> = names.iter().map(|name| format!("{name}:{}", header(headers, name).trim())).collect();
    let request = format!("POST\n/\n\n{}\n\n{signed}\n{}", lines.join("\n"), sha256(body.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(request.as_bytes()));
    let key = scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, part| hmac(&key, part));
    signature == hex::encode(hmac(&key, &to_sign))
}

async fn call(State(service): State<Service>, headers: HeaderMap, body: String) -> Response {
    if !is_authorized(&headers, &body) {
        return refuse("IncompleteSignature");
    }
    let request: Value = serde_json::from_str(&body).unwrap();
    let key = service.key.public_key();
    let algorithm = match key.kind() {
        KeyKind::P256 => "ECDSA_SHA_256",
        KeyKind::P384 => "ECDSA_SHA_384",
        _ => "RSASSA_PKCS1_V1_5_SHA_256",
    };
    match header(&headers, "x-amz-target") {
        "TrentService.GetPublicKey" if request["KeyId"] == "alias/ca" || request["KeyId"] == ARN => {
            let public = STANDARD.encode(key.spki_der());
            json!({"KeyId": ARN, "PublicKey": public, "KeyUsage": "SIGN_VERIFY"}).to_string().into_response()
        }
        "TrentService.GetPublicKey" if request["KeyId"] == "alias/encryption" => {
            json!({"KeyId": ARN, "PublicKey": "", "KeyUsage": "ENCRYPT_DECRYPT"}).to_string().into_response()
        }
        "TrentService.Sign" => {
            assert_eq!((&request["KeyId"], &request["MessageType"]), (&json!(ARN), &json!("DIGEST")));
            assert_eq!(request["SigningAlgorithm"], algorithm);
            let digest = STANDARD.decode(request["Message"].as_str().unwrap()).unwrap();
            match service.sign(&digest, &(StatusCode::BAD_REQUEST, json!({"__type": "ThrottlingException"}))) {
                Ok(signature) => {
                    json!({"KeyId": ARN, "Signature": STANDARD.encode(signature)}).to_string().into_response()
                }
                Err(refusal) => *refusal,
            }
        }
        _ => (StatusCode::BAD_REQUEST, json!({"__type": "NotFoundException"}).to_string()).into_response(),
    }
}

fn credentials(server: &Server, secret: &str) -> String {
    server.file("aws.ini", &format!("[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {secret}\n"))
}

#[tokio::test]
async fn keys_in_aws_sign() {
    for kind in KINDS {
        let server = Server::start(kind, routes).await;
        let file = credentials(&server, SECRET);
        let address = &server.address;
        holds(&server, kind, &format!("awskms://{address}/alias/ca?region=eu-central-1&credentials={file}")).await;
    }
}

#[tokio::test]
async fn an_arn_names_the_region_and_faults_are_explained() {
    let server = Server::start(KeyKind::P256, routes).await;
    let (address, file) = (&server.address, credentials(&server, SECRET));
    open(&format!("awskms://{address}/{ARN}?credentials={file}")).await;
    for (id, reason) in [("alias/other", "NotFoundException"), ("alias/encryption", "not for signing")] {
        let uri = format!("awskms://{address}/{id}?region=eu-central-1&credentials={file}");
        let refused = try_open(&uri).await.unwrap_err();
        assert!(refused.to_string().contains(reason), "{refused}");
    }
    let wrong = credentials(&server, "guess");
    let refused = try_open(&format!("awskms://{address}/{ARN}?credentials={wrong}")).await.unwrap_err();
    assert!(refused.to_string().contains("IncompleteSignature"), "{refused}");
    assert!(!refused.to_string().contains("guess"), "{refused}");
}
