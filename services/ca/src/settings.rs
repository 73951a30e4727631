//! What the operator decides about an issuer. Values only: [`crate::config`] reads them from a file, [`crate::oidc`] acts
//! on them.

use crate::identity::{Condition, IssuerKind};
use std::path::PathBuf;

/// The audience Sigstore's clients ask for.
pub const DEFAULT_AUDIENCE: &str = "sigstore";
/// How old a token may be unless the issuer's settings say otherwise, in seconds. Jobs of a day exist; their tokens are made
/// when they start.
pub const DEFAULT_MAX_AGE_SECONDS: u64 = 86_400;

/// One OIDC issuer, or a family of them, that is trusted to say who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// Whose tokens these settings are for.
    pub name: IssuerName,
    /// One of them must be among the token's `aud`.
    pub audiences: Vec<String>,
    /// Allows tokens that are for others beside: each of those could use them here.
    pub other_audiences: bool,
    /// What its tokens say about a signer, and how that becomes a name.
    pub kind: IssuerKind,
    /// What else a token must say.
    pub conditions: Vec<Condition>,
    /// How long ago a token may have been issued, in seconds.
    pub max_age_seconds: u64,
    /// Where its keys come from.
    pub keys: KeySource,
    /// How it is reached.
    pub access: Access,
}

impl IssuerSettings {
    /// An issuer with the settings that hold unless one says otherwise.
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

/// How an issuer is recognised by a token's `iss`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerName {
    /// Letter by letter.
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

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Its discovery document, which may name a place on the issuer's own origin or on one of these hosts.
    Discovery {
        /// Further hosts, over `https` at the usual port.
        jwks_hosts: Vec<String>,
    },
    /// This URL, whatever a discovery document says.
    At(String),
    /// Here: a JWK set that was uploaded. Nothing is fetched.
    Static(String),
}

/// How an issuer is reached. The default is the public Internet over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Allows `http://`, and loopback addresses, where the host is this machine. For development only.
    pub loopback_http: bool,
    /// Allows addresses of private networks (RFC 1918, RFC 6598, RFC 4193).
    pub private_addresses: bool,
    /// The only roots of trust for this issuer, in PEM, in place of the system's.
    pub ca_pem: Option<String>,
    /// A proxy for this issuer. The environment's is never used.
    pub proxy: Option<String>,
    /// A file with a token that shows who asks.
    pub bearer: Option<Bearer>,
}

/// A bearer token, and the one origin that may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Read for every request: Kubernetes replaces it now and then.
    pub file: PathBuf,
    /// Scheme, host and port, as a URL.
    pub origin: String,
}
