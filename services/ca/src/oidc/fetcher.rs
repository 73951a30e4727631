//! The authority's outgoing requests: GET, limited in time and size, only to configured hosts.

use super::FetchError;
use super::address::Reach;
use crate::{Access, Bearer};
use bytes::BytesMut;
use chancery_outbound::AuthoritiesError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;
use url::{Host, Url};

/// Largest document. Key sets with dozens of certificates have about 50 KiB.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// Limit for setting up a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// Limit for a request until the last byte of its answer.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);

/// A future document.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, FetchError>> + Send + 'a>>;

/// Gets documents. A trait so that tests need no network.
pub trait Fetch: Send + Sync {
    /// Gets `url`.
    ///
    /// Implementations MUST NOT follow redirects, MUST NOT send credentials to an origin other than theirs, and MUST bound
    /// time and size.
    fn get<'a>(&'a self, url: &'a Url) -> Fetched<'a>;
}

/// Why an issuer cannot be reached as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// `ca_file` or `ca_pem`.
    #[error("its certificates (ca_file or ca_pem): {0}")]
    Authorities(#[from] AuthoritiesError),
    /// TLS or the proxy.
    #[error(transparent)]
    Client(#[from] reqwest::Error),
}

/// Fetches over HTTP.
#[derive(Debug, Clone)]
pub struct HttpFetcher {
    client: reqwest::Client,
    reach: Reach,
    bearer: Option<Bearer>,
}

impl HttpFetcher {
    /// Makes a fetcher for an issuer with this `access`.
    ///
    /// # Errors
    /// If TLS, the roots of trust or the proxy cannot be set up.
    pub fn new(access: &Access) -> Result<Self, AccessError> {
        let reach = Reach::of(access);
        let mut client = chancery_outbound::client(CONNECT_DEADLINE, REQUEST_DEADLINE)
            .https_only(!access.loopback_http)
            // Key sets are fetched minutes apart, and an idle connection would be closed by then.
            .pool_max_idle_per_host(0);
        if let Some(pem) = &access.ca_pem {
            client = chancery_outbound::trusting_only(client, pem.as_bytes())?;
        }
        client = match &access.proxy {
            // The proxy then resolves the names. The operator chose the proxy's own address.
            Some(proxy) => client.proxy(reqwest::Proxy::all(proxy)?),
            None => client.dns_resolver(CheckedResolver(reach)),
        };
        Ok(Self { client: client.build()?, reach, bearer: access.bearer.clone() })
    }

    async fn fetch(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        // A literal address would not pass through the resolver, so check it here.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        if literal.is_some_and(|address| !self.reach.permits(address)) {
            return Err(FetchError::Address { url: url.clone() });
        }
        let transport = |error: reqwest::Error| transport(url, &error.without_url());
        let too_large = || FetchError::TooLarge { url: url.clone(), limit_bytes: MAX_DOCUMENT_BYTES };
        let mut request = self.client.get(url.clone()).header(reqwest::header::ACCEPT, "application/json");
        if let Some(token) = self.bearer_for(url)? {
            request = request.bearer_auth(token);
        }
        let mut response = request.send().await.map_err(transport)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status { url: url.clone(), status: response.status().as_u16() });
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.to_vec())
    }

    /// Returns the bearer token if `url` has the origin that may receive it.
    fn bearer_for(&self, url: &Url) -> Result<Option<String>, FetchError> {
        let theirs = |bearer: &&Bearer| Url::parse(&bearer.origin).is_ok_and(|theirs| theirs.origin() == url.origin());
        let Some(bearer) = self.bearer.as_ref().filter(theirs) else { return Ok(None) };
        let token = std::fs::read_to_string(&bearer.file)
            .map_err(|source| FetchError::Bearer { file: bearer.file.clone(), source })?;
        Ok(Some(token.trim().to_owned()))
    }
}

/// Writes a failed request with all its causes, in one line.
fn transport(url: &Url, error: &reqwest::Error) -> FetchError {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<NoAddress>() {
            return FetchError::Address { url: url.clone() };
        }
        reason = format!("{reason}: {inner}");
        cause = inner.source();
    }
    FetchError::Transport { url: url.clone(), reason }
}

/// Resolves names, and drops the addresses that may not be reached.
struct CheckedResolver(Reach);

#[derive(Debug, thiserror::Error)]
#[error("no address that may be reached")]
struct NoAddress;

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted: Vec<SocketAddr> = found.filter(|address| reach.permits(address.ip())).collect();
            if permitted.is_empty() {
                return Err(NoAddress.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

impl Fetch for HttpFetcher {
    fn get<'a>(&'a self, url: &'a Url) -> Fetched<'a> {
        Box::pin(self.fetch(url))
    }
}
