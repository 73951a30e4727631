//! `chancery trust status`: when the metadata of each role expires, and whether the server can renew it.

use super::Data;
use crate::{cli::place::InstanceArguments, output};
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_trust::tuf::{Role, Urgency, repository::RoleStatus};
use chancery_verify::{Timestamp, counted};
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
    let now = SystemClock.now();
    let roles = repository.status(publisher.lifetimes(), now);
    let waiting = publisher.pending(&repository)?.map(|metadata| metadata.version);
    let is_well = roles.iter().all(|status| status.urgency < Urgency::Alarm);
    let mut rows = Vec::new();
    for status in roles {
        let is_here = publisher.can_sign(&repository, status.role).await;
        rows.push((status, is_here));
    }
    if arguments.json {
        let rows: Vec<_> = rows.iter().map(|(status, is_here)| row(status, *is_here, now)).collect();
        let printed = json!({"roles": rows, "targets_waiting_for_signatures": waiting, "healthy": is_well});
        output::print_json(&printed)?;
    } else {
        let mut out = output::data();
        for (status, is_here) in &rows {
            writeln!(out, "{}", line(status, *is_here, now))?;
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

fn seconds_left(status: &RoleStatus, now: Timestamp) -> u64 {
    status.expires.seconds().saturating_sub(now.seconds())
}

fn row(status: &RoleStatus, is_here: bool, now: Timestamp) -> serde_json::Value {
    json!({
        "role": status.role,
        "version": status.version,
        "expires": status.expires.rfc3339(),
        "seconds_left": seconds_left(status, now),
        "urgency": status.urgency,
        "keys": status.keys,
        "threshold": status.threshold,
        "renewed_by_server": is_here,
    })
}

fn line(status: &RoleStatus, is_here: bool, now: Timestamp) -> String {
    let RoleStatus { role, version, expires, keys, threshold, urgency } = status;
    let left = match seconds_left(status, now) {
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
    let renewal = match (is_here, role) {
        (true, _) => "renewed by the server",
        (false, Role::Root | Role::Targets) => "keys not here: chancery trust metadata export",
        (false, _) => "KEYS MISSING",
    };
    let (role, keys) = (role.as_str(), counted(*keys, "key", "keys"));
    format!("{role:9} version {version:<4} {} {left:>13}  {threshold} of {keys}, {renewal}{told}", expires.rfc3339())
}
