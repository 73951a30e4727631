//! The result for every file and image, as a table for people, as JSON for programs, and as exit code.

use crate::{cli::foreign::whole, output};
use chancery_image::{Broken, Place, Purpose};
use chancery_verify::{
    Refusal,
    policy::Decision,
    verifier::{Verified, VerifiedEntry},
};
use serde::Serialize;
use std::{fmt, io::Write as _, process::ExitCode};

/// Version of the JSON form. Fields may be added under the same number.
const JSON_VERSION: u32 = 1;

/// Codes of evidence by an authority or a log that the trust root does not have.
const UNKNOWN: [&str; 4] = ["chain.untrusted", "log.unknown", "sct.unknown_log", "timestamp.signer"];

/// The answer about one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Verified,
    Refused,
    /// Nothing is known: the registry or file could not be read.
    Undecided,
}

/// A signature or attestation that is genuine.
#[derive(Debug, Serialize)]
pub(super) struct Genuine {
    /// Where it was found.
    pub(super) place: String,
    /// The layout, of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) layout: Option<&'static str>,
    /// Whether it satisfied a rule of the policy; without policy, true.
    pub(super) counted: bool,
    /// What is attested; `None` for a signature of the artifact itself.
    pub(super) predicate_type: Option<String>,
    /// Everything that was established.
    pub(super) verified: Verified,
}

impl Genuine {
    /// One that counts, until a policy says otherwise.
    pub(super) fn new(place: String, layout: Option<&'static str>, purpose: Purpose, verified: Verified) -> Self {
        let predicate_type = match purpose {
            Purpose::Signature => None,
            Purpose::Attestation { predicate_type } => Some(predicate_type),
        };
        Self { place, layout, counted: true, predicate_type, verified }
    }
}

/// Something that did not count, and why.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct PassedOver {
    place: String,
    code: &'static str,
    reason: String,
}

impl PassedOver {
    pub(super) fn new(place: impl Into<String>, code: &'static str, reason: impl Into<String>) -> Self {
        Self { place: place.into(), code, reason: reason.into() }
    }

    pub(super) fn of_refusal(place: impl Into<String>, refusal: &Refusal) -> Self {
        Self::new(place, refusal.code(), refusal.to_string())
    }

    pub(super) fn of_broken(broken: &Broken) -> Self {
        Self::new(shown(&broken.place), broken.code, &broken.reason)
    }

    pub(super) fn with_hint(mut self, hint: Option<&str>) -> Self {
        if let Some(hint) = hint {
            self.reason = format!("{}; {hint}", self.reason);
        }
        self
    }

    pub(in crate::cli) const fn code(&self) -> &'static str {
        self.code
    }

    pub(in crate::cli) fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.code, self.reason)
    }
}

/// A place in a registry for people.
pub(super) fn shown(place: &Place) -> String {
    format!("{} {}, layer {}", place.layout, place.manifest, place.layer)
}

/// What came out for one file or image.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// As it was named.
    pub(super) subject: String,
    pub(super) status: Status,
    /// `REPOSITORY@DIGEST` of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pinned: Option<String>,
    /// Why it is not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// What is genuine; not all of it need be enough.
    pub(super) signatures: Vec<Genuine>,
    /// What did not count.
    pub(super) passed_over: Vec<PassedOver>,
    /// The policy's decision, rule by rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<Decision>,
}

impl Outcome {
    /// Not verified, before anything was found.
    pub(super) fn failed(
        subject: impl Into<String>,
        status: Status,
        code: &'static str,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            subject: subject.into(),
            status,
            pinned: None,
            code: Some(code),
            reason: Some(reason.into()),
            signatures: Vec::new(),
            passed_over: Vec::new(),
            decision: None,
        }
    }

    /// What was passed over, without the only one if its reason is that of the outcome.
    pub(super) fn others(&self) -> &[PassedOver] {
        match self.passed_over.as_slice() {
            [only] if Some(only.code) == self.code && Some(&only.reason) == self.reason.as_ref() => &[],
            all => all,
        }
    }
}

/// How the outcomes are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Show {
    pub(super) json: bool,
    /// A policy was given.
    pub(super) expected: bool,
}

/// Prints the outcomes; the exit code is that of the worst.
pub(super) fn print(outcomes: &[Outcome], show: Show) -> anyhow::Result<ExitCode> {
    let mut out = output::text();
    if show.json {
        #[derive(Serialize)]
        struct Document<'a> {
            version: u32,
            /// Whether a signer was required.
            signer_expected: bool,
            results: &'a [Outcome],
        }
        let document = Document { version: JSON_VERSION, signer_expected: show.expected, results: outcomes };
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    } else {
        for outcome in outcomes {
            write(&mut out, outcome)?;
        }
    }
    if !show.expected && outcomes.iter().any(|outcome| outcome.status == Status::Verified) {
        output::note(
            "note: no signer was required. The result shows the signer, but not whether it is the right one: add \
             --certificate-identity and --certificate-oidc-issuer, --key, or --policy.",
        );
    }
    note_unknown(outcomes);
    Ok(exit_code(outcomes))
}

/// Says once what the trust root may lack: such a reason is about the first thing that it does not have, and not about the root.
pub(super) fn note_unknown(outcomes: &[Outcome]) {
    if outcomes.iter().any(|outcome| outcome.code.is_some_and(|code| UNKNOWN.contains(&code))) {
        output::note(
            "note: this trust root does not have the authorities or logs of a signature above. Is it the trust root of another \
             server? --trust, --trusted-root or --tuf-url names that of the server that you trust.",
        );
    }
}

/// 1 has priority over 3: a refused artifact stays refused, even if another one could not be decided.
pub(super) fn exit_code(outcomes: &[Outcome]) -> ExitCode {
    let any = |status| outcomes.iter().any(|outcome| outcome.status == status);
    match (any(Status::Refused), any(Status::Undecided)) {
        (true, _) => ExitCode::from(1),
        (false, true) => ExitCode::from(3),
        (false, false) => ExitCode::SUCCESS,
    }
}

fn write(out: &mut impl std::io::Write, outcome: &Outcome) -> std::io::Result<()> {
    let Outcome { subject, status, pinned, code, reason, signatures, .. } = outcome;
    let word = match status {
        Status::Verified => "verified ",
        Status::Refused => "REFUSED  ",
        Status::Undecided => "UNDECIDED",
    };
    let name = pinned.as_deref().filter(|pinned| !pinned.is_empty()).unwrap_or(subject);
    match (code, reason) {
        (Some(code), Some(reason)) => writeln!(out, "{word}  {name}  {code}: {reason}")?,
        _ => writeln!(out, "{word}  {name}")?,
    }
    for genuine in signatures {
        let what = genuine.predicate_type.as_deref().map_or("signed".to_owned(), |kind| format!("attested ({kind})"));
        let times = &genuine.verified.times;
        let time = times.first().map(|time| format!(", at {}", time.time().rfc3339_millis())).unwrap_or_default();
        let logs: Vec<String> = genuine.verified.entries.iter().map(place_in_log).collect();
        let counts = if genuine.counted { "" } else { " (does not count)" };
        writeln!(out, "           {what} by {}{time}{}{counts}", whole(&genuine.verified.signer), logs.concat())?;
        for warning in &genuine.verified.warnings {
            writeln!(out, "             note: {warning}")?;
        }
    }
    // One reason has been told; the others matter where it is not verified. JSON always has them.
    if *status != Status::Verified {
        for passed in outcome.others() {
            writeln!(out, "           passed over: {passed}")?;
        }
    }
    Ok(())
}

/// The log and, where something vouches for it, the index.
fn place_in_log(entry: &VerifiedEntry) -> String {
    let index = entry.log_index.map(|index| format!(" as {index}")).unwrap_or_default();
    format!(", in {}{index}", entry.url)
}
