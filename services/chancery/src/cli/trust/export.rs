//! `chancery trust export`: what each client needs, complete.
//!
//! The texts are those of [`crate::clients`].

mod bundle;

use super::Data;
use crate::clients::{self, Client, Facts};
use anyhow::Context as _;
use clap::Args;
use std::{io::Write as _, path::PathBuf, process::ExitCode};

/// Print commands, code or YAML that make a client trust this instance, or write all of it to a file
///
/// With --offline-bundle: an archive for sites without a connection, with the trusted root, the keys on their own and the
/// whole TUF repository, which any web server can serve there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery trust export --for cosign --data ./chancery-dev
  chancery trust export --for policy-controller --data ./chancery-dev | kubectl apply -f -
  chancery trust export --offline-bundle trust.tar.gz --data ./chancery-dev")]
pub(super) struct Arguments {
    #[command(flatten)]
    data: Data,
    /// Which client
    #[arg(long = "for", value_name = "CLIENT", required_unless_present = "offline_bundle")]
    client: Option<Client>,
    /// Write everything to this file (tar, gzip); one that exists is replaced
    #[arg(long, value_name = "FILE", conflicts_with = "client")]
    offline_bundle: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (_, repository) = arguments.data.repository()?;
    let facts = Facts::of(&repository).context("the published trusted root is not one of ours")?;
    if let Some(path) = &arguments.offline_bundle {
        bundle::write(path, &repository, &facts).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(client) = arguments.client {
        std::io::stdout().lock().write_all(clients::text(client, &facts).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
