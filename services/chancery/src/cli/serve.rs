//! `chancery serve`.

use crate::{configuration::Role, serve};
use chancery_daemon::telemetry;
use clap::Args;
use std::{path::PathBuf, process::ExitCode};

/// Serve an instance that `chancery init` has made
///
/// All roles in one process, or some of them: processes with different roles share the data directory, and each opens the
/// keys of its own roles only. SIGTERM answers what was accepted and stops; systemd is told when it is ready.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery serve --config /etc/chancery/chancery.toml
  chancery serve --config /etc/chancery/chancery.toml --roles log")]
pub(super) struct Arguments {
    /// Configuration file; see deploy/chancery.toml
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Roles of this process; all of them unless given
    #[arg(long, value_name = "ROLE,…", value_delimiter = ',')]
    roles: Vec<Role>,
    /// What to log on standard error: a level, or a list of `module=level`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::init(&arguments.log);
    serve::run(&arguments.config, &arguments.roles).await?;
    Ok(ExitCode::SUCCESS)
}
