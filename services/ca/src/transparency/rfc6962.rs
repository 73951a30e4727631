//! A certificate log somewhere else: `add-pre-chain` and `add-chain` of RFC 6962 §4 over HTTP, any implementation.
//!
//! Static logs (C2SP static-ct-api) take submissions in the same way. The answer is bounded in time and size and only
//! parsed here: whoever asked verifies the timestamp under the log's key, which is why plain `http://` is good enough
//! inside a network. A submission has no effect the second time, so it may be repeated.

use super::{Acceptance, CertificateLog, LogError, Submission};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::BytesMut;
use chancery_verify::sct::{self, SignedCertificateTimestamp};
use chancery_verify::{PublicKey, Timestamp};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// The largest answer that is read. A timestamp has about 400 bytes; the rest is for what a log says when it declines.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// The largest list of accepted roots that is read; a log of the web has some hundreds of them.
const MAX_ROOTS_BYTES: usize = 4 << 20;
/// Characters of a refusal that are repeated in our own log.
const MAX_REASON_CHARS: usize = 200;
/// A connection must stand after this time.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// A submission must be answered to the last byte after this time: within the authority's own patience.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Connections are kept this long between submissions.
const IDLE: Duration = Duration::from_secs(30);

/// Why there is no client for a log.
#[derive(Debug, thiserror::Error)]
pub enum InvalidLog {
    /// Not a URL that `/ct/v1/add-pre-chain` can be appended to.
    #[error("{url} is not the base URL of a log: expected http(s)://host/path without user, query and fragment")]
    Url {
        /// As given.
        url: Url,
    },
    /// TLS cannot be set up.
    #[error("no TLS: {0}")]
    Tls(#[from] reqwest::Error),
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
    /// The log at `url`, the part before `/ct/v1/…`, whose timestamps are signed by `key`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`InvalidLog`] for a URL nothing can be appended to.
    pub fn new(url: &Url, key: PublicKey) -> Result<Self, InvalidLog> {
        let base = chancery_outbound::base(url).ok_or_else(|| InvalidLog::Url { url: url.clone() })?;
        let client = chancery_outbound::client(CONNECT_DEADLINE, REQUEST_DEADLINE).pool_idle_timeout(IDLE).build()?;
        Ok(Self { client, url: base, key })
    }

    async fn submit(&self, endpoint: &str, chain: &[Vec<u8>]) -> Result<SignedCertificateTimestamp, LogError> {
        let chain: Vec<String> = chain.iter().map(|certificate| STANDARD.encode(certificate)).collect();
        let body = json!({ "chain": chain });
        let url = format!("{}/ct/v1/{endpoint}", self.url);
        let (status, answer) = match self.post(&url, &body).await {
            // Kept connections are found closed only when they are used, and a restarting log is back at once.
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

    /// Asks whether `root` is among the roots the log accepts.
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

/// Reads an answer; it is cut where it is too long.
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

    fn public_key(&self) -> &PublicKey {
        &self.key
    }
}

/// Why an answer is no timestamp.
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

/// An SCT as `add-chain` answers it, which is also how Fulcio hands one on beside a certificate.
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

/// The beginning of what somebody else wrote, in one line.
fn excerpt(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().chars().take(MAX_REASON_CHARS).flat_map(char::escape_debug).collect()
}

/// An error with everything behind it: reqwest's own text leaves out what the system said.
fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
