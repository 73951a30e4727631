//! Issuing: precertificate, log, certificate, self-check, and only then an answer.
//!
//! 1. The profile decides the contents of the leaf.
//! 2. The issuing key signs the precertificate, which commits the authority to it.
//! 3. The log accepts it and returns a timestamp. The timestamp is verified, unless the log is part of this process.
//! 4. The same key signs the certificate that carries the promise.
//! 5. The certificate is parsed and checked: profile, timestamp, key and identity match the request. A sample of the
//!    certificates, or every one if there are few, is also verified as a client does ([`Samples`]).
//!
//! If the timestamp is returned beside the certificate, or there is no log ([`Transparency`]), steps 2 to 4 become one
//! signature and, with a log, its timestamp for the certificate.
//!
//! Any failed check is an error. A crash after step 2 leaves a logged precertificate without a certificate, which is
//! normal in a log. Nothing is stored here.

use crate::chain::IssuingChain;
use crate::identity::Principal;
use crate::profile::Leaf;
use crate::transparency::{CertificateLog, LogError, Submission, Transparency};
use chancery_daemon::authority;
use chancery_daemon::random::Random;
use chancery_daemon::samples::Samples;
use chancery_daemon::signer::{Signer, SignerError};
use chancery_verify::certificate::{
    Certificate, SignatureAlgorithm, verify_chain, verify_profile, verify_profile_without_sct,
};
use chancery_verify::sct::{LogEntry, SignedCertificateTimestamp};
use chancery_verify::{PublicKey, Rejection, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// Limit for the log's answer. Shorter than clients wait, so that they receive the reason.
const LOG_DEADLINE: Duration = Duration::from_secs(15);

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The principal's claims do not fit into a certificate.
    #[error("the token's claims do not fit into a certificate: {0}")]
    Unfit(Rejection),
    /// The authority's own certificates have expired, or are not valid yet.
    #[error("the authority's certificates are not valid at this time")]
    AuthorityExpired,
    /// The issuing key failed to sign.
    #[error("the issuing key: {0}")]
    Signer(#[from] SignerError),
    /// The log did not accept the precertificate.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log did not answer in time.
    #[error("the certificate log did not answer within {} s", LOG_DEADLINE.as_secs())]
    LogDeadline,
    /// The log's timestamp does not verify.
    #[error("the certificate log's timestamp is refused: {0}")]
    LogPromise(Rejection),
    /// Clients would refuse the certificate: a defect of the authority, never of the request.
    #[error("self-check of the certificate failed: {0} ({code})", code = .0.code())]
    Corrupt(Rejection),
}

impl IssueError {
    /// Stable name of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unfit(_) => "principal.unfit",
            Self::AuthorityExpired => "ca.expired",
            Self::Signer(SignerError::Unavailable { .. }) => "ca.signer_unavailable",
            Self::Signer(_) => "ca.signer",
            Self::Log(error) => error.code(),
            Self::LogDeadline => "ct.deadline",
            Self::LogPromise(_) => "ct.promise",
            Self::Corrupt(_) => "ca.self_check",
        }
    }
}

/// A log's verified timestamp, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// In the certificate.
    Embedded(SignedCertificateTimestamp),
    /// Returned beside the certificate.
    Detached(SignedCertificateTimestamp),
    /// None: the authority is configured to issue without a log.
    Missing,
}

impl Promise {
    /// Returns the timestamp, in either place.
    #[must_use]
    pub const fn sct(&self) -> Option<&SignedCertificateTimestamp> {
        match self {
            Self::Embedded(sct) | Self::Detached(sct) => Some(sct),
            Self::Missing => None,
        }
    }
}

/// A certificate that has passed all checks.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The leaf.
    pub certificate: Certificate,
    /// The log's timestamp.
    pub promise: Promise,
    /// Its issuers: the direct issuer first, the root last.
    pub issuers: Arc<IssuingChain>,
}

impl Issued {
    /// Leaf and issuers as PEM blocks without surrounding whitespace, leaf first.
    #[must_use]
    pub fn pem_chain(&self) -> Vec<String> {
        let all = std::iter::once(&self.certificate).chain(self.issuers.certificates());
        all.map(|certificate| certificate.to_pem().trim_end().to_owned()).collect()
    }
}

/// The state for issuing. Key and chain never change within one value, so that precertificate and certificate always
/// have the same issuer.
pub struct Pipeline {
    chain: Arc<IssuingChain>,
    signer: Arc<Signer>,
    transparency: Transparency,
    random: Arc<dyn Random>,
    samples: Samples,
}

impl Pipeline {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`Rejection::ChainUntrusted`] if `chain` is for another key.
    pub fn new(
        chain: impl Into<Arc<IssuingChain>>,
        signer: Arc<Signer>,
        transparency: Transparency,
        random: Arc<dyn Random>,
    ) -> Result<Self, Rejection> {
        let chain = chain.into();
        if chain.issuing().public_key() != signer.public_key() {
            return Err(Rejection::ChainUntrusted);
        }
        Ok(Self { chain, signer, transparency, random, samples: Samples::default() })
    }

    /// As this, but logs certificates to another log.
    #[must_use]
    pub fn logging_to(&self, transparency: Transparency) -> Self {
        let (chain, signer, random) = (Arc::clone(&self.chain), Arc::clone(&self.signer), Arc::clone(&self.random));
        Self { chain, signer, transparency, random, samples: Samples::default() }
    }

    /// The authority's own certificates.
    #[must_use]
    pub const fn chain(&self) -> &Arc<IssuingChain> {
        &self.chain
    }

    /// The issuing key.
    #[must_use]
    pub const fn signer(&self) -> &Arc<Signer> {
        &self.signer
    }

    /// Whether certificates are logged, and where.
    #[must_use]
    pub const fn transparency(&self) -> &Transparency {
        &self.transparency
    }

    /// Issues a certificate for `key`. `principal` has proved possession of the key.
    pub async fn issue(&self, principal: &Principal, key: &PublicKey, now: Timestamp) -> Result<Issued, IssueError> {
        let serial = authority::serial_number(self.random.as_ref());
        let leaf =
            Leaf::new(principal, key, self.chain.certificates(), now, serial).map_err(|rejection| match rejection {
                Rejection::ChainExpired => IssueError::AuthorityExpired,
                other => IssueError::Unfit(other),
            })?;
        let in_full = self.samples.take(now);
        let (certificate, promise) = match &self.transparency {
            Transparency::Embedded(log) => {
                let precertificate = self.sign(&leaf.precertificate_tbs().map_err(IssueError::Unfit)?).await?;
                let sct = answered(log.add_pre_chain(self.submission(precertificate))).await?;
                if !log.verifies_its_own() {
                    let issuer_key_hash = self.signer.public_key().fingerprint();
                    let tbs = leaf.plain_tbs().to_vec();
                    verify_promise(&sct, &LogEntry::Precert { issuer_key_hash, tbs }, log.as_ref())?;
                }
                let tbs = leaf.certificate_tbs(&sct).map_err(IssueError::LogPromise)?;
                (self.sign(&tbs).await?, Promise::Embedded(sct))
            }
            Transparency::Detached(log) => {
                let certificate = self.sign(leaf.plain_tbs()).await?;
                let sct = answered(log.add_chain(self.submission(certificate.clone()))).await?;
                if in_full || !log.verifies_its_own() {
                    let entry = LogEntry::X509 { certificate: certificate.clone() };
                    verify_promise(&sct, &entry, log.as_ref())?;
                }
                (certificate, Promise::Detached(sct))
            }
            Transparency::Unlogged => (self.sign(leaf.plain_tbs()).await?, Promise::Missing),
        };
        let certificate = Certificate::from_der(&certificate).map_err(IssueError::Corrupt)?;
        self.verify(&certificate, &promise, principal, key).map_err(IssueError::Corrupt)?;
        if in_full {
            let verdict = self.verify_signatures(&certificate, now);
            self.samples.record(verdict.is_ok());
            verdict.map_err(IssueError::Corrupt)?;
        }
        Ok(Issued { certificate, promise, issuers: Arc::clone(&self.chain) })
    }

    /// Signs and encodes a certificate, in DER.
    async fn sign(&self, tbs: &[u8]) -> Result<Vec<u8>, IssueError> {
        let signature = self.signer.sign(tbs).await?;
        let algorithm = SignatureAlgorithm::for_key(self.signer.public_key().kind());
        authority::assemble(tbs, algorithm, &signature).map_err(IssueError::Corrupt)
    }

    /// The submission to a log: the certificate or precertificate, then its issuers.
    fn submission(&self, leaf: Vec<u8>) -> Vec<Vec<u8>> {
        let issuers = self.chain.certificates().iter().map(|issuer| issuer.der().to_vec());
        std::iter::once(leaf).chain(issuers).collect()
    }

    /// Checks that the finished certificate has the profile and matches the request.
    fn verify(
        &self,
        certificate: &Certificate,
        promise: &Promise,
        principal: &Principal,
        key: &PublicKey,
    ) -> Result<(), Rejection> {
        match promise {
            Promise::Embedded(sct) => {
                verify_profile(certificate, self.chain.issuing())?;
                if certificate.scts()? != std::slice::from_ref(sct) {
                    return Err(Rejection::Profile { field: "signedCertificateTimestampList" });
                }
            }
            Promise::Detached(_) | Promise::Missing => verify_profile_without_sct(certificate, self.chain.issuing())?,
        }
        let says_so = certificate.public_key() == key
            && certificate.identity()? == principal.identity
            && certificate.issuer_claim()? == principal.issuer;
        if says_so { Ok(()) } else { Err(Rejection::Profile { field: "identity" }) }
    }

    /// Verifies the finished certificate as a client does: chain, and the timestamp if it carries one.
    fn verify_signatures(&self, certificate: &Certificate, now: Timestamp) -> Result<(), Rejection> {
        let issuing = self.chain.issuing();
        // The chain above was verified when it was loaded, and its validity when the leaf was made.
        let anchor = std::slice::from_ref(issuing);
        verify_chain(certificate, anchor, anchor, now)?;
        if let Transparency::Embedded(log) = &self.transparency {
            let entry = certificate.precert_entry(issuing.public_key())?;
            for sct in certificate.scts()? {
                sct.verify(&entry, log.public_key())?;
            }
        }
        Ok(())
    }
}

/// Waits for a log's answer.
async fn answered(answer: Submission<'_>) -> Result<SignedCertificateTimestamp, IssueError> {
    let answer = tokio::time::timeout(LOG_DEADLINE, answer).await;
    Ok(answer.map_err(|_| IssueError::LogDeadline)??)
}

/// Verifies a log's timestamp for `entry`.
fn verify_promise(
    sct: &SignedCertificateTimestamp,
    entry: &LogEntry,
    log: &dyn CertificateLog,
) -> Result<(), IssueError> {
    sct.verify(entry, log.public_key()).map_err(IssueError::LogPromise)
}
