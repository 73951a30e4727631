//! `chancery identity`: whose tokens are accepted, and why.

mod explain;
mod go_template;
mod import;

use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Say why a token is or is not accepted, or take over a Fulcio configuration
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
