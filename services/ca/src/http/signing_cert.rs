//! `POST /api/v2/signingCert` and `POST /api/v1/signingCert`.

use super::body::{self, Message};
use super::error::Refused;
use crate::challenge::KeyRequest;
use crate::issue::{Issued, Promise};
use crate::request::{Origin, SigningRequest};
use crate::transparency::timestamp_json;
use crate::{CertificateAuthority, Error};
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_daemon::http::{Peer, RequestId};
use chancery_verify::Rejection;
use chancery_verify::sct::SignedCertificateTimestamp;
use serde_json::json;
use std::sync::Arc;

/// What the shell knows of a request.
type Known = (Option<Extension<RequestId>>, Option<Extension<Peer>>);

/// The token may be in the body or in the header; the answer is JSON with status 200.
pub(super) async fn v2(
    State(authority): State<Arc<CertificateAuthority>>,
    known: Known,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Refused> {
    let request = body::read(request).await.and_then(|message| request_v2(&message, &headers));
    let issued = answer(authority, "v2", known, request).await?;
    let chain = json!({ "certificates": issued.pem_chain() });
    let answer = match &issued.promise {
        Promise::Embedded(_) => json!({ "signedCertificateEmbeddedSct": { "chain": chain } }),
        beside => {
            let sct = beside.sct().map(detached).unwrap_or_default();
            json!({ "signedCertificateDetachedSct": { "chain": chain, "signedCertificateTimestamp": sct } })
        }
    };
    Ok(super::json(&answer))
}

/// The token is only in the header. The answer is PEM with status 201, which clients check.
pub(super) async fn v1(
    State(authority): State<Arc<CertificateAuthority>>,
    known: Known,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Refused> {
    let request = body::read(request).await.and_then(|message| request_v1(&message, &headers));
    let issued = answer(authority, "v1", known, request).await?;
    let mut response = (StatusCode::CREATED, super::pem(issued.pem_chain().join("\n"))).into_response();
    if let Promise::Detached(sct) = &issued.promise
        && let Ok(sct) = HeaderValue::from_str(&detached(sct))
    {
        response.headers_mut().insert("sct", sct);
    }
    Ok(response)
}

/// A timestamp that is not in the certificate: base64 of the JSON that a log answers.
fn detached(sct: &SignedCertificateTimestamp) -> String {
    STANDARD.encode(detached_json(sct))
}

/// The JSON that a log answers.
pub(super) fn detached_json(sct: &SignedCertificateTimestamp) -> String {
    timestamp_json(sct).to_string()
}

async fn answer(
    authority: Arc<CertificateAuthority>,
    api: &'static str,
    (request_id, peer): Known,
    request: Result<SigningRequest, Error>,
) -> Result<Issued, Refused> {
    let request_id = request_id.map(|Extension(id)| id);
    let origin = Origin { request_id: request_id.clone(), peer: peer.map(|Extension(peer)| peer), api };
    authority.answer(origin, request).await.map_err(|refusal| Refused { refusal, request_id })
}

fn request_v2(message: &Message, headers: &HeaderMap) -> Result<SigningRequest, Error> {
    let key = key_request_v2(message)?;
    let credentials = message.message("credentials", "credentials")?.unwrap_or_default();
    let token = match credentials.text("oidcIdentityToken", "oidc_identity_token")? {
        "" => bearer(headers),
        token => token,
    };
    Ok(SigningRequest { token: token.to_owned(), key })
}

fn request_v1(message: &Message, headers: &HeaderMap) -> Result<SigningRequest, Error> {
    // Unlike v2, v1 checks that a key is present before it checks the token.
    let key = key_request_v1(message)?.ok_or(Error::KeyMalformed(Rejection::KeyMalformed))?;
    Ok(SigningRequest { token: bearer(headers).to_owned(), key: Some(key) })
}

/// Returns the token of the `Authorization` header: the rest after the first `Bearer `, which may be missing.
fn bearer(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.strip_prefix("Bearer ").unwrap_or(value)
}

fn key_request_v2(message: &Message) -> Result<Option<KeyRequest>, Error> {
    let possession = message.message("publicKeyRequest", "public_key_request")?;
    let signing_request = message.bytes("certificateSigningRequest", "certificate_signing_request")?;
    match possession {
        Some(_) if message.has("certificateSigningRequest", "certificate_signing_request")? => {
            let reason = "proto: (line 1:1): error parsing \"certificateSigningRequest\", \
                          oneof dev.sigstore.fulcio.v2.CreateSigningCertificateRequest.key is already set";
            Err(Error::Malformed { reason: reason.to_owned() })
        }
        Some(possession) => {
            // The algorithm beside the content is ignored: clients write "", "RSA" and numbers there.
            let key = possession.message("publicKey", "public_key")?.unwrap_or_default();
            let public_key = key.text("content", "content")?.as_bytes().to_vec();
            let proof = possession.bytes("proofOfPossession", "proof_of_possession")?;
            Ok(Some(KeyRequest::Possession { public_key, proof }))
        }
        None if signing_request.is_empty() => Ok(None),
        None => Ok(Some(KeyRequest::SigningRequest(signing_request))),
    }
}

fn key_request_v1(message: &Message) -> Result<Option<KeyRequest>, Error> {
    let signing_request = message.bytes("certificateSigningRequest", "certificate_signing_request")?;
    if !signing_request.is_empty() {
        return Ok(Some(KeyRequest::SigningRequest(signing_request)));
    }
    let Some(key) = message.message("publicKey", "public_key")? else { return Ok(None) };
    let public_key = key.bytes("content", "content")?;
    let proof = message.bytes("signedEmailAddress", "signed_email_address")?;
    Ok(Some(KeyRequest::Possession { public_key, proof }))
}
