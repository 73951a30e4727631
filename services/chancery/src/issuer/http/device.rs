//! The device flow: RFC 8628. A terminal shows a code, a browser somewhere confirms it.

use super::{
    super::{
        Issuer,
        grants::{DEVICE_INTERVAL_SECONDS, DEVICE_LIFETIME_SECONDS},
        input::{CodeChallenge, EmailAddress},
        page::{self, DeviceProblem},
    },
    error::OAuthError,
    html,
    token::client_id,
};
use axum::{
    Json,
    extract::{
        Form, Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// RFC 8628 §3.1, with PKCE as cosign sends it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "DeviceAuthorizationForm")]
#[serde(default)]
pub(super) struct StartParameters {
    client_id: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

/// RFC 8628 §3.2.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeviceAuthorization")]
pub(super) struct Started {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

/// What the page and its form carry.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "DeviceForm")]
#[serde(default)]
pub(super) struct PageParameters {
    user_code: String,
    email: Option<String>,
}

/// Gives a device its codes.
pub(super) async fn start(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    form: Result<Form<StartParameters>, FormRejection>,
) -> Result<Response, OAuthError> {
    let Form(parameters) = form.map_err(|_| OAuthError::InvalidRequest("expected a form"))?;
    let client_id = client_id(&headers, parameters.client_id.as_deref())?;
    let challenge = match (parameters.code_challenge.as_deref(), parameters.code_challenge_method.as_deref()) {
        (None, None) => None,
        (challenge, method) => {
            let challenge =
                challenge.zip(method).and_then(|(challenge, method)| CodeChallenge::parse(challenge, method));
            Some(challenge.ok_or(OAuthError::InvalidRequest("the code challenge must be of method S256"))?)
        }
    };
    let codes = issuer.grants().start_device(client_id, challenge, issuer.now(), issuer.random.as_ref());
    let codes = codes.map_err(|_full| OAuthError::TemporarilyUnavailable)?;
    let verification_uri = format!("{}/device", issuer.url());
    let started = Started {
        verification_uri_complete: format!("{verification_uri}?user_code={}", codes.user_code),
        verification_uri,
        device_code: codes.device_code,
        user_code: codes.user_code,
        expires_in: DEVICE_LIFETIME_SECONDS,
        interval: DEVICE_INTERVAL_SECONDS,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(started)).into_response())
}

/// Shows the form, with the code filled in where the link had it.
pub(super) async fn page(parameters: Result<Query<PageParameters>, QueryRejection>) -> Response {
    let user_code = parameters.map(|Query(parameters)| parameters.user_code).unwrap_or_default();
    html(StatusCode::OK, page::device(&user_code, None, None))
}

/// Takes the form and lets the device go on.
pub(super) async fn submit(
    State(issuer): State<Arc<Issuer>>,
    form: Result<Form<PageParameters>, FormRejection>,
) -> Response {
    let Ok(Form(PageParameters { user_code, email: typed })) = form else {
        return html(StatusCode::BAD_REQUEST, page::problem("The form cannot be read."));
    };
    let again = |problem| html(StatusCode::BAD_REQUEST, page::device(&user_code, typed.as_deref(), Some(&problem)));
    let Some(email) = typed.as_deref().and_then(EmailAddress::parse) else {
        return again(DeviceProblem::Email("This is not an e-mail address."));
    };
    if !issuer.grants().approve_device(&user_code, email.clone(), issuer.now()) {
        let problem = "No terminal waits with this code. It may be used already, or older than ten minutes.";
        return again(DeviceProblem::Code(problem));
    }
    html(StatusCode::OK, page::device_done(email.as_str()))
}
