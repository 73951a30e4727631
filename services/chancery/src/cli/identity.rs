//! `chancery identity`: why a token is accepted or refused, and the import of a Fulcio configuration.

mod explain;
mod go_template;
mod import;

use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Explain why a token is accepted or refused, or convert a Fulcio configuration
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery identity test \"$TOKEN\" --config issuers.toml
  chancery identity import fulcio-config.yaml > issuers.toml")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Test(explain::Arguments),
    Import(import::Arguments),
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Test(arguments) => explain::run(arguments).await,
        Verb::Import(arguments) => import::run(&arguments),
    }
}
