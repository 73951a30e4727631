//! A configuration, read and checked together with the files that it names. `chancery init`, `chancery serve` and
//! `chancery config check` all use it, so they accept the same configurations.
//!
//! Nothing is created, and no server is contacted. Not here: the data directory, keys, the database and ports, which
//! the file only names. [`missing_tls`] is a separate function, because TLS files may be made between `init` and
//! `serve`.

use crate::{
    configuration::Configuration,
    instance::{
        AccessSettings, Addresses, AuthoritySettings, EventSettings, OperationsArguments, RekorV1Arguments,
        RekorV2Arguments, SearchArguments, TilesPlace, TimestampArguments, TransparencySettings, TufArguments,
        WitnessChoices,
    },
    issuers::ConfiguredIssuers,
    listening::TlsFiles,
    monitor::MonitorConfiguration,
    role::Role,
};
use anyhow::Context as _;
use chancery_daemon::{
    clock::SourceSettings,
    http::{Tls, TlsError},
};
use chancery_trust::BaseUrl;
use std::{collections::BTreeSet, io::ErrorKind, path::Path, sync::Arc};

/// All settings of an instance that its file decides.
pub(crate) struct Prepared {
    pub(crate) access: AccessSettings,
    pub(crate) addresses: Addresses,
    pub(crate) authority: AuthoritySettings,
    pub(crate) events: Option<EventSettings>,
    pub(super) monitor: Option<Arc<MonitorConfiguration>>,
    pub(super) oidc_issuer: Option<BaseUrl>,
    pub(super) operations: OperationsArguments,
    pub(super) rekor_v1: RekorV1Arguments,
    pub(super) rekor_v2: RekorV2Arguments,
    pub(super) search: SearchArguments,
    pub(super) tiles: Option<TilesPlace>,
    /// The time servers that must agree with the clock before any time is signed.
    pub(super) time_servers: Option<SourceSettings>,
    pub(super) timestamps: TimestampArguments,
    pub(super) transparency: TransparencySettings,
    pub(super) tuf: TufArguments,
    pub(super) witnesses: WitnessChoices,
}

impl Prepared {
    /// Reads the files that a process with these roles needs. `file` is the path of the configuration, for messages.
    pub(crate) fn of(configuration: &Configuration, file: &Path, roles: &BTreeSet<Role>) -> anyhow::Result<Self> {
        Self::read(configuration, roles).with_context(|| format!("cannot use {}", file.display()))
    }

    fn read(configuration: &Configuration, roles: &BTreeSet<Role>) -> anyhow::Result<Self> {
        let issuers = roles.contains(&Role::Ca).then_some(configuration.ca.issuers.as_path());
        missing_tls(configuration.listen.tls.as_ref())?;
        configuration.trust.check_files()?;
        let has_logs = roles.contains(&Role::Log);
        let tiles = configuration.tiles().map(|tiles| tiles.place().context("[log] tiles")).transpose()?;
        Ok(Self {
            access: configuration.access(has_logs)?,
            addresses: configuration.addresses()?,
            authority: configuration.authority()?.settings(ConfiguredIssuers::load(issuers)?),
            events: if has_logs { configuration.events()? } else { None },
            monitor: if has_logs { configuration.monitor.read(&configuration.data)? } else { None },
            oidc_issuer: configuration.oidc_issuer()?,
            operations: configuration.operations()?,
            rekor_v1: configuration.rekor_v1()?,
            rekor_v2: configuration.rekor_v2(),
            search: configuration.search.arguments(),
            tiles: tiles.flatten(),
            time_servers: configuration.tsa.time_servers()?,
            timestamps: configuration.timestamps()?,
            transparency: configuration.transparency().read().context("[log]")?,
            tuf: configuration.trust.tuf()?,
            witnesses: configuration.witnesses()?,
        })
    }
}

/// Checks the files for TLS. Returns the reason why `serve` would not start yet, if one of them is missing.
pub(crate) fn missing_tls(files: Option<&TlsFiles>) -> anyhow::Result<Option<String>> {
    let Some(files) = files else { return Ok(None) };
    match Tls::open(&files.certificate, &files.key) {
        Ok(_) => Ok(None),
        Err(TlsError::File { path, source }) if source.kind() == ErrorKind::NotFound => {
            Ok(Some(format!("{} is missing", path.display())))
        }
        Err(error) => Err(error).context("cannot use [listen] tls"),
    }
}
