//! An entry of a certificate transparency log by itself: which authority issued which certificate, and when the log saw
//! it.
//!
//! The log has a precertificate, or a certificate. [`Verifier::verify_issued`] proves that the log has the entry, and that
//! an authority of the trust root issued it. It does not prove that a signature was made under the certificate.

use super::times::Moment;
use super::{VerifiedAuthority, VerifiedHead, Verifier, chain};
use crate::certificate::{Certificate, FinalIssuer, MAX_CHAIN};
use crate::claims::Claims;
use crate::sct::{ExtraData, LogEntry, MerkleTreeLeaf};
use crate::signer::Signer;
use crate::{Hash, PublicKey, Refusal, Rejection, Step, Timestamp, merkle};
use serde::Serialize;

const PLACE: &str = "certificateLogEntry";

/// An entry of a certificate transparency log, with the evidence that the log has it. Not verified yet.
#[derive(Debug, Clone, Copy)]
pub struct IssuedEntry<'a> {
    /// The `MerkleTreeLeaf`.
    pub leaf: &'a [u8],
    /// The submitted chain beside it. No hash covers it: what it says counts only if the leaf or a signature proves it.
    pub extra: &'a [u8],
    /// Index in the tree.
    pub index: u64,
    /// Hashes of the inclusion proof, leaf first.
    pub hashes: &'a [Hash],
    /// A signed note with the tree head that the proof leads to.
    pub checkpoint: &'a str,
}

/// A certificate that an authority of the trust root issued and that a log of it has. Every field was checked.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct VerifiedIssued {
    /// The log, and the tree of it that holds the entry.
    pub head: VerifiedHead,
    /// Index in the tree.
    pub index: u64,
    /// When the log saw it.
    #[serde(serialize_with = "super::verified::rfc3339")]
    pub time: Timestamp,
    /// The subject. Its fingerprint is that of the precertificate, if the log has one.
    pub subject: Signer,
    /// The authority that issued it.
    pub authority: VerifiedAuthority,
}

impl Verifier {
    /// Checks what an entry of a certificate transparency log proves by itself:
    ///
    /// 1. A log of the trust root signed the checkpoint.
    /// 2. Its tree has the leaf.
    /// 3. The log saw it in its window, and not in the future.
    /// 4. A precertificate: the leaf names the key of an authority of the trust root, the leaf is that of the submitted
    ///    precertificate, and this key has signed it. A leaf that names another key is a stranger's, whatever is beside it.
    /// 5. An authority of the trust root issued it. At the log's time the certificate, the authority's chain and its
    ///    window were valid.
    ///
    /// # Errors
    /// The first failed check. Its step is [`Step::LogEntry`] if the log does not have this entry, or what is beside the
    /// leaf is not what was submitted. It is a later one if the log has it, but of a certificate that is not a trusted
    /// authority's: that depends on the leaf alone.
    pub fn verify_issued(&self, entry: &IssuedEntry<'_>, now: Timestamp) -> Result<VerifiedIssued, Refusal> {
        let refuse = |rejection| Refusal::new(rejection, Step::LogEntry).at(PLACE);
        // (1)
        let head = self.verify_checkpoint(entry.checkpoint, now)?;
        let log = self.trust_root().ct_log(&head.log_id).ok_or_else(|| refuse(Rejection::LogUnknown))?;
        // (2)
        let leaf_hash = merkle::leaf_hash(entry.leaf);
        merkle::verify_inclusion(entry.index, head.tree_size, &leaf_hash, entry.hashes, &head.root_hash)
            .map_err(refuse)?;
        // (3)
        let leaf = MerkleTreeLeaf::from_bytes(entry.leaf).map_err(refuse)?;
        let time = leaf.timestamp;
        if !log.window().contains(time) {
            let window = format!("a time in the log's window, {}", log.window());
            return Err(refuse(Rejection::LogWindow).expected(window, time.rfc3339_millis()));
        }
        if time > now {
            let latest = format!("a time not after {}", now.rfc3339_millis());
            return Err(refuse(Rejection::TimeFuture).expected(latest, time.rfc3339_millis()));
        }
        // (4)
        let certificate = match &leaf.entry {
            LogEntry::X509 { certificate } => {
                ExtraData::from_bytes(entry.extra, &leaf.entry).map_err(refuse)?;
                let read = Certificate::from_der(certificate);
                read.map_err(|rejection| Refusal::new(rejection, Step::Chain).at(PLACE))?
            }
            LogEntry::Precert { issuer_key_hash, .. } => {
                self.precertificate(&leaf.entry, issuer_key_hash, entry.extra)?
            }
        };
        // (5)
        let moment = Moment { time, place: format!("{PLACE}.timestamp") };
        let chained = chain::issued_by_any(self, &certificate, std::slice::from_ref(&moment))?;
        let authority = chained.authority;
        let subject = Signer::of_certificate(&certificate, Claims::of(&certificate)?);
        Ok(VerifiedIssued { head, index: entry.index, time, subject, authority })
    }

    /// The precertificate of a leaf. The key that the leaf names has signed it, and is an authority's of the trust root.
    fn precertificate(&self, entry: &LogEntry, issuer_key_hash: &Hash, extra: &[u8]) -> Result<Certificate, Refusal> {
        let authorities = self.trust_root().certificate_authorities().iter();
        let mut keys = authorities.filter_map(|authority| authority.chain().first()).map(Certificate::public_key);
        let Some(key) = keys.find(|key| key.fingerprint() == *issuer_key_hash) else {
            let named = format!("one by the key {}", hex::encode(issuer_key_hash));
            return Err(Refusal::new(Rejection::ChainUntrusted, Step::Chain)
                .at(PLACE)
                .expected("a certificate by an authority of the trust root", named));
        };
        submitted(entry, extra, key).map_err(|rejection| Refusal::new(rejection, Step::LogEntry).at(PLACE))
    }
}

/// The precertificate beside a leaf, compared with the leaf. `key` has signed it, perhaps by a certificate for signing
/// precertificates.
fn submitted(entry: &LogEntry, extra: &[u8], key: &PublicKey) -> Result<Certificate, Rejection> {
    let ExtraData::Precert { precertificate, chain } = ExtraData::from_bytes(extra, entry)? else {
        return Err(Rejection::SctMalformed);
    };
    if chain.len() > MAX_CHAIN {
        return Err(Rejection::ChainIncomplete);
    }
    let issuers = chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>()?;
    if FinalIssuer::among(&issuers)?.unverified_entry(&precertificate)? != *entry {
        return Err(Rejection::EntryMismatch { field: "precertificate" });
    }
    let precertificate = Certificate::from_der(&precertificate)?;
    // The log has signed neither signature, so another one may be beside the leaf.
    precertificate.verify_signed_by(key).or_else(|rejection| {
        let signer = issuers.first().ok_or(rejection)?;
        signer.verify_signed_by(key)?;
        precertificate.verify_signed_by(signer.public_key())
    })?;
    Ok(precertificate)
}
