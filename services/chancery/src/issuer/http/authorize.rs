//! The authorization endpoint: RFC 6749 §4.1.1 with PKCE, and the page behind it.
//!
//! Until client and redirect URI are known to be good, problems are shown here; after that they go back to the client
//! (§4.1.2.1).

use super::{
    super::{
        Issuer,
        grants::Authorization,
        input::{ClientId, CodeChallenge, EmailAddress, RedirectUri, is_echoable},
        page,
    },
    error::OAuthError,
    html,
};
use axum::{
    extract::{
        Form, Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;
use url::Url;

/// The request, as query of the page and as hidden fields of its form.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "AuthorizationForm")]
#[serde(default)]
pub(super) struct Parameters {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: String,
    code_challenge_method: String,
    /// Only in the form.
    email: Option<String>,
}

/// A request that cannot be answered with a code.
enum Refused {
    /// There is no valid address to redirect the browser to.
    Here(&'static str),
    /// The client is told.
    ToClient(RedirectUri, OAuthError),
}

/// A request that can be answered.
struct Checked {
    client_id: ClientId,
    redirect: RedirectUri,
    challenge: CodeChallenge,
}

/// Shows the form.
pub(super) async fn page(parameters: Result<Query<Parameters>, QueryRejection>) -> Response {
    let Ok(Query(parameters)) = parameters else { return unreadable() };
    match check(&parameters) {
        Ok(_) => form(StatusCode::OK, &parameters, None),
        Err(refused) => refuse(refused, parameters.state.as_deref()),
    }
}

/// Takes the form and sends the client its code.
pub(super) async fn submit(
    State(issuer): State<Arc<Issuer>>,
    form_data: Result<Form<Parameters>, FormRejection>,
) -> Response {
    let Ok(Form(parameters)) = form_data else { return unreadable() };
    let checked = match check(&parameters) {
        Ok(checked) => checked,
        Err(refused) => return refuse(refused, parameters.state.as_deref()),
    };
    let Some(email) = parameters.email.as_deref().and_then(EmailAddress::parse) else {
        return form(StatusCode::BAD_REQUEST, &parameters, Some("This is not an e-mail address."));
    };
    let authorization = Authorization {
        client_id: checked.client_id,
        redirect_uri: parameters.redirect_uri.clone(),
        challenge: checked.challenge,
        nonce: parameters.nonce.clone(),
        email,
    };
    let code = issuer.grants().authorize(authorization, issuer.now(), issuer.random.as_ref());
    match (code, checked.redirect) {
        (Ok(code), RedirectUri::Loopback(url)) => redirect(url, &[("code", &code)], parameters.state.as_deref()),
        (Ok(code), RedirectUri::OutOfBand) => html(StatusCode::OK, page::out_of_band(&code)),
        (Err(_full), uri) => {
            refuse(Refused::ToClient(uri, OAuthError::TemporarilyUnavailable), parameters.state.as_deref())
        }
    }
}

fn check(parameters: &Parameters) -> Result<Checked, Refused> {
    let client_id = ClientId::parse(&parameters.client_id).ok_or(Refused::Here("The request names no client id."))?;
    let redirect = RedirectUri::parse(&parameters.redirect_uri).ok_or(Refused::Here(
        "The redirect URI must be http://localhost or http://127.0.0.1, on any port, or urn:ietf:wg:oauth:2.0:oob.",
    ))?;
    if ![&parameters.state, &parameters.nonce].into_iter().flatten().all(|text| is_echoable(text)) {
        return Err(Refused::Here("The request's state or nonce is too long."));
    }
    if parameters.response_type != "code" {
        return Err(Refused::ToClient(redirect, OAuthError::InvalidRequest("response_type must be code")));
    }
    let Some(challenge) = CodeChallenge::parse(&parameters.code_challenge, &parameters.code_challenge_method) else {
        let error = OAuthError::InvalidRequest("PKCE is required: send code_challenge with code_challenge_method=S256");
        return Err(Refused::ToClient(redirect, error));
    };
    Ok(Checked { client_id, redirect, challenge })
}

fn form(status: StatusCode, parameters: &Parameters, problem: Option<&str>) -> Response {
    let mut hidden = vec![
        ("response_type", parameters.response_type.as_str()),
        ("client_id", &parameters.client_id),
        ("redirect_uri", &parameters.redirect_uri),
        ("code_challenge", &parameters.code_challenge),
        ("code_challenge_method", &parameters.code_challenge_method),
    ];
    hidden.extend(parameters.state.as_deref().map(|state| ("state", state)));
    hidden.extend(parameters.nonce.as_deref().map(|nonce| ("nonce", nonce)));
    html(status, page::sign_in(&parameters.client_id, &hidden, parameters.email.as_deref(), problem))
}

fn unreadable() -> Response {
    html(StatusCode::BAD_REQUEST, page::problem("The request's parameters cannot be read, or one is given twice."))
}

fn refuse(refused: Refused, state: Option<&str>) -> Response {
    match refused {
        Refused::ToClient(RedirectUri::Loopback(url), error) => {
            redirect(url, &[("error", error.code()), ("error_description", error.description())], state)
        }
        Refused::ToClient(RedirectUri::OutOfBand, error) => {
            html(StatusCode::BAD_REQUEST, page::problem(error.description()))
        }
        Refused::Here(text) => html(StatusCode::BAD_REQUEST, page::problem(text)),
    }
}

fn redirect(mut url: Url, answer: &[(&str, &str)], state: Option<&str>) -> Response {
    url.query_pairs_mut().extend_pairs(answer).extend_pairs(state.map(|state| ("state", state)));
    Redirect::to(url.as_str()).into_response()
}
