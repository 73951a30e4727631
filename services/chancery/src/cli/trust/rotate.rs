//! `chancery trust rotate`: another key for a role.

use super::{Data, RoleName};
use crate::{cli::place::InstanceArguments, instance, one_role, output};
use anyhow::{Context as _, ensure};
use chancery_daemon::{
    clock::{Clock as _, SystemClock},
    random::SystemRandom,
    signer::Signer,
};
use chancery_trust::tuf::{Role, RoleKeys};
use chancery_verify::key::KeyKind;
use clap::Args;
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Replace the key of a TUF role
///
/// Publishes version N+1 of the root, signed with the root keys of version N and N+1. Clients with any earlier root follow
/// without help. The metadata of the role is signed again with the new key, and once more with the old key if it is still
/// here, so that clients always find metadata that verifies, also after a power cut. A running server serves the result
/// within two seconds. If several keys must sign: chancery trust metadata.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  chancery trust rotate --role root --data ./chancery-dev
  chancery trust rotate --role timestamp --key 'awskms:///alias/tuf-timestamp?region=eu-central-1' --data ./chancery-dev")]
pub(super) struct Arguments {
    #[command(flatten)]
    instance: InstanceArguments,
    /// Replace the key of this role
    #[arg(long, value_name = "ROLE")]
    role: RoleName,
    /// Use the P-256 key at this URI instead of a new key beside the old one
    #[arg(long, value_name = "URI", value_parser = instance::key_uri)]
    key: Option<String>,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    rotate(&Data::of(&arguments.instance)?, arguments.role.into(), arguments.key.as_deref()).await
}

/// Replaces the key of a role by the one at `key`, or by a new one in the data directory.
pub(super) async fn rotate(of: &Data, role: Role, key: Option<&str>) -> anyhow::Result<ExitCode> {
    let (publisher, repository) = of.repository()?;
    let data = &of.0;
    let threshold = repository.root().role(role).threshold;
    ensure!(
        threshold == 1,
        "{threshold} keys must sign for the {role} role; replace them with: chancery trust metadata export --role root"
    );
    let version = repository.metadata(Role::Root).version + 1;
    let old = repository.root().role(role).clone();
    let beside = if key.is_none() { beside_old(data, role, &old, version)? } else { None };
    let (signer, place) = if let Some(uri) = key {
        let signer = chancery_keys::open(&uri.parse()?).await.context("the new key cannot be used")?;
        (signer, uri.to_owned())
    } else if let Some(uri) = &beside {
        let made = chancery_keys::open_or_create(&uri.parse()?, KeyKind::P256, &SystemRandom).await;
        (made.with_context(|| format!("cannot make the key {uri}"))?, uri.clone())
    } else {
        let path = data.join(format!("keys/tuf-{role}-{version}.pem"));
        (Signer::open_or_create(&path, KeyKind::P256)?, path.display().to_string())
    };
    let keys = RoleKeys::new(&[signer.public_key().clone()], 1)?;
    ensure!(old != keys, "{place} is already the {role} key; give another one with --key");
    one_role::verify_new(data, &format!("tuf-{role}"), signer.public_key())?;
    if let Some(uri) = key.or(beside.as_deref()) {
        instance::use_key(data, role, uri)?;
    }
    let repository = publisher.replace_keys(role, keys, SystemClock.now()).await?;
    let mut out = output::data();
    let root = repository.metadata(Role::Root);
    writeln!(out, "root version {}: the {role} key is {place}", root.version)?;
    for path in instance::key_files(data, role) {
        let is_old = Signer::open(&path).is_ok_and(|key| old.keys.values().any(|known| known == key.public_key()));
        if is_old {
            writeln!(out, "no longer used; you can destroy it: {}", path.display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// URI of the next key, beside the old one and kept as that is; `None` where the old one is in the data directory, or is nowhere
/// that the server knows.
fn beside_old(data: &Path, role: Role, old: &RoleKeys, version: u64) -> anyhow::Result<Option<String>> {
    let is_old =
        |path: &PathBuf| Signer::open(path).is_ok_and(|key| old.keys.values().any(|known| known == key.public_key()));
    if instance::key_files(data, role).iter().any(is_old) {
        return Ok(None);
    }
    let uris = instance::key_uris(data, role)?;
    Ok(uris.last().map(|uri| chancery_keys::successor(uri, version)).transpose()?)
}
