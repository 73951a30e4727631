//! `chancery keys list`: the keys of an instance.

use crate::{
    cli::place::InstanceArguments,
    instance::{self, KeyStatus},
    output,
    rotation::State,
};
use chancery_verify::Timestamp;
use clap::Args;
use std::{io::Write as _, process::ExitCode};

/// List the signing keys of an instance: role, generation, state, kind, fingerprint and place
///
/// Only reads the data directory; a server may be running on it. Keys in tokens and key services are not contacted. For a key
/// that is being rotated, the list shows how far the server is, and why a generation cannot be used.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys list --data ./chancery-dev
  chancery keys list --config /etc/chancery/chancery.toml --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: InstanceArguments,
    /// Print the result as a JSON array
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let keys = instance::keys(&arguments.instance.data()?)?;
    let keys: Vec<KeyStatus> = keys.into_iter().map(KeyStatus::from).collect();
    if arguments.json {
        output::print_json(&keys)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = output::data();
    for key in &keys {
        writeln!(out, "{}", line(key))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A key, and how far its rotation is.
pub(in crate::cli) fn line(key: &KeyStatus) -> String {
    let KeyStatus { role, generation, kind, fingerprint, place, .. } = key;
    let state = key.state.name();
    format!("{role:13} {generation:2} {state:9} {kind:8} sha256:{fingerprint} {place}{}", remarks(key))
}

/// Remarks about a key that is being rotated.
fn remarks(key: &KeyStatus) -> String {
    let date = |seconds: u64| Timestamp::from_seconds(seconds).rfc3339();
    let mut remarks = Vec::new();
    match (key.state, key.published_at_seconds) {
        (State::Staged, Some(published)) => remarks.push(format!("published since {}", date(published))),
        (State::Staged | State::Active, None) if key.unpublished_because.is_some() => {
            remarks.extend(key.unpublished_because.as_ref().map(|reason| format!("not published yet: {reason}")));
        }
        (State::Staged, None) => remarks.push("not published yet".to_owned()),
        (State::Outgoing, _) if key.signing => remarks.push("still signs".to_owned()),
        _ => {}
    }
    remarks.extend(key.counts_until_seconds.map(|ends| format!("trusted until {}", date(ends))));
    remarks.extend(key.obstacle.as_ref().map(|obstacle| format!("cannot be used: {obstacle}")));
    if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join("; ")) }
}
