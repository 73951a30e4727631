//! The logs that a monitor's configuration names, as it follows them.

use crate::{
    cli::token_file::TokenFile,
    monitor::{LogTable, MonitorConfiguration},
};
use anyhow::{Context as _, bail, ensure};
use chancery_log_client::{Fetcher, Limits, LogIdentity, Protocol, RemoteLog};
use chancery_monitor::{FollowedLog, Monitor, RemoteSource, remembered_origin};
use chancery_verify::{PublicKey, verifier_key::VerifierKey};
use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

/// The names of the logs.
pub(super) fn names(configuration: &MonitorConfiguration) -> anyhow::Result<BTreeSet<String>> {
    let names = configuration.logs.iter().map(|log| log.name.clone()).collect();
    ensure!(!configuration.logs.is_empty(), "no log is configured; add [[log]] with name, protocol, url and key");
    Ok(names)
}

/// Adds every log.
pub(super) fn add(monitor: &mut Monitor, configuration: &MonitorConfiguration) -> anyhow::Result<()> {
    let usual = configuration.following()?;
    for log in &configuration.logs {
        let followed = || -> anyhow::Result<FollowedLog> {
            let source = Arc::new(RemoteSource::from(remote(log, &configuration.data)?));
            Ok(FollowedLog { name: log.name.clone(), source, following: log.following(usual)? })
        };
        let place = || format!("[[log]] {}", log.name);
        monitor.add(followed().with_context(place)?).with_context(place)?;
    }
    Ok(())
}

fn remote(log: &LogTable, data: &Path) -> anyhow::Result<RemoteLog> {
    let protocol: Protocol = log.protocol.parse().map_err(anyhow::Error::msg).context("protocol")?;
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let key = match (&log.key, &log.vkey) {
        (Some(path), _) => PublicKey::from_pem(&read(path)?).with_context(|| format!("key: {}", path.display()))?,
        (None, Some(vkey)) => VerifierKey::parse(vkey).context("vkey")?.key().clone(),
        (None, None) => bail!("write either key or vkey"),
    };
    // One URL may lead to several trees in turn. The one that was followed is followed on.
    let origin = match &log.origin {
        Some(origin) => Some(origin.clone()),
        None => remembered_origin(data, &log.name)?,
    };
    let fetcher = Fetcher::trusting(Limits::default(), log.ca_file.as_deref()).context("ca_file")?;
    let fetcher = match &log.token_file {
        None => fetcher,
        Some(file) => fetcher.with_token(TokenFile::for_server(file, log.url.as_str())?.into_token()),
    };
    Ok(RemoteLog::new(LogIdentity { protocol, url: log.url.clone(), key, origin }, fetcher)?)
}
