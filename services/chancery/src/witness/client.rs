//! Client for a witness over HTTP (C2SP tlog-witness), of any implementation.
//!
//! Answers are limited in time and size. They are only sorted by status here: the log verifies a cosignature with the
//! witness's key, and a checkpoint from the witness with its own key. Over plain `http://`, an attacker on the network
//! can keep a witness from cosigning, and nothing else.

use anyhow::Context as _;
use chancery_log::witnessing::{Answer, Asking, Showing, Unreachable, WitnessClient};
use chancery_outbound::causes;
use chancery_verify::{hash, witness};
use reqwest::{Response, StatusCode, header};
use std::{path::Path, time::Duration};
use url::Url;

/// Time limit for a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// Time limit for a whole answer. No submission waits that long: the policy's timeout is shorter.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// Connections are kept this long between requests.
const IDLE: Duration = Duration::from_secs(90);
/// Content type of the size in a conflict.
const SIZE: &str = "text/x.tlog.size";

/// A witness at a URL.
pub(crate) struct HttpWitness {
    client: reqwest::Client,
    /// Submission and monitoring prefix, without trailing slash.
    url: String,
}

impl HttpWitness {
    /// The witness at `url`, the part before `/add-checkpoint`. The certificates in a file in PEM are trusted for its server,
    /// if one is given, and no other authority. Nothing is sent yet.
    pub(crate) fn new(url: &Url, authorities: Option<&Path>) -> anyhow::Result<Self> {
        let base = chancery_outbound::base(url).with_context(|| {
            format!(
                "{} is not the URL of a witness: expected http(s)://host/path without user, query and fragment",
                url.host_str().unwrap_or_default()
            )
        })?;
        let client = chancery_outbound::client(CONNECT_DEADLINE, REQUEST_DEADLINE).pool_idle_timeout(IDLE);
        let client = chancery_outbound::trusting_file(client, authorities)
            .with_context(|| format!("cannot use the certificates for the witness at {base}"))?
            .build()?;
        Ok(Self { client, url: base })
    }

    async fn post(&self, request: &str) -> Result<Answer, reqwest::Error> {
        let request = self.client.post(format!("{}/add-checkpoint", self.url)).body(request.to_owned());
        let response = request.header(header::CONTENT_TYPE, "text/plain; charset=utf-8").send().await?;
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_size = kind.is_some_and(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == SIZE));
        Ok(match response.status() {
            StatusCode::OK => Answer::Cosigned(receive(response).await?),
            StatusCode::CONFLICT if is_size => Answer::Conflict(witness::parse_size(&receive(response).await?).ok()),
            StatusCode::CONFLICT => Answer::Conflict(None),
            StatusCode::UNPROCESSABLE_ENTITY => Answer::Inconsistent,
            status => Answer::Refused { status: status.as_u16() },
        })
    }

    async fn get(&self, url: &str) -> Result<Option<String>, Unreachable> {
        let response = self.client.get(url).send().await.map_err(|error| self.unreachable(error))?;
        match response.status() {
            StatusCode::OK => receive(response).await.map(Some).map_err(|error| self.unreachable(error)),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE => Ok(None),
            status => Err(Unreachable { reason: format!("{url}: status {}", status.as_u16()) }),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> Unreachable {
        let reason = causes(&error.without_url());
        Unreachable { reason: format!("{}: {reason}", self.url) }
    }

    /// Sends a request, and sends it again if it went over a kept connection that the witness has closed in the
    /// meantime. That is noticed only when the connection is used.
    async fn ask(&self, request: &str) -> Result<Answer, reqwest::Error> {
        match self.post(request).await {
            Err(error) if !error.is_timeout() && !error.is_connect() => self.post(request).await,
            first => first,
        }
    }
}

/// Reads an answer. One that is too long counts as empty.
async fn receive(mut response: Response) -> Result<String, reqwest::Error> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        answer.extend_from_slice(&chunk);
        if answer.len() > witness::MAX_BYTES {
            return Ok(String::new());
        }
    }
    Ok(String::from_utf8(answer).unwrap_or_default())
}

impl WitnessClient for HttpWitness {
    fn add_checkpoint(&self, request: String) -> Asking<'_> {
        Box::pin(async move { self.ask(&request).await.map_err(|error| self.unreachable(error)) })
    }

    fn evidence(&self, origin: &str) -> String {
        format!("{}/{}/checkpoint", self.url, hex::encode(hash::sha256(origin.as_bytes())))
    }

    fn checkpoint(&self, origin: &str) -> Showing<'_> {
        let url = self.evidence(origin);
        Box::pin(async move { self.get(&url).await })
    }
}
