//! Why a token is refused: a closed list with stable codes.
//!
//! Clients receive Fulcio's one sentence for every reason. The code goes into the answer's `details` and the log.
//! Also the two errors that a refusal can carry: why a document of an issuer was not fetched, and why it is refused.

use chancery_verify::Rejection;
use std::borrow::Cow;
use std::path::PathBuf;
use url::Url;

/// The reason why a token was refused. Variants stand in the order of the checks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenRefusal {
    /// No token in header or body.
    #[error("no token")]
    Missing,
    /// The token is larger than the limit, and was not parsed.
    #[error("the token is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// Not three parts of canonical base64url with JSON objects, each name once, in the first two.
    #[error("not a compact JWS: {part}")]
    Malformed {
        /// The part that is wrong.
        part: &'static str,
    },
    /// `none`, a symmetric algorithm, or an unknown one.
    #[error("the signature algorithm is not allowed")]
    Algorithm,
    /// A header parameter that changes what the token means.
    #[error("the header parameter `{name}` is not allowed")]
    Header {
        /// The parameter.
        name: &'static str,
    },
    /// `iss` is not exactly one of the configured issuers.
    #[error("the issuer is unknown")]
    IssuerUnknown,
    /// The issuer's keys could not be fetched.
    #[error("the issuer's keys cannot be fetched: {0}")]
    IssuerUnreachable(#[from] FetchError),
    /// The issuer's documents contradict its configuration or each other.
    #[error("the issuer's discovery document is refused: {0}")]
    IssuerDocument(#[from] InvalidIssuer),
    /// The issuer's keys are too old to use, and the next fetch is not due yet.
    #[error("the issuer's keys are not known at the moment")]
    IssuerStale,
    /// Too many lookups of new issuers at this host have failed recently, or too many run.
    #[error("too many lookups of new issuers at this host have failed; try again in a minute")]
    IssuerBusy,
    /// None of the issuer's keys has the token's `kid`, or none fits its algorithm.
    #[error("the issuer has no such key")]
    KeyUnknown,
    /// The signature does not verify.
    #[error("the signature does not verify: {0}")]
    Signature(Rejection),
    /// A required claim is missing or has another type.
    #[error("the claim `{claim}` is missing or malformed")]
    ClaimMissing {
        /// The claim.
        claim: Cow<'static, str>,
    },
    /// The token is for another audience.
    #[error("the token is for another audience")]
    Audience,
    /// The token is also for another audience, and that service could use it here.
    #[error("the token is also for other audiences, which could use it here; set `other_audiences` to allow that")]
    OtherAudiences,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` is in the future.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// The token is older than the issuer's settings allow.
    #[error("the token is older than {limit_seconds} seconds, or valid for longer than that")]
    TooOld {
        /// The limit.
        limit_seconds: u64,
    },
    /// A claim does not have a value that the configuration requires.
    #[error("the claim `{claim}` does not have a value that the configuration allows")]
    Condition {
        /// The claim.
        claim: String,
    },
    /// A claim whose value no certificate can carry: not a text, a whole number or a boolean, too long, or with control
    /// characters.
    #[error("the claim `{claim}` has a value that no certificate can carry")]
    ClaimUnfit {
        /// The claim.
        claim: String,
    },
    /// `sub` does not have the form that this kind of issuer uses.
    #[error("the claim `sub` does not fit this kind of issuer: {reason}")]
    Subject {
        /// The fault.
        reason: &'static str,
    },
    /// The claims do not yield a valid name.
    #[error("the claims do not give a valid name: {reason}")]
    Identity {
        /// The fault.
        reason: &'static str,
    },
    /// `email_verified` is not the boolean true.
    #[error("the address is not verified by the issuer")]
    EmailUnverified,
    /// The address is not a plain one.
    #[error("the address is malformed")]
    EmailMalformed,
}

impl TokenRefusal {
    /// The refusal of a token that lacks `claim`.
    pub(crate) fn missing(claim: impl Into<Cow<'static, str>>) -> Self {
        Self::ClaimMissing { claim: claim.into() }
    }

    /// Stable, dotted, lower-case name of this reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "token.missing",
            Self::TooLarge { .. } => "token.too_large",
            Self::Malformed { .. } => "token.malformed",
            Self::Algorithm => "token.algorithm",
            Self::Header { .. } => "token.header",
            Self::IssuerUnknown => "token.issuer_unknown",
            Self::IssuerUnreachable(_) => "issuer.unreachable",
            Self::IssuerDocument(_) => "issuer.document",
            Self::IssuerStale => "issuer.stale",
            Self::IssuerBusy => "issuer.busy",
            Self::KeyUnknown => "token.key_unknown",
            Self::Signature(_) => "token.signature",
            Self::ClaimMissing { .. } => "token.claim_missing",
            Self::Audience => "token.audience",
            Self::OtherAudiences => "token.other_audiences",
            Self::Expired => "token.expired",
            Self::NotYetValid => "token.not_yet_valid",
            Self::IssuedInFuture => "token.issued_in_future",
            Self::TooOld { .. } => "token.too_old",
            Self::Condition { .. } => "token.condition",
            Self::ClaimUnfit { .. } => "token.claim_unfit",
            Self::Subject { .. } => "token.subject",
            Self::Identity { .. } => "token.identity",
            Self::EmailUnverified => "token.email_unverified",
            Self::EmailMalformed => "token.email_malformed",
        }
    }
}

/// Why a document could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No connection, a broken connection, or a timeout.
    #[error("{url}: {reason}")]
    Transport {
        /// The URL.
        url: Url,
        /// The causes, from the outermost to the innermost.
        reason: String,
    },
    /// The host's address is not allowed for this issuer.
    #[error(
        "{url} has no address that may be reached (allow_private_addresses in the issuer's configuration allows those of \
         private networks)"
    )]
    Address {
        /// The URL.
        url: Url,
    },
    /// The token for authentication cannot be read.
    #[error("{file}: {source}", file = .file.display())]
    Bearer {
        /// Its file.
        file: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// An answer other than 200, which includes redirects.
    #[error("{url} answered with status {status}")]
    Status {
        /// The URL.
        url: Url,
        /// The status.
        status: u16,
    },
    /// The document is larger than the limit.
    #[error("{url} answered with more than {limit_bytes} bytes")]
    TooLarge {
        /// The URL.
        url: Url,
        /// The limit.
        limit_bytes: usize,
    },
}

/// Why a URL cannot be an issuer's, or a document is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidIssuer {
    /// The URL has no host, or has a user, query or fragment.
    #[error("`{url}` is not an issuer URL: it needs a scheme and a host, and no user, query or fragment")]
    Malformed {
        /// The URL.
        url: String,
    },
    /// The scheme is neither `https` nor, if allowed, `http` on this machine.
    #[error("`{url}` must be https (http is allowed for loopback addresses in development)")]
    Insecure {
        /// The URL.
        url: String,
    },
    /// The pattern is not a URL with wildcards.
    #[error(
        "`{pattern}` is not an issuer pattern: it must be https without a port, the last two labels of the host must have no \
         `*`, and each `*` must be a whole label or segment"
    )]
    Pattern {
        /// The pattern.
        pattern: String,
    },
    /// The configured connection (TLS, proxy) cannot be set up.
    #[error("`{url}` cannot be reached as configured: {reason}")]
    Access {
        /// The issuer.
        url: String,
        /// The cause.
        reason: String,
    },
    /// Configured twice, so that audience and kind would be ambiguous.
    #[error("the issuer `{url}` is configured twice")]
    Duplicate {
        /// The URL.
        url: String,
    },
    /// Not a discovery document.
    #[error("the discovery document is not JSON with `issuer` and `jwks_uri`")]
    NotADocument,
    /// The document names another issuer.
    #[error("the discovery document names another issuer")]
    OtherIssuer,
    /// The keys are on another origin.
    #[error("`jwks_uri` has another origin than the issuer, and its host is not among those the configuration allows")]
    OtherOrigin,
    /// Not a key set.
    #[error("the key set is not a JWK set with at least one usable key")]
    NotAKeySet,
}
