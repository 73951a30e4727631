//! Why a request gets no timestamp. [`crate::http`] decides which text the client receives.

use chancery_daemon::budget::Busy;
use chancery_daemon::clock::ClockFault;
use chancery_daemon::signer::SignerError;
use chancery_verify::Rejection;

/// The reason why a request failed. Variants stand in the order of the checks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Neither DER nor JSON.
    #[error("the content type is not one of a timestamp request")]
    ContentType {
        /// The content type received, cut to the length that may be repeated.
        sent: String,
    },
    /// More bytes than a request may have.
    #[error("the request is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// A JSON document that is larger than the limit, or is not a request.
    #[error("the JSON request is larger than {limit_bytes} bytes")]
    JsonTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The server has too many requests in flight. The same request may succeed a second later.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The body was not received, or is not a JSON request.
    #[error("the request is malformed: {reason}")]
    Malformed {
        /// Reason for the log.
        reason: &'static str,
    },
    /// The policy in a JSON request is not an object identifier.
    #[error("the policy is not an object identifier of at most 128 arcs")]
    PolicyMalformed,
    /// The request cannot be answered.
    #[error("the request is refused: {0}")]
    Request(Rejection),
    /// The policy is not one of ours.
    #[error("the requested policy is not one of this authority")]
    Policy,
    /// The clock cannot be trusted.
    #[error(transparent)]
    Clock(#[from] ClockFault),
    /// The authority's own certificates have expired, or are not valid yet.
    #[error("the authority's certificates are not valid at this time")]
    Expired,
    /// The key failed to sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// Clients would refuse the answer: a defect of the authority, never of the request. The authority signs nothing
    /// more until it is restarted.
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
            Self::Busy(_) => "server.busy",
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
