//! The issuer's endpoints, all below [`super::BASE_PATH`] and all answering to this machine only.
//!
//! [`loopback::only_own_pages`] refuses requests of foreign pages, regardless of the CORS headers that the listener
//! adds.

mod authorize;
mod device;
mod discovery;
mod error;
mod openapi;
mod token;
mod token_for;

#[cfg(test)]
mod tests;

pub(crate) use openapi::describe;
pub(crate) use token_for::DEV_HEADER;

use super::{Issuer, page};
use crate::loopback;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use maud::Markup;
use std::sync::Arc;

/// Far above what a form of a client has.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Media type of the pages' style.
const STYLE_TYPE: &str = "text/css; charset=utf-8";

/// Browsers apply `form-action` to the redirect that answers a form too, hence the loopback targets.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
     form-action 'self' http://localhost:* http://127.0.0.1:*";

/// Every route of the issuer.
pub(crate) fn router(issuer: Arc<Issuer>) -> Router {
    Router::new()
        .route("/oidc/.well-known/openid-configuration", get(discovery::configuration))
        .route("/oidc/keys", get(discovery::keys))
        .route("/oidc/authorize", get(authorize::page).post(authorize::submit))
        .route("/oidc/device_authorization", post(device::start))
        .route("/oidc/device", get(device::page).post(device::submit))
        .route("/oidc/token", post(token::redeem))
        .route("/oidc/token-for", post(token_for::issue))
        .route("/oidc/style.css", get(style))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        // The last layer is the first to see a request.
        .layer(middleware::from_fn(loopback::only_own_pages))
        .layer(middleware::from_fn(loopback::only_this_machine))
        .with_state(issuer)
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, STYLE_TYPE), (header::CACHE_CONTROL, "max-age=3600")], page::STYLE).into_response()
}

/// A page with the headers that keep it what it is.
fn html(status: StatusCode, page: Markup) -> Response {
    let headers: [(HeaderName, HeaderValue); 6] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Not `no-referrer`: with it browsers send `Origin: null` with our own forms.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, page.into_string()).into_response()
}
