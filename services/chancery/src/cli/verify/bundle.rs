//! `chancery verify bundle`: bundles of any kind, about one artifact.

use super::{
    blob::{SharedArguments, named, with_bundles},
    expectation::Wanted,
    files::{BundleFileError, read_bundles},
    outcome::{self, Outcome, Status},
    work,
};
use chancery_registry::ErrorKind;
use clap::Args;
use std::{path::PathBuf, process::ExitCode, sync::Arc};

/// Check bundles of any content against one artifact
///
/// Prints one result for each bundle. An attestation must be about the artifact. A file .jsonl contains one bundle per line.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery verify bundle a.sigstore.json --artifact release.tar.gz --trusted-root trusted_root.json \\
      --certificate-identity ci@example.org --certificate-oidc-issuer https://issuer.example.org
  chancery verify bundle *.sigstore.json --artifact release.tar.gz --trust ./trust --json")]
pub(super) struct Arguments {
    /// Check these bundles
    #[arg(value_name = "BUNDLE", required = true)]
    bundles: Vec<PathBuf>,
    /// The signed artifact: a file, or its digest as sha256:HEX
    #[arg(long, value_name = "FILE|DIGEST")]
    artifact: PathBuf,
    /// Read bundles in the format of cosign before version 3
    #[arg(long)]
    legacy: bool,
    #[command(flatten)]
    shared: SharedArguments,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { bundles, artifact, legacy, shared } = arguments;
    let context = shared.context(shared.signer.read(Wanted::Anything)?).await?;
    let outcomes = work::each(named(bundles), shared.parallel, shared.json, |path| {
        let (context, artifact) = (Arc::clone(&context), artifact.clone());
        async move {
            let shown = path.display().to_string();
            let subject = shown.clone();
            let judged = tokio::task::spawn_blocking(move || match read_bundles(&path, legacy) {
                Ok(bundles) => Outcome { subject, ..with_bundles(&context, &artifact, bundles) },
                Err(BundleFileError::Unreadable(error)) => Outcome::failed(
                    subject,
                    Status::Undecided,
                    ErrorKind::Unreadable.code(),
                    format!("cannot be read: {error}"),
                ),
                Err(BundleFileError::Malformed(passed)) => {
                    Outcome::failed(subject, Status::Refused, passed.code(), passed.reason())
                }
            });
            judged.await.unwrap_or_else(|_| work::interrupted(&shown))
        }
    });
    outcome::print(&outcomes.await, shared.show(&context))
}
