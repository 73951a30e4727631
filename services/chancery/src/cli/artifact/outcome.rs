//! The result, as text for people, as JSON for programs, and as exit code.

use super::{evidence::Entry, verdict::Established};
use crate::{
    cli::foreign::{escaped, whole},
    output,
};
use chancery_verify::{
    HashAlgorithm, Refusal, Rejection, Timestamp,
    terms::DigestRole,
    verifier::{Attribution, Signer, Undated, VerifiedAuthority, VerifiedEntry, VerifiedSct, VerifiedTime},
};
use serde::Serialize;
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Version of the JSON form. Fields may be added under the same number.
const JSON_VERSION: u32 = 1;

/// The answer about an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// At least one signature over its digest is verified, or one of a statement that names it.
    Signed,
    /// The server shows no entry about it.
    Nobody,
    /// Every entry about it is refused.
    Refused,
    /// No answer, or only entries that do not have what their signature is over, or whose time nobody has signed.
    Undecided,
}

/// What was found about one signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// Everything holds, the signature over the digest or the statement as well.
    Verified,
    /// Everything holds that is in the entry. The signature is over an envelope, which is not.
    Logged,
    /// Everything holds, the signature as well, and nobody has signed when it was made. That the certificate was used while it
    /// was valid is not established.
    Undated,
    /// The log has the entry, which lacks the signed data.
    Unread,
    /// A timestamp of the artifact is verified. It says nothing of a signer.
    Timestamped,
    /// A check failed.
    Refused,
}

/// A signature, or an entry that is refused as a whole.
#[derive(Debug, Serialize)]
struct Signature {
    verdict: Verdict,
    /// The server's name of the log.
    log: String,
    index: u64,
    /// `signed`; `payload` if the digest is that of a signed payload or envelope; `subject` if a statement names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// Type of that statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    predicate_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<Signer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<VerifiedAuthority>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scts: Vec<VerifiedSct>,
    /// When the log took the entry (RFC 3339). `None` if it does not tell.
    time: Option<String>,
    /// Whether the log has promised that time. If not, it is the log's record.
    time_is_proven: bool,
    /// The validity of the certificate, if the time is not proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_validity: Option<Undated>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<VerifiedEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Refusal>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// How far the server's answer is complete, by its word.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct CompleteTo {
    log: String,
    size: u64,
}

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    version: u32,
    /// As it was named.
    subject: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The digests that were asked for.
    digests: Vec<String>,
    signatures: Vec<Signature>,
    complete_to: Vec<CompleteTo>,
}

impl Outcome {
    /// Nothing was found yet.
    pub(super) fn of(subject: &str) -> Self {
        Self {
            version: JSON_VERSION,
            subject: subject.to_owned(),
            status: Status::Nobody,
            reason: None,
            digests: Vec::new(),
            signatures: Vec::new(),
            complete_to: Vec::new(),
        }
    }

    /// There is no answer.
    pub(super) fn undecided(subject: &str, reason: String) -> Self {
        Self { status: Status::Undecided, reason: Some(reason), ..Self::of(subject) }
    }

    /// Adds what an entry proves.
    pub(super) fn add(&mut self, entry: &Entry, verdict: Result<Established, Refusal>) {
        let refused = |refusal| Signature {
            verdict: Verdict::Refused,
            refusal: Some(refusal),
            time: entry.recorded.map(Timestamp::rfc3339_millis),
            ..Signature::at(entry)
        };
        match verdict {
            Err(refusal) => self.signatures.push(refused(refusal)),
            Ok(Established { role, predicate_type, verified }) => {
                for signature in verified.signatures {
                    self.signatures.push(match signature {
                        Err(refusal) if matches!(refusal.rejection(), Rejection::EntryUnverifiable { .. }) => {
                            Signature {
                                refusal: Some(refusal),
                                ..Signature::unread(entry, &verified.entry, verified.time.as_ref())
                            }
                        }
                        Err(refusal) => refused(refusal),
                        Ok(attribution) => Signature {
                            role: Some(role_name(role)),
                            predicate_type: predicate_type.clone(),
                            warnings: verified.warnings.clone(),
                            ..Signature::of(entry, attribution, &verified.entry, verified.time.as_ref())
                        },
                    });
                }
            }
        }
    }

    /// Notes that a digest was asked for.
    pub(super) fn asked(&mut self, algorithm: HashAlgorithm, digest: &[u8], complete_to: Vec<(String, u64)>) {
        self.digests.push(format!("{}:{}", algorithm.name(), hex::encode(digest)));
        for (log, size) in complete_to {
            match self.complete_to.iter_mut().find(|known| known.log == log) {
                // The questions were asked one after the other: the smaller size is that of all.
                Some(known) => known.size = known.size.min(size),
                None => self.complete_to.push(CompleteTo { log, size }),
            }
        }
    }

    /// The answer, once everything was added.
    pub(super) fn decided(mut self) -> Self {
        let has = |verdict| self.signatures.iter().any(|signature| signature.verdict == verdict);
        // What proves most comes first.
        let verdicts = [
            Verdict::Verified,
            Verdict::Undated,
            Verdict::Logged,
            Verdict::Unread,
            Verdict::Refused,
            Verdict::Timestamped,
        ];
        let (status, reason) = match verdicts.into_iter().find(|verdict| has(*verdict)) {
            Some(Verdict::Verified) => (Status::Signed, None),
            Some(Verdict::Undated) => {
                let reason = "it is signed, but nobody has signed when, so it is not established that a certificate was used \
                              while it was valid; verify the bundle, which has a timestamp, with chancery verify blob";
                (Status::Undecided, Some(reason))
            }
            Some(Verdict::Logged) => {
                let reason = "only attestations are logged, which cannot be verified without their statements, and the server \
                              shows none; verify the bundle with chancery verify attestation";
                (Status::Undecided, Some(reason))
            }
            Some(Verdict::Unread) => {
                (Status::Undecided, Some("the entries about it lack the signed data, so no signature can be verified"))
            }
            Some(Verdict::Refused) if self.knows_no_log() => {
                let reason = "no entry about it is verified, because this trust root has none of the logs: is it the trust root of \
                              another server?";
                (Status::Refused, Some(reason))
            }
            Some(Verdict::Refused) => (Status::Refused, Some("no entry about it is verified")),
            Some(Verdict::Timestamped) => {
                (Status::Nobody, Some("only timestamps of it are logged, and a timestamp does not name the signer"))
            }
            None => {
                let reason = "the server shows no entry about it; that of an image's signature, and of an attestation whose statement \
                              the log does not keep, is under the digest of what was signed: verify it with chancery verify image or \
                              verify attestation, or search for that digest with chancery search --digest";
                (Status::Nobody, Some(reason))
            }
        };
        (self.status, self.reason) = (status, reason.map(str::to_owned));
        self
    }

    /// Whether every entry that is refused is in a log that the trust root does not have.
    fn knows_no_log(&self) -> bool {
        let mut refusals = self.signatures.iter().filter_map(|signature| signature.refusal.as_ref());
        refusals.all(|refusal| matches!(refusal.rejection(), Rejection::LogUnknown))
    }

    /// Prints the answer.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<ExitCode> {
        if json {
            output::print_json(self)?;
        } else {
            self.write(&mut output::data())?;
        }
        Ok(match self.status {
            Status::Signed => ExitCode::SUCCESS,
            Status::Nobody | Status::Refused => ExitCode::from(1),
            Status::Undecided => ExitCode::from(3),
        })
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let word = match self.status {
            Status::Signed => "signed   ",
            Status::Nobody => "NOBODY   ",
            Status::Refused => "REFUSED  ",
            Status::Undecided => "UNDECIDED",
        };
        match &self.reason {
            Some(reason) => writeln!(out, "{word}  {}  {reason}", self.subject)?,
            None => writeln!(out, "{word}  {}", self.subject)?,
        }
        for signature in &self.signatures {
            signature.write(out)?;
        }
        if !self.complete_to.is_empty() {
            let logs: Vec<String> =
                self.complete_to.iter().map(|log| format!("{} {}", escaped(&log.log), log.size)).collect();
            writeln!(out, "           complete up to these sizes, by the server's word: {}", logs.join(", "))?;
        }
        Ok(())
    }
}

impl Signature {
    /// Nothing is known of it but its place.
    fn at(entry: &Entry) -> Self {
        Self {
            verdict: Verdict::Refused,
            log: entry.log.clone(),
            index: entry.index,
            role: None,
            predicate_type: None,
            signer: None,
            authority: None,
            scts: Vec::new(),
            time: None,
            time_is_proven: false,
            certificate_validity: None,
            entry: None,
            refusal: None,
            warnings: Vec::new(),
        }
    }

    fn of(entry: &Entry, attribution: Attribution, held: &VerifiedEntry, time: Option<&VerifiedTime>) -> Self {
        Self {
            verdict: match (attribution.is_verified(), held.kind == TIMESTAMP, attribution.undated) {
                (false, ..) => Verdict::Logged,
                (true, true, _) => Verdict::Timestamped,
                (true, false, Some(_)) => Verdict::Undated,
                (true, false, None) => Verdict::Verified,
            },
            certificate_validity: attribution.undated,
            signer: Some(attribution.signer),
            authority: attribution.authority,
            scts: attribution.scts,
            ..Self::unread(entry, held, time)
        }
    }

    /// Nothing is known of its signer.
    fn unread(entry: &Entry, held: &VerifiedEntry, time: Option<&VerifiedTime>) -> Self {
        let proven = time.map(VerifiedTime::time);
        Self {
            verdict: Verdict::Unread,
            time: proven.or(entry.recorded).map(Timestamp::rfc3339_millis),
            time_is_proven: proven.is_some(),
            entry: Some(held.clone()),
            ..Self::at(entry)
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let place = format!("{} {}", escaped(&self.log), self.index);
        if let (Verdict::Unread, Some(refusal)) = (self.verdict, &self.refusal) {
            return writeln!(out, "           in the log, not verified: {place}: {}: {refusal}", refusal.code());
        }
        if let Some(refusal) = &self.refusal {
            return writeln!(out, "           passed over: {place}: {}: {refusal}", refusal.code());
        }
        let signer = self.signer.as_ref().map(whole).unwrap_or_default();
        let when = when(self.time.as_deref(), self.time_is_proven, self.certificate_validity.as_ref());
        let what = match (self.verdict, self.role) {
            (Verdict::Verified, Some(SUBJECT)) => "named in a statement by",
            (Verdict::Verified, _) => "signed by",
            (Verdict::Undated, Some(SUBJECT)) => "named in a statement, signed at some time by",
            (Verdict::Undated, _) => "signed at some time by",
            (Verdict::Timestamped, _) => "a timestamp is logged, signed by",
            (Verdict::Logged | Verdict::Unread | Verdict::Refused, _) => "an attestation is logged of",
        };
        let log = self.entry.as_ref().map(|entry| entry.url.as_str()).unwrap_or_default();
        writeln!(out, "           {what} {signer}, {when}, in {log} ({place})")?;
        if let Some(predicate_type) = &self.predicate_type {
            writeln!(out, "             a statement of type {}", escaped(predicate_type))?;
        }
        for warning in &self.warnings {
            writeln!(out, "             note: {warning}")?;
        }
        Ok(())
    }
}

/// The kind of entries of timestamps.
const TIMESTAMP: &str = "rfc3161";
/// The role of a digest that a statement names.
const SUBJECT: &str = "subject";

const fn role_name(role: DigestRole) -> &'static str {
    match role {
        DigestRole::Artifact => "signed",
        DigestRole::Attestation => "payload",
        DigestRole::Subject => SUBJECT,
    }
}

/// When a log took an entry, and what that is worth.
pub(in crate::cli) fn when(time: Option<&str>, is_proven: bool, undated: Option<&Undated>) -> String {
    let validity = undated.map(|Undated { not_before, not_after }| {
        let (from, to) = (not_before.rfc3339(), not_after.rfc3339());
        format!("certificate valid from {from} to {to}; that it was used then is not established")
    });
    match (time, validity) {
        (Some(time), _) if is_proven => format!("at {time} (promised by the log)"),
        (Some(time), None) => format!("at {time} (by the log's record, not proven)"),
        (Some(time), Some(validity)) => format!("at {time} (by the log's record, not proven; {validity})"),
        (None, Some(validity)) => format!("at a time that the log does not tell ({validity})"),
        (None, None) => "at a time that the log does not tell".to_owned(),
    }
}
