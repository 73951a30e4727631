//! `chancery conformance`: the command-line protocol of sigstore-conformance, whose test suite any client can be run with.
//!
//! The arguments and their order are the protocol's. Exit code 0 means that the bundle was made, or that it verifies.

mod sign_bundle;
mod verify_bundle;

pub(super) use sign_bundle::round_trip;

use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Speak the command-line protocol of sigstore-conformance, for its test suite
///
/// For daily use there is `chancery verify`, whose results are more detailed. This program contains no trust root of the public
/// instance: always give --trusted-root and --signing-config.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery conformance sign-bundle --identity-token TOKEN --bundle a.sigstore.json --trusted-root trusted_root.json \\
      --signing-config signing_config.json a.txt
  chancery conformance verify-bundle --bundle a.sigstore.json --certificate-identity ci@example.org \\
      --certificate-oidc-issuer https://issuer.example.org --trusted-root trusted_root.json a.txt")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    SignBundle(Box<sign_bundle::Arguments>),
    VerifyBundle(verify_bundle::Arguments),
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::SignBundle(arguments) => sign_bundle::run(&arguments).await,
        Verb::VerifyBundle(arguments) => verify_bundle::run(&arguments),
    }
}

/// A refusal as the one line that is printed.
fn refused(refusal: &chancery_verify::Refusal) -> anyhow::Error {
    anyhow::anyhow!("{}: {refusal}", refusal.code())
}
