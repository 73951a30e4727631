//! Which chains a CT log accepts.
//!
//! RFC 6962 §3.1: the chain must lead to an accepted root, so that the log cannot be flooded. Validity periods are not
//! looked at: an expired certificate is as interesting to an auditor as any other.

use super::roots::Roots;
use bytes::Bytes;
use chancery_verify::certificate::{self, Certificate, MAX_CHAIN};
use chancery_verify::sct::{ExtraData, LogEntry};
use chancery_verify::{Hash, Rejection, hash};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Chains of issuers that are remembered: an accepted root has a handful of them below it.
const MAX_KNOWN_CHAINS: usize = 256;

/// Whether a certificate or a precertificate is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// `add-chain`.
    Certificate,
    /// `add-pre-chain`.
    Precertificate,
}

/// Who submits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitter {
    /// Any client that reaches the log over the network.
    Anyone,
    /// The authority in this process, which has just written and signed the first certificate, and reads what it hands out:
    /// that one certificate is taken at its word here. Its issuers are not.
    OwnAuthority,
}

/// Why a chain is not accepted; the sentence is for the submitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("failed to verify add-chain contents: {0}")]
pub struct ChainRefused(pub Rejection);

impl From<Rejection> for ChainRefused {
    fn from(rejection: Rejection) -> Self {
        Self(rejection)
    }
}

/// Issuers that lead to an accepted root: each issued by the next, the last one the root.
#[derive(Debug)]
pub(super) struct Issuers {
    /// At least the root.
    first: Certificate,
    /// All of them in DER.
    der: Vec<Vec<u8>>,
    /// Whether they are known to be stored, so that only the first submission under them pays for it.
    stored: AtomicBool,
}

impl Issuers {
    fn new(certificates: &[Certificate]) -> Result<Self, Rejection> {
        let first = certificates.first().ok_or(Rejection::ChainIncomplete)?.clone();
        let der = certificates.iter().map(|certificate| certificate.der().to_vec()).collect();
        Ok(Self { first, der, stored: AtomicBool::new(false) })
    }

    pub(super) fn are_stored(&self) -> bool {
        self.stored.load(Ordering::Acquire)
    }

    pub(super) fn set_stored(&self) {
        self.stored.store(true, Ordering::Release);
    }

    /// In DER, by their SHA-256.
    pub(super) fn by_fingerprint(&self) -> Vec<(Hash, Bytes)> {
        self.der.iter().map(|der| (hash::sha256(der), Bytes::from(der.clone()))).collect()
    }
}

/// The chains that were verified, by what was submitted of them: an authority submits the same one with every certificate,
/// and parsing and verifying it costs more than everything else that is done with a submission.
type Known = Arc<Mutex<HashMap<Vec<Vec<u8>>, Arc<Issuers>>>>;

/// The roots of a log, and what leads to them.
#[derive(Debug, Clone)]
pub(super) struct Chains {
    roots: Roots,
    known: Known,
}

/// A chain that was accepted, as it will be logged.
pub(super) struct Accepted {
    pub(super) identity_hash: Hash,
    pub(super) entry: LogEntry,
    pub(super) extra: Vec<u8>,
    pub(super) issuers: Arc<Issuers>,
}

impl Chains {
    /// Accepts chains that end in one of `roots`.
    pub(super) fn new(roots: Roots) -> Self {
        Self { roots, known: Known::default() }
    }

    pub(super) const fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Checks a chain (DER, leaf first, root optional): 1. every certificate parses, 2. poison is there exactly in
    /// precertificates, 3. each is issued by the next, 4. the last one is an accepted root or issued by one.
    pub(super) fn accept(
        &self,
        chain: &[Vec<u8>],
        submission: Submission,
        submitter: Submitter,
    ) -> Result<Accepted, ChainRefused> {
        let Some((leaf, issuers)) = chain.split_first().filter(|_| chain.len() <= MAX_CHAIN) else {
            return Err(Rejection::ChainIncomplete.into());
        };
        let issuers = match submitter {
            Submitter::OwnAuthority => self.issuers(issuers)?,
            Submitter::Anyone => self.verify(leaf, issuers, submission)?,
        };
        let chain = issuers.der.clone();
        let (entry, extra) = match submission {
            Submission::Certificate => (LogEntry::X509 { certificate: leaf.clone() }, ExtraData::X509 { chain }),
            Submission::Precertificate => {
                let issuer_key_hash = issuers.first.public_key().fingerprint();
                let tbs = certificate::unverified_precertificate_tbs(leaf)?;
                (LogEntry::Precert { issuer_key_hash, tbs }, ExtraData::Precert { precertificate: leaf.clone(), chain })
            }
        };
        Ok(Accepted { identity_hash: hash::sha256(leaf), entry, extra: extra.to_bytes()?, issuers })
    }

    /// Checks the first certificate, and what it was submitted with, which may be nothing.
    fn verify(&self, leaf: &[u8], issuers: &[Vec<u8>], submission: Submission) -> Result<Arc<Issuers>, Rejection> {
        let leaf = Certificate::from_der(leaf)?;
        if leaf.is_precertificate()? != (submission == Submission::Precertificate) {
            return Err(Rejection::SctPoison);
        }
        if issuers.is_empty() {
            return Ok(Arc::new(Issuers::new(&[self.issuer_of(&leaf)?])?));
        }
        let issuers = self.issuers(issuers)?;
        certificate::verify_issued_by(&leaf, &issuers.first)?;
        Ok(issuers)
    }

    /// The root that issued `certificate`.
    fn issuer_of(&self, certificate: &Certificate) -> Result<Certificate, Rejection> {
        let roots = self.roots.current();
        let issuer = roots.iter().find(|root| certificate::verify_issued_by(certificate, root).is_ok());
        issuer.cloned().ok_or(Rejection::ChainUntrusted)
    }

    /// The issuers submitted as `chain` (DER, at least one), verified now or before, with their root.
    fn issuers(&self, chain: &[Vec<u8>]) -> Result<Arc<Issuers>, Rejection> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(issuers) = known().get(chain) {
            return Ok(Arc::clone(issuers));
        }
        let mut certificates = chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>()?;
        for pair in certificates.windows(2) {
            let [subject, issuer] = pair else { continue };
            certificate::verify_issued_by(subject, issuer)?;
        }
        let last = certificates.last().ok_or(Rejection::ChainIncomplete)?;
        if !self.roots.current().contains(last) {
            certificates.push(self.issuer_of(last)?);
        }
        let issuers = Arc::new(Issuers::new(&certificates)?);
        let mut known = known();
        if known.len() < MAX_KNOWN_CHAINS {
            known.insert(chain.to_vec(), Arc::clone(&issuers));
        }
        Ok(issuers)
    }
}
