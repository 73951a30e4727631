//! The result, as text for people, as JSON for programs, and as exit code.

use super::{super::artifact::outcome::when, Failure, History, Sound};
use crate::{
    cli::foreign::{escaped, whole},
    output,
};
use chancery_search::evidence::{Issued, LogReport, Place, Report, Signature, Verdict};
use chancery_verify::{counted, hash::sha256, leaves};
use serde::Serialize;
use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

/// Version of the JSON form. Fields may be added under the same number.
const JSON_VERSION: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Everything in the case is proven as it is reported.
    Sound,
    /// Something does not hold.
    Refused,
    /// It could not be told.
    Undecided,
}

/// The outcome about a case.
#[derive(Serialize)]
pub(super) struct Outcome {
    version: u32,
    /// The file, as it was named.
    case: String,
    status: Status,
    /// What it is called in text if it is sound.
    #[serde(skip)]
    sound_word: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// SHA-256 of the file. It names this case and no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(flatten)]
    report: Option<Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_history: Option<History>,
    /// Sentences about what the case does not prove.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_established: Vec<String>,
}

impl Outcome {
    /// The outcome about the case in this file.
    pub(super) fn of(sound_word: &'static str, case: &Path, result: Result<Sound, Failure>) -> Self {
        let outcome = Self {
            version: JSON_VERSION,
            case: case.display().to_string(),
            status: Status::Sound,
            sound_word,
            reason: None,
            sha256: None,
            report: None,
            trust_history: None,
            not_established: Vec::new(),
        };
        match result {
            Ok(Sound { archive, report, history }) => Self {
                sha256: Some(hex::encode(sha256(&archive))),
                not_established: not_established(&report, history.as_ref()),
                report: Some(report),
                trust_history: history,
                ..outcome
            },
            Err(failure) => {
                let status = if matches!(failure, Failure::Refused(_)) { Status::Refused } else { Status::Undecided };
                Self { status, reason: Some(failure.to_string()), ..outcome }
            }
        }
    }

    /// Prints it.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<ExitCode> {
        if json {
            output::print_json(self)?;
        } else {
            self.write(&mut output::data())?;
        }
        Ok(match self.status {
            Status::Sound => ExitCode::SUCCESS,
            Status::Refused => ExitCode::from(1),
            Status::Undecided => ExitCode::from(3),
        })
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let word = match self.status {
            Status::Sound => self.sound_word,
            Status::Refused => "REFUSED",
            Status::Undecided => "UNDECIDED",
        };
        let (name, about) = (&self.case, self.reason.as_ref().or(self.sha256.as_ref()));
        let about = about.map(String::as_str).unwrap_or_default();
        let hash = if self.reason.is_none() { "sha256:" } else { "" };
        writeln!(out, "{word:9}  {name}  {hash}{about}")?;
        let Some(report) = &self.report else { return Ok(()) };
        let filters: Vec<String> = report.question.iter().map(|(name, value)| format!("{name}={value}")).collect();
        writeln!(out, "           asked {} for {}", escaped(&report.server), escaped(&filters.join(" ")))?;
        report.logs.iter().try_for_each(|log| write_log(log, out))?;
        for (is_answer, title) in [(true, "answers"), (false, "beside them, certificates with these serial numbers")] {
            let signatures = report.signatures.iter().filter(|signature| signature.is_answer == is_answer);
            let signatures: Vec<&Signature> = signatures.collect();
            let certificates = report.certificates.iter().filter(|issued| issued.is_answer == is_answer);
            let certificates: Vec<&Issued> = certificates.collect();
            let count = signatures.len() + certificates.len();
            if is_answer || count > 0 {
                let count = if count == 0 { "none".to_owned() } else { count.to_string() };
                writeln!(out, "{title}: {count}")?;
            }
            signatures.iter().try_for_each(|signature| write_signature(signature, out))?;
            certificates.iter().try_for_each(|issued| write_issued(issued, out))?;
        }
        if let Some(history) = &self.trust_history {
            let History { first_root, newest_root, first_root_sha256, .. } = history;
            writeln!(
                out,
                "TUF roots {first_root} to {newest_root}, each signed by the one before; the first has SHA-256 {first_root_sha256}"
            )?;
        }
        if report.audit_lines > 0 {
            writeln!(out, "{} of the CA's audit log", counted(report.audit_lines, "line", "lines"))?;
        }
        writeln!(out, "not proven by this case:")?;
        self.not_established.iter().try_for_each(|sentence| writeln!(out, "  {sentence}"))
    }
}

fn write_log(log: &LogReport, out: &mut impl Write) -> io::Result<()> {
    let LogReport { log: name, head, extends, complete_to, .. } = log;
    let searched = complete_to.map_or_else(|| "not searched".to_owned(), |size| format!("searched up to {size}"));
    write!(out, "{}: {}, signed by {}; {searched}", escaped(name), leaves(head.tree_size), escaped(&head.origin))?;
    if !extends.is_empty() {
        let sizes: Vec<String> = extends.iter().map(u64::to_string).collect();
        write!(out, "; extends the trees of {}", sizes.join(", "))?;
    }
    let witnesses: Vec<String> = head.cosigners.iter().map(|cosigner| escaped(&cosigner.name)).collect();
    if !witnesses.is_empty() {
        write!(out, "; cosigned by {}", witnesses.join(", "))?;
    }
    writeln!(out)
}

fn write_signature(signature: &Signature, out: &mut impl Write) -> io::Result<()> {
    let place = place(&signature.place);
    if let Some(refusal) = &signature.refusal {
        let what = if signature.verdict == Verdict::Unread { "not verified" } else { "refused" };
        return writeln!(out, "  {place}: in the log, its signature {what}: {}: {refusal}", refusal.code());
    }
    let is_timestamp = signature.summary.as_ref().is_some_and(|summary| summary.kind == "rfc3161");
    let what = match signature.verdict {
        Verdict::Verified if is_timestamp => "in a timestamp signed by",
        Verdict::Verified => "signed by",
        Verdict::Undated => "signed at some time by",
        Verdict::Logged | Verdict::Refused | Verdict::Unread => "an attestation is logged of",
    };
    let signer = signature.signer.as_ref().map(whole).unwrap_or_default();
    let when = when(signature.time.as_deref(), signature.time_is_proven, signature.certificate_validity.as_ref());
    let summary = signature.summary.iter();
    let digests: Vec<&str> = summary.flat_map(|summary| &summary.digests).map(String::as_str).collect();
    let digests = if digests.is_empty() { String::new() } else { format!(" {}", escaped(&digests.join(" "))) };
    let logged: Vec<String> = signature.certificate_logged_in.iter().map(self::place).collect();
    let logged =
        if logged.is_empty() { String::new() } else { format!("; its certificate is in {}", logged.join(", ")) };
    writeln!(out, "  {place}:{digests} {what} {signer}, {when}{logged}")?;
    signature.warnings.iter().try_for_each(|warning| writeln!(out, "    note: {warning}"))
}

fn write_issued(issued: &Issued, out: &mut impl Write) -> io::Result<()> {
    let place = place(&issued.place);
    let time = issued.time.as_deref().unwrap_or("an unknown time");
    if let Some(refusal) = &issued.refusal {
        let code = refusal.code();
        return writeln!(out, "  {place}: in the log at {time}, not of a trusted authority: {code}: {refusal}");
    }
    let subject = issued.subject.as_ref().map(whole).unwrap_or_default();
    let uses: Vec<String> = issued.used_in.iter().map(self::place).collect();
    let uses = if uses.is_empty() {
        "used in no entry of this case".to_owned()
    } else {
        format!("used in {}", uses.join(", "))
    };
    writeln!(out, "  {place}: certificate of {subject}, logged at {time}; {uses}")
}

/// What a case leaves open, for people.
fn not_established(report: &Report, history: Option<&History>) -> Vec<String> {
    let count = |holds: &dyn Fn(&Signature) -> bool| {
        report.signatures.iter().filter(|signature| signature.refusal.is_none() && holds(signature)).count()
    };
    let mut sentences = vec![
        "that the logs have no other entry about this: how far they were searched is the server's word; to find out, read whole \
         logs with chancery log check"
            .to_owned(),
    ];
    let mut add = |number: usize, sentence: &str| {
        if number > 0 {
            sentences.push(format!("{}: {sentence}", counted(number, "signature", "signatures")));
        }
    };
    add(
        count(&|signature| !signature.time_is_proven && signature.time.is_some()),
        "its time; it is the log's record, by the word of whoever packed the case, and so it is not established that a certificate \
         was used while it was valid",
    );
    add(
        count(&|signature| signature.time.is_none()),
        "its time; nothing tells when, and so it is not established that a certificate was used while it was valid",
    );
    add(
        count(&|signature| signature.verdict == Verdict::Logged),
        "the signature itself; it is over an envelope, of which the log has only hashes",
    );
    let is_not_logged =
        |signature: &Signature| signature.authority.is_some() && signature.certificate_logged_in.is_empty();
    add(
        count(&|signature| is_not_logged(signature) && !signature.scts.is_empty()),
        "that its certificate is in a certificate log; only the SCTs promise it",
    );
    add(
        count(&|signature| is_not_logged(signature) && signature.scts.is_empty()),
        "that its certificate is in a certificate log; it has no SCT that counts",
    );
    let unread = report.signatures.iter().filter(|signature| signature.verdict == Verdict::Unread).count();
    add(unread, "the signer; the log has the entry, and the entry lacks the signed data");
    if !report.certificates.is_empty() {
        sentences.push(
            "the fingerprints of precertificates, and the chains beside them; a certificate log signs the certificate without its \
             signature, and the name of the authority's key"
                .to_owned(),
        );
    }
    if report.audit_lines > 0 {
        sentences.push("the lines of the audit log; they are the CA's word".to_owned());
    }
    if report.trust.is_the_given == Some(false) {
        sentences
            .push("the trusted root in the case; it is not the one that was given, which alone was used".to_owned());
    }
    if history.is_some() {
        sentences.push("the first TUF root; compare its SHA-256 with the one that was pinned".to_owned());
    }
    sentences
}

fn place(Place { log, index }: &Place) -> String {
    format!("{} {index}", escaped(log))
}
