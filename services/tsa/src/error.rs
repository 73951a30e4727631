//! Why a request gets no timestamp. What a client is told about it is decided in [`crate::http`].

use chancery_daemon::clock::ClockFault;
use chancery_daemon::signer::SignerError;
use chancery_verify::Rejection;

/// The one reason a request failed. Variants stand in the order of the checks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither DER nor JSON.
    #[error("the content type is not one of a timestamp request")]
    ContentType {
        /// What was sent, at most so much of it as may be repeated.
        sent: String,
    },
    /// More bytes than a request may have.
    #[error("the request is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// A JSON document that is larger than one may be, or is no request.
    #[error("the JSON request is larger than {limit_bytes} bytes")]
    JsonTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The body was not received, or is no JSON request.
    #[error("the request is malformed: {reason}")]
    Malformed {
        /// For the log.
        reason: &'static str,
    },
    /// The text of a policy in a JSON request is no object identifier.
    #[error("the policy is no object identifier of at most 128 arcs")]
    PolicyMalformed,
    /// Not a request that can be answered.
    #[error("the request is refused: {0}")]
    Request(Rejection),
    /// None of our policies.
    #[error("the policy that is asked for is none of ours")]
    Policy,
    /// The clock cannot be trusted.
    #[error(transparent)]
    Clock(#[from] ClockFault),
    /// The authority's own certificates are not valid any more, or not yet.
    #[error("the authority's certificates are not valid at this time")]
    Expired,
    /// The key did not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// What was made is not what clients would accept: a defect of the authority, never of the request. It signs nothing
    /// more until it is started again.
    #[error("a timestamp does not verify: {0}")]
    Corrupt(Rejection),
}

impl Error {
    /// Stable, dotted, lower-case name of this reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ContentType { .. } => "request.content_type",
            Self::TooLarge { .. } | Self::JsonTooLarge { .. } => "request.too_large",
            Self::Malformed { .. } => "request.malformed",
            Self::PolicyMalformed => "request.policy",
            Self::Request(rejection) => rejection.code(),
            Self::Policy => "timestamp.policy",
            Self::Clock(fault) => fault.code(),
            Self::Expired => "tsa.expired",
            Self::Signer(_) => "tsa.signer",
            Self::Corrupt(_) => "tsa.corrupt",
        }
    }
}
