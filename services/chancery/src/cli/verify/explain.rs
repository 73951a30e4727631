//! `chancery policy explain`: a policy over the signatures of one bundle file or image, rule by rule.
//!
//! It establishes and decides exactly as `chancery verify` does; only what it shows differs.

use super::{
    decision::{Collected, Context},
    evidence::EvidenceArguments,
    expectation::{Expectation, Wanted},
    failed,
    files::{BundleFileError, Bundles, artifact, read_bundles},
    image::{self, LayoutName, Run},
    outcome::{self, Genuine, Outcome, PassedOver, Status},
    registry::RegistryArguments,
    trust::TrustArguments,
};
use crate::output;
use anyhow::{Context as _, bail, ensure};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_image::Purpose;
use chancery_registry::ErrorKind;
use chancery_verify::verifier::{AnySigner, UnboundEnvelope, Verifier};
use clap::Args;
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Show for each rule of a policy whether a bundle or an image satisfies it
///
/// Prints expected and found values of every rule, for every genuine signature.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery policy explain policy.toml app.sigstore.json --artifact app.tar.gz --trusted-root trusted_root.json
  chancery policy explain policy.toml registry.example.org/app:1.2 --trusted-root trusted_root.json
  chancery policy explain policy.toml registry.example.org/app:1.2 --trust ./trust --type slsaprovenance1")]
pub(in crate::cli) struct Arguments {
    /// The policy
    #[arg(value_name = "FILE")]
    policy: PathBuf,
    /// File of bundles, or image: `REPOSITORY[:TAG][@DIGEST]`, with --local-image a directory
    #[arg(value_name = "BUNDLE|IMAGE")]
    subject: String,
    /// The signed artifact: a file, or its digest as sha256:HEX
    ///
    /// Attestations do not need it. Without it, their subject is compared with nothing.
    #[arg(long, value_name = "FILE|DIGEST")]
    artifact: Option<PathBuf>,
    /// Read bundles in the format of cosign before version 3
    #[arg(long)]
    legacy: bool,
    /// Read the image from a directory made by `cosign save`
    #[arg(long)]
    local_image: bool,
    /// Read signatures of an image in this layout; by default the layout in the policy, or else bundle
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<LayoutName>,
    /// Read only attestations of this type of an image; `sign` stands for signatures; repeatable. Default: all
    #[arg(long = "type", value_name = "URI|NAME")]
    types: Vec<String>,
    /// Print the decision as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trust: TrustArguments,
    #[command(flatten)]
    evidence: EvidenceArguments,
    #[command(flatten)]
    registry: RegistryArguments,
}

pub(in crate::cli) async fn run(arguments: Arguments) -> ExitCode {
    explain(arguments).await.unwrap_or_else(|error| failed(&error))
}

async fn explain(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let is_file = Path::new(&arguments.subject).is_file();
    // Nobody is to be asked for an image of the name of a file that is not there.
    ensure!(is_file || !arguments.means_file(), "there is no file {}", arguments.subject);
    let wanted = if is_file { Wanted::Anything } else { Wanted::of_types(&arguments.types)? };
    let expectation = Expectation::of_policy(&arguments.policy, wanted)?;
    let options = arguments.evidence.options(expectation.policy.as_ref(), expectation.only_keys())?;
    let needed = !expectation.only_keys() || options.thresholds.log_entries > 0;
    let verifier = Verifier::new(arguments.trust.load(needed).await?, options);
    let verifier = expectation.keys.iter().cloned().fold(verifier, Verifier::with_key);
    let context = Arc::new(Context { verifier, expectation, now: SystemClock.now() });
    let outcome = if is_file {
        bundles(&context, &arguments)?
    } else {
        let layout = image::layout(arguments.layout, context.expectation.policy.as_ref())?;
        let run = Run::new(context, arguments.registry.client()?, layout, None);
        if arguments.local_image {
            run.directory(Path::new(&arguments.subject)).await
        } else {
            let reference = arguments.subject.parse();
            run.image(&reference.with_context(|| format!("{} is neither a file nor an image", arguments.subject))?)
                .await
        }
    };
    if arguments.json {
        return outcome::print(&[outcome], outcome::Show { json: true, expected: true });
    }
    output::print(&render(&outcome))?;
    let outcomes = [outcome];
    outcome::note_unknown(&outcomes);
    Ok(outcome::exit_code(&outcomes))
}

impl Arguments {
    /// Whether the subject can only be a file of bundles, also where there is none.
    fn means_file(&self) -> bool {
        let suffix = Path::new(&self.subject).extension().and_then(OsStr::to_str).unwrap_or_default();
        !self.local_image && (self.artifact.is_some() || matches!(suffix, "json" | "jsonl" | "sigstore" | "bundle"))
    }
}

/// Verifies the bundles of a file, about the artifact where it is known.
fn bundles(context: &Context, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let shown = arguments.subject.clone();
    let bundles = match read_bundles(Path::new(&shown), arguments.legacy) {
        Ok(bundles) => bundles,
        Err(BundleFileError::Unreadable(error)) => {
            let reason = format!("cannot be read: {error}");
            return Ok(Outcome::failed(shown, Status::Undecided, ErrorKind::Unreadable.code(), reason));
        }
        Err(BundleFileError::Malformed(passed)) => {
            return Ok(Outcome::failed(shown, Status::Refused, passed.code(), passed.reason()));
        }
    };
    let Some(name) = &arguments.artifact else {
        return unbound(context, bundles).map(|all| all.decide(context, shown));
    };
    let artifact = artifact(name).with_context(|| format!("cannot read {}", name.display()))?;
    Ok(super::blob::collect(context, &artifact, bundles).decide(context, shown))
}

/// Verifies attestations without their artifact.
fn unbound(context: &Context, bundles: Bundles) -> anyhow::Result<Collected> {
    let mut collected = Collected::default();
    for (place, bundle) in bundles {
        let bundle = match bundle {
            Ok(bundle) => bundle,
            Err(passed) => {
                collected.passed_over.push(passed);
                continue;
            }
        };
        match context.verifier.verify_envelope_of_unknown_artifact(&bundle, &AnySigner, context.now) {
            Ok(envelope) if envelope.verified.statement.is_none() => {
                let reason = format!("the envelope holds {}, and no statement", envelope.payload_type.escape_debug());
                collected.passed_over.push(PassedOver::new(place, "dsse.payload_type", reason));
            }
            Ok(UnboundEnvelope { verified, .. }) => {
                collected.add(context, Genuine::new(place, None, Purpose::of(&verified), verified));
            }
            Err(refusal) if refusal.code() == "artifact.bytes_needed" => {
                bail!("{place} signs an artifact itself, not an attestation: name it with --artifact")
            }
            Err(refusal) => collected.passed_over.push(PassedOver::of_refusal(place, &refusal)),
        }
    }
    Ok(collected)
}

/// The outcome as text: the decision rule by rule, or why there is nothing to decide on.
fn render(outcome: &Outcome) -> String {
    let mut text = String::new();
    match (&outcome.decision, &outcome.code, &outcome.reason) {
        (Some(decision), _, _) => text.push_str(&decision.to_string()),
        (None, code, reason) => {
            let word = if outcome.status == Status::Undecided { "undecided" } else { "refused" };
            let (code, reason) = (code.unwrap_or_default(), reason.as_deref().unwrap_or_default());
            text.extend([word, ", ", code, ": ", reason, "\n"]);
        }
    }
    for passed in outcome.others() {
        text.extend(["passed over, ", &passed.to_string(), "\n"]);
    }
    text
}
