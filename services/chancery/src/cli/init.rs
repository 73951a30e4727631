//! `chancery init`.

use crate::serve;
use chancery_daemon::telemetry;
use clap::Args;
use std::{path::PathBuf, process::ExitCode};

/// Make a new instance as a configuration file says: keys, certificates, logs, trust files
///
/// Once: an instance that was made is refused, because new keys would contradict what was signed with the old ones. What
/// was cut short is finished by running it again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery init --config /etc/chancery/chancery.toml
  chancery init --config /etc/chancery/chancery.toml --if-needed    (in a container that starts often)")]
pub(super) struct Arguments {
    /// Configuration file; see deploy/chancery.toml
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Succeed and do nothing where it was made already
    #[arg(long)]
    if_needed: bool,
    /// What to log on standard error: a level, or a list of `module=level`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::init(&arguments.log);
    serve::init(&arguments.config, arguments.if_needed).await?;
    Ok(ExitCode::SUCCESS)
}
