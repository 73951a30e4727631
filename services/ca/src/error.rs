//! Why a request gets no certificate. [`crate::http`] decides which text the client receives.

use crate::issue::IssueError;
use crate::refusal::TokenRefusal;
use chancery_daemon::budget::Busy;
use chancery_daemon::clock::ClockFault;
use chancery_verify::Rejection;
use std::fmt;

/// The one reason a request failed. Variants stand in the order of the checks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More bytes than a request may have.
    #[error("the request is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The server has too many requests in flight. The same request may succeed a second later.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The body is not the expected JSON.
    #[error("the request is malformed: {reason}")]
    Malformed {
        /// The reason, in protobuf's words.
        reason: String,
    },
    /// The clock cannot be trusted, neither to judge a token nor to date a certificate.
    #[error(transparent)]
    Clock(#[from] ClockFault),
    /// The token is not accepted.
    #[error("the token is refused: {0}")]
    Token(#[from] TokenRefusal),
    /// Too many requests in a short time.
    #[error("too many requests of this {share}; try again in {retry_after_seconds} s")]
    Limited {
        /// Whose limit is reached.
        share: Share,
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// The public key is missing or does not parse.
    #[error("the public key is malformed: {0}")]
    KeyMalformed(Rejection),
    /// A key of an insecure type, size or curve.
    #[error("the public key is insecure")]
    KeyInsecure,
    /// Not a signing request.
    #[error("the signing request is malformed: {0}")]
    RequestMalformed(Rejection),
    /// The signing request uses an obsolete signature algorithm.
    #[error("the signing request is signed with {name}")]
    RequestAlgorithm {
        /// The algorithm, in Go's words.
        name: &'static str,
    },
    /// The caller has not shown that it holds the private key.
    #[error("the proof of possession does not verify")]
    Possession,
    /// This pair of key and hash is invalid, or this kind of key is not permitted here.
    #[error("{key} with {hash} is not permitted")]
    AlgorithmNotPermitted {
        /// The key's type, in Go's words.
        key: &'static str,
        /// The hash, in Go's words.
        hash: &'static str,
    },
    /// The decision could not be recorded.
    #[error("the audit log cannot be written: {0}")]
    Audit(std::io::Error),
    /// The certificate could not be issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl Error {
    /// Stable, dotted, lower-case name of this reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "request.too_large",
            Self::Busy(_) => "server.busy",
            Self::Malformed { .. } => "request.malformed",
            Self::Clock(fault) => fault.code(),
            Self::Token(refusal) => refusal.code(),
            Self::Limited { share: Share::Issuer, .. } => "limit.issuer",
            Self::Limited { share: Share::Identity, .. } => "limit.identity",
            Self::KeyMalformed(_) => "key.malformed",
            Self::KeyInsecure => "key.insecure",
            Self::RequestMalformed(_) => "csr.malformed",
            Self::RequestAlgorithm { .. } => "csr.algorithm",
            Self::Possession => "key.possession",
            Self::AlgorithmNotPermitted { .. } => "key.algorithm",
            Self::Audit(_) => "ca.audit",
            Self::Issue(error) => error.code(),
        }
    }
}

/// The share of [`Error::Limited`] that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Of one identity at one issuer.
    Identity,
    /// Of all identities of one issuer.
    Issuer,
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::Issuer => "issuer",
        })
    }
}
