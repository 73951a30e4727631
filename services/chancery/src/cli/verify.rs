//! `chancery verify`: whether files and images are signed, by whom, and whether that is enough.
//!
//! `chancery-verify` decides, and `chancery-image` reads registries; these modules read arguments and files, and show the
//! outcome. They ask no service but the registry of an image, and a TUF repository where one is named.
//!
//! Exit codes: 0 everything is verified; 1 something is refused; 2 the arguments, the policy or the trust root are wrong; 3 the
//! question is open for something (its registry was busy, could not be reached or has no copy; a file could not be read). 3 is
//! never turned into 1 or 0: an artifact that could not be asked for is neither signed nor unsigned.

mod attestation;
mod blob;
mod bundle;
mod code;
mod decision;
mod environment;
mod evidence;
mod expectation;
pub(super) mod explain;
mod files;
mod image;
mod outcome;
mod registry;
mod trust;
mod types;
mod work;

use crate::output;
use clap::{Args, Subcommand};
use std::process::ExitCode;
use trust::Unreached;

pub(super) use evidence::WitnessArguments;
pub(super) use files::{OwnedArtifact, artifact};
pub(super) use trust::{TrustArguments, fetch_anew, trusted_root_in};

/// Wrong arguments, policy or trust root.
const WRONG_USAGE: u8 = 2;
/// The trust root cannot be fetched now.
const UNDECIDED: u8 = 3;

/// Check signatures of files and container images, offline wherever possible
///
/// Give the trust root (--trusted-root, --trust or --tuf-url) and the expected signer: --certificate-identity with
/// --certificate-oidc-issuer, --key, or a --policy file. Without an expected signer, the command prints the signer, and you
/// decide.
///
/// An answer is verified, refused, or undecided because a registry or file could not be read. Undecided never means unsigned.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery verify blob release.tar.gz --trusted-root trusted_root.json \\
      --certificate-identity ci@example.org --certificate-oidc-issuer https://issuer.example.org
  chancery verify attestation release.tar.gz --type slsaprovenance1 --trust ./trust --policy policy.toml
  chancery verify bundle a.sigstore.json b.sigstore.json --artifact release.tar.gz --trusted-root trusted_root.json
  chancery verify image registry.example.org/app:1.2 --trusted-root trusted_root.json --policy policy.toml --pin")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Blob(Box<blob::Arguments>),
    Bundle(Box<bundle::Arguments>),
    Attestation(Box<attestation::Arguments>),
    Image(Box<image::Arguments>),
}

pub(super) async fn run(arguments: Arguments) -> ExitCode {
    let outcome = match arguments.verb {
        Verb::Blob(arguments) => blob::run(*arguments).await,
        Verb::Bundle(arguments) => bundle::run(*arguments).await,
        Verb::Attestation(arguments) => attestation::run(*arguments).await,
        Verb::Image(arguments) => image::run(*arguments).await,
    };
    outcome.unwrap_or_else(|error| failed(&error))
}

/// Says why a command could not begin to verify.
pub(super) fn failed(error: &anyhow::Error) -> ExitCode {
    output::failed(error, if error.is::<Unreached>() { UNDECIDED } else { WRONG_USAGE })
}
