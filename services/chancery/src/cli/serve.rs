//! `chancery serve`.

use crate::{logging::LogArguments, role::Role, serve};
use clap::Args;
use std::{path::PathBuf, process::ExitCode};

/// Serve an instance that was made with `chancery init`
///
/// One process can have all roles or some of them. Processes with different roles share the data directory; each opens the
/// keys of its own roles only. On SIGTERM the server answers the requests it has accepted, then stops. It notifies systemd
/// when it is ready.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery serve --config /etc/chancery/chancery.toml
  chancery serve --config /etc/chancery/chancery.toml --roles log
  chancery serve --config /etc/chancery/chancery.toml --roles tsa,trust --log warn,chancery_tsa=debug")]
pub(super) struct Arguments {
    /// Read this configuration file; deploy/chancery.toml explains every key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Run these roles in this process; all of them by default
    #[arg(long, value_name = "ROLE,…", value_delimiter = ',')]
    roles: Vec<Role>,
    #[command(flatten)]
    log: LogArguments,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    serve::run(&arguments.config, &arguments.roles, &arguments.log).await?;
    Ok(ExitCode::SUCCESS)
}
