//! `chancery keys test`: whether a key signs, and whether clients can verify its signatures.

use crate::{
    instance::{key_uri, kind_name},
    output,
};
use anyhow::Context as _;
use chancery_ca::chain::IssuingChain;
use chancery_daemon::clock::{Clock as _, SystemClock};
use chancery_daemon::random::SystemRandom;
use chancery_daemon::signer::Signer;
use chancery_verify::key::KeyKind;
use clap::Args;
use serde::Serialize;
use std::{
    io::Write as _,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Signatures that are made to see how long one takes.
const SAMPLES: usize = 5;

/// Sign with a key and verify the signatures with the rules of the clients
///
/// Opens the key, signs, verifies, and signs throwaway certificates that are verified as clients do. Exits with 1 if some
/// client could not verify the key (Ed25519, P-521, other RSA sizes). Stores nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys test file:/etc/chancery/ca.pem?password-file=/etc/chancery/ca.password
  chancery keys test 'hashivault://ca?address=https://vault.example.org:8200&token-file=/run/vault-token' --json")]
pub(super) struct Arguments {
    /// URI of the key
    #[arg(value_name = "URI", value_parser = key_uri)]
    uri: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report<'a> {
    uri: &'a str,
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Facts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
}

#[derive(Debug, Serialize)]
struct Facts {
    kind: String,
    fingerprint: String,
    /// What the key can be used for: `ca`, and `log` where every client verifies a log's signatures by it.
    roles: Vec<&'static str>,
    /// Median of a few, from the request to the verified signature.
    sign_microseconds: u128,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let outcome = examine(&arguments.uri).await;
    let usable = outcome.is_ok();
    if arguments.json {
        let (key, refusal) = match outcome {
            Ok(facts) => (Some(facts), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        let report = Report { uri: &arguments.uri, usable, key, refusal };
        output::print_json(&report)?;
    } else {
        let Facts { kind, fingerprint, roles, sign_microseconds } = outcome?;
        let mut out = output::data();
        writeln!(out, "usable for: {}", roles.join(", "))?;
        writeln!(out, "kind: {kind}\nfingerprint: sha256:{fingerprint}\none signature: {sign_microseconds} µs")?;
    }
    Ok(if usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examine(uri: &str) -> anyhow::Result<Facts> {
    let key = chancery_keys::open(&uri.parse()?).await.context("the key cannot be used")?;
    let mut times = [Duration::ZERO; SAMPLES];
    for (number, time) in times.iter_mut().enumerate() {
        let message = format!("chancery keys test {number}");
        let started = Instant::now();
        let signature = key.sign(message.as_bytes()).await.context("the key cannot sign")?;
        key.public_key().verify(message.as_bytes(), &signature).context("the key's signature does not verify")?;
        *time = started.elapsed();
    }
    // As a root, because a root signs certificates while a chain is made: its own and the one below.
    let (below, _) = Signer::generate(KeyKind::P256)?;
    IssuingChain::create("chancery keys test", 1, &key, &below, &SystemRandom, SystemClock.now())
        .await
        .context("certificates signed with the key do not verify; clients would refuse them")?;
    times.sort_unstable();
    let public_key = key.public_key();
    let roles = if public_key.kind() == KeyKind::P256 { vec!["ca", "log"] } else { vec!["ca"] };
    Ok(Facts {
        kind: kind_name(public_key.kind()),
        fingerprint: hex::encode(public_key.fingerprint()),
        roles,
        sign_microseconds: times.get(SAMPLES / 2).map_or(0, Duration::as_micros),
    })
}
