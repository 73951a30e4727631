//! `chancery trust export`: what each client needs, complete.
//!
//! The texts are those of [`crate::clients`].

mod bundle;

use super::Data;
use crate::output;
use crate::{
    cli::place::InstanceArguments,
    clients::{self, Client, Facts},
};
use anyhow::Context as _;
use clap::Args;
use std::{path::PathBuf, process::ExitCode};

/// Print commands, code or YAML that make a client trust this instance, or write an offline archive
///
/// The archive is for sites that cannot reach the server. It contains the trusted root, each key in a file of its own and the
/// whole TUF repository, which any web server can serve.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery trust export --for cosign --data ./chancery-dev
  chancery trust export --for policy-controller --data ./chancery-dev | kubectl apply -f -
  chancery trust export --offline-bundle trust.tar.gz --data ./chancery-dev")]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: InstanceArguments,
    /// Print the configuration of this client
    #[arg(long = "for", value_name = "CLIENT", required_unless_present = "offline_bundle")]
    client: Option<Client>,
    /// Write the archive to this file (tar, gzip); replaces an existing file
    #[arg(long, value_name = "FILE", conflicts_with = "client")]
    offline_bundle: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let data = Data::of(&arguments.instance)?;
    let (_, repository) = data.repository()?;
    let url = crate::instance::trust_url(&data.0)?;
    let facts = Facts::of(&repository, &url).context("the published trusted root was not made by chancery")?;
    if let Some(path) = &arguments.offline_bundle {
        bundle::write(path, &repository, &facts).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(client) = arguments.client {
        output::print(&clients::text(client, &facts))?;
    }
    Ok(ExitCode::SUCCESS)
}
