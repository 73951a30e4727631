//! Requests to others than logs: webhooks, and what peers have seen. The only file of this crate that makes any.
//!
//! Answers are limited in time and size. No redirect is followed. A URL may have a secret in it, so no error shows one.

use chancery_outbound::{AuthoritiesError, causes, retry_after, trusting_file};
use chancery_verify::witness;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use std::path::Path;
use std::time::Duration;
use url::Url;

/// Time limit for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The certificates of authorities cannot be used.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] reqwest::Error),
}

/// Makes requests. Clones share connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: Client,
}

/// What a server makes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Posted {
    /// It has taken it.
    Taken,
    /// It may take it later, perhaps after this time.
    Later(String, Option<Duration>),
    /// It does not take this request, and may take another.
    Refused(String),
    /// It takes no request: the address or the token is not right.
    Barred(String),
}

impl HttpClient {
    /// The usual time limit for a whole answer.
    pub const DEADLINE: Duration = Duration::from_secs(10);

    /// Makes a client that trusts the certificates in the file `authorities` (PEM), or else the system's authorities, and waits
    /// for an answer as long as `deadline`.
    ///
    /// # Errors
    /// The certificates cannot be used, or the system's cannot be read.
    pub fn new(authorities: Option<&Path>, deadline: Duration) -> Result<Self, ClientError> {
        let builder = trusting_file(chancery_outbound::client(CONNECT, deadline), authorities)?;
        Ok(Self { client: builder.build()? })
    }

    /// Sends `body` to `url`.
    pub(crate) async fn post(&self, url: &Url, content_type: &str, token: Option<&str>, body: Vec<u8>) -> Posted {
        let request = self.client.post(url.clone()).header(CONTENT_TYPE, content_type).body(body);
        let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Posted::Later(reason(error), None),
        };
        let status = response.status();
        let told = format!("it answers with the status {}", status.as_u16());
        let may_pass = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        let is_about_body = [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY]
            .contains(&status);
        if status.is_success() {
            Posted::Taken
        } else if status.is_server_error() || may_pass.contains(&status) {
            Posted::Later(told, retry_after(response.headers()))
        } else if is_about_body {
            Posted::Refused(told)
        } else {
            Posted::Barred(told)
        }
    }

    /// The checkpoint at `url`; `None` if the server has none.
    pub(crate) async fn checkpoint(&self, url: &str) -> Result<Option<String>, String> {
        let mut response = self.client.get(url).send().await.map_err(reason)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            status => return Err(format!("it answers with the status {}", status.as_u16())),
        }
        let mut answer = Vec::new();
        while let Some(part) = response.chunk().await.map_err(reason)? {
            answer.extend_from_slice(&part);
            if answer.len() > witness::MAX_BYTES {
                return Err(format!("it answers with more than {} bytes", witness::MAX_BYTES));
            }
        }
        String::from_utf8(answer).map(Some).map_err(|_| "its answer is not text in UTF-8".to_owned())
    }
}

/// Why a request failed, without the URL.
fn reason(error: reqwest::Error) -> String {
    causes(&error.without_url())
}
