//! Which chains a CT log accepts.
//!
//! RFC 6962 §3.1: the chain must lead to an accepted root through CA certificates, so that the log cannot be flooded.
//! Validity periods and path lengths are not checked: a certificate that no client accepts is as interesting to an
//! auditor as any other.

use super::roots::Roots;
use bytes::Bytes;
use chancery_verify::certificate::{self, Certificate, FinalIssuer, MAX_CHAIN};
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

/// Issuers that lead to an accepted root: CA certificates, each issued by the next, the last one the root.
#[derive(Debug)]
pub(super) struct Issuers {
    /// At least the root.
    first: Certificate,
    /// What signs the certificate if the first of them has signed its precertificate.
    final_issuer: Result<FinalIssuer, Rejection>,
    /// All of them in DER.
    der: Vec<Vec<u8>>,
    /// Whether they are known to be stored, so that only the first submission under them pays for it.
    stored: AtomicBool,
}

impl Issuers {
    fn new(certificates: &[Certificate]) -> Result<Self, Rejection> {
        let first = certificates.first().ok_or(Rejection::ChainIncomplete)?.clone();
        certificates.iter().try_for_each(certificate::verify_is_ca)?;
        let final_issuer = FinalIssuer::among(certificates);
        let der = certificates.iter().map(|certificate| certificate.der().to_vec()).collect();
        Ok(Self { first, final_issuer, der, stored: AtomicBool::new(false) })
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
    /// precertificates, 3. each is issued by the next, which is a CA, 4. the last one is an accepted root or issued by
    /// one, 5. the CA above a precertificate signing certificate is there.
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
                let entry = issuers.final_issuer.as_ref().map_err(|rejection| *rejection)?.unverified_entry(leaf)?;
                (entry, ExtraData::Precert { precertificate: leaf.clone(), chain })
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

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    };

    /// A certificate and what signs with its key.
    struct Made {
        der: Vec<u8>,
        issuer: Issuer<'static, KeyPair>,
    }

    fn named(name: &str, is_ca: bool) -> CertificateParams {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.use_authority_key_identifier_extension = true;
        parameters.is_ca = if is_ca { IsCa::Ca(BasicConstraints::Constrained(0)) } else { IsCa::NoCa };
        parameters
    }

    /// Signed by `issuer`, or by itself.
    fn make(parameters: CertificateParams, issuer: Option<&Made>) -> Made {
        let key = KeyPair::generate().unwrap();
        let made = match issuer {
            Some(issuer) => parameters.signed_by(&key, &issuer.issuer),
            None => parameters.self_signed(&key),
        };
        Made { der: made.unwrap().der().to_vec(), issuer: Issuer::new(parameters, key) }
    }

    fn precertificate(name: &str) -> CertificateParams {
        let mut poison = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 11_129, 2, 4, 3], vec![5, 0]);
        poison.set_criticality(true);
        let mut parameters = named(name, false);
        parameters.custom_extensions = vec![poison];
        parameters
    }

    fn signs_precertificates(is_ca: bool) -> CertificateParams {
        let mut parameters = named("signer", is_ca);
        let purpose = ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 11_129, 2, 4, 4]);
        parameters.extended_key_usages = vec![purpose];
        parameters
    }

    fn accept(root: &Made, chain: &[&Made]) -> Result<Accepted, ChainRefused> {
        let chains = Chains::new(Roots::new(std::slice::from_ref(&root.der)).unwrap());
        let chain: Vec<Vec<u8>> = chain.iter().map(|made| made.der.clone()).collect();
        chains.accept(&chain, Submission::Precertificate, Submitter::Anyone)
    }

    #[test]
    fn a_precertificate_signing_certificate_stands_for_its_ca_and_stays_in_the_chain() {
        let root = make(named("root", true), None);
        let signer = make(signs_precertificates(true), Some(&root));
        let leaf = make(precertificate("leaf"), Some(&signer));
        // With the root or without it, and although the path is longer than the root allows.
        for chain in [&[&leaf, &signer][..], &[&leaf, &signer, &root]] {
            let accepted = accept(&root, chain).unwrap();
            let certificates = [&signer, &root].map(|made| Certificate::from_der(&made.der).unwrap());
            let expected = FinalIssuer::among(&certificates).unwrap().unverified_entry(&leaf.der).unwrap();
            let LogEntry::Precert { issuer_key_hash, .. } = &expected else { panic!("{expected:?}") };
            assert_eq!(*issuer_key_hash, certificates[1].public_key().fingerprint());
            assert_eq!(accepted.entry, expected);
            let extra = ExtraData::from_bytes(&accepted.extra, &accepted.entry).unwrap();
            let chain = vec![signer.der.clone(), root.der.clone()];
            assert_eq!(extra, ExtraData::Precert { precertificate: leaf.der.clone(), chain });
            assert_eq!(accepted.identity_hash, hash::sha256(&leaf.der));
        }
    }

    #[test]
    fn only_cas_issue() {
        let root = make(named("root", true), None);
        let leaf = make(named("leaf", false), Some(&root));
        let below = make(precertificate("below"), Some(&leaf));
        let refused = |chain: &[&Made]| accept(&root, chain).map(|_| ()).unwrap_err().0;
        assert_eq!(refused(&[&below, &leaf, &root]), Rejection::ChainNotCa);
        let signer = make(signs_precertificates(false), Some(&root));
        let below = make(precertificate("below"), Some(&signer));
        assert_eq!(refused(&[&below, &signer, &root]), Rejection::ChainNotCa);
        // A root that signs precertificates has no CA above it.
        let root = make(signs_precertificates(true), None);
        let below = make(precertificate("below"), Some(&root));
        let refused = accept(&root, &[&below]).map(|_| ()).unwrap_err();
        assert_eq!(refused.0, Rejection::ChainIncomplete);
    }
}
