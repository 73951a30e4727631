//! The authority's interface to a certificate transparency log.
//!
//! The authority owns this trait so that it depends on no log: the executable implements it over a log in the same
//! process, and [`HttpLog`] over HTTP for any log of RFC 6962.

mod rfc6962;

pub use rfc6962::{HttpLog, InvalidLog, timestamp_json};

use chancery_verify::PublicKey;
use chancery_verify::sct::SignedCertificateTimestamp;
use std::pin::Pin;
use std::sync::Arc;

/// Whether certificates are logged, and in which order.
#[derive(Clone)]
pub enum Transparency {
    /// A precertificate is logged first, and the certificate carries the timestamp. Every client accepts this.
    Embedded(Arc<dyn CertificateLog>),
    /// The finished certificate is logged, and the timestamp is returned beside it: for an issuing key that must not
    /// sign precertificates. sigstore-python and sigstore-rs do not accept this.
    Detached(Arc<dyn CertificateLog>),
    /// Certificates are not logged. Only if the operator has set it explicitly, because the issued certificates cannot
    /// be found out then.
    Unlogged,
}

/// A future answer of a log.
pub type Submission<'a> = Pin<Box<dyn Future<Output = Result<SignedCertificateTimestamp, LogError>> + Send + 'a>>;

/// A future result: whether a log accepts a root, or works.
pub type Acceptance<'a> = Pin<Box<dyn Future<Output = Result<(), LogError>> + Send + 'a>>;

/// A log of certificates.
pub trait CertificateLog: Send + Sync {
    /// Submits a precertificate with its issuers, all in DER: precertificate first, root last.
    ///
    /// Implementations MUST NOT return before the entry is durably sequenced, and MUST be cancel safe: the caller drops
    /// the call after a deadline. The caller verifies the returned timestamp, so an implementation over the network
    /// need not.
    fn add_pre_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_>;

    /// Submits a finished certificate with its issuers. The same rules apply.
    fn add_chain(&self, chain: Vec<Vec<u8>>) -> Submission<'_>;

    /// Returns once the log accepts chains that end in `root` (DER). Call it before anything is issued under a new
    /// root. A log in this process is given the root; any other is asked, and the result is [`LogError::Refused`] until
    /// its operator has added the root.
    fn accept_root(&self, root: Vec<u8>) -> Acceptance<'_>;

    /// Returns once the log has shown that it works, or why it does not. Nothing is submitted.
    ///
    /// Implementations MUST be cancel safe, and MUST NOT return [`LogError::Refused`].
    fn verify_usable(&self) -> Acceptance<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Returns whether the log is part of this process and verifies its own signatures. If so, only the certificates in
    /// the authority's sample have their timestamps verified again.
    fn verifies_its_own(&self) -> bool {
        false
    }

    /// The key that signs this log's timestamps.
    fn public_key(&self) -> &PublicKey;
}

/// Why a log did not accept a precertificate.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log cannot accept entries now. The same submission may succeed later.
    #[error("the certificate log is unavailable: {reason}")]
    Unavailable {
        /// Reason for the authority's own log.
        reason: String,
    },
    /// The log refused the submission: the configurations of log and authority do not match.
    #[error("the certificate log refused the precertificate: {reason}")]
    Refused {
        /// Reason for the authority's own log.
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
