//! Why a token is not accepted: a closed list with stable codes.
//!
//! Clients are told Fulcio's one sentence, whatever the reason; the code goes into the answer's `details` and the log.

use super::{FetchError, InvalidIssuer};
use chancery_verify::Rejection;

/// The one reason a token was refused. Variants stand in the order of the checks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenRefusal {
    /// No token in header or body.
    #[error("no token")]
    Missing,
    /// Past the limit of a token's size; not looked at further.
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
    /// `none`, a symmetric algorithm, or one nobody knows.
    #[error("the signature algorithm is not allowed")]
    Algorithm,
    /// A header parameter that changes what the token means.
    #[error("the header parameter `{name}` is not allowed")]
    Header {
        /// Which one.
        name: &'static str,
    },
    /// `iss` is not, letter by letter, one of the configured issuers.
    #[error("the issuer is unknown")]
    IssuerUnknown,
    /// The issuer's keys could not be had.
    #[error("the issuer's keys cannot be fetched: {0}")]
    IssuerUnreachable(#[from] FetchError),
    /// The issuer's documents contradict its configuration or each other.
    #[error("the issuer's discovery document is refused: {0}")]
    IssuerDocument(#[from] InvalidIssuer),
    /// The issuer's keys are too old to go by, and a new request is not due yet.
    #[error("the issuer's keys are not known at the moment")]
    IssuerStale,
    /// None of the issuer's keys has the token's `kid`, or fits its algorithm.
    #[error("the issuer has no such key")]
    KeyUnknown,
    /// The signature does not verify.
    #[error("the signature does not verify: {0}")]
    Signature(Rejection),
    /// A claim that must be there is not, or has another type.
    #[error("the claim `{claim}` is missing or malformed")]
    ClaimMissing {
        /// Which one.
        claim: &'static str,
    },
    /// Made for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` has come.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` lies in the future.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// `email_verified` is not the boolean true.
    #[error("the address is not verified by the issuer")]
    EmailUnverified,
    /// Not a plain address.
    #[error("the address is malformed")]
    EmailMalformed,
}

impl TokenRefusal {
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
            Self::KeyUnknown => "token.key_unknown",
            Self::Signature(_) => "token.signature",
            Self::ClaimMissing { .. } => "token.claim_missing",
            Self::Audience => "token.audience",
            Self::Expired => "token.expired",
            Self::NotYetValid => "token.not_yet_valid",
            Self::IssuedInFuture => "token.issued_in_future",
            Self::EmailUnverified => "token.email_unverified",
            Self::EmailMalformed => "token.email_malformed",
        }
    }
}
