//! Which chains a CT log accepts.
//!
//! RFC 6962 §3.1: the chain must lead to an accepted root, so that the log cannot be flooded. Validity periods are not
//! looked at: an expired certificate is as interesting to an auditor as any other.

use bytes::Bytes;
use chancery_verify::certificate::{self, Certificate, MAX_CHAIN};
use chancery_verify::sct::{ExtraData, LogEntry};
use chancery_verify::{Hash, Rejection, hash};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Links that are remembered: an accepted root has a handful of issuers below it.
const MAX_VERIFIED_ISSUERS: usize = 1024;

/// Whether a certificate or a precertificate is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// `add-chain`.
    Certificate,
    /// `add-pre-chain`.
    Precertificate,
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

/// Issuers that were verified to be issued by others, by the SHA-256 of both: an authority submits the same ones with
/// every certificate, and verifying a signature costs more than everything else that is done with it.
#[derive(Debug, Clone, Default)]
pub(super) struct VerifiedIssuers(Arc<Mutex<HashSet<[Hash; 2]>>>);

impl VerifiedIssuers {
    /// Checks that each of these certificates, all issuers, was issued by the next. Returns what was not known before.
    fn verify(&self, issuers: &[Certificate]) -> Result<Vec<[Hash; 2]>, Rejection> {
        let mut unknown = Vec::new();
        for pair in issuers.windows(2) {
            let [subject, issuer] = pair else { continue };
            let link = [hash::sha256(subject.der()), hash::sha256(issuer.der())];
            if !self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&link) {
                certificate::verify_issued_by(subject, issuer)?;
                unknown.push(link);
            }
        }
        Ok(unknown)
    }

    /// Remembers what belongs to an accepted chain.
    fn remember(&self, links: Vec<[Hash; 2]>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_VERIFIED_ISSUERS.saturating_sub(known.len());
        known.extend(links.into_iter().take(room));
    }
}

/// A chain that was accepted, as it will be logged.
pub(super) struct Accepted {
    pub(super) identity_hash: Hash,
    pub(super) entry: LogEntry,
    pub(super) extra: Vec<u8>,
    /// The issuers in DER, by their SHA-256.
    pub(super) issuers: Vec<(Hash, Bytes)>,
}

/// Checks a chain (DER, leaf first, root optional): 1. every certificate parses, 2. poison is there exactly in
/// precertificates, 3. each is issued by the next, 4. the last one is an accepted root or issued by one.
pub(super) fn accept(
    chain: &[Vec<u8>],
    submission: Submission,
    roots: &[Certificate],
    verified: &VerifiedIssuers,
) -> Result<Accepted, ChainRefused> {
    if chain.is_empty() || chain.len() > MAX_CHAIN {
        return Err(Rejection::ChainIncomplete.into());
    }
    // (1)
    let mut parsed = chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>()?;
    let leaf = parsed.first().ok_or(Rejection::ChainIncomplete)?;
    // (2)
    if leaf.is_precertificate()? != (submission == Submission::Precertificate) {
        return Err(Rejection::SctPoison.into());
    }
    // (3)
    if let [leaf, issuer, ..] = parsed.as_slice() {
        certificate::verify_issued_by(leaf, issuer)?;
    }
    let unknown = verified.verify(parsed.get(1..).unwrap_or_default())?;
    // (4)
    let last = parsed.last().ok_or(Rejection::ChainIncomplete)?;
    if !roots.iter().any(|root| root.der() == last.der()) {
        let issuer = roots.iter().find(|root| certificate::verify_issued_by(last, root).is_ok());
        parsed.push(issuer.ok_or(Rejection::ChainUntrusted)?.clone());
    }
    verified.remember(unknown);
    let [leaf, issuers @ ..] = parsed.as_slice() else { return Err(Rejection::ChainIncomplete.into()) };
    let issuer = issuers.first().ok_or(Rejection::ChainIncomplete)?;
    let chain: Vec<_> = issuers.iter().map(|issuer| issuer.der().to_vec()).collect();
    let by_fingerprint = chain.iter().map(|der| (hash::sha256(der), Bytes::from(der.clone()))).collect();
    let (entry, extra) = match submission {
        Submission::Certificate => (LogEntry::X509 { certificate: leaf.der().to_vec() }, ExtraData::X509 { chain }),
        Submission::Precertificate => (
            LogEntry::Precert { issuer_key_hash: issuer.public_key().fingerprint(), tbs: leaf.precertificate_tbs()? },
            ExtraData::Precert { precertificate: leaf.der().to_vec(), chain },
        ),
    };
    Ok(Accepted { identity_hash: hash::sha256(leaf.der()), entry, extra: extra.to_bytes()?, issuers: by_fingerprint })
}
