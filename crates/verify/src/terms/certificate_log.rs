//! Entries of certificate transparency logs (RFC 6962 §3.4, §4.6).
//!
//! What a leaf says is in the tree. The data beside it is not, so the submitted precertificate gives its fingerprint only
//! if it is the one that the leaf is about.

use super::entry::Entry;
use super::kind::TermKind;
use super::signer::Signer;
use super::term::Term;
use crate::certificate::unverified_precertificate_has_entry;
use crate::sct::{ExtraData, LogEntry, MerkleTreeLeaf};
use crate::{Hash, Rejection, hash, merkle};

impl Entry {
    /// Reads a leaf (`MerkleTreeLeaf`) and the data beside it (`extra_data`), which may be empty.
    ///
    /// # Errors
    /// [`Rejection::SctMalformed`] if the leaf cannot be parsed. A certificate that cannot be read is no error, but among
    /// [`Terms::omissions`](super::Terms::omissions).
    pub fn of_certificate_log(leaf: &[u8], extra: &[u8]) -> Result<Self, Rejection> {
        let parsed = MerkleTreeLeaf::from_bytes(leaf)?;
        let leaf_hash = merkle::leaf_hash(leaf);
        Ok(match &parsed.entry {
            LogEntry::X509 { certificate } => {
                let mut entry = Self::new("certificate", "", leaf_hash);
                let signer = Signer::certificate(certificate, &mut entry.omissions);
                entry.signers.push(signer);
                entry
            }
            LogEntry::Precert { issuer_key_hash, tbs } => {
                let mut entry = Self::new("precertificate", "", leaf_hash);
                entry.terms.push(Term::of_bytes(TermKind::IssuerKey, issuer_key_hash));
                let submitted = entry.submitted(extra, &parsed.entry, tbs);
                let signer = Signer::precertificate(tbs, submitted, &mut entry.omissions);
                entry.signers.push(signer);
                entry
            }
        })
    }

    /// SHA-256 of the submitted precertificate. `None` if it is not at hand, or not the one of this leaf.
    fn submitted(&mut self, extra: &[u8], entry: &LogEntry, tbs: &[u8]) -> Option<Hash> {
        if extra.is_empty() {
            return None;
        }
        match ExtraData::from_bytes(extra, entry) {
            Ok(ExtraData::Precert { precertificate, chain }) => {
                let signer = chain.first().map(Vec::as_slice);
                let is_this = unverified_precertificate_has_entry(&precertificate, signer, tbs);
                is_this.then(|| hash::sha256(&precertificate))
            }
            Ok(ExtraData::X509 { .. }) => None,
            Err(rejection) => {
                self.omissions.note(rejection);
                None
            }
        }
    }
}

/// The certificate of an entry, and those of its issuers.
pub(super) fn certificates(leaf: &[u8], extra: &[u8]) -> Result<Vec<Vec<u8>>, Rejection> {
    let entry = MerkleTreeLeaf::from_bytes(leaf)?.entry;
    let beside = if extra.is_empty() { None } else { ExtraData::from_bytes(extra, &entry).ok() };
    Ok(match (entry, beside) {
        (LogEntry::X509 { certificate }, Some(ExtraData::X509 { chain })) => [vec![certificate], chain].concat(),
        (LogEntry::X509 { certificate }, _) => vec![certificate],
        (LogEntry::Precert { tbs, .. }, Some(ExtraData::Precert { precertificate, chain })) => {
            let signer = chain.first().map(Vec::as_slice);
            if unverified_precertificate_has_entry(&precertificate, signer, &tbs) {
                [vec![precertificate], chain].concat()
            } else {
                Vec::new()
            }
        }
        (LogEntry::Precert { .. }, _) => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::certificate::Certificate;
    use crate::terms::Terms;
    use rcgen::{CertificateParams, CustomExtension, KeyPair, SanType};

    fn certificate(poisoned: bool) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::Rfc822Name("Alice@dev.example.test".try_into().unwrap())];
        params.serial_number = Some(vec![1_u8, 2].into());
        if poisoned {
            let mut poison = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 11129, 2, 4, 3], vec![5, 0]);
            poison.set_criticality(true);
            params.custom_extensions = vec![poison];
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn leaf(entry: LogEntry) -> Vec<u8> {
        MerkleTreeLeaf { timestamp: Timestamp::from_seconds(1), entry, extensions: Vec::new() }.to_bytes().unwrap()
    }

    fn has(terms: &Terms, kind: TermKind, text: &str) -> bool {
        terms.contains(&Term::of_text(kind, text).unwrap())
    }

    #[test]
    fn a_certificate_is_found_by_everything_in_it() {
        let certificate = certificate(false);
        let leaf = leaf(LogEntry::X509 { certificate: certificate.clone() });
        let terms = Entry::of_certificate_log(&leaf, &[]).unwrap().terms();
        for (kind, text) in [
            (TermKind::EntryKind, "certificate"),
            (TermKind::Identity, "alice@dev.example.test"),
            (TermKind::IdentityKind, "email"),
            (TermKind::Domain, "example.test"),
            (TermKind::CertificateSerial, "0102"),
            (TermKind::CertificateFingerprint, hex::encode(hash::sha256(&certificate)).as_str()),
            (TermKind::LeafHash, hex::encode(merkle::leaf_hash(&leaf)).as_str()),
        ] {
            assert!(has(&terms, kind, text), "{text}");
        }
        assert_eq!((terms.len(), terms.omissions()), (9, &[][..]), "also the whole host, and the key");
        let odd = self::leaf(LogEntry::X509 { certificate: b"no DER".to_vec() });
        let terms = Entry::of_certificate_log(&odd, &[]).unwrap().terms();
        assert_eq!((terms.len(), terms.omissions()), (3, &[Rejection::CertificateMalformed][..]));
    }

    #[test]
    fn a_precertificate_has_a_fingerprint_only_if_it_is_the_one_of_the_leaf() {
        let (ours, others) = (certificate(true), certificate(true));
        let tbs = Certificate::from_der(&ours).unwrap().precertificate_tbs().unwrap();
        let leaf = leaf(LogEntry::Precert { issuer_key_hash: [9; 32], tbs });
        let beside = |precertificate: &[u8]| {
            let extra = ExtraData::Precert { precertificate: precertificate.to_vec(), chain: Vec::new() };
            Entry::of_certificate_log(&leaf, &extra.to_bytes().unwrap()).unwrap().terms()
        };
        let terms = beside(&ours);
        assert!(has(&terms, TermKind::EntryKind, "precertificate") && has(&terms, TermKind::CertificateSerial, "0102"));
        assert!(has(&terms, TermKind::IssuerKey, &hex::encode([9; 32])));
        assert!(has(&terms, TermKind::CertificateFingerprint, &hex::encode(hash::sha256(&ours))));
        for without in [beside(&others), beside(b"no DER"), Entry::of_certificate_log(&leaf, &[]).unwrap().terms()] {
            assert_eq!((without.len(), without.omissions()), (terms.len() - 1, &[][..]));
        }
        let malformed = Entry::of_certificate_log(&leaf, &[1]).unwrap().terms();
        assert_eq!(malformed.omissions(), [Rejection::SctMalformed]);
        assert_eq!(Entry::of_certificate_log(&leaf[1..], &[]), Err(Rejection::SctMalformed));
    }
}
