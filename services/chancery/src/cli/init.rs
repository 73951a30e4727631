//! `chancery init`.

use crate::serve;
use chancery_daemon::telemetry;
use clap::Args;
use std::{path::PathBuf, process::ExitCode};

/// Make a new instance from a configuration file: keys, certificates, logs, trust root
///
/// An instance is made once. init refuses one that exists, because new keys would contradict what was signed with the old
/// ones. If init was interrupted, run it again: it continues where it stopped.
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
    /// Log on standard error at this level, or as a list of `module=level`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::init(&arguments.log);
    serve::init(&arguments.config, arguments.if_needed).await?;
    Ok(ExitCode::SUCCESS)
}
