//! `chancery verify image`: verifies signatures of container images, from a registry or a directory.

mod judge;
mod places;

use super::{
    blob::SharedArguments,
    decision::Context,
    expectation::Wanted,
    outcome::{self, Outcome, Status},
    registry::RegistryArguments,
    work,
};
use crate::output;
use anyhow::{Context as _, bail, ensure};
use chancery_image::Layout;
use chancery_registry::{Client, Reference, Repository};
use chancery_verify::policy::Policy;
use clap::{Args, ValueEnum};
use judge::judge;
use places::{InDirectory, Registries};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Check the signatures of container images
///
/// Resolves a tag once; the result is about that digest, and --pin prints it. Reads signatures in the layout of --layout and in
/// no other, so that a registry that hides signatures cannot make the command accept those of another layout.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery verify image registry.example.org/app:1.2 --trusted-root trusted_root.json --pin \\
      --certificate-identity ci@example.org --certificate-oidc-issuer https://issuer.example.org
  chancery verify image registry.example.org/app:1.2 --trust ./trust --layout legacy --key cosign.pub
  chancery verify image registry.example.org/app:1.2 --trust ./trust --policy policy.toml --platform linux/amd64
  chancery verify image registry.example.org/app:1.2 --trust ./trust --type slsaprovenance1 --policy policy.toml --json
  chancery verify image --local-image ./saved --trust ./trust --policy policy.toml")]
pub(super) struct Arguments {
    /// Check these images: `REPOSITORY[:TAG][@DIGEST]`; with --local-image, directories
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Read images from directories made by `cosign save`, or other OCI image layouts with one image; contact no registry
    #[arg(long, conflicts_with_all = ["signature_repository", "require_digest", "pin"])]
    local_image: bool,
    /// Read signatures in this layout; by default the layout in the policy, or else bundle
    ///
    /// bundle: bundles of cosign 3. legacy: the tags .sig and .att of cosign 1 and 2. oci11: the referrers that cosign 2 writes
    /// with --registry-referrers-mode oci-1-1. all: all of them.
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<LayoutName>,
    /// Check the manifest of this platform, OS/ARCHITECTURE[/VARIANT], instead of the index; each checks every platform's own
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Check attestations of this type instead of signatures; `sign` stands for signatures; repeatable
    ///
    /// Without --type, a policy file decides over all signatures and attestations of the image.
    #[arg(long = "type", value_name = "URI|NAME")]
    types: Vec<String>,
    /// Read signatures from this repository instead of the repository of the image
    #[arg(long, value_name = "REPOSITORY")]
    signature_repository: Option<String>,
    /// Refuse images that are named by a tag without digest
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
    Oci11,
    All,
}

impl From<LayoutName> for Layout {
    fn from(name: LayoutName) -> Self {
        match name {
            LayoutName::Bundle => Self::Bundle,
            LayoutName::Legacy => Self::Legacy,
            LayoutName::Oci11 => Self::Oci11,
            LayoutName::All => Self::All,
        }
    }
}

/// The layout that the policy or the flag sets. If both set one, they must be equal. Default: bundles.
pub(super) fn layout(flag: Option<LayoutName>, policy: Option<&Policy>) -> anyhow::Result<Layout> {
    match (flag.map(Layout::from), policy.and_then(Policy::layout)) {
        (Some(flag), Some(of_policy)) if flag != of_policy => {
            bail!("--layout says another layout than the policy: leave it out, or change [images] in the policy")
        }
        (flag, of_policy) => Ok(flag.or(of_policy).unwrap_or(Layout::Bundle)),
    }
}

/// The settings for all images of a run.
pub(super) struct Run {
    context: Arc<Context>,
    registries: Registries,
    layout: Layout,
    platform: Option<String>,
}

/// An image: its name, or its directory.
enum Named {
    Reference(Reference),
    Directory(PathBuf),
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let named = arguments.images.iter().map(|text| named(text, &arguments).map(|named| (text.clone(), named)));
    let named = named.collect::<anyhow::Result<Vec<_>>>()?;
    let signatures = arguments.signature_repository.as_deref().map(str::parse).transpose();
    let signatures = signatures.context("--signature-repository")?;
    let shared = &arguments.shared;
    let context = shared.context(shared.signer.read(Wanted::of_types(&arguments.types)?)?).await?;
    let layout = layout(arguments.layout, context.expectation.policy.as_ref())?;
    let run = Run::new(Arc::clone(&context), arguments.registry.client()?, layout, signatures);
    let run = Arc::new(Run { platform: arguments.platform, ..run });
    let outcomes = work::each(named, shared.parallel, shared.json, |named| {
        let run = Arc::clone(&run);
        async move {
            match named {
                Named::Reference(reference) => run.image(&reference).await,
                Named::Directory(path) => run.directory(&path).await,
            }
        }
    });
    let outcomes = outcomes.await;
    if !arguments.pin {
        return outcome::print(&outcomes, shared.show(&context));
    }
    let mut out = output::data();
    for outcome in &outcomes {
        match (outcome.status, &outcome.pinned) {
            (Status::Verified, Some(pinned)) => writeln!(out, "{pinned}")?,
            _ => output::note(&format!(
                "{}: {}: {}",
                outcome.subject,
                outcome.code.unwrap_or_default(),
                outcome.reason.as_deref().unwrap_or_default()
            )),
        }
    }
    Ok(outcome::exit_code(&outcomes))
}

fn named(text: &str, arguments: &Arguments) -> anyhow::Result<Named> {
    if arguments.local_image {
        return Ok(Named::Directory(PathBuf::from(text)));
    }
    let reference: Reference = text.parse().with_context(|| format!("{text} is not the name of an image"))?;
    let pinned = reference.digest().is_some() || !arguments.require_digest;
    ensure!(pinned, "{text} has no digest, and --require-digest is given: a tag can be moved");
    Ok(Named::Reference(reference))
}

impl Run {
    /// Reads images from their registries, and signatures from the same repository or from `signatures`.
    pub(super) fn new(context: Arc<Context>, client: Client, layout: Layout, signatures: Option<Repository>) -> Self {
        Self { context, registries: Registries::new(client, layout, signatures), layout, platform: None }
    }

    /// Verifies an image of a registry.
    pub(super) async fn image(&self, reference: &Reference) -> Outcome {
        let image = self.registries.image(reference);
        judge(&self.context, &image, &reference.to_string(), self.platform.as_deref()).await
    }

    /// Verifies the image in a directory.
    pub(super) async fn directory(&self, path: &Path) -> Outcome {
        let image = InDirectory::new(path, self.layout);
        judge(&self.context, &image, &path.display().to_string(), self.platform.as_deref()).await
    }
}
