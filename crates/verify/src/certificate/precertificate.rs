//! From a precertificate to its log entry (RFC 6962 §3.1, §3.2).
//!
//! A precertificate is signed by the CA that will sign the certificate, or by a *precertificate signing certificate*, a
//! CA certificate for this purpose alone that this CA has issued. The entry is the same in both cases, because clients
//! derive it from the certificate: it has the key, the name and the authority key identifier of the CA. The bytes are
//! those of `BuildPrecertTBS` in Google's `certificate-transparency-go`, by which other logs and clients go.

use super::tbs::{self, IssuerParts};
use super::{Certificate, verify_is_ca};
use crate::sct::LogEntry;
use crate::{Hash, Rejection};
use const_oid::ObjectIdentifier;
use x509_cert::ext::pkix::ExtendedKeyUsage;

/// Extended key usage of a precertificate signing certificate.
const PRECERTIFICATE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.4");

/// The CA that will sign the certificate of a precertificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalIssuer {
    key_hash: Hash,
    /// What the certificate will say about its issuer, if a precertificate signing certificate signed the precertificate.
    parts: Option<IssuerParts>,
}

impl FinalIssuer {
    /// Finds the CA among the `issuers` of a precertificate, from the one that signed it to the root. The caller verifies
    /// who issued which.
    ///
    /// # Errors
    /// [`Rejection::ChainIncomplete`] if the CA is missing, [`Rejection::ChainNotCa`] if the precertificate signing
    /// certificate is no CA or was issued by another one.
    pub fn among(issuers: &[Certificate]) -> Result<Self, Rejection> {
        let (signer, above) = issuers.split_first().ok_or(Rejection::ChainIncomplete)?;
        if !signs_precertificates(signer)? {
            return Ok(Self { key_hash: signer.public_key().fingerprint(), parts: None });
        }
        verify_is_ca(signer)?;
        let ca = above.first().ok_or(Rejection::ChainIncomplete)?;
        if signs_precertificates(ca)? {
            return Err(Rejection::ChainNotCa);
        }
        // The signing certificate names its issuer as the certificate will.
        let parts = IssuerParts::of(signer.tbs_der())?;
        Ok(Self { key_hash: ca.public_key().fingerprint(), parts: Some(parts) })
    }

    /// The entry of a precertificate (DER) that the first of the issuers signed. Nothing in it is verified.
    ///
    /// # Errors
    /// [`Rejection::SctPoison`] if there is no poison, [`Rejection::CertificateMalformed`] if the precertificate cannot
    /// be split.
    pub fn unverified_entry(&self, precertificate: &[u8]) -> Result<LogEntry, Rejection> {
        let tbs = tbs::without_poison(tbs::signed_part(precertificate)?)?;
        let tbs = match &self.parts {
            Some(parts) => parts.put_into(&tbs)?,
            None => tbs,
        };
        Ok(LogEntry::Precert { issuer_key_hash: self.key_hash, tbs })
    }
}

/// Whether a log makes `tbs` of this precertificate, as it is or with the issuer that the certificate of its `signer`
/// names. Nothing is verified: logs hold certificates that [`Certificate`] refuses.
pub(crate) fn unverified_precertificate_has_entry(precertificate: &[u8], signer: Option<&[u8]>, tbs: &[u8]) -> bool {
    let Ok(cut) = tbs::signed_part(precertificate).and_then(tbs::without_poison) else { return false };
    let with_parts_of = |signer: &[u8]| IssuerParts::of(tbs::signed_part(signer)?)?.put_into(&cut);
    cut == tbs || signer.is_some_and(|signer| with_parts_of(signer).is_ok_and(|submitted| submitted == tbs))
}

/// Whether this is a precertificate signing certificate.
fn signs_precertificates(issuer: &Certificate) -> Result<bool, Rejection> {
    Ok(issuer.decode::<ExtendedKeyUsage>()?.is_some_and(|usage| usage.0.contains(&PRECERTIFICATE_SIGNING)))
}
