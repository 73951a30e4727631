//! `chancery conformance`: the command-line protocol of sigstore-conformance, whose test suite any client can be run with.
//!
//! The arguments and their order are the protocol's. Exit code 0 means that the bundle was made, or that it verifies.

mod verify_bundle;

use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Speak the command-line protocol of sigstore-conformance, for its test suite
///
/// Not for daily use: `chancery verify` says more. There is no public trust root in this program: --trusted-root is needed.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  chancery conformance verify-bundle --bundle a.sigstore.json --certificate-identity ci@example.org \\
      --certificate-oidc-issuer https://issuer.example.org --trusted-root trusted_root.json a.txt")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    VerifyBundle(verify_bundle::Arguments),
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::VerifyBundle(arguments) => verify_bundle::run(&arguments),
    }
}
