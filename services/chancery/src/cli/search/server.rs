//! A server's search API. The only file of these commands that makes requests.
//!
//! The server is not trusted: answers are bounded, and redirects are not followed.

use super::super::token_file::{ADVICE, TokenFile};
use crate::{cli::foreign::escaped, dev};
use anyhow::{Context as _, ensure};
use bytes::{Bytes, BytesMut};
use chancery_outbound::causes;
use clap::Args;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// For connecting, and for one answer.
const DEADLINES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(2));
/// For an export, which takes as long as it is.
const EXPORT_DEADLINE: Duration = Duration::from_hours(24);
/// A page of entries with their leaves, chains and proofs.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;
/// A refusal is a sentence.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;
/// A line of an export: an entry with its leaf and proof.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// Which server is asked, and as which reader.
#[derive(Debug, Args)]
pub(in crate::cli) struct ServerArguments {
    /// URL of the server
    #[arg(long, value_name = "URL", default_value = dev::DEFAULT_URL)]
    pub(in crate::cli) url: Url,
    /// Send the token in this file, if the server shows entries to readers only; it is read again for each request
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl ServerArguments {
    /// The server at this URL, asked with the token in the file, if there is one.
    pub(in crate::cli) const fn new(url: Url, token_file: Option<PathBuf>) -> Self {
        Self { url, token_file }
    }
}

#[cfg(test)]
impl ServerArguments {
    /// A server that needs no token.
    pub(in crate::cli) fn at(url: &str) -> Self {
        Self { url: url.parse().unwrap(), token_file: None }
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum AskError {
    /// The server refuses the question.
    #[error("the server refuses the question: {0}")]
    Refused(String),
    /// The server cannot be reached, has no search, or its answer cannot be read.
    #[error("{0}")]
    Unanswered(String),
}

/// An answer of another form than this program knows.
pub(in crate::cli) fn not_understood() -> AskError {
    AskError::Unanswered("the answer is not one that this program understands: is it another version?".to_owned())
}

/// The body of a refusal.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

/// A server.
pub(in crate::cli) struct Server {
    client: Client,
    base: String,
    token: Option<TokenFile>,
}

impl Server {
    /// The server that the arguments name. The certificates in the file `authorities` are trusted, or else the system's
    /// authorities.
    pub(in crate::cli) fn new(
        ServerArguments { url, token_file }: &ServerArguments,
        authorities: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let base = chancery_outbound::base(url).context("--url is not a plain http or https URL")?;
        let client = chancery_outbound::client(DEADLINES.0, DEADLINES.1);
        let client = chancery_outbound::trusting_file(client, authorities).context("cannot use --ca-file")?;
        let client = client.build().context("TLS cannot be set up")?;
        let token = token_file.as_ref().map(|file| TokenFile::for_server(file, url.as_str())).transpose()?;
        Ok(Self { client, base, token })
    }

    /// A JSON answer.
    pub(in crate::cli) async fn json<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(String, String)],
    ) -> Result<T, AskError> {
        let response = self.ask(path, parameters, DEADLINES.1).await?;
        let body = self.body(response, MAX_ANSWER_BYTES).await?;
        serde_json::from_slice(&body).map_err(|_| not_understood())
    }

    /// An answer line by line, each with its end. What `each` cannot do is the error.
    pub(in crate::cli) async fn lines(
        &self,
        path: &str,
        parameters: &[(String, String)],
        mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut response = self.ask(path, parameters, EXPORT_DEADLINE).await?;
        let mut rest = BytesMut::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.broken(error))? {
            rest.extend_from_slice(&part);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                each(&rest.split_to(end + 1))?;
            }
            ensure!(rest.len() <= MAX_LINE_BYTES, not_understood());
        }
        if rest.is_empty() { Ok(()) } else { each(&rest) }
    }

    /// A file. `None` if the server does not have it.
    pub(in crate::cli) async fn file(&self, path: &str, limit_bytes: usize) -> Result<Option<Bytes>, AskError> {
        let response = self.send(path, &[], DEADLINES.1).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = self.accepted(response).await?;
        self.body(response, limit_bytes).await.map(Some)
    }

    /// The body that it answers at a path with, and whether the status is that of success.
    pub(in crate::cli) async fn answer(
        &self,
        path: &str,
        limit_bytes: usize,
        deadline: Duration,
    ) -> Result<(bool, Bytes), AskError> {
        let response = self.send(path, &[], deadline).await?;
        let is_success = response.status().is_success();
        Ok((is_success, self.body(response, limit_bytes).await?))
    }

    async fn ask(&self, path: &str, parameters: &[(String, String)], deadline: Duration) -> Result<Response, AskError> {
        let response = self.send(path, parameters, deadline).await?;
        self.accepted(response).await
    }

    async fn send(
        &self,
        path: &str,
        parameters: &[(String, String)],
        deadline: Duration,
    ) -> Result<Response, AskError> {
        let url = Url::parse_with_params(&format!("{}{path}", self.base), parameters);
        let url = url.map_err(|error| AskError::Refused(error.to_string()))?;
        let token = self.token.as_ref().map(TokenFile::read).transpose().map_err(AskError::Unanswered)?;
        let request = self.client.get(url).timeout(deadline);
        let request = token.into_iter().fold(request, RequestBuilder::bearer_auth);
        request.send().await.map_err(|error| self.broken(error))
    }

    /// The answer, unless it is a refusal.
    async fn accepted(&self, response: Response) -> Result<Response, AskError> {
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::NOT_FOUND => {
                Err(AskError::Unanswered(format!("the server at {} does not have this, or is older", self.base)))
            }
            status => {
                let body = self.body(response, MAX_REFUSAL_BYTES).await?;
                let told = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.message).ok();
                let told = told.unwrap_or_else(|| format!("it answers {status}"));
                let mut told = escaped(&told);
                if self.token.is_none() && status == StatusCode::UNAUTHORIZED {
                    told = format!("{told}; {ADVICE}");
                }
                let is_refused = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS;
                Err(if is_refused { AskError::Refused(told) } else { AskError::Unanswered(told) })
            }
        }
    }

    async fn body(&self, mut response: Response, limit_bytes: usize) -> Result<Bytes, AskError> {
        let mut body = BytesMut::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + part.len() > limit_bytes {
                return Err(AskError::Unanswered(format!("the answer is larger than {limit_bytes} bytes")));
            }
            body.extend_from_slice(&part);
        }
        Ok(body.freeze())
    }

    fn broken(&self, error: reqwest::Error) -> AskError {
        let reason = causes(&error.without_url());
        AskError::Unanswered(format!("the server at {} gives no answer: {reason}", self.base))
    }
}
