//! Requests to a log. The only file of this crate that makes any.
//!
//! A log is a stranger. Every answer has a limit, in bytes and in time. No redirect is followed. A server that is busy is asked
//! again a few times, not earlier than it says, and then the caller is told.

use crate::error::ReadError;
use bytes::{Bytes, BytesMut};
use chancery_outbound::{causes, retry_after};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// A refusal is a sentence.
const MAX_REFUSAL_BYTES: usize = 64 << 10;
/// What is shown of it.
const MAX_REASON_CHARS: usize = 500;

/// The body of a refusal.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

/// What is asked of a server, and what is taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one answer. A bundle of 256 entries of 64 KiB has 16 MiB; a data tile has certificates with their chains.
    pub answer_bytes: usize,
    /// Until there is a connection.
    pub connect: Duration,
    /// Until the last byte of an answer.
    pub request: Duration,
    /// How often a request is made where the server is busy or the network fails.
    pub attempts: u32,
    /// Before the second attempt, where the server does not say when. Each later one waits twice as long.
    pub first_pause: Duration,
    /// A server that asks for a longer pause than this is not waited for: the caller is told.
    pub longest_pause: Duration,
    /// Requests at the same time.
    pub parallel: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer_bytes: 32 << 20,
            connect: Duration::from_secs(10),
            request: Duration::from_mins(1),
            attempts: 4,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(30),
            parallel: 8,
        }
    }
}

/// Returns the token of a reader, for logs whose entries are for readers. Called for every request, so that a token may be
/// renewed.
pub type Token = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// Makes requests within limits. Clones share connections.
#[derive(Clone)]
pub struct Fetcher {
    client: Client,
    limits: Limits,
    token: Option<Token>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Why one attempt failed.
enum Failure {
    /// Another attempt may succeed, after this pause if the server says one.
    Passing(ReadError, Option<Duration>),
    Lasting(ReadError),
}

impl Fetcher {
    /// Makes requests within `limits`.
    ///
    /// # Errors
    /// [`ReadError::Tls`] if the system's authorities cannot be read.
    pub fn new(limits: Limits) -> Result<Self, ReadError> {
        Self::trusting(limits, None)
    }

    /// The same. The certificates in this file, in PEM, are trusted in place of the system's authorities.
    ///
    /// # Errors
    /// [`ReadError::Tls`] if the file cannot be read, or a certificate in it cannot be used.
    pub fn trusting(limits: Limits, authorities: Option<&Path>) -> Result<Self, ReadError> {
        let client = chancery_outbound::client(limits.connect, limits.request);
        let client = chancery_outbound::trusting_file(client, authorities)
            .map_err(|error| ReadError::Tls { reason: error.to_string() })?;
        let client = client.build().map_err(|error| ReadError::Tls { reason: error.to_string() })?;
        Ok(Self { client, limits, token: None })
    }

    /// Sends the token of a reader with every request.
    #[must_use]
    pub fn with_token(self, token: Token) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Whether it sends the token of a reader.
    #[must_use]
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Its limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The same with answers of at most so many bytes.
    pub(crate) fn limited(&self, answer_bytes: usize) -> Self {
        let limits = Limits { answer_bytes: answer_bytes.min(self.limits.answer_bytes), ..self.limits };
        Self { limits, ..self.clone() }
    }

    /// What is at `url`; `None` if the server says that there is nothing.
    pub async fn get(&self, url: &str) -> Result<Option<Bytes>, ReadError> {
        self.ask(url, || self.client.get(url)).await
    }

    /// What is at each of `urls`, in order. At most [`Limits::parallel`] requests at the same time. The first error ends it.
    pub async fn get_all(&self, urls: &[String]) -> Result<Vec<Option<Bytes>>, ReadError> {
        self.all(urls.iter().map(|url| (url.clone(), None)).collect()).await
    }

    /// Sends each of `bodies`, as JSON, to `url` and returns the answers, as [`Self::get_all`].
    pub(crate) async fn post_all(&self, url: &str, bodies: Vec<String>) -> Result<Vec<Option<Bytes>>, ReadError> {
        self.all(bodies.into_iter().map(|body| (url.to_owned(), Some(body))).collect()).await
    }

    async fn all(&self, requests: Vec<(String, Option<String>)>) -> Result<Vec<Option<Bytes>>, ReadError> {
        let mut contents = vec![None; requests.len()];
        let mut waiting = requests.into_iter().enumerate();
        let mut running = JoinSet::new();
        loop {
            while running.len() < self.limits.parallel.max(1) {
                let Some((place, (url, body))) = waiting.next() else { break };
                let fetcher = self.clone();
                running.spawn(async move {
                    let read = match body {
                        Some(body) => fetcher.post(&url, &body).await,
                        None => fetcher.get(&url).await,
                    };
                    (place, read)
                });
            }
            let Some(done) = running.join_next().await else { return Ok(contents) };
            let (place, read) = done.map_err(|_| ReadError::Interrupted)?;
            if let Some(slot) = contents.get_mut(place) {
                *slot = read?;
            }
        }
    }

    /// Sends JSON to `url` and returns the answer; `None` if the server says that there is nothing there.
    pub(crate) async fn post(&self, url: &str, json: &str) -> Result<Option<Bytes>, ReadError> {
        let request = || self.client.post(url).header(CONTENT_TYPE, "application/json").body(json.to_owned());
        self.ask(url, request).await
    }

    /// Makes a request, several times where that may help.
    async fn ask(
        &self,
        url: &str,
        request: impl Fn() -> RequestBuilder + Send + Sync,
    ) -> Result<Option<Bytes>, ReadError> {
        let mut pause = self.limits.first_pause;
        let mut attempt = 1;
        loop {
            let (error, asked) = match self.ask_once(url, request()).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Lasting(error)) => return Err(error),
                Err(Failure::Passing(error, asked)) => (error, asked),
            };
            let wait = asked.unwrap_or(pause);
            if attempt >= self.limits.attempts || wait > self.limits.longest_pause {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            pause = pause.saturating_mul(2).min(self.limits.longest_pause);
            attempt += 1;
        }
    }

    async fn ask_once(&self, url: &str, request: RequestBuilder) -> Result<Option<Bytes>, Failure> {
        let token = self.token.as_ref().map(|token| token()).transpose();
        let token = token.map_err(|reason| Failure::Lasting(ReadError::Token { reason }))?;
        let request = token.into_iter().fold(request, RequestBuilder::bearer_auth);
        let response = request.header(ACCEPT, "*/*").send().await.map_err(|error| broken(url, error))?;
        match response.status() {
            StatusCode::OK => self.body(url, response).await.map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let retry_after = retry_after(response.headers());
                Err(Failure::Passing(ReadError::Throttled { url: url.to_owned(), retry_after }, retry_after))
            }
            status => {
                let is_about_token = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
                let reason = if is_about_token { self.reason(url, response).await } else { None };
                let refused = ReadError::Refused { url: url.to_owned(), status: status.as_u16(), reason };
                Err(if status.is_server_error() { Failure::Passing(refused, None) } else { Failure::Lasting(refused) })
            }
        }
    }

    /// Why the server refuses a request, in its own words: the message of a JSON answer, or else the last line of a text.
    async fn reason(&self, url: &str, response: Response) -> Option<String> {
        let body = self.limited(MAX_REFUSAL_BYTES).body(url, response).await.ok()?;
        let told = match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => refusal.message,
            // A page of a proxy is not a sentence.
            Err(_) if body.trim_ascii_start().starts_with(b"<") => return None,
            Err(_) => std::str::from_utf8(&body).ok()?.trim().lines().last()?.to_owned(),
        };
        // Foreign text stays on its line.
        Some(told.chars().take(MAX_REASON_CHARS).flat_map(char::escape_debug).collect())
    }

    async fn body(&self, url: &str, mut response: Response) -> Result<Bytes, Failure> {
        let limit = self.limits.answer_bytes;
        let mut body = BytesMut::new();
        while let Some(part) = response.chunk().await.map_err(|error| broken(url, error))? {
            if body.len().saturating_add(part.len()) > limit {
                return Err(Failure::Lasting(ReadError::TooLarge { url: url.to_owned(), limit }));
            }
            body.extend_from_slice(&part);
        }
        Ok(body.freeze())
    }
}

/// A request that failed on its way.
fn broken(url: &str, error: reqwest::Error) -> Failure {
    let reason = causes(&error.without_url());
    Failure::Passing(ReadError::Unreachable { url: url.to_owned(), reason }, None)
}
