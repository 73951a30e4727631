//! A log entry by itself: what it proves without the bundle of its signer.
//!
//! An auditor who finds an entry has neither the bundle nor the artifact. [`Verifier::verify_logged`] runs the steps of
//! the verifier that need neither: the times, the log entry, and for each of its signatures the certificate and the
//! signature itself.
//!
//! Entries of packages and of the formats of other tools are checked by what their bodies have ([`verify_readable`]). A
//! signature over what is not in the body is refused as [`Rejection::EntryUnverifiable`]: the log has the entry, and that is
//! all that is known.
//!
//! Two facts can be missing. An entry of `dsse` or `intoto` has hashes of the envelope, and its signature is over the
//! envelope. With the payload that a log may keep beside it, the signature is verified ([`Attribution::over_payload`]).
//! Without it only the signer is established, and that the log has taken the entry, which logs do after they have checked
//! the signature. An entry without a promise proves no time, and [`VerifiedLogged::time`] is `None`. That the key of a
//! certificate signed while it was valid is then not established, and [`Attribution::undated`] says so. The caller may give
//! the time that the log states: nobody has signed it, so it establishes nothing, but a certificate that was not valid then is
//! refused. If nothing states a time, as in the tiles of Rekor v2, the certificate is checked at its first moment of validity.
//!
//! [`verify_readable`]: crate::rekor::verify_readable

use super::demands::Demands;
use super::times::{self, Moment, entry_place};
use super::{AnySigner, Case, OpenedHead, VerifiedAuthority, VerifiedEntry, VerifiedSct, VerifiedTime, Verifier};
use super::{chain, entries, scts};
use crate::bundle::{Bundle, TransparencyLogEntry};
use crate::certificate::Certificate;
use crate::claims::Claims;
use crate::note::Note;
#[cfg(feature = "rekor-kinds")]
use crate::rekor::Proven;
use crate::rekor::dsse::pre_authentication_encoding;
use crate::rekor::logged::{DigestOf, LoggedEntry, LoggedSignature, LoggedSigner};
use crate::rekor::{Checkable, Readable, attestation_hash};
use crate::signer::Signer;
use crate::trust_root::TransparencyLog;
use crate::{HashAlgorithm, PublicKey, Refusal, Rejection, Step, Timestamp, hash, statement};
use serde::Serialize;

/// Everything that an entry proves by itself. Every field was checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifiedLogged {
    /// The log, and the tree of it that holds the entry.
    pub entry: VerifiedEntry,
    /// When the log took the entry. `None` without a promise: then no time is proven.
    pub time: Option<VerifiedTime>,
    /// The digest in the entry, if its signatures are over a digest or over an envelope.
    pub digest: Option<(HashAlgorithm, Vec<u8>)>,
    /// The data that the digest is a digest of.
    pub digest_of: Option<DigestOf>,
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
    /// Media type of the payload over whose envelope the signature was verified. `None` without the payload, or if its type
    /// is in neither the entry nor the payload.
    pub over_payload: Option<String>,
    /// The validity of the certificate, if nobody has signed the time of the entry: whether the key signed within it is not
    /// established. `None` if the time is promised, and for a bare key.
    pub undated: Option<Undated>,
}

/// The validity of a certificate of which nobody has signed when it was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Undated {
    /// First moment of validity.
    #[serde(serialize_with = "super::verified::rfc3339")]
    pub not_before: Timestamp,
    /// Last moment of validity.
    #[serde(serialize_with = "super::verified::rfc3339")]
    pub not_after: Timestamp,
}

impl Attribution {
    /// Nothing but the signer is known.
    const fn of(signer: Signer) -> Self {
        Self { signer, authority: None, scts: Vec::new(), over_digest: None, over_payload: None, undated: None }
    }

    /// Whether the signature itself was verified, and not only its signer.
    #[must_use]
    pub const fn is_verified(&self) -> bool {
        self.over_digest.is_some() || self.over_payload.is_some()
    }
}

/// What a log has of a signature: the parsed body, and the payload beside it.
#[derive(Clone, Copy)]
struct Held<'a> {
    logged: &'a LoggedEntry,
    /// Its hash is the one in the body.
    attestation: Option<&'a [u8]>,
}

impl Verifier {
    /// The log of the trust root that signed this checkpoint of Rekor, under its own name.
    #[must_use]
    pub fn log_of_checkpoint(&self, checkpoint: &str) -> Option<&TransparencyLog> {
        self.rekor_head(&Note::parse(checkpoint).ok()?).map(|(log, ..)| log)
    }

    /// Checks what `entry` proves by itself, with the steps of the verifier:
    ///
    /// 1. The body is one of the entry's kind and version.
    /// 2. Times: the promise, if there is one. [`TransparencyLogEntry::integrated_time`] without a promise is what the
    ///    log states, also for an entry of Rekor v2.
    /// 3. Log entry: the log was trusted at that time, and a tree of it holds the body.
    /// 4. For each signature: the chain of its certificate at that time, its SCTs and its claims, and the signature if
    ///    it is over the digest in the entry. Without any time the chain is checked at the certificate's first moment.
    ///    Without a promise [`Attribution::undated`] says that the time of the signature is not established.
    ///
    /// # Errors
    /// The first failed check of steps 1 to 3. The checks of step 4 are in [`VerifiedLogged::signatures`].
    pub fn verify_logged(&self, entry: &TransparencyLogEntry, now: Timestamp) -> Result<VerifiedLogged, Refusal> {
        self.verify_logged_with(entry, None, None, now)
    }

    /// As [`Self::verify_logged`], with the payload that the log keeps beside the entry. Its hash must be the one in the
    /// body (step 1), and signatures over its envelope are verified (step 4). A checkpoint that is opened already is not verified
    /// again (step 3).
    pub(super) fn verify_logged_with(
        &self,
        entry: &TransparencyLogEntry,
        head: Option<&OpenedHead<'_>>,
        attestation: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<VerifiedLogged, Refusal> {
        let bundle = Bundle::of_entry(entry.clone());
        let demands = Demands::new(self.options(), &AnySigner);
        let (required, warnings) = (demands.general(), Vec::new());
        let mut case = Case { verifier: self, bundle: &bundle, head, now, required, warnings };
        // (1)
        let body =
            entry.body.as_deref().ok_or_else(|| refuse(Rejection::EntryMissing { field: "canonicalizedBody" }))?;
        if attestation.is_some_and(|payload| attestation_hash(body) != Some(hash::sha256(payload))) {
            return Err(refuse(Rejection::EntryMismatch { field: "payloadHash" }));
        }
        let Readable { kind, version, contents } = Readable::read(body, attestation).map_err(refuse)?;
        if kind != entry.kind || version != entry.version {
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
        let dating = Dating { moment: moment.as_ref(), is_promised: time.is_some() };
        let (about, signatures) = match contents {
            Checkable::Entry(logged) => {
                let held = Held { logged: &logged, attestation };
                let attribute = |signature| attribute(&mut case, &demands, held, signature, dating);
                let signatures = logged.signatures.iter().map(attribute).collect();
                (Some((logged.digest_of, logged.digest)), signatures)
            }
            #[cfg(feature = "rekor-kinds")]
            Checkable::Other(proven) => {
                let attribute = |proven| attribute_proven(&mut case, &demands, proven, dating);
                (None, proven.into_iter().map(attribute).collect())
            }
        };
        let signatures = or_unsigned(signatures);
        let (digest_of, digest) = about.unzip();
        Ok(VerifiedLogged { entry: held, time, digest, digest_of, signatures, warnings: case.warnings })
    }
}

fn refuse(rejection: Rejection) -> Refusal {
    Refusal::new(rejection, Step::LogEntry).at(format!("{}.canonicalizedBody", entry_place(0)))
}

/// The signatures of an entry. One without any is refused, so that it is not passed over.
fn or_unsigned(mut signatures: Vec<Result<Attribution, Refusal>>) -> Vec<Result<Attribution, Refusal>> {
    if signatures.is_empty() {
        signatures.push(Err(Refusal::new(Rejection::EntryMissing { field: "signature" }, Step::Signature)));
    }
    signatures
}

/// What is known of when an entry was logged.
#[derive(Clone, Copy)]
struct Dating<'a> {
    /// When certificates are checked, if anything tells.
    moment: Option<&'a Moment>,
    /// Whether the log has signed it.
    is_promised: bool,
}

/// The time at which certificates are checked: the promised one, or the one that the log states.
fn moment(entry: &TransparencyLogEntry, promised: Option<&VerifiedTime>) -> Option<Moment> {
    let time = promised.map(VerifiedTime::time).or(entry.integrated_time)?;
    Some(Moment { time, place: format!("{}.integratedTime", entry_place(0)) })
}

/// Establishes the signer of one signature, and checks the signature with what is at hand.
fn attribute(
    case: &mut Case<'_>,
    demands: &Demands,
    held: Held<'_>,
    signature: &LoggedSignature,
    dating: Dating<'_>,
) -> Result<Attribution, Refusal> {
    let (mut attribution, key) = establish(case, demands, &signature.signer, dating)?;
    let Held { logged, attestation } = held;
    match (logged.digest_of, signature.signature.as_deref(), attestation) {
        (DigestOf::Signed, Some(signature), _) => {
            if !logged.is_over_digest(&key) {
                let missing = "Ed25519 signs the artifact itself, and only its hash is logged";
                return Err(Refusal::new(Rejection::EntryUnverifiable { missing }, Step::Signature));
            }
            verify_signature(&key, &logged.digest, signature)?;
            attribution.over_digest = Some(logged.digest.clone());
        }
        (DigestOf::Payload, Some(signature), Some(payload)) => {
            attribution.over_payload = verify_envelope(&key, logged, payload, signature)?;
        }
        _ => {}
    }
    Ok(attribution)
}

/// Establishes the signer of a signature that its kind of entry proves.
#[cfg(feature = "rekor-kinds")]
fn attribute_proven(
    case: &mut Case<'_>,
    demands: &Demands,
    proven: Result<Proven, Rejection>,
    dating: Dating<'_>,
) -> Result<Attribution, Refusal> {
    let Proven { signer, digest } = proven.map_err(|rejection| Refusal::new(rejection, Step::Signature))?;
    let attribution = match &signer {
        LoggedSigner::Certificate(_) => establish(case, demands, &signer, dating)?.0,
        // It may have a size that no bundle has.
        LoggedSigner::PublicKey(der) => Attribution::of(Signer::Key { sha256: hash::sha256(der), hint: None }),
    };
    Ok(Attribution { over_digest: Some(digest), ..attribution })
}

/// Establishes a signer, and returns its key. The signature is not checked.
fn establish(
    case: &mut Case<'_>,
    demands: &Demands,
    signer: &LoggedSigner,
    dating: Dating<'_>,
) -> Result<(Attribution, PublicKey), Refusal> {
    match signer {
        LoggedSigner::PublicKey(der) => {
            let key = PublicKey::from_spki_der(der).map_err(refuse)?;
            Ok((Attribution::of(Signer::of_key(&key, None)), key))
        }
        LoggedSigner::Certificate(der) => {
            let certificate = Certificate::from_der(der).map_err(refuse)?;
            let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
            let undated = (!dating.is_promised).then_some(Undated { not_before, not_after });
            let issued = issued(&certificate);
            let moment = dating.moment.unwrap_or(&issued);
            if moment.time > case.now {
                return Err(times::future(&moment.place, moment.time, case.now));
            }
            let chained = chain::verify(case, &certificate, std::slice::from_ref(moment))?;
            case.required = demands.of(&chained.authority);
            let leaf = scts::verify(case, chained)?;
            let signer = Signer::of_certificate(&certificate, Claims::of(&certificate)?);
            let (authority, scts) = (Some(leaf.authority().clone()), leaf.into_scts());
            Ok((Attribution { authority, scts, undated, ..Attribution::of(signer) }, certificate.public_key().clone()))
        }
    }
}

/// When a certificate was issued, by its own word.
fn issued(certificate: &Certificate) -> Moment {
    Moment { time: certificate.not_before(), place: format!("{}.canonicalizedBody", entry_place(0)) }
}

/// Checks a signature over the envelope of a payload. Returns the payload's type: that of the entry, or, as `dsse` logs none,
/// that of in-toto statements. If the signature is over another type, nothing is known of it, so `None` is returned.
fn verify_envelope(
    key: &PublicKey,
    logged: &LoggedEntry,
    payload: &[u8],
    signature: &[u8],
) -> Result<Option<String>, Refusal> {
    let payload_type = logged.payload_type.as_deref().unwrap_or(statement::PAYLOAD_TYPE);
    let signed = pre_authentication_encoding(payload_type, payload);
    // Rekor v1 takes SHA-256 with every key, and clients also use the hash of the curve.
    let holds = [HashAlgorithm::Sha256, key.kind().hash()]
        .into_iter()
        .any(|hash| key.either_encoding(signature, |signature| key.verify_with(hash, &signed, signature)).is_ok());
    match (holds, &logged.payload_type) {
        (true, _) => Ok(Some(payload_type.to_owned())),
        (false, None) => Ok(None),
        (false, Some(_)) => Err(invalid(key)),
    }
}

fn verify_signature(
    key: &PublicKey,
    (algorithm, digest): &(HashAlgorithm, Vec<u8>),
    signature: &[u8],
) -> Result<(), Refusal> {
    let checked = key.either_encoding(signature, |signature| key.verify_digest(*algorithm, digest, signature));
    checked.map_err(|_| invalid(key))
}

fn invalid(key: &PublicKey) -> Refusal {
    Refusal::new(Rejection::SignatureInvalid, Step::Signature)
        .at(format!("{}.canonicalizedBody", entry_place(0)))
        .expected(format!("a signature by the key {}", hex::encode(key.fingerprint())), "another one")
}
