//! HTTPS for key services: one POST or GET with JSON, over kept connections.
//!
//! Temporary faults (no connection, 429, 5xx) are told apart from those that an operator must fix. Redirects and the
//! environment's proxies are not followed, answers are limited in size, and nothing is retried.

use crate::{refused, unavailable};
use bytes::BytesMut;
use chancery_daemon::signer::SignerError;
use chancery_outbound::causes;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use std::path::Path;
use std::time::Duration;

/// Limit for setting up a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// Limit for a request until the last byte of its answer.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// Shorter than a load balancer keeps an idle connection, so that a kept connection is not found closed when it is
/// used.
const IDLE: Duration = Duration::from_secs(45);
/// Largest answer; a public key or an error has a few KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Characters of an error's text that are passed on.
const MAX_REASON: usize = 300;

/// Makes a client that trusts the certificates in the PEM file `authorities`, or else the system's authorities.
pub(crate) fn client(authorities: Option<&Path>) -> Result<Client, SignerError> {
    let mut builder =
        chancery_outbound::client(CONNECT_DEADLINE, REQUEST_DEADLINE).pool_idle_timeout(IDLE).tcp_nodelay(true);
    if let Some(path) = authorities {
        let text = std::fs::read(path).map_err(|source| SignerError::File { path: path.to_owned(), source })?;
        builder = chancery_outbound::trusting_only(builder, &text)
            .map_err(|error| refused(format_args!("{}: {error}", path.display())))?;
    }
    builder.build().map_err(|error| refused(format_args!("TLS cannot be set up: {error}")))
}

/// An answer other than 200: its status and the text of its body.
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Failure {
    /// Turns it into an error: `service` has refused, or is unavailable.
    pub(crate) fn into_error(self, service: &str) -> SignerError {
        let text = String::from_utf8_lossy(&self.body);
        let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let reason: String = printable.take(MAX_REASON).collect();
        let reason = format!("{service} answered with status {}: {}", self.status.as_u16(), reason.trim());
        let passes = self.status.is_server_error()
            || matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        if passes { unavailable(reason) } else { refused(reason) }
    }
}

/// Sends `request` and reads the JSON of a 200.
pub(crate) async fn send<T: DeserializeOwned>(
    service: &str,
    request: RequestBuilder,
) -> Result<Result<T, Failure>, SignerError> {
    let broken = |error: reqwest::Error| unavailable(format_args!("{service}: {}", causes(&error.without_url())));
    let mut response = request.send().await.map_err(broken)?;
    let status = response.status();
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(refused(format_args!("{service} answered with more than {MAX_ANSWER_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    if status != StatusCode::OK {
        return Ok(Err(Failure { status, body: body.to_vec() }));
    }
    match serde_json::from_slice(&body) {
        Ok(answer) => Ok(Ok(answer)),
        Err(_) => Err(refused(format_args!("{service} answered with another document than requested"))),
    }
}

/// As [`send`], if every failure means the same.
pub(crate) async fn ask<T: DeserializeOwned>(service: &str, request: RequestBuilder) -> Result<T, SignerError> {
    send(service, request).await?.map_err(|failure| failure.into_error(service))
}
