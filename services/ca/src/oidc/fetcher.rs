//! The one outgoing connection of the authority: GET, bounded in time and size, to where it was told and nowhere else.

use bytes::BytesMut;
use std::pin::Pin;
use std::time::Duration;
use url::Url;

/// The largest document that is read. Key sets with dozens of certificates have about 50 KiB.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// A connection must stand after this time.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// A request must be answered to the last byte after this time.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);

/// A document, later.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, FetchError>> + Send + 'a>>;

/// Gets documents. A trait so that tests need no network.
pub trait Fetch: Send + Sync {
    /// Gets `url`.
    ///
    /// Implementations MUST NOT follow redirects, MUST NOT send credentials, and MUST bound time and size.
    fn get<'a>(&'a self, url: &'a Url) -> Fetched<'a>;
}

/// Why a document could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, or it broke, or it took too long.
    #[error("{url}: {source}")]
    Transport {
        /// What was asked for.
        url: Url,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An answer other than 200; redirects are among them.
    #[error("{url} answered with status {status}")]
    Status {
        /// What was asked for.
        url: Url,
        /// The status.
        status: u16,
    },
    /// More bytes than a document may have.
    #[error("{url} answered with more than {limit_bytes} bytes")]
    TooLarge {
        /// What was asked for.
        url: Url,
        /// The limit.
        limit_bytes: usize,
    },
}

/// Fetches over HTTP.
#[derive(Debug, Clone)]
pub struct HttpFetcher {
    client: reqwest::Client,
}

impl HttpFetcher {
    /// A fetcher with the system's roots of trust.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            // An answer must not choose the next host, and the environment must not choose a proxy.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            // What another part of the program compiles in must not change how issuers are spoken to.
            .http1_only()
            .connect_timeout(CONNECT_DEADLINE)
            .timeout(REQUEST_DEADLINE)
            // Key sets are fetched minutes apart; idle connections would only be found broken.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }

    async fn fetch(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        let transport =
            |error: reqwest::Error| FetchError::Transport { url: url.clone(), source: error.without_url().into() };
        let too_large = || FetchError::TooLarge { url: url.clone(), limit_bytes: MAX_DOCUMENT_BYTES };
        let request = self.client.get(url.clone()).header(reqwest::header::ACCEPT, "application/json");
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
}

impl Fetch for HttpFetcher {
    fn get<'a>(&'a self, url: &'a Url) -> Fetched<'a> {
        Box::pin(self.fetch(url))
    }
}
