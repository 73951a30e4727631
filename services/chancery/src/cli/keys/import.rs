//! `chancery keys import`: takes the certificates that another authority has issued for a key of ours.

use super::{
    AuthorityName,
    request::Requested,
    rotate::{Stage, await_step},
};
use crate::{
    cli::{place::InstanceArguments, waiting::Generation},
    duration,
    instance::key_uri,
    output::Steps,
    rotation::{Progress, RingFiles, Role, generations::open_place},
};
use anyhow::{Context as _, ensure};
use chancery_daemon::clock::{Clock as _, SystemClock};
use clap::Args;
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Take the certificates of a key that another authority has issued, and publish them
///
/// The file has the certificates of the key, of every authority above it, and of the root, in PEM and in any order. They are
/// checked: key, signatures and algorithms, validity, path length, key usages, extended key usages, name constraints. What is
/// wrong is said in a sentence. Then the key is staged, as `chancery keys rotate` stages one: it signs nothing before activate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery keys import ca chain.pem --data /var/lib/chancery
  chancery keys import tsa chain.pem --key 'awskms:///alias/tsa-2?region=eu-central-1'
  chancery keys rotate ca --data /var/lib/chancery activate")]
pub(super) struct Arguments {
    /// Authority whose key was certified
    #[arg(value_name = "ROLE")]
    role: AuthorityName,
    /// File with the certificates
    #[arg(value_name = "FILE")]
    chain: PathBuf,
    #[command(flatten)]
    instance: InstanceArguments,
    /// Take certificates for the key at this URI instead of the one that was requested last
    #[arg(long, value_name = "URI", value_parser = key_uri)]
    key: Option<String>,
    /// Wait at most this long for the server to publish them
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    wait: Duration,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { role, chain, instance, key, wait } = arguments;
    let data = instance.data()?;
    let (role, files) = (Role::from(role), RingFiles::of(&data));
    ensure!(
        files.is_complete()?,
        "{} is not complete; for its first key, set chain in [{role}], then run: chancery init",
        data.display()
    );
    let _alone = files.lock()?;
    let mut ring = files.ring(role)?;
    // After a power cut the request may outlive its answer. A key has one generation.
    let is_open =
        |request: &Requested| ring.generations(role).iter().all(|known| known.fingerprint != request.fingerprint);
    let requested = match &key {
        Some(_) => None,
        None => Some(Requested::read(&files, role)?.filter(is_open).with_context(|| {
            format!("no request of {role} is open; make one: chancery keys request {role}, or name the key with --key")
        })?),
    };
    if let Some(Requested { key, fingerprint }) = &requested {
        let signer = open_place(&files, role, key).await?;
        ensure!(
            hex::encode(signer.public_key().fingerprint()) == *fingerprint,
            "there is another key now than the one of the request; put that back, or make the request again: chancery keys \
             request {role}"
        );
    }
    let answers_request = requested.is_some();
    let stage = Stage::imported(key, requested.map(|requested| requested.key), chain);
    let number = stage.run(&files, role, &mut ring, SystemClock.now()).await?;
    // A request of another key may still be answered.
    if answers_request {
        Requested::remove(&files, role)?;
    }
    let mut steps = Steps::new(false);
    steps.say(&format!("generation {number} is staged"));
    let published = |progress: &Progress| progress.published_seconds.contains_key(&number);
    await_step(Generation { files: &files, role, number }, wait, published, "it is published", &mut steps).await?;
    steps.finish()?;
    Ok(ExitCode::SUCCESS)
}
