//! Why a request gets no certificate. What a client is told about it is decided in [`crate::http`].

use crate::issue::IssueError;
use crate::limit::Share;
use crate::oidc::TokenRefusal;
use chancery_verify::Rejection;

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
    /// The body is not the JSON that was asked for.
    #[error("the request is malformed: {reason}")]
    Malformed {
        /// In protobuf's words.
        reason: String,
    },
    /// The token is not accepted.
    #[error("the token is refused: {0}")]
    Token(#[from] TokenRefusal),
    /// Too many requests in a short time.
    #[error("too many requests of this {share}; try again in {retry_after_seconds} s")]
    Limited {
        /// Whose share is used up.
        share: Share,
        /// Seconds to wait.
        retry_after_seconds: u64,
    },
    /// No public key, or none that parses.
    #[error("the public key is malformed: {0}")]
    KeyMalformed(Rejection),
    /// A key of a type, size or curve that nobody should trust.
    #[error("the public key is insecure")]
    KeyInsecure,
    /// Not a signing request.
    #[error("the signing request is malformed: {0}")]
    RequestMalformed(Rejection),
    /// A signing request signed with something obsolete.
    #[error("the signing request is signed with {name}")]
    RequestAlgorithm {
        /// In Go's words.
        name: &'static str,
    },
    /// The caller has not shown that it holds the private key.
    #[error("the proof of possession does not verify")]
    Possession,
    /// This key does not go with this hash, or nobody may have a certificate for such a key here.
    #[error("{key} with {hash} is not permitted")]
    AlgorithmNotPermitted {
        /// In Go's words.
        key: &'static str,
        /// In Go's words.
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
            Self::Malformed { .. } => "request.malformed",
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
