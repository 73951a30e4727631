//! `chancery config`: what a configuration file says, before a server takes it.

use anyhow::Context as _;
use chancery_ca::{IssuerName, IssuerSettings, KeySource, config};
use clap::{Args, Subcommand};
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

/// Check a configuration file, or print the schema of one
///
/// A file is a list of issuers: whose tokens the certificate authority accepts, and what they mean.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery config check issuers.toml
  chancery config schema > chancery.schema.json    (for editors that complete and check TOML)")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Read a file as a server would, and say what it means; nothing is fetched
    #[command(after_help = "Example:\n  chancery config check issuers.toml")]
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the JSON schema of a file
    #[command(after_help = "Example:\n  chancery config schema > chancery.schema.json")]
    Schema,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let text = match arguments.verb {
        Verb::Schema => format!("{:#}\n", config::schema()),
        Verb::Check { file } => config::check(&file)?.iter().map(summary).collect(),
    };
    io::stdout().lock().write_all(text.as_bytes()).context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// One issuer in a few lines.
fn summary(settings: &IssuerSettings) -> String {
    let what = match settings.name {
        IssuerName::Exact(_) => "",
        IssuerName::Pattern(_) => " (every issuer of this form)",
    };
    let keys = match &settings.keys {
        KeySource::Discovery { jwks_hosts } if jwks_hosts.is_empty() => {
            "by discovery, on the issuer's own host".to_owned()
        }
        KeySource::Discovery { jwks_hosts } => format!("by discovery, also on {}", jwks_hosts.join(", ")),
        KeySource::At(url) => format!("at {url}"),
        KeySource::Static(_) => "from a file".to_owned(),
    };
    let mut text = format!(
        "{}{what}\n  kind      {}\n  audience  {}\n  keys      {keys}\n",
        settings.name.as_str(),
        settings.kind.name(),
        settings.audiences.join(", "),
    );
    for condition in &settings.conditions {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  only if   {} is {}", condition.claim, condition.any_of.join(" or "));
    }
    text
}
