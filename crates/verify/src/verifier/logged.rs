//! A log entry by itself: what it proves without the bundle of its signer.
//!
//! An auditor who finds an entry has neither the bundle nor the artifact. [`Verifier::verify_logged`] runs the steps of
//! the verifier that need neither: the times, the log entry, and for each of its signatures the certificate and the
//! signature itself.
//!
//! Two facts can be missing. An entry of `dsse` or `intoto` has hashes of the envelope, and its signature is over the
//! envelope: here only its signer is established ([`Attribution::over_digest`] is `None`), and that the log has taken
//! the entry, which logs do after they have checked the signature. An entry without a promise proves no time: the
//! caller may give the time that the log states, and the certificate is checked at that time, but
//! [`VerifiedLogged::time`] is `None`. If nothing states a time, as in the tiles of Rekor v2, the certificate is checked
//! at its first moment of validity. That its key signed before its last one is then not established, and
//! [`Attribution::undated`] says so.

use super::demands::Demands;
use super::times::{self, Moment, entry_place};
use super::{AnySigner, Case, VerifiedAuthority, VerifiedEntry, VerifiedSct, VerifiedTime, Verifier};
use super::{chain, entries, scts};
use crate::bundle::{Bundle, TransparencyLogEntry};
use crate::certificate::Certificate;
use crate::claims::Claims;
use crate::note::Note;
use crate::rekor::logged::{DigestOf, LoggedEntry, LoggedSignature, LoggedSigner};
use crate::signer::Signer;
use crate::trust_root::TransparencyLog;
use crate::{HashAlgorithm, PublicKey, Refusal, Rejection, Step, Timestamp};
use serde::Serialize;

/// Everything that an entry proves by itself. Every field was checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifiedLogged {
    /// The log, and the tree of it that holds the entry.
    pub entry: VerifiedEntry,
    /// When the log took the entry. `None` without a promise: then no time is proven.
    pub time: Option<VerifiedTime>,
    /// The digest in the entry.
    pub digest: (HashAlgorithm, Vec<u8>),
    /// The data that the digest is a digest of.
    pub digest_of: DigestOf,
    /// For each signature of the entry its signer, or the first failed check. Never empty.
    pub signatures: Vec<Result<Attribution, Refusal>>,
    /// Evidence that was not counted, and evidence that is weaker than usual.
    pub warnings: Vec<String>,
}

/// The signer of one signature in an entry.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attribution {
    /// The signer.
    pub signer: Signer,
    /// The authority that issued the certificate. `None` for a bare key.
    pub authority: Option<VerifiedAuthority>,
    /// SCTs of the certificate.
    pub scts: Vec<VerifiedSct>,
    /// The digest over which the signature was verified. `None` if the entry has only hashes of what was signed.
    pub over_digest: Option<(HashAlgorithm, Vec<u8>)>,
    /// The validity of the certificate, if nothing states the time of the entry: whether the key signed within it is not
    /// established. `None` if a time is promised or stated, and for a bare key.
    pub undated: Option<Undated>,
}

/// The validity of a certificate of which nothing tells when it was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Undated {
    /// First moment of validity.
    #[serde(serialize_with = "super::verified::rfc3339")]
    pub not_before: Timestamp,
    /// Last moment of validity.
    #[serde(serialize_with = "super::verified::rfc3339")]
    pub not_after: Timestamp,
}

impl Verifier {
    /// The log of the trust root that signed this checkpoint of Rekor, under its own name.
    #[must_use]
    pub fn log_of_checkpoint(&self, checkpoint: &str) -> Option<&TransparencyLog> {
        self.rekor_head(&Note::parse(checkpoint).ok()?).map(|(log, _)| log)
    }

    /// Checks what `entry` proves by itself, with the steps of the verifier:
    ///
    /// 1. The body is one of the entry's kind and version.
    /// 2. Times: the promise, if there is one. [`TransparencyLogEntry::integrated_time`] without a promise is what the
    ///    log states, also for an entry of Rekor v2.
    /// 3. Log entry: the log was trusted at that time, and a tree of it holds the body.
    /// 4. For each signature: the chain of its certificate at that time, its SCTs and its claims, and the signature if
    ///    it is over the digest in the entry. Without any time the chain is checked at the certificate's first moment,
    ///    and [`Attribution::undated`] says that the time of the signature is not established.
    ///
    /// # Errors
    /// The first failed check of steps 1 to 3. The checks of step 4 are in [`VerifiedLogged::signatures`].
    pub fn verify_logged(&self, entry: &TransparencyLogEntry, now: Timestamp) -> Result<VerifiedLogged, Refusal> {
        let bundle = Bundle::of_entry(entry.clone());
        let demands = Demands::new(self.options(), &AnySigner);
        let (required, warnings) = (demands.general(), Vec::new());
        let mut case = Case { verifier: self, bundle: &bundle, now, required, warnings };
        // (1)
        let body =
            entry.body.as_deref().ok_or_else(|| refuse(Rejection::EntryMissing { field: "canonicalizedBody" }))?;
        let logged = LoggedEntry::read(body).map_err(refuse)?;
        if logged.kind != entry.kind || logged.version != entry.version {
            return Err(refuse(Rejection::EntryMismatch { field: "kindVersion" }));
        }
        // (2)
        let time = times::promise(&mut case, 0, entry)?;
        let moment = moment(entry, time.as_ref());
        // (3)
        let Some(log) = times::known_log(&mut case, 0, entry)? else {
            return Err(Refusal::new(Rejection::LogUnknown, Step::LogEntry).at(format!("{}.logId", entry_place(0))));
        };
        let at = moment.as_ref().map_or(now, |moment| moment.time);
        if !log.window().contains(at) {
            return Err(Refusal::new(Rejection::LogWindow, Step::LogEntry)
                .at(format!("{}.logId", entry_place(0)))
                .expected(format!("a time in the log's window, {}", log.window()), at.rfc3339_millis()));
        }
        let held = entries::held(&mut case, 0, entry, log, body, time.is_some())?;
        // (4)
        let attribute = |signature| attribute(&mut case, &demands, &logged, signature, moment.as_ref());
        let signatures = logged.signatures.iter().map(attribute).collect();
        let LoggedEntry { digest, digest_of, .. } = logged;
        Ok(VerifiedLogged { entry: held, time, digest, digest_of, signatures, warnings: case.warnings })
    }
}

fn refuse(rejection: Rejection) -> Refusal {
    Refusal::new(rejection, Step::LogEntry).at(format!("{}.canonicalizedBody", entry_place(0)))
}

/// The time at which certificates are checked: the promised one, or the one that the log states.
fn moment(entry: &TransparencyLogEntry, promised: Option<&VerifiedTime>) -> Option<Moment> {
    let time = promised.map(VerifiedTime::time).or(entry.integrated_time)?;
    Some(Moment { time, place: format!("{}.integratedTime", entry_place(0)) })
}

/// Establishes the signer of one signature.
fn attribute(
    case: &mut Case<'_>,
    demands: &Demands,
    entry: &LoggedEntry,
    signature: &LoggedSignature,
    moment: Option<&Moment>,
) -> Result<Attribution, Refusal> {
    let mut undated = None;
    let (signer, authority, scts, key) = match &signature.signer {
        LoggedSigner::PublicKey(der) => {
            let key = PublicKey::from_spki_der(der).map_err(refuse)?;
            (Signer::of_key(&key, None), None, Vec::new(), key)
        }
        LoggedSigner::Certificate(der) => {
            let certificate = Certificate::from_der(der).map_err(refuse)?;
            let issued = issued(&certificate);
            let moment = moment.unwrap_or_else(|| {
                let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
                undated = Some(Undated { not_before, not_after });
                &issued
            });
            if moment.time > case.now {
                return Err(times::future(&moment.place, moment.time, case.now));
            }
            let chained = chain::verify(case, &certificate, std::slice::from_ref(moment))?;
            case.required = demands.of(&chained.authority);
            let leaf = scts::verify(case, chained)?;
            let signer = Signer::of_certificate(&certificate, Claims::of(&certificate)?);
            (signer, Some(leaf.authority().clone()), leaf.into_scts(), certificate.public_key().clone())
        }
    };
    let over_digest = match (entry.digest_of, &signature.signature) {
        (DigestOf::Signed, Some(signature)) => {
            verify_signature(&key, &entry.digest, signature)?;
            Some(entry.digest.clone())
        }
        _ => None,
    };
    Ok(Attribution { signer, authority, scts, over_digest, undated })
}

/// When a certificate was issued, by its own word.
fn issued(certificate: &Certificate) -> Moment {
    Moment { time: certificate.not_before(), place: format!("{}.canonicalizedBody", entry_place(0)) }
}

fn verify_signature(
    key: &PublicKey,
    (algorithm, digest): &(HashAlgorithm, Vec<u8>),
    signature: &[u8],
) -> Result<(), Refusal> {
    key.either_encoding(signature, |signature| key.verify_digest(*algorithm, digest, signature)).map_err(|_| {
        Refusal::new(Rejection::SignatureInvalid, Step::Signature)
            .at(format!("{}.canonicalizedBody", entry_place(0)))
            .expected(format!("a signature by the key {}", hex::encode(key.fingerprint())), "another one")
    })
}
