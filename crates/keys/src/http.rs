//! HTTPS as key services speak it: one POST or GET with JSON, over connections that are kept.
//!
//! Certain faults may pass (no connection, 429, 5xx) and are told apart from those that need a person. Redirects and the
//! environment's proxies are not followed, answers are bounded in size, and nothing is tried twice.

use crate::{refused, unavailable};
use bytes::BytesMut;
use chancery_daemon::signer::SignerError;
use reqwest::{Certificate, Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use std::path::Path;
use std::time::Duration;

/// A connection must stand after this time.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// A request must be answered to the last byte after this time.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// Shorter than a load balancer keeps an idle connection, so that it is not found broken when it is needed.
const IDLE: Duration = Duration::from_secs(45);
/// The largest answer that is read; a public key or an error have a few KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// So much of an error's text is passed on, in characters.
const MAX_REASON: usize = 300;

/// A client that trusts the system's authorities, and those in the PEM file `authorities`.
pub(crate) fn client(authorities: Option<&Path>) -> Result<Client, SignerError> {
    let mut builder =
        chancery_outbound::client(CONNECT_DEADLINE, REQUEST_DEADLINE).pool_idle_timeout(IDLE).tcp_nodelay(true);
    if let Some(path) = authorities {
        let text = std::fs::read(path).map_err(|source| SignerError::File { path: path.to_owned(), source })?;
        let certificates = Certificate::from_pem_bundle(&text);
        for certificate in certificates.map_err(|error| refused(format_args!("{}: {error}", path.display())))? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| refused(format_args!("TLS cannot be set up: {error}")))
}

/// An answer that is no success: its status and what its body says.
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Failure {
    /// `service` has declined, or cannot answer now.
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
        Err(_) => Err(refused(format_args!("{service} answered with something else than was asked for"))),
    }
}

/// As [`send`], where every failure means the same.
pub(crate) async fn ask<T: DeserializeOwned>(service: &str, request: RequestBuilder) -> Result<T, SignerError> {
    send(service, request).await?.map_err(|failure| failure.into_error(service))
}

/// An error with its causes on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
