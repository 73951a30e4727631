//! What the authority asks of a certificate transparency log.
//!
//! The authority owns this trait so that it depends on no log: the executable implements it over a log in the same
//! process, and [`HttpLog`] over HTTP for any log of RFC 6962.

mod rfc6962;

pub use rfc6962::{HttpLog, InvalidLog, timestamp_json};

use chancery_verify::PublicKey;
use chancery_verify::sct::SignedCertificateTimestamp;
use std::pin::Pin;
use std::sync::Arc;

/// Whether and when certificates are logged.
#[derive(Clone)]
pub enum Transparency {
    /// A precertificate is logged first, and the certificate carries the timestamp. Every client accepts this.
    Embedded(Arc<dyn CertificateLog>),
    /// The finished certificate is logged, and the timestamp is answered beside it: for an issuing key that signs no
    /// precertificates. sigstore-python and sigstore-rs do not accept this.
    Detached(Arc<dyn CertificateLog>),
    /// Not at all. Only where an operator asked for it in so many words: nobody can find out what was issued.
    Unlogged,
}

/// The answer of a log, later.
pub type Submission<'a> = Pin<Box<dyn Future<Output = Result<SignedCertificateTimestamp, LogError>> + Send + 'a>>;

/// Whether a log accepts a root, later.
pub type Acceptance<'a> = Pin<Box<dyn Future<Output = Result<(), LogError>> + Send + 'a>>;

/// A log of certificates.
pub trait CertificateLog: Send + Sync {
    /// Submits a precertificate with its issuers, all in DER: precertificate first, root last.
    ///
    /// Implementations MUST NOT return before the entry is durably sequenced, and MUST be safe to drop half way: the caller
    /// gives up after a deadline. The caller verifies the returned timestamp itself, so that an implementation over the
    /// network need not.
    fn add_pre_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_>;

    /// Submits a finished certificate with its issuers, in the same way and under the same conditions.
    fn add_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_>;

    /// Returns once chains that end in `root` (DER) are accepted: before anything is issued below a new one. A log that the
    /// authority can tell does so; any other is asked, and [`LogError::Refused`] where its operator has yet to do it.
    fn accept_root(&self, root: Vec<u8>) -> Acceptance<'_>;

    /// Whether the log is part of this process and verifies what its key signs: then only the certificates that the
    /// authority checks in full have their timestamps verified again.
    fn verifies_its_own(&self) -> bool {
        false
    }

    /// The key that signs this log's timestamps.
    fn public_key(&self) -> &PublicKey;
}

/// Why a log did not take a precertificate.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log cannot take entries now; the same submission may succeed later.
    #[error("the certificate log is unavailable: {reason}")]
    Unavailable {
        /// For the authority's own log.
        reason: String,
    },
    /// The log looked at the submission and declined, which means the two are configured against each other.
    #[error("the certificate log refused the precertificate: {reason}")]
    Refused {
        /// For the authority's own log.
        reason: String,
    },
}

impl LogError {
    /// Stable name of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "ct.unavailable",
            Self::Refused { .. } => "ct.refused",
        }
    }
}
