//! Certificates of a case, and how an entry of a signature and one of a certificate log are found to have the same.

use super::fault::Fault;
use chancery_verify::certificate::{Certificate, verify_issued_by};
use chancery_verify::hash::sha256;
use chancery_verify::rekor::logged::{self, LoggedSigner};
use chancery_verify::sct::{LogEntry, MerkleTreeLeaf};
use chancery_verify::trust_root::TrustRoot;
use chancery_verify::{Hash, pem};

/// A certificate in PEM (DER is given), with the chain of an authority of the trust root that issued it. Alone if none did.
#[must_use]
pub fn pem_with_chain(der: &[u8], root: &TrustRoot) -> String {
    let mut text = pem::encode(pem::CERTIFICATE, der);
    let Ok(leaf) = Certificate::from_der(der) else { return text };
    let mut authorities = root.certificate_authorities().iter();
    let issued = |chain: &[Certificate]| chain.first().is_some_and(|issuer| verify_issued_by(&leaf, issuer).is_ok());
    if let Some(authority) = authorities.find(|authority| issued(authority.chain())) {
        text.extend(authority.chain().iter().map(Certificate::to_pem));
    }
    text
}

/// Checks a member: the certificate with the hash in its name, and a chain in which each issued the one before.
pub(super) fn verify_pem(member: &str, sha256_hex: &str, contents: &[u8]) -> Result<(), Fault> {
    let blocks = pem::decode_all(contents, chancery_verify::certificate::MAX_CHAIN + 1)
        .map_err(|rejection| Fault::rejected(member, rejection))?;
    let canonical: String = blocks.iter().map(|block| pem::encode(pem::CERTIFICATE, &block.der)).collect();
    if canonical.as_bytes() != contents {
        return Err(Fault::of(member, "it has more than certificates in PEM"));
    }
    let Some((leaf, chain)) = blocks.split_first() else { return Err(Fault::of(member, "it has no certificate")) };
    if hex::encode(sha256(&leaf.der)) != sha256_hex {
        return Err(Fault::of(member, "its first certificate is not the one of its name"));
    }
    if chain.is_empty() {
        // It may be one that only Go's parser takes.
        return Ok(());
    }
    let read = |block: &pem::Block| Certificate::from_der(&block.der);
    let certificates = blocks.iter().map(read).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|rejection| Fault::rejected(member, rejection))?;
    let mut links = certificates.iter().zip(certificates.iter().skip(1));
    links
        .try_for_each(|(child, issuer)| verify_issued_by(child, issuer))
        .map_err(|rejection| Fault::rejected(member, rejection))
}

/// The certificates (DER) that a body names as its signers.
pub(super) fn of_body(body: &[u8]) -> Vec<Vec<u8>> {
    let certificate = |signer| match signer {
        LoggedSigner::Certificate(der) => Some(der),
        LoggedSigner::PublicKey(_) => None,
    };
    // A kind that names no signer has no certificate.
    logged::signers(body).unwrap_or_default().into_iter().filter_map(certificate).collect()
}

/// What a certificate has in common with its entry in a certificate log: the certificate without its SCT list (RFC 6962
/// §3.2), or, if the log has the certificate itself, all of it.
pub(super) fn keys_of_certificate(der: &[u8]) -> Vec<Hash> {
    let without = Certificate::from_der(der).and_then(|certificate| certificate.tbs_without_sct_list());
    let without = without.ok().map(|tbs| sha256(&tbs));
    without.into_iter().chain([sha256(der)]).collect()
}

/// The same of a leaf of a certificate log.
pub(super) fn key_of_leaf(leaf: &[u8]) -> Option<Hash> {
    Some(match MerkleTreeLeaf::from_bytes(leaf).ok()?.entry {
        LogEntry::X509 { certificate } => sha256(&certificate),
        LogEntry::Precert { tbs, .. } => sha256(&tbs),
    })
}
