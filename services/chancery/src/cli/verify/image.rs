//! `chancery verify image`: signatures of container images, where their registry has them.

use super::{
    blob::SharedArguments,
    decision::{Collected, Context},
    expectation::Wanted,
    outcome::{self, Genuine, Outcome, PassedOver, Status, shown},
    registry::RegistryArguments,
    work,
};
use anyhow::{Context as _, ensure};
use chancery_image::{Established, Found, Layout, Purpose, children, find};
use chancery_registry::{Client, Digest, Error, Facts, Fetched, Reference, Repository, facts::Bounds};
use chancery_verify::verifier::AnySigner;
use clap::{Args, ValueEnum};
use std::{io::Write as _, process::ExitCode, sync::Arc};

/// Check the signatures of container images
///
/// A tag is resolved once; the answer is about the digest, and --pin prints it. Signatures are read in the layout that --layout
/// says and in no other: what a registry hides or cannot answer never makes the command look elsewhere.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery verify image registry.example.org/app:1.2 --trusted-root trusted_root.json --pin \\
      --certificate-identity ci@example.org --certificate-oidc-issuer https://issuer.example.org
  chancery verify image registry.example.org/app:1.2 --trust ./trust --layout legacy --key cosign.pub
  chancery verify image registry.example.org/app:1.2 --trust ./trust --policy policy.toml --platform linux/amd64
  chancery verify image registry.example.org/app:1.2 --trust ./trust --type slsaprovenance1 --policy policy.toml --json")]
pub(super) struct Arguments {
    /// The images: `REPOSITORY[:TAG][@DIGEST]`
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Where signatures are: bundle (what cosign 3 writes), legacy (the .sig and .att tags of cosign 1 and 2), or all of them
    #[arg(long, value_name = "LAYOUT", default_value = "bundle")]
    layout: LayoutName,
    /// Check the manifest for this platform instead of the index: OS/ARCHITECTURE[/VARIANT], or each for every platform's own
    /// signature
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Look for attestations of this type instead of signatures; `sign` means signatures, too. May be given several times
    #[arg(long = "type", value_name = "URI|NAME")]
    types: Vec<String>,
    /// Look for signatures in this repository instead of the image's own: a mirror
    #[arg(long, value_name = "REPOSITORY")]
    signature_repository: Option<String>,
    /// Refuse images that are named by a tag alone
    #[arg(long)]
    require_digest: bool,
    /// Print REPOSITORY@DIGEST of each verified image, and nothing else
    #[arg(long, conflicts_with = "json")]
    pin: bool,
    #[command(flatten)]
    registry: RegistryArguments,
    #[command(flatten)]
    shared: SharedArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LayoutName {
    Bundle,
    Legacy,
    All,
}

impl From<LayoutName> for Layout {
    fn from(name: LayoutName) -> Self {
        match name {
            LayoutName::Bundle => Self::Bundle,
            LayoutName::Legacy => Self::Legacy,
            LayoutName::All => Self::All,
        }
    }
}

/// What is constant for all images.
pub(super) struct Run {
    context: Arc<Context>,
    client: Client,
    layout: Layout,
    platform: Option<String>,
    signatures: Option<Repository>,
    /// One image may be named often; what its registry holds is read once.
    facts: Facts<(Repository, Digest), Found, Error>,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let references = arguments.images.iter().map(|text| {
        let reference: Reference = text.parse().with_context(|| format!("{text} is not the name of an image"))?;
        let pinned = reference.digest().is_some() || !arguments.require_digest;
        ensure!(pinned, "{text} has no digest, and --require-digest is given: a tag can be moved");
        Ok(reference)
    });
    let references = references.collect::<anyhow::Result<Vec<_>>>()?;
    let signatures = arguments.signature_repository.as_deref().map(str::parse).transpose();
    let shared = &arguments.shared;
    let context = shared.context(shared.signer.read(Wanted::of_types(&arguments.types)?)?).await?;
    let run = Run::new(Arc::clone(&context), arguments.registry.client()?, arguments.layout.into());
    let signatures = signatures.context("--signature-repository")?;
    let run = Arc::new(Run { platform: arguments.platform, signatures, ..run });
    let outcomes = work::each(references, shared.parallel, shared.json, |reference| {
        let run = Arc::clone(&run);
        async move { run.image(&reference).await }
    });
    let outcomes = outcomes.await;
    if !arguments.pin {
        return outcome::print(&outcomes, shared.show(&context));
    }
    let mut out = std::io::stdout().lock();
    for outcome in &outcomes {
        match (outcome.status, &outcome.pinned) {
            (Status::Verified, Some(pinned)) => writeln!(out, "{pinned}")?,
            _ => eprintln!(
                "{}: {}: {}",
                outcome.subject,
                outcome.code.unwrap_or_default(),
                outcome.reason.as_deref().unwrap_or_default()
            ),
        }
    }
    Ok(outcome::exit_code(&outcomes))
}

impl Run {
    /// Asks for the image itself, and for signatures where it is.
    pub(super) fn new(context: Arc<Context>, client: Client, layout: Layout) -> Self {
        let facts = Facts::new(Bounds::default(), Found::weight);
        Self { context, client, layout, platform: None, signatures: None, facts }
    }

    pub(super) async fn image(&self, reference: &Reference) -> Outcome {
        let subject = reference.to_string();
        match self.judge(reference, &subject).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let status = if error.kind().is_undecided() { Status::Undecided } else { Status::Refused };
                Outcome::failed(subject, status, error.code(), error.to_string())
            }
        }
    }

    async fn judge(&self, reference: &Reference, subject: &str) -> Result<Outcome, Error> {
        let image = self.client.resolve(reference).await?;
        let repository = reference.repository();
        let pinned = format!("{repository}@{}", image.digest);
        let platform = match self.platform.as_deref() {
            None => {
                let outcome = self.manifest(repository, &image.digest, &image.bytes, subject).await?;
                return Ok(Outcome { pinned: Some(pinned), ..outcome });
            }
            Some("each") => None,
            named => named,
        };
        let manifests = match children(&image, platform) {
            Ok(manifests) if !manifests.is_empty() => manifests,
            Ok(_) => return Ok(refused(subject, pinned, "the index has no manifest for any platform")),
            Err(error) => return Ok(refused(subject, pinned, &error.to_string())),
        };
        let mut whole: Option<Outcome> = None;
        for descriptor in manifests {
            let child = self.child(repository, &descriptor.digest).await?;
            let outcome = self.manifest(repository, &child.digest, &child.bytes, subject).await?;
            // With a platform the answer is about its manifest; with all of them, about the index that has nothing else.
            let name = if platform.is_some() { format!("{repository}@{}", child.digest) } else { pinned.clone() };
            whole = Some(join(whole, Outcome { pinned: Some(name), ..outcome }));
        }
        Ok(whole.unwrap_or_else(|| refused(subject, pinned, "the index has no manifest")))
    }

    async fn child(&self, repository: &Repository, digest: &Digest) -> Result<Fetched, Error> {
        chancery_image::manifest(&self.client, repository, digest).await
    }

    /// What is signed is the digest of `bytes`.
    async fn manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
        bytes: &[u8],
        subject: &str,
    ) -> Result<Outcome, Error> {
        let elsewhere = self.signatures.as_ref().unwrap_or(repository);
        let read = || find(&self.client, elsewhere, digest, self.layout);
        let facts = self.facts.get((elsewhere.clone(), digest.clone()), read).await?;
        let context = &self.context;
        let mut collected = Collected::default();
        collected.passed_over.extend(facts.broken.iter().map(PassedOver::of_broken));
        let empty = facts.candidates.is_empty() && facts.broken.is_empty();
        for candidate in &facts.candidates {
            let place = shown(&candidate.place);
            match candidate.verify(&context.verifier, digest, bytes, &AnySigner, context.now) {
                Ok(Established { verified, purpose, annotations, .. }) => {
                    let predicate_type = match purpose {
                        Purpose::Signature => None,
                        Purpose::Attestation { predicate_type } => Some(predicate_type),
                    };
                    let layout = Some(candidate.place.layout);
                    let genuine = Genuine { place, layout, counted: true, predicate_type, annotations, verified };
                    collected.add(context, genuine);
                }
                Err(refusal) => collected.passed_over.push(PassedOver::of_refusal(place, &refusal)),
            }
        }
        let mut outcome = collected.decide(context, subject);
        if empty {
            outcome.reason = Some(none(elsewhere, self.layout));
        }
        Ok(outcome)
    }
}

fn refused(subject: &str, pinned: String, reason: &str) -> Outcome {
    Outcome { pinned: Some(pinned), ..Outcome::failed(subject, Status::Refused, "image.platform", reason) }
}

/// What to do where there is nothing.
fn none(repository: &Repository, layout: Layout) -> String {
    let other = match layout {
        Layout::Bundle => "signatures of cosign 1 and 2 are found with --layout legacy; ",
        Layout::Legacy => "signatures of cosign 3 are found with --layout bundle; ",
        Layout::All => "",
    };
    format!(
        "{repository} has no signature or attestation of this digest. {other}a copy made with `cosign copy` or `crane copy` has \
         no bundles: name the repository that has them with --signature-repository"
    )
}

/// The answer about several manifests: the worst, with all signatures.
fn join(first: Option<Outcome>, mut second: Outcome) -> Outcome {
    let Some(mut first) = first else { return second };
    first.signatures.append(&mut second.signatures);
    first.passed_over.append(&mut second.passed_over);
    let worse = matches!((first.status, second.status), (Status::Verified, _) | (Status::Undecided, Status::Refused));
    if worse && second.status != Status::Verified {
        (first.status, first.code, first.reason) = (second.status, second.code, second.reason);
        first.decision = second.decision;
    }
    first
}
