//! A token for the asking: what `chancery token` and tests use.
//!
//! Not OAuth. A page in a browser must not be able to use it even where CORS is wide open: the header [`DEV_HEADER`]
//! forces a preflight on every cross-site request, and a request with an `Origin` is always refused.

use super::{
    super::{
        DEFAULT_AUDIENCE, Issuer, TOKEN_LIFETIME_SECONDS,
        claims::TokenRequest,
        input::{ClientId, EmailAddress},
    },
    error::OAuthError,
};
use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The header a request must carry, with the value `1`.
pub(crate) const DEV_HEADER: &str = "x-chancery-dev";

/// What is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "TokenRequest")]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// Whose token it is.
    email: String,
    /// `sigstore` if it is left out.
    audience: Option<String>,
    /// Claims to add or to replace; those with `null` are removed.
    #[serde(default)]
    claims: Map<String, Value>,
    lifetime_seconds: Option<u32>,
}

/// A token.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Token")]
pub(super) struct Answer {
    /// A JWT.
    token: String,
}

/// Signs what is asked for.
pub(super) async fn issue(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    body: Result<Json<Request>, JsonRejection>,
) -> Result<Response, OAuthError> {
    if headers.contains_key(header::ORIGIN) || headers.get(DEV_HEADER).is_none_or(|value| value != "1") {
        return Err(OAuthError::AccessDenied("send the header x-chancery-dev: 1, and not from a web page"));
    }
    let Json(request) =
        body.map_err(|_| OAuthError::InvalidRequest("expected JSON: {email, audience?, claims?, lifetime_seconds?}"))?;
    let email =
        EmailAddress::parse(&request.email).ok_or(OAuthError::InvalidRequest("email is not an e-mail address"))?;
    let audience = ClientId::parse(request.audience.as_deref().unwrap_or(DEFAULT_AUDIENCE))
        .ok_or(OAuthError::InvalidRequest("audience must be visible ASCII"))?;
    let request = TokenRequest {
        email: &email,
        audience: &audience,
        nonce: None,
        lifetime_seconds: request.lifetime_seconds.map_or(TOKEN_LIFETIME_SECONDS, u64::from),
        overrides: request.claims,
    };
    let token = issuer.token(&request).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(Answer { token })).into_response())
}
