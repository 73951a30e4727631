//! Errors of the OAuth endpoints: RFC 6749 §5.2, RFC 8628 §3.5.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chancery_daemon::signer::SignerError;
use serde_json::json;

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OAuthError {
    /// A parameter is missing, repeated or malformed.
    InvalidRequest(&'static str),
    /// No client id.
    InvalidClient,
    /// The code, its verifier, client or redirect URI is wrong, or it is spent.
    InvalidGrant,
    /// Neither of the two grants.
    UnsupportedGrantType,
    /// Device flow: no user has signed in yet.
    AuthorizationPending,
    /// Device flow: polls come too fast.
    SlowDown,
    /// Device flow: too late.
    ExpiredToken,
    /// Too many codes are out.
    TemporarilyUnavailable,
    /// Not one of our own programs.
    AccessDenied(&'static str),
    /// The signature failed.
    ServerError,
}

impl OAuthError {
    /// The word clients switch on.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::AccessDenied(_) => "access_denied",
            Self::ServerError => "server_error",
        }
    }

    /// The sentence for a person.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::InvalidRequest(text) | Self::AccessDenied(text) => text,
            Self::InvalidClient => "the request names no client id",
            Self::InvalidGrant => "the code is unknown, spent or expired, or does not belong to this request",
            Self::UnsupportedGrantType => {
                "grant_type must be authorization_code or urn:ietf:params:oauth:grant-type:device_code"
            }
            Self::AuthorizationPending => "the sign-in is not complete yet",
            Self::SlowDown => "poll less often",
            Self::ExpiredToken => "the sign-in took too long; start again",
            Self::TemporarilyUnavailable => "too many sign-ins are waiting; try again in some minutes",
            Self::ServerError => "the token could not be signed",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::AccessDenied(_) => StatusCode::FORBIDDEN,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<SignerError> for OAuthError {
    fn from(error: SignerError) -> Self {
        tracing::error!(%error, "the development issuer cannot sign");
        Self::ServerError
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = Json(json!({"error": self.code(), "error_description": self.description()}));
        let mut response = (self.status(), [(header::CACHE_CONTROL, "no-store")], body).into_response();
        if self == Self::InvalidClient {
            // RFC 9110 §15.5.2 requires one with a 401.
            let challenge = axum::http::HeaderValue::from_static("Basic realm=\"chancery development issuer\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
