//! `chancery init`.

use crate::{logging::LogArguments, output, serve};
use clap::Args;
use std::{path::PathBuf, process::ExitCode};

/// Make a new instance from a configuration file: keys, certificates, logs, trust root
///
/// An instance is made once. init refuses one that exists, because new keys would contradict what was signed with the old
/// ones. If init was interrupted, run it again: it continues where it stopped. It says what it has made and what comes next.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery init --config /etc/chancery/chancery.toml
  chancery init --config /etc/chancery/chancery.toml --if-needed    (for a container that runs init at every start)")]
pub(super) struct Arguments {
    /// Read this configuration file; deploy/chancery.toml explains every key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Do nothing and exit with 0 if the instance exists
    #[arg(long)]
    if_needed: bool,
    #[command(flatten)]
    log: LogArguments,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Some(made) = serve::init(&arguments.config, arguments.if_needed, &arguments.log).await? {
        output::print(&made)?;
    }
    Ok(ExitCode::SUCCESS)
}
