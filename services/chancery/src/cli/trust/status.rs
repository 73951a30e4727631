//! `chancery trust status`: when the metadata of each role expires, and whether the server can renew it.

use super::Data;
use crate::{
    cli::place::InstanceArguments,
    instance::{self, TufRoleStatus},
    output,
};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_trust::tuf::{Role, Urgency};
use chancery_verify::counted;
use clap::Args;
use serde_json::json;
use std::{io::Write as _, process::ExitCode};

/// Show for every TUF role when its metadata expires, and whether its keys are here
///
/// Marks a role at 30, 14 and 7 days before it expires (with a shorter lifetime: at a half, a quarter and an eighth of it).
/// Exits with 1 if a role has expired or has reached the last of these marks.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery trust status --data ./chancery-dev
  chancery trust status --data ./chancery-dev --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: InstanceArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (publisher, repository) = Data::of(&arguments.instance)?.repository()?;
    let roles = instance::tuf_roles(&publisher, &repository, SystemClock.now()).await;
    let waiting = publisher.pending(&repository)?.map(|metadata| metadata.version);
    let is_well = roles.iter().all(|status| status.urgency < Urgency::Alarm);
    if arguments.json {
        let printed = json!({"roles": roles, "targets_waiting_for_signatures": waiting, "healthy": is_well});
        output::print_json(&printed)?;
    } else {
        let mut out = output::data();
        for status in &roles {
            writeln!(out, "{}", line(status))?;
        }
        if let Some(version) = waiting {
            writeln!(
                out,
                "version {version} of the targets metadata waits for signatures: chancery trust metadata export --role targets"
            )?;
        }
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A role, when its metadata expires, and whether the server renews it.
pub(in crate::cli) fn line(status: &TufRoleStatus) -> String {
    let TufRoleStatus { role, version, expires, keys, threshold, urgency, .. } = status;
    let left = match status.seconds_left {
        seconds if seconds >= 2 * 24 * 3600 => format!("{} days left", seconds / (24 * 3600)),
        seconds if seconds >= 2 * 3600 => format!("{} hours left", seconds / 3600),
        seconds => format!("{seconds} s left"),
    };
    let told = match urgency {
        Urgency::None => "",
        Urgency::Notice => "  expires soon",
        Urgency::Warning => "  EXPIRES SOON",
        Urgency::Alarm => "  EXPIRES VERY SOON",
        Urgency::Expired => "  EXPIRED: clients refuse it",
    };
    let renewal = match (status.renewed_by_server, role) {
        (true, _) => "renewed by the server",
        (false, Role::Root | Role::Targets) => "keys not here: chancery trust metadata export",
        (false, _) => "KEYS MISSING",
    };
    let (role, keys) = (role.as_str(), counted(*keys, "key", "keys"));
    format!("{role:9} version {version:<4} {expires} {left:>13}  {threshold} of {keys}, {renewal}{told}")
}
