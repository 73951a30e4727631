//! `chancery serve`.

use crate::{role::Role, serve};
use chancery_daemon::telemetry;
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
    /// Log on standard error at this level, or as a list of `module=level`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::init(&arguments.log);
    serve::run(&arguments.config, &arguments.roles).await?;
    Ok(ExitCode::SUCCESS)
}
