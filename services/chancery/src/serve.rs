//! `chancery init` and `chancery serve`: an instance from a configuration file.
//!
//! `init` makes keys, certificates, logs with their first entries, and trust files, once. `serve` makes nothing. A
//! missing file is an error, because a new key for an old log, or the reverse, would contradict earlier signatures.

mod made;
mod prepared;

pub(crate) use prepared::{Prepared, missing_tls};

use crate::{
    command,
    configuration::Configuration,
    data_directory::{DataDirectory, recorded_instance},
    instance::{self, Choices, ConsoleSettings, GuardedClock, Instance, Setup, SignIn, TilesPlace},
    listening::Listening,
    logging::LogArguments,
    one_role,
    role::Role,
};
use anyhow::{Context as _, bail, ensure};
use chancery_ca::chain::IssuingChain;
use chancery_daemon::reload::Hangups;
use chancery_log::store::Location;
use chancery_verify::{
    PublicKey, Timestamp,
    given::{Purpose, verify_given_for_any_key},
};
use made::Made;
use sd_notify::NotifyState;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Makes the instance, and returns what to say about it. If it exists already, this is an error unless `if_needed`: then there is
/// nothing to say.
pub(crate) async fn init(file: &Path, if_needed: bool, log: &LogArguments) -> anyhow::Result<Option<String>> {
    let configuration = Configuration::load(file)?;
    log.start(&configuration.telemetry)?;
    let roles = Role::ALL.into();
    // Checked before the locks, because running servers hold them: a container's init is run again while servers are
    // running.
    if is_made(&configuration.data)? {
        ensure!(if_needed, "the instance in {} exists; run: chancery serve", configuration.data.display());
        return Ok(None);
    }
    // Checked before anything is made, so that a refusal leaves no files behind.
    let prepared = Prepared::of(&configuration, file, &roles)?;
    // Nothing is served yet, and the certificates that it may be told to go by are yet to be written.
    let prepared = Prepared { monitor: None, ..prepared };
    let (keys, chains) = (configuration.keys(), given_chains(&configuration, file)?);
    let known = one_role::of_settings(&keys).await?;
    let clock = GuardedClock::start_to_make(prepared.time_servers.clone()).await?;
    verify_chains(&configuration, &chains, &known, clock.now())?;
    let mut data = DataDirectory::open(&configuration.data, &roles, clock.now())?;
    // The TUF repository keeps where its own keys are.
    let keys = keys.iter().filter(|key| !key.name.starts_with("tuf-"));
    data.use_keys(keys.clone().map(|key| (key.name.as_str(), key.uri)))?;
    let has_key_uris = keys.count() > 0;
    for role in [Role::Ca, Role::Tsa] {
        data.use_chain(role, chains.contains_key(&role))?;
    }
    let url = prepared.addresses.base().as_str().to_owned();
    let started = Started { configuration: &configuration, file, roles: &roles, chains };
    let instance = Box::pin(started.instance(prepared, &data, clock)).await?;
    instance.write_trust_files(&data.trust())?;
    let root_checksum = instance.root_checksum();
    instance.stop().await;
    data.complete()?;
    let (database, missing) = (started.database(&data)?, missing_tls(configuration.listen.tls.as_ref())?);
    let made = Made {
        url: &url,
        file,
        data: data.path(),
        database: &database,
        has_key_uris,
        keeps_roots: configuration.ca.root_key.is_some() || configuration.tsa.root_key.is_some(),
        root_checksum: &root_checksum,
        missing: missing.as_deref(),
    };
    Ok(Some(made.text()))
}

/// Serves `roles` until SIGTERM or SIGINT. Default: all roles.
///
/// 1. Read the configuration and its files, lock the data directory. 2. Listen. 3. Open keys, logs, authority. 4.
///    Answer.
pub(crate) async fn run(file: &Path, roles: &[Role], log: &LogArguments) -> anyhow::Result<()> {
    let hangups = Hangups::catch().context("cannot wait for SIGHUP")?;
    // (1)
    let configuration = Configuration::load(file)?;
    log.start(&configuration.telemetry)?;
    let roles: BTreeSet<Role> = if roles.is_empty() { Role::ALL.into() } else { roles.iter().copied().collect() };
    if !configuration.data.join("instance.json").exists() {
        bail!("there is no instance in {}; make it first: chancery init", configuration.data.display());
    }
    let prepared = Prepared::of(&configuration, file, &roles)?;
    let clock = GuardedClock::start(prepared.time_servers.clone()).await;
    let mut data = DataDirectory::open(&configuration.data, &roles, clock.now())?;
    ensure!(!data.is_new(), "the instance in {} is incomplete; complete it: chancery init", data.path().display());
    one_role::of_directory(data.path())?;
    instance::warn_of_roots(data.path(), &roles);
    // (2)
    let listening = Listening::on(configuration.listen.address, configuration.listen.metrics, hangups).await?;
    let listening = listening.with_origins(&configuration.listen.origins).within(configuration.listen.request_budget());
    let listening = listening.with_tls(configuration.listen.tls.as_ref())?.with_limit(configuration.listen.limit());
    let (address, url) = (listening.address()?, prepared.addresses.base().as_str().to_owned());
    // (3)
    let started = Started { configuration: &configuration, file, roles: &roles, chains: BTreeMap::new() };
    let instance = Box::pin(started.instance(prepared, &data, clock)).await?;
    instance.write_trust_files(&data.trust())?;
    if roles.len() == Role::ALL.len() {
        data.complete()?;
    }
    // (4)
    let names: Vec<_> = roles.iter().map(ToString::to_string).collect();
    let ready = || {
        tracing::info!(%address, url, roles = names.join(","), "ready");
        notify(NotifyState::Ready);
    };
    instance.serve(listening, |routes| routes, ready).await
}

/// Tells systemd that the server is ready, if systemd waits for it.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "cannot notify systemd");
    }
}

/// The settings for starting an instance.
struct Started<'a> {
    configuration: &'a Configuration,
    file: &'a Path,
    roles: &'a BTreeSet<Role>,
    /// Certificates that another authority has issued for first keys.
    chains: BTreeMap<Role, Vec<u8>>,
}

/// Whether `init` has made the instance, and has nothing to do any more.
fn is_made(data: &Path) -> anyhow::Result<bool> {
    Ok(data.join("instance.json").exists() && recorded_instance(data)?.complete)
}

/// Refuses certificates that `init` would refuse for any key. Opens no key. Once the instance is made, nothing reads them.
pub(crate) fn check_chains(configuration: &Configuration, file: &Path, now: Timestamp) -> anyhow::Result<()> {
    if is_made(&configuration.data)? {
        return Ok(());
    }
    for (role, text) in given_chains(configuration, file)? {
        let purpose = if role == Role::Ca { Purpose::CodeSigning } else { Purpose::Timestamping };
        verify_given_for_any_key(purpose, &text, now)
            .with_context(|| format!("cannot use [{role}] chain"))
            .with_context(|| format!("cannot use {}", file.display()))?;
    }
    Ok(())
}

/// Reads the certificates that another authority has issued for the first keys of roles.
fn given_chains(configuration: &Configuration, file: &Path) -> anyhow::Result<BTreeMap<Role, Vec<u8>>> {
    let files = [(Role::Ca, &configuration.ca.chain), (Role::Tsa, &configuration.tsa.chain)];
    let files = files.into_iter().filter_map(|(role, chain)| Some((role, chain.as_ref()?)));
    let read = files.map(|(role, chain)| {
        let text = fs::read(chain).with_context(|| format!("[{role}] chain: cannot read {}", chain.display()))?;
        Ok((role, text))
    });
    read.collect::<anyhow::Result<_>>().with_context(|| format!("cannot use {}", file.display()))
}

/// Checks the given certificates before the data directory has them and their keys: which keys it has cannot change. `known` are
/// the keys that exist already.
fn verify_chains(
    configuration: &Configuration,
    chains: &BTreeMap<Role, Vec<u8>>,
    known: &BTreeMap<String, PublicKey>,
    now: Timestamp,
) -> anyhow::Result<()> {
    for (role, text) in chains {
        let uri = if *role == Role::Ca { &configuration.ca.key } else { &configuration.tsa.key };
        let uri = uri.as_deref().with_context(|| format!("[{role}] chain needs [{role}] key"))?;
        let key = known.get(role.name()).with_context(|| {
            format!("cannot use the {role} key {uri}: it does not exist, and [{role}] chain is for a key that does")
        })?;
        let verdict = if *role == Role::Ca {
            IssuingChain::given(text, key, now).map(drop)
        } else {
            chancery_tsa::chain::given(text, key, now).map(drop)
        };
        verdict.with_context(|| format!("cannot use [{role}] chain"))?;
    }
    Ok(())
}

impl Started<'_> {
    /// Where the logs are.
    fn database(&self, data: &DataDirectory) -> anyhow::Result<Location> {
        match &self.configuration.database {
            Some(database) => Ok(Location::Server(database.url.clone())),
            None => Ok(Location::File(data.database()?)),
        }
    }

    async fn instance(
        &self,
        prepared: Prepared,
        data: &DataDirectory,
        clock: GuardedClock,
    ) -> anyhow::Result<Instance> {
        let Self { configuration, file, roles, ref chains } = *self;
        let database_url = configuration.database.as_ref().map(|database| database.url.as_str());
        let database = self.database(data)?;
        let setup = Setup {
            data,
            addresses: &prepared.addresses,
            organization: &configuration.organization,
            roles,
            issuer: prepared.oidc_issuer.map_or(SignIn::Nowhere, SignIn::At),
            database: &database,
            check_command: command::check_logs(Path::new("chancery"), data.path(), database_url).join(" "),
            chains: chains.clone(),
            tls: configuration.listen.tls.as_ref().map(|files| files.certificate.as_path()),
            console: configuration.console.enabled.then(|| ConsoleSettings {
                is_development: false,
                first_steps: Vec::new(),
                security_contact: configuration.console.security_contact.clone(),
            }),
        };
        let choices = Choices {
            access: prepared.access,
            events: prepared.events,
            tiles: prepared.tiles.map(TilesPlace::open).transpose().context("[log] tiles")?,
            witnesses: prepared.witnesses,
            transparency: prepared.transparency,
            monitor: prepared.monitor,
            operations: &prepared.operations,
            rekor_v1: &prepared.rekor_v1,
            rekor_v2: &prepared.rekor_v2,
            search: &prepared.search,
            timestamps: &prepared.timestamps,
            tuf: &prepared.tuf,
            settings: prepared.authority,
        };
        Instance::start(&setup, clock, choices)
            .await
            .with_context(|| format!("cannot start the instance of {}", file.display()))
    }
}
