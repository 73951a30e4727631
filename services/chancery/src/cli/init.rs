//! `chancery init`.

use crate::{logging::LogArguments, serve};
use anyhow::Context as _;
use clap::Args;
use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

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
        io::stdout().lock().write_all(made.as_bytes()).context("cannot write to standard output")?;
    }
    Ok(ExitCode::SUCCESS)
}
