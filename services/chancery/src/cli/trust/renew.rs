//! `chancery trust renew`: new versions now, instead of when they are due.

use super::{Data, RoleName};
use crate::{cli::place::InstanceArguments, output};
use anyhow::ensure;
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_trust::tuf::Role;
use clap::Args;
use std::{io::Write as _, process::ExitCode};

/// Sign new TUF metadata with a full lifetime now, with the keys in the data directory
///
/// The server renews metadata long before it expires; this command does it at once. A running server serves the result within
/// two seconds. For roles whose keys are not here: chancery trust metadata.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery trust renew --data ./chancery-dev
  chancery trust renew --role root --role targets --data ./chancery-dev")]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: InstanceArguments,
    /// Renew this role and the roles that point to it; repeatable. By default every role whose keys are here
    #[arg(long, value_name = "ROLE")]
    role: Vec<RoleName>,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (publisher, repository) = Data::of(&arguments.instance)?.repository()?;
    let asked: Vec<Role> = arguments.role.iter().copied().map(Role::from).collect();
    for role in &asked {
        ensure!(
            publisher.can_sign(&repository, *role).await,
            "the {role} keys are not here; sign elsewhere: chancery trust metadata export --role {role}"
        );
    }
    let asked = if asked.is_empty() { Role::ALL.to_vec() } else { asked };
    let (repository, renewed) = publisher.renew(&asked, SystemClock.now()).await?;
    let mut out = output::data();
    for role in renewed {
        let metadata = repository.metadata(role);
        writeln!(out, "{role}: version {}, expires {}", metadata.version, metadata.expires.rfc3339())?;
    }
    Ok(ExitCode::SUCCESS)
}
