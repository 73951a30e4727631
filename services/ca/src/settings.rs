//! The operator's settings for an issuer. Values only: [`crate::config`] reads them from a file, [`crate::oidc`]
//! applies them.

use crate::identity::{Condition, IssuerKind};
use std::path::PathBuf;

/// The audience that Sigstore's clients request.
pub const DEFAULT_AUDIENCE: &str = "sigstore";
/// Default for the largest age of a token, in seconds. Jobs can run for a day, and their tokens are made when they
/// start.
pub const DEFAULT_MAX_AGE_SECONDS: u64 = 86_400;

/// A trusted OIDC issuer, or a family of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// The issuers that these settings apply to.
    pub name: IssuerName,
    /// Accepted audiences: the token's `aud` must contain one of them.
    pub audiences: Vec<String>,
    /// Accepts tokens that are also for other audiences. Each of those services could use them here.
    pub other_audiences: bool,
    /// How its tokens identify a signer.
    pub kind: IssuerKind,
    /// Conditions on further claims.
    pub conditions: Vec<Condition>,
    /// Largest age of a token since its `iat`, in seconds.
    pub max_age_seconds: u64,
    /// Source of its keys.
    pub keys: KeySource,
    /// Connection to it.
    pub access: Access,
}

impl IssuerSettings {
    /// Returns an issuer with the default settings.
    #[must_use]
    pub fn new(url: &str, kind: IssuerKind) -> Self {
        Self {
            name: IssuerName::Exact(url.to_owned()),
            audiences: vec![DEFAULT_AUDIENCE.to_owned()],
            other_audiences: false,
            kind,
            conditions: Vec::new(),
            max_age_seconds: DEFAULT_MAX_AGE_SECONDS,
            keys: KeySource::Discovery { jwks_hosts: Vec::new() },
            access: Access::default(),
        }
    }
}

/// How a token's `iss` is matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerName {
    /// Exactly.
    Exact(String),
    /// A URL in which each `*` stands for one whole label of the host or one whole segment of the path.
    Pattern(String),
}

impl IssuerName {
    /// The URL or pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Pattern(text) => text,
        }
    }
}

/// Source of an issuer's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Its discovery document, which may name a URL on the issuer's own origin or on one of these hosts.
    Discovery {
        /// Further hosts, over `https` at the usual port.
        jwks_hosts: Vec<String>,
    },
    /// This URL; the discovery document is not read.
    At(String),
    /// This JWK set. Nothing is fetched.
    Static(String),
}

/// Connection to an issuer. The default is the public Internet over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Allows `http://` and loopback addresses, if the host is this machine. For development only.
    pub loopback_http: bool,
    /// Allows addresses of private networks (RFC 1918, RFC 6598, RFC 4193).
    pub private_addresses: bool,
    /// The only roots of trust for this issuer, in PEM, in place of the system's.
    pub ca_pem: Option<String>,
    /// A proxy for this issuer. The proxy settings of the environment are never used.
    pub proxy: Option<String>,
    /// A file with a token for authentication.
    pub bearer: Option<Bearer>,
}

/// A bearer token, and the one origin that may receive it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Read for every request, because Kubernetes replaces it from time to time.
    pub file: PathBuf,
    /// Scheme, host and port, as a URL.
    pub origin: String,
}
