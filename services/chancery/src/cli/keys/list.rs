//! `chancery keys list`: the keys of an instance.

use super::kind_name;
use crate::dev::{self, KeyRecord};
use clap::Args;
use serde_json::json;
use std::{io::Write as _, path::PathBuf, process::ExitCode};

/// List the signing keys of a data directory: role, kind, fingerprint and place
///
/// Reads only; it may run beside the server. A key that is elsewhere is not asked for: its public half is in its certificate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys list --data ./chancery-dev
  chancery keys list --data ./chancery-dev --json")]
pub(super) struct Arguments {
    /// Data directory of the instance
    #[arg(long, value_name = "DIR", default_value = "./chancery-dev")]
    data: PathBuf,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let keys = dev::keys(&arguments.data)?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| {
                let KeyRecord { role, public_key, place, ends } = key;
                json!({
                    "role": role,
                    "kind": kind_name(public_key.kind()),
                    "fingerprint": hex::encode(public_key.fingerprint()),
                    "place": place,
                    "certificate_ends_at_seconds": ends.map(chancery_verify::Timestamp::seconds),
                })
            })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&keys)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for KeyRecord { role, public_key, place, .. } in keys {
        let fingerprint = hex::encode(public_key.fingerprint());
        writeln!(out, "{role:13} {:8} sha256:{fingerprint} {place}", kind_name(public_key.kind()))?;
    }
    Ok(ExitCode::SUCCESS)
}
