//! The documents that a client fetches first: OpenID Connect Discovery 1.0 §3 and the key set.

use super::super::{Issuer, jwks::KeySet};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// The endpoints and what they can do. cosign refuses an issuer that does not say `S256` here.
pub(super) async fn configuration(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let url = issuer.url();
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "device_authorization_endpoint": format!("{url}/device_authorization"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "scopes_supported": ["openid", "email"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nbf", "nonce", "email", "email_verified"],
    }))
}

/// The key tokens are signed with.
pub(super) async fn keys(State(issuer): State<Arc<Issuer>>) -> Response {
    match KeySet::new(issuer.signer.public_key(), &issuer.key_id) {
        Some(keys) => Json(keys).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
