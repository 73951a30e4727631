//! The verdict on one entry of a case by itself.

use super::certificates;
use super::documents::{Decoded, Place};
use super::fault::Fault;
use super::report::{Issued, Signature, Verdict};
use crate::answer::entry::Traits;
use crate::entry_id::tree_id;
use crate::source::LogKind;
use chancery_verify::rekor::verify_readable;
use chancery_verify::sct::MerkleTreeLeaf;
use chancery_verify::terms::{self, Summary};
use chancery_verify::verifier::{
    Attribution, FoundEntry, FoundPromise, IssuedEntry, VerifiedHead, VerifiedLogged, VerifiedTime, Verifier,
};
use chancery_verify::{Hash, Refusal, Rejection, Step, Timestamp};

/// What is noted of an entry without a promise.
const WITHHELD: &str =
    "by the word of whoever packed the case, the server was asked for the promise of the log, and gave none";

/// A tree head of a log, with its signed note.
pub(super) struct Head {
    pub(super) note: String,
    pub(super) verified: VerifiedHead,
}

/// An entry that is proven to be in its log.
pub(super) struct Read<'a> {
    /// Name of the member.
    pub(super) member: &'a str,
    pub(super) place: Place,
    pub(super) kind: LogKind,
    pub(super) head: &'a Head,
    pub(super) decoded: Decoded,
    /// What the case has of what the log keeps beside it. Its hash is the one in the entry.
    pub(super) attestation: Option<&'a [u8]>,
    pub(super) leaf_hash: Hash,
    /// What it says, with its statement if that can be read. `None` if it cannot be parsed.
    pub(super) parsed: Option<terms::Entry>,
    /// Whether it is an answer to the question of the case.
    pub(super) is_answer: bool,
}

impl Read<'_> {
    /// Checks that the time of the entry is the one that the log signs, where the log signs one.
    pub(super) fn verify_time(&self) -> Result<(), Fault> {
        let Decoded { time, promise, leaf, .. } = &self.decoded;
        let is_signed = match (self.kind, promise) {
            (LogKind::Rekor, None) => true,
            (LogKind::Rekor, Some(promise)) => {
                time.is_some_and(|time| time.seconds() == promise.integrated_time.seconds())
            }
            (LogKind::Certificates, _) => {
                MerkleTreeLeaf::from_bytes(leaf).is_ok_and(|leaf| *time == Some(leaf.timestamp))
            }
        };
        if is_signed { Ok(()) } else { Err(Fault::of(self.member, "its time is not the one that the log signed")) }
    }

    /// Checks that an entry of Rekor v1 has its promise, or says that the server gave none: without it an entry proves no time.
    /// The first line of the checkpoint, which the log has signed, says which log promises.
    pub(super) fn verify_promise(&self) -> Result<(), Fault> {
        let Decoded { promise, promise_withheld, .. } = &self.decoded;
        let is_promised = tree_id(self.kind, &self.head.note).is_some();
        match (is_promised, promise.is_some() || *promise_withheld) {
            (true, true) | (false, false) => Ok(()),
            (true, false) => {
                Err(Fault::of(self.member, "its log promises each entry, and the promise is not there: it was removed"))
            }
            (false, true) => Err(Fault::of(self.member, "it is about a promise, and its log gives none")),
        }
    }

    /// The signatures of an entry of a log of signatures.
    pub(super) fn signatures(&self, verifier: &Verifier, now: Timestamp) -> Result<Vec<Signature>, Fault> {
        match verifier.verify_found(&self.found(), now) {
            Ok(verified) => Ok(verified.signatures.iter().map(|signature| self.judged(&verified, signature)).collect()),
            Err(refusal) => match verify_readable(&self.decoded.leaf) {
                Ok(()) => Err(Fault::refused(self.member, refusal)),
                Err(rejection) => {
                    let refusal = Some(Refusal::new(rejection, Step::LogEntry));
                    Ok(vec![Signature { verdict: Verdict::Unread, refusal, ..self.signature() }])
                }
            },
        }
    }

    fn found(&self) -> FoundEntry<'_> {
        let Decoded { time, hashes, leaf, promise, .. } = &self.decoded;
        FoundEntry {
            leaf,
            index: self.place.index,
            hashes,
            tree_size: self.head.verified.tree_size,
            root_hash: self.head.verified.root_hash,
            checkpoint: &self.head.note,
            recorded: *time,
            promise: promise.as_ref().map(|promise| FoundPromise {
                log_index: promise.log_index,
                integrated_time: promise.integrated_time,
                signature: &promise.signature,
            }),
            attestation: self.attestation,
        }
    }

    fn judged(&self, verified: &VerifiedLogged, signature: &Result<Attribution, Refusal>) -> Signature {
        let proven = verified.time.as_ref().map(VerifiedTime::time);
        let mut base = self.signature();
        base.time = proven.or(self.decoded.time).map(Timestamp::rfc3339_millis);
        base.time_is_proven = proven.is_some();
        base.warnings.extend_from_slice(&verified.warnings);
        match signature {
            Err(refusal) => {
                let is_unread = matches!(refusal.rejection(), Rejection::EntryUnverifiable { .. });
                let verdict = if is_unread { Verdict::Unread } else { Verdict::Refused };
                Signature { verdict, refusal: Some(refusal.clone()), ..base }
            }
            Ok(attribution) => Signature {
                verdict: match (attribution.is_verified(), attribution.undated) {
                    (false, _) => Verdict::Logged,
                    (true, Some(_)) => Verdict::Undated,
                    (true, None) => Verdict::Verified,
                },
                certificate_validity: attribution.undated,
                signer: Some(attribution.signer.clone()),
                authority: attribution.authority.clone(),
                scts: attribution.scts.clone(),
                ..base
            },
        }
    }

    /// Nothing is known of it but that the log has it.
    fn signature(&self) -> Signature {
        Signature {
            place: self.place.clone(),
            is_answer: self.is_answer,
            verdict: Verdict::Refused,
            summary: self.summary(),
            time: self.decoded.time.map(Timestamp::rfc3339_millis),
            time_is_proven: false,
            certificate_validity: None,
            signer: None,
            authority: None,
            scts: Vec::new(),
            certificate_logged_in: Vec::new(),
            refusal: None,
            warnings: if self.decoded.promise_withheld { vec![WITHHELD.to_owned()] } else { Vec::new() },
        }
    }

    /// What decides whether it is an answer.
    pub(super) fn traits(&self) -> Traits {
        Traits::of_parsed(self.parsed.as_ref(), &self.leaf_hash, self.decoded.time)
    }

    /// What it says of itself, with its statement if the case has that.
    fn summary(&self) -> Option<Summary> {
        self.parsed.as_ref().map(terms::Entry::summary)
    }

    /// The certificate of an entry of a certificate log.
    pub(super) fn issued(&self, verifier: &Verifier, now: Timestamp) -> Result<Issued, Fault> {
        let entry = IssuedEntry {
            leaf: &self.decoded.leaf,
            extra: &self.decoded.extra,
            index: self.place.index,
            hashes: &self.decoded.hashes,
            checkpoint: &self.head.note,
        };
        let base = Issued {
            place: self.place.clone(),
            is_answer: self.is_answer,
            time: self.decoded.time.map(Timestamp::rfc3339_millis),
            subject: None,
            authority: None,
            refusal: None,
            used_in: Vec::new(),
        };
        match verifier.verify_issued(&entry, now) {
            Ok(verified) => Ok(Issued { subject: Some(verified.subject), authority: Some(verified.authority), ..base }),
            // The log has it, of an authority that is not trusted, or of a form that is not read.
            Err(refusal) if refusal.step() != Step::LogEntry => Ok(Issued { refusal: Some(refusal), ..base }),
            Err(refusal) => Err(Fault::refused(self.member, refusal)),
        }
    }

    /// By what a certificate of this entry is compared with one of another kind of log.
    pub(super) fn certificate_keys(&self) -> Vec<Hash> {
        match self.kind {
            LogKind::Certificates => certificates::key_of_leaf(&self.decoded.leaf).into_iter().collect(),
            LogKind::Rekor => {
                let ders = certificates::of_body(&self.decoded.leaf);
                ders.iter().flat_map(|der| certificates::keys_of_certificate(der)).collect()
            }
        }
    }
}
