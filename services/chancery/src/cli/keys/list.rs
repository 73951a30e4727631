//! `chancery keys list`: the keys of an instance.

use super::kind_name;
use crate::{
    cli::place::InstanceArguments,
    instance::{self, KeyRecord},
    output,
    rotation::State,
};
use chancery_verify::Timestamp;
use clap::Args;
use serde_json::{Value, json};
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
    if arguments.json {
        let keys: Vec<_> = keys.iter().map(json).collect();
        output::print_json(&keys)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = output::data();
    for key in keys {
        let fingerprint = hex::encode(key.public_key.fingerprint());
        let KeyRecord { role, generation, place, .. } = &key;
        let (kind, state) = (kind_name(key.public_key.kind()), key.state.name());
        writeln!(out, "{role:13} {generation:2} {state:9} {kind:8} sha256:{fingerprint} {place}{}", remarks(&key))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Remarks about a key that is being rotated.
fn remarks(key: &KeyRecord) -> String {
    let mut remarks = Vec::new();
    match (key.state, key.published) {
        (State::Staged, Some(published)) => remarks.push(format!("published since {}", published.rfc3339())),
        (State::Staged | State::Active, None) if key.unpublished.is_some() => {
            remarks.extend(key.unpublished.as_ref().map(|reason| format!("not published yet: {reason}")));
        }
        (State::Staged, None) => remarks.push("not published yet".to_owned()),
        (State::Outgoing, _) if key.signing => remarks.push("still signs".to_owned()),
        _ => {}
    }
    remarks.extend(key.ends.map(|ends| format!("trusted until {}", ends.rfc3339())));
    remarks.extend(key.obstacle.as_ref().map(|obstacle| format!("cannot be used: {obstacle}")));
    if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join("; ")) }
}

fn json(key: &KeyRecord) -> Value {
    let seconds = |time: Option<Timestamp>| time.map(Timestamp::seconds);
    json!({
        "role": key.role,
        "generation": key.generation,
        "state": key.state.name(),
        "kind": kind_name(key.public_key.kind()),
        "fingerprint": hex::encode(key.public_key.fingerprint()),
        "place": key.place,
        "certificate_ends_at_seconds": seconds(key.certificate_ends),
        "published_at_seconds": seconds(key.published),
        "unpublished_because": key.unpublished,
        "counts_until_seconds": seconds(key.ends),
        "signing": key.signing,
        "obstacle": key.obstacle,
    })
}
