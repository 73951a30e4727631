//! A remote certificate log: `add-pre-chain` and `add-chain` of RFC 6962 §4 over HTTP, any implementation.
//!
//! Static logs (C2SP static-ct-api) take submissions in the same way. The answer is limited in time and size, and is
//! only parsed here: the caller verifies the timestamp with the log's key, so plain `http://` is good enough inside a
//! network. A repeated submission has no effect, so it may be retried.

use super::{Acceptance, CertificateLog, LogError, Submission};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::BytesMut;
use chancery_outbound::{AuthoritiesError, causes};
use chancery_verify::sct::{self, SignedCertificateTimestamp};
use chancery_verify::{PublicKey, Timestamp};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use url::Url;

/// Largest answer. A timestamp has about 400 bytes; the rest leaves room for a log's error text.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// Largest list of accepted roots; a public log has some hundreds of them.
const MAX_ROOTS_BYTES: usize = 4 << 20;
/// Characters of a log's error text that are repeated in our own log.
const MAX_REASON_CHARS: usize = 200;
/// Limit for setting up a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// Limit for a submission until the last byte of its answer. Shorter than the authority's own limit.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Connections are kept this long between submissions.
const IDLE: Duration = Duration::from_secs(30);

/// Why a client for a log cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum InvalidLog {
    /// Not a URL that `/ct/v1/add-pre-chain` can be appended to.
    #[error("{url} is not the base URL of a log: expected http(s)://host/path without user, query and fragment")]
    Url {
        /// The URL.
        url: Url,
    },
    /// TLS cannot be set up.
    #[error("no TLS: {0}")]
    Tls(#[from] reqwest::Error),
    /// The certificates of the log's server cannot be used.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
}

/// A log that is reached over HTTP.
#[derive(Debug, Clone)]
pub struct HttpLog {
    client: reqwest::Client,
    /// Without trailing slash.
    url: String,
    key: PublicKey,
}

/// The roots a log accepts (RFC 6962 §4.7).
#[derive(Debug, Deserialize)]
struct GetRootsResponse {
    certificates: Vec<String>,
}

/// An SCT in its JSON form (RFC 6962 §4.1).
#[derive(Debug, Serialize, Deserialize)]
struct AddChainResponse {
    sct_version: u8,
    id: String,
    timestamp: u64,
    extensions: String,
    signature: String,
}

impl HttpLog {
    /// Makes a client for the log at `url`, the part before `/ct/v1/…`. `key` verifies its timestamps. Nothing is sent
    /// yet.
    ///
    /// # Errors
    /// [`InvalidLog`] if nothing can be appended to the URL.
    pub fn new(url: &Url, key: PublicKey) -> Result<Self, InvalidLog> {
        Self::trusting(url, key, None)
    }

    /// As [`Self::new`]. If a file in PEM is given, its certificates are trusted for the server, and no other authority.
    ///
    /// # Errors
    /// [`InvalidLog`] also if the file cannot be used.
    pub fn trusting(url: &Url, key: PublicKey, authorities: Option<&Path>) -> Result<Self, InvalidLog> {
        let base = chancery_outbound::base(url).ok_or_else(|| InvalidLog::Url { url: url.clone() })?;
        let client = chancery_outbound::client(CONNECT_DEADLINE, REQUEST_DEADLINE).pool_idle_timeout(IDLE);
        let client = chancery_outbound::trusting_file(client, authorities)?.build()?;
        Ok(Self { client, url: base, key })
    }

    async fn submit(&self, endpoint: &str, chain: &[Vec<u8>]) -> Result<SignedCertificateTimestamp, LogError> {
        let chain: Vec<String> = chain.iter().map(|certificate| STANDARD.encode(certificate)).collect();
        let body = json!({ "chain": chain });
        let url = format!("{}/ct/v1/{endpoint}", self.url);
        let (status, answer) = match self.post(&url, &body).await {
            // A kept connection is found closed only when it is used, and a restarting log is back quickly.
            Err(error) if !error.is_timeout() => {
                tracing::warn!(%error, "the certificate log does not answer; asking once more");
                self.post(&url, &body).await
            }
            first => first,
        }
        .map_err(|error| LogError::Unavailable { reason: format!("{url}: {}", causes(&error.without_url())) })?;
        read(status, &answer).map_err(|refusal| match refusal {
            Refusal::NotNow(reason) => LogError::Unavailable { reason: format!("{url}: {reason}") },
            Refusal::Never(reason) => LogError::Refused { reason: format!("{url}: {reason}") },
        })
    }

    /// Sends one submission.
    async fn post(&self, url: &str, body: &Value) -> Result<(StatusCode, Vec<u8>), reqwest::Error> {
        receive(self.client.post(url).json(body).send().await?, MAX_ANSWER_BYTES).await
    }

    /// Asks for the newest tree head, which is a read that any log answers from its database.
    async fn works(&self) -> Result<(), LogError> {
        let url = format!("{}/ct/v1/get-sth", self.url);
        let answer = match self.get(&url).await {
            // As for a submission.
            Err(error) if !error.is_timeout() => self.get(&url).await,
            first => first,
        };
        let unavailable = |reason: &str| LogError::Unavailable { reason: format!("{url}: {reason}") };
        let (status, answer) = answer.map_err(|error| unavailable(&causes(&error.without_url())))?;
        verify_tree_head(status, &answer).map_err(|reason| unavailable(&reason))
    }

    async fn get(&self, url: &str) -> Result<(StatusCode, Vec<u8>), reqwest::Error> {
        receive(self.client.get(url).send().await?, MAX_ANSWER_BYTES).await
    }

    /// Asks whether the log accepts `root`.
    async fn accepts(&self, root: &[u8]) -> Result<(), LogError> {
        let url = format!("{}/ct/v1/get-roots", self.url);
        let asked = async { receive(self.client.get(&url).send().await?, MAX_ROOTS_BYTES).await };
        let (status, answer) = asked
            .await
            .map_err(|error| LogError::Unavailable { reason: format!("{url}: {}", causes(&error.without_url())) })?;
        let roots: Option<GetRootsResponse> = serde_json::from_slice(&answer).ok().filter(|_| status == StatusCode::OK);
        let Some(roots) = roots else {
            return Err(LogError::Unavailable { reason: format!("{url}: {status}: {}", excerpt(&answer)) });
        };
        let root = STANDARD.encode(root);
        if roots.certificates.contains(&root) {
            return Ok(());
        }
        let reason = format!("{url} does not have the root of the new chain; its operator has to add it");
        Err(LogError::Refused { reason })
    }
}

/// Reads an answer, cut at the limit.
async fn receive(mut response: reqwest::Response, max_bytes: usize) -> Result<(StatusCode, Vec<u8>), reqwest::Error> {
    let mut answer = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        let room = max_bytes - answer.len();
        answer.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if answer.len() == max_bytes {
            break;
        }
    }
    Ok((response.status(), answer.to_vec()))
}

impl CertificateLog for HttpLog {
    fn add_pre_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_> {
        Box::pin(async move { self.submit("add-pre-chain", &chain).await })
    }

    fn add_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_> {
        Box::pin(async move { self.submit("add-chain", &chain).await })
    }

    fn accept_root(&self, root: Vec<u8>) -> Acceptance<'_> {
        Box::pin(async move { self.accepts(&root).await })
    }

    fn verify_usable(&self) -> Acceptance<'_> {
        Box::pin(self.works())
    }

    fn public_key(&self) -> &PublicKey {
        &self.key
    }
}

/// Returns what is wrong with an answer to `get-sth`. Static logs do not have it: their 404 shows that they answer.
fn verify_tree_head(status: StatusCode, answer: &[u8]) -> Result<(), String> {
    let is_head = || serde_json::from_slice::<Value>(answer).is_ok_and(|head| head["tree_size"].is_u64());
    match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(()),
        StatusCode::OK if is_head() => Ok(()),
        _ => Err(format!("{status}: {}", excerpt(answer))),
    }
}

/// Returns why an answer is not a timestamp.
enum Refusal {
    NotNow(String),
    Never(String),
}

fn read(status: StatusCode, answer: &[u8]) -> Result<SignedCertificateTimestamp, Refusal> {
    if status != StatusCode::OK {
        let reason = format!("{status}: {}", excerpt(answer));
        let passes =
            status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        return Err(if passes { Refusal::NotNow(reason) } else { Refusal::Never(reason) });
    }
    parse(answer).ok_or_else(|| Refusal::Never(format!("not a timestamp: {}", excerpt(answer))))
}

fn parse(answer: &[u8]) -> Option<SignedCertificateTimestamp> {
    let answer: AddChainResponse = serde_json::from_slice(answer).ok()?;
    let decode = |text: &str| STANDARD.decode(text).ok();
    if answer.sct_version != 0 {
        return None;
    }
    Some(SignedCertificateTimestamp {
        log_id: decode(&answer.id)?.try_into().ok()?,
        timestamp: Timestamp::from_millis(answer.timestamp),
        extensions: decode(&answer.extensions)?,
        signature: sct::decode_digitally_signed(&decode(&answer.signature)?).ok()?,
    })
}

/// An SCT in the JSON of `add-chain`, which Fulcio also uses for an SCT beside a certificate.
#[must_use]
pub fn timestamp_json(sct: &SignedCertificateTimestamp) -> Value {
    json!(AddChainResponse {
        sct_version: 0,
        id: STANDARD.encode(sct.log_id),
        timestamp: sct.timestamp.millis(),
        extensions: STANDARD.encode(&sct.extensions),
        signature: STANDARD.encode(sct::encode_digitally_signed(&sct.signature)),
    })
}

/// Returns the beginning of an untrusted text, in one line.
fn excerpt(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().chars().take(MAX_REASON_CHARS).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_works_where_it_shows_its_tree() {
        for (status, answer, is_right) in [
            (StatusCode::OK, r#"{"tree_size":7,"timestamp":1}"#, true),
            // A log of static-ct-api.
            (StatusCode::NOT_FOUND, "404 page not found", true),
            (StatusCode::OK, "<html>", false),
            (StatusCode::OK, r#"{"tree_size":"7"}"#, false),
            (StatusCode::SERVICE_UNAVAILABLE, "the database is away", false),
            (StatusCode::BAD_GATEWAY, "", false),
        ] {
            let verdict = verify_tree_head(status, answer.as_bytes());
            assert_eq!(verdict.is_ok(), is_right, "{status} {answer}: {verdict:?}");
        }
    }
}
