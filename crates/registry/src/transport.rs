//! Sends one request and reads its whole answer, with limits of size and time. Retries if a registry is busy. Does not
//! follow redirects.
//!
//! The number of requests in flight is limited. A request that waits for its next attempt does not count.

use crate::{
    Error, ErrorKind, Options,
    address::{self, Guarded, Reach},
};
use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, RequestBuilder, Response,
    header::{AUTHORIZATION, CONTENT_ENCODING, HeaderMap},
};
pub(crate) use reqwest::{StatusCode, header::HeaderValue};
use std::{collections::HashMap, sync::Mutex, sync::PoisonError, time::Duration};
use tokio::{sync::Semaphore, time::sleep};
use url::Url;

/// Maximum attempts of one request, if a registry is busy or cannot be reached.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt, if the registry names none. Each later pause is three times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Maximum pause that a registry may require.
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// Maximum bytes of the body of an answer that is not a success.
const MAX_REFUSAL: usize = 64 * 1024;
/// Maximum characters of an answer that are copied into an error.
const MAX_REASON: usize = 200;

/// A complete answer of any status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The text of a header. Empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns whether the body has this OCI error code, e.g. `NAME_UNKNOWN`.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        let body: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let errors = body.as_ref().and_then(|body| body.get("errors")).and_then(serde_json::Value::as_array);
        errors.is_some_and(|errors| errors.iter().any(|error| error.get("code").is_some_and(|found| found == code)))
    }

    /// The status, and the readable part of the body.
    pub(crate) fn reason(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect();
        let status = self.status.as_u16();
        if text.trim().is_empty() { format!("status {status}") } else { format!("status {status}: {}", text.trim()) }
    }
}

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) url: &'a Url,
    /// The reach of the registry that named this URL. `None` if the caller has named the host.
    pub(crate) led_from: Option<Reach>,
    pub(crate) accept: Option<&'a str>,
    pub(crate) authorization: Option<&'a HeaderValue>,
    /// A form, which is sent by POST.
    pub(crate) form: Option<&'a [(&'a str, &'a str)]>,
    /// Maximum bytes of the body of a success.
    pub(crate) limit: usize,
}

impl<'a> Ask<'a> {
    /// A GET of a URL of the registry itself.
    pub(crate) const fn get(url: &'a Url, limit: usize) -> Self {
        Self { url, led_from: None, accept: None, authorization: None, form: None, limit }
    }
}

/// Sends requests.
pub(crate) struct Transport {
    options: Options,
    direct: Client,
    /// Clients that do not connect to addresses that a registry must not lead to, by its reach.
    guarded: Mutex<HashMap<Reach, Client>>,
    permits: Semaphore,
}

impl Transport {
    pub(crate) fn new(options: Options) -> Result<Self, Error> {
        let permits = Semaphore::new(options.concurrency.max(1));
        let direct = build(&options, None)?;
        Ok(Self { options, direct, guarded: Mutex::default(), permits })
    }

    pub(crate) const fn options(&self) -> &Options {
        &self.options
    }

    /// Returns whether `host` (`HOST` or `HOST:PORT`) is used without TLS.
    pub(crate) fn is_plain(&self, host: &str) -> bool {
        let listed = self.options.plain_hosts.iter().any(|plain| plain == host);
        listed || format!("http://{host}/").parse().is_ok_and(|url| address::is_loopback(&url))
    }

    /// Returns whether a registry may lead to `url`, by its scheme and its literal address. Names are checked when they are
    /// resolved.
    pub(crate) fn may_lead_to(&self, from: Reach, url: &Url) -> bool {
        let host = url.port().map_or_else(
            || url.host_str().unwrap_or_default().to_owned(),
            |port| format!("{}:{port}", url.host_str().unwrap_or_default()),
        );
        let scheme = url.scheme() == "https" || url.scheme() == "http" && self.is_plain(&host);
        let address = address::literal(url).is_none_or(|address| from.may_lead_to(Reach::of(address)));
        scheme && address && url.has_host() && url.username().is_empty() && url.password().is_none()
    }

    /// Sends the request, with more attempts if they may help.
    pub(crate) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Error> {
        let client = match ask.led_from {
            None => self.direct.clone(),
            Some(reach) => self.guarded(reach)?,
        };
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let error = match self.attempt(&client, ask).await {
                Ok(answer) => match busy(ask.url, &answer) {
                    None => return Ok(answer),
                    // A shorter pause than the required one would only be refused again.
                    Some((error, Some(wait))) if wait > MAX_PAUSE => return Err(error),
                    Some((error, wait)) => {
                        pause = wait.unwrap_or(pause);
                        error
                    }
                },
                Err(Failure::Passing(error)) => error,
                Err(Failure::Lasting(error)) => return Err(error),
            };
            if attempt == ATTEMPTS {
                return Err(error);
            }
            sleep(pause + (self.options.jitter)(pause)).await;
            pause *= 3;
            attempt += 1;
        }
    }

    fn guarded(&self, reach: Reach) -> Result<Client, Error> {
        let mut guarded = self.guarded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = guarded.get(&reach) {
            return Ok(client.clone());
        }
        let client = build(&self.options, Some(reach))?;
        guarded.insert(reach, client.clone());
        Ok(client)
    }

    async fn attempt(&self, client: &Client, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let _permit = self.permits.acquire().await;
        let response = request(client, ask).send().await.map_err(|error| Failure::of(ask.url, error))?;
        read(response, ask).await
    }
}

fn build(options: &Options, guard: Option<Reach>) -> Result<Client, Error> {
    let mut builder = chancery_outbound::client(options.connect, options.request);
    if let Some(reach) = guard {
        builder = builder.dns_resolver(Guarded::new(reach));
    }
    let refuse = |error: &dyn std::error::Error| {
        Error::new(ErrorKind::Unavailable, "TLS", format_args!("cannot be set up: {error}"))
    };
    if let Some(authorities) = &options.authorities {
        builder = chancery_outbound::trusting_only(builder, authorities).map_err(|error| refuse(&error))?;
    }
    builder.build().map_err(|error| refuse(&error))
}

fn request(client: &Client, ask: &Ask<'_>) -> RequestBuilder {
    let mut request = match ask.form {
        Some(form) => client.post(ask.url.clone()).form(form),
        None => client.get(ask.url.clone()),
    };
    if let Some(accept) = ask.accept {
        request = request.header("Accept", accept);
    }
    if let Some(authorization) = ask.authorization {
        request = request.header(AUTHORIZATION, authorization.clone());
    }
    request
}

async fn read(mut response: Response, ask: &Ask<'_>) -> Result<Answer, Failure> {
    let status = response.status();
    let lasting = |kind, reason: &str| Failure::Lasting(Error::new(kind, bare(ask.url), reason));
    let headers = response.headers().clone();
    // The bytes as sent are hashed and counted, so nothing is decompressed.
    if status.is_success() && headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(lasting(ErrorKind::Protocol, "the answer is compressed, but no compression was requested"));
    }
    let too_large = || {
        let reason = format!("the answer has more than {} bytes", ask.limit);
        lasting(ErrorKind::TooLarge, &reason)
    };
    if status.is_success() && response.content_length().is_some_and(|length| length > ask.limit as u64) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::of(ask.url, error))? {
        let limit = if status.is_success() { ask.limit } else { MAX_REFUSAL };
        if body.len() + chunk.len() > limit {
            if status.is_success() {
                return Err(too_large());
            }
            // The first part of an error body is enough.
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body: body.freeze() })
}

enum Failure {
    /// Another attempt may succeed.
    Passing(Error),
    Lasting(Error),
}

impl Failure {
    fn of(url: &Url, error: reqwest::Error) -> Self {
        let (timeout, builder) = (error.is_timeout(), error.is_builder());
        let error = error.without_url();
        let mut reason = error.to_string();
        if let Some(cause) = root_cause(&error).filter(|_| !builder) {
            reason = format!("{reason}: {cause}");
        }
        if timeout {
            "the registry has not answered in time".clone_into(&mut reason);
        }
        let error = Error::new(ErrorKind::Unavailable, bare(url), reason);
        // No retry after a timeout: the caller has waited long enough.
        if timeout || builder { Self::Lasting(error) } else { Self::Passing(error) }
    }
}

/// Returns the innermost cause, such as `Connection refused`. The outer errors only say that a request failed. Causes are
/// about the connection or the body and do not contain the request, which may have credentials.
fn root_cause(error: &dyn std::error::Error) -> Option<String> {
    let mut cause = error.source()?;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    // The text of such an error has the URL with its query.
    if cause.is::<reqwest::Error>() {
        return None;
    }
    let text = cause.to_string();
    Some(text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect())
}

/// Returns the error of a busy registry, and the pause that it requires. `None` for another answer.
fn busy(url: &Url, answer: &Answer) -> Option<(Error, Option<Duration>)> {
    let kind = match answer.status {
        StatusCode::TOO_MANY_REQUESTS => ErrorKind::Throttled,
        status if status.is_server_error() => ErrorKind::Unavailable,
        _ => return None,
    };
    let wait = chancery_outbound::retry_after(&answer.headers);
    let mut reason = answer.reason();
    if let Some(wait) = wait {
        reason = format!("{reason} (try again in {} s)", wait.as_secs());
    }
    Some((Error::new(kind, bare(url), reason), wait))
}

/// The URL without query and fragment, which may have secrets.
pub(crate) fn bare(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}
