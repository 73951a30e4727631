//! The token endpoint: RFC 6749 §4.1.3, RFC 7636 §4.5 and RFC 8628 §3.4.

use super::{
    super::{
        Issuer, TOKEN_LIFETIME_SECONDS,
        claims::TokenRequest,
        grants::Poll,
        input::{ClientId, EmailAddress},
    },
    error::OAuthError,
};
use axum::{
    Json,
    extract::{Form, State, rejection::FormRejection},
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use std::sync::Arc;
use url::form_urlencoded;

/// Parameters of both grants.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "TokenForm")]
#[serde(default)]
pub(super) struct Parameters {
    grant_type: String,
    client_id: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    device_code: Option<String>,
}

/// RFC 6749 §5.1 with the `id_token` of OpenID Connect Core §3.1.3.3.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Tokens {
    /// The same token again: sigstore-python hands the access token to the certificate authority.
    access_token: String,
    id_token: String,
    token_type: &'static str,
    expires_in: u64,
    scope: &'static str,
}

/// Who a redeemed code is for.
struct Redeemed {
    email: EmailAddress,
    nonce: Option<String>,
}

/// Turns a code into a token.
pub(super) async fn redeem(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    form: Result<Form<Parameters>, FormRejection>,
) -> Result<Response, OAuthError> {
    let Form(parameters) = form.map_err(|_| OAuthError::InvalidRequest("expected a form with each parameter once"))?;
    let client_id = client_id(&headers, parameters.client_id.as_deref())?;
    let redeemed = match parameters.grant_type.as_str() {
        "authorization_code" => redeem_code(&issuer, &client_id, &parameters)?,
        "urn:ietf:params:oauth:grant-type:device_code" => poll(&issuer, &client_id, &parameters)?,
        _ => return Err(OAuthError::UnsupportedGrantType),
    };
    let request = TokenRequest {
        email: &redeemed.email,
        audience: &client_id,
        nonce: redeemed.nonce.as_deref(),
        lifetime_seconds: TOKEN_LIFETIME_SECONDS,
        overrides: Map::new(),
    };
    let token = issuer.token(&request).await?;
    let tokens = Tokens {
        access_token: token.clone(),
        id_token: token,
        token_type: "Bearer",
        expires_in: TOKEN_LIFETIME_SECONDS,
        scope: "openid email",
    };
    Ok(([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(tokens)).into_response())
}

fn redeem_code(issuer: &Issuer, client_id: &ClientId, parameters: &Parameters) -> Result<Redeemed, OAuthError> {
    let code = parameters.code.as_deref().ok_or(OAuthError::InvalidRequest("code is missing"))?;
    let authorization = issuer.grants().redeem(code, issuer.now()).ok_or(OAuthError::InvalidGrant)?;
    let verifier = parameters.code_verifier.as_deref().unwrap_or_default();
    let belongs = authorization.client_id == *client_id
        && parameters.redirect_uri.as_deref() == Some(authorization.redirect_uri.as_str())
        && authorization.challenge.is_answered_by(verifier);
    if !belongs {
        return Err(OAuthError::InvalidGrant);
    }
    Ok(Redeemed { email: authorization.email, nonce: authorization.nonce })
}

fn poll(issuer: &Issuer, client_id: &ClientId, parameters: &Parameters) -> Result<Redeemed, OAuthError> {
    let code = parameters.device_code.as_deref().ok_or(OAuthError::InvalidRequest("device_code is missing"))?;
    let verifier = parameters.code_verifier.as_deref();
    match issuer.grants().poll_device(code, client_id, verifier, issuer.now()) {
        Poll::Granted(email) => Ok(Redeemed { email, nonce: None }),
        Poll::Pending => Err(OAuthError::AuthorizationPending),
        Poll::SlowDown => Err(OAuthError::SlowDown),
        Poll::Expired => Err(OAuthError::ExpiredToken),
        Poll::Unknown => Err(OAuthError::InvalidGrant),
    }
}

/// The client's id: from HTTP basic authentication (sigstore-python; Go tries it first), else from the form. Clients are
/// public, so the password is not looked at.
pub(super) fn client_id(headers: &HeaderMap, form: Option<&str>) -> Result<ClientId, OAuthError> {
    let basic = match headers.get(header::AUTHORIZATION) {
        Some(value) => Some(value.to_str().ok().and_then(basic_user).ok_or(OAuthError::InvalidClient)?),
        None => None,
    };
    let id = match (basic.as_deref(), form) {
        (Some(basic), Some(form)) if basic != form => {
            return Err(OAuthError::InvalidRequest("two different client ids"));
        }
        (basic, form) => basic.or(form).unwrap_or_default(),
    };
    ClientId::parse(id).ok_or(OAuthError::InvalidClient)
}

/// RFC 6749 §2.3.1: user and password are form-encoded before they are joined and base64-encoded.
fn basic_user(value: &str) -> Option<String> {
    let (scheme, credentials) = value.split_once(' ')?;
    let credentials = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (user, _password) = credentials.split_once(':').filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    form_urlencoded::parse(user.as_bytes()).next().map(|(user, _)| user.into_owned())
}
