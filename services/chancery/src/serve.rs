//! `chancery init` and `chancery serve`: an instance as its configuration file says.
//!
//! `init` makes, once: keys, certificates, logs and their first entries, trust files. `serve` makes nothing. A missing file is an
//! error, because a new key under an old log, or the reverse, would contradict what was signed.

#[cfg(feature = "s3")]
use crate::instance::BucketArguments;
use crate::{
    command,
    configuration::{Configuration, Role},
    instance::{
        Addresses, AuthorityArguments, Choices, ConsoleSettings, DataDirectory, GuardedClock, Instance, Listening,
        OperationsArguments, RekorV2Arguments, Setup, SignIn, TilesArguments, TimestampArguments,
        TransparencyArguments, WitnessChoices, WitnessesTable, recorded_instance,
    },
    issuers::ConfiguredIssuers,
};
use anyhow::{Context as _, anyhow, bail, ensure};
use chancery_daemon::reload::Hangups;
use chancery_log::{ct, mirror::Destination, rekor_v1, rekor_v2, store::Location};
use chancery_trust::BaseUrl;
use const_oid::ObjectIdentifier;
use sd_notify::NotifyState;
use std::{collections::BTreeSet, path::Path};

/// Makes the instance. One that was made already is refused, unless `if_needed`.
pub(crate) async fn init(file: &Path, if_needed: bool) -> anyhow::Result<()> {
    let configuration = Configuration::load(file)?;
    let roles = Role::ALL.into();
    // Before the locks are tried, which its servers hold: a container's init is run again while they answer.
    if configuration.data.join("instance.json").exists() && recorded_instance(&configuration.data)?.complete {
        ensure!(if_needed, "the instance in {} exists; run: chancery serve", configuration.data.display());
        return Ok(());
    }
    let clock = GuardedClock::start_to_make(configuration.tsa.time_servers()?).await?;
    let mut data = DataDirectory::open(&configuration.data, &roles, clock.now())?;
    let Configuration { ca, log, tsa, .. } = &configuration;
    let logs = [(rekor_v1::NAME, &log.rekor_key), (rekor_v2::NAME, &log.rekor2_key), (ct::NAME, &log.ct_key)];
    for (name, uri) in logs.into_iter().chain([("ca", &ca.key), ("tsa", &tsa.key)]) {
        uri.as_ref().map_or(Ok(()), |uri| data.use_key(name, uri))?;
    }
    let started = Started { configuration: &configuration, file, roles: &roles };
    let instance = Box::pin(started.instance(&data, clock)).await?;
    instance.write_trust_files(&data.trust())?;
    instance.stop().await;
    data.complete()
}

/// Serves `roles` until SIGTERM or SIGINT; all of them unless told otherwise.
///
/// 1. Read the configuration, lock the data directory. 2. Listen. 3. Open keys, logs, authority. 4. Answer.
pub(crate) async fn run(file: &Path, roles: &[Role]) -> anyhow::Result<()> {
    let hangups = Hangups::catch().context("cannot wait for SIGHUP")?;
    // (1)
    let configuration = Configuration::load(file)?;
    let roles: BTreeSet<Role> = if roles.is_empty() { Role::ALL.into() } else { roles.iter().copied().collect() };
    if !configuration.data.join("instance.json").exists() {
        bail!("there is no instance in {}; make it first: chancery init", configuration.data.display());
    }
    let clock = GuardedClock::start(configuration.tsa.time_servers()?).await;
    let mut data = DataDirectory::open(&configuration.data, &roles, clock.now())?;
    ensure!(!data.is_new(), "the instance in {} is incomplete; complete it: chancery init", data.path().display());
    // (2)
    let listening = Listening::on(configuration.listen.address, configuration.listen.metrics, hangups).await?;
    let listening = listening.with_origins(&configuration.listen.origins);
    let mut listening = listening.with_tls(configuration.listen.tls.as_ref())?;
    if let Some(limit) = configuration.listen.connections_per_address() {
        listening = listening.with_limit(limit);
    }
    let address = listening.address()?;
    // (3)
    let started = Started { configuration: &configuration, file, roles: &roles };
    let instance = Box::pin(started.instance(&data, clock)).await?;
    instance.write_trust_files(&data.trust())?;
    if roles.len() == Role::ALL.len() {
        data.complete()?;
    }
    // (4)
    let names: Vec<_> = roles.iter().map(ToString::to_string).collect();
    let ready = || {
        tracing::info!(%address, url = configuration.url, roles = names.join(","), "ready");
        notify(NotifyState::Ready);
    };
    instance.serve(listening, |routes| routes, ready).await
}

/// Tells systemd, if it waits to be told.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "cannot notify systemd");
    }
}

fn operations(Configuration { listen, ca, .. }: &Configuration) -> anyhow::Result<OperationsArguments> {
    Ok(OperationsArguments {
        metrics: listen.metrics,
        origins: listen.origins.clone(),
        audit: ca.audit.clone(),
        audit_rotation: ca.audit_rotation()?,
        limit_identity: ca.limit_identity,
        limit_issuer: ca.limit_issuer,
    })
}

fn authority(Configuration { ca, .. }: &Configuration) -> anyhow::Result<AuthorityArguments> {
    let algorithms = ca.client_signing_algorithms.iter().map(|name| name.parse()).collect::<Result<_, _>>();
    let client_signing_algorithms = algorithms.context("[ca] client_signing_algorithms")?;
    Ok(AuthorityArguments { ca_key: ca.key.clone(), client_signing_algorithms })
}

fn transparency(Configuration { log, .. }: &Configuration) -> TransparencyArguments {
    TransparencyArguments {
        ct_log_url: log.ct_log_url.clone(),
        ct_log_key: log.ct_log_key.clone(),
        ct_log_accepts: log.ct_log_accepts.clone(),
        unlogged: log.insecure_without_certificate_log,
    }
}

fn rekor_v2_settings(Configuration { log, .. }: &Configuration) -> RekorV2Arguments {
    RekorV2Arguments {
        key: log.rekor2_key_kind,
        dsse: log.rekor2_dsse,
        frozen: log.rekor2_frozen,
        default: log.default_rekor,
    }
}

fn timestamps(Configuration { tsa, .. }: &Configuration) -> anyhow::Result<TimestampArguments> {
    let policies = tsa.policies.iter().map(|policy| policy.parse()).collect::<Result<Vec<ObjectIdentifier>, _>>();
    let tsa_policies =
        policies.map_err(|_| anyhow!("[tsa] policies: write object identifiers, for example 1.3.6.1.4.1.57264.2"))?;
    Ok(TimestampArguments { tsa_key: tsa.key.clone(), tsa_policies })
}

fn tiles(Configuration { log, .. }: &Configuration) -> anyhow::Result<Option<Destination>> {
    let Some(tiles) = &log.tiles else { return Ok(None) };
    let arguments = TilesArguments {
        url: Some(tiles.url.clone()),
        #[cfg(feature = "s3")]
        bucket: BucketArguments {
            endpoint: tiles.endpoint.clone(),
            region: tiles.region.clone(),
            credentials: tiles.credentials.clone(),
        },
    };
    arguments.destination().context("[log] tiles")
}

fn witnesses(Configuration { log, .. }: &Configuration) -> anyhow::Result<WitnessChoices> {
    let read = |table: &Option<WitnessesTable>| table.as_ref().map(WitnessesTable::witnesses).transpose();
    let rekor2 = read(&log.rekor2_witnesses).context("[log.rekor2_witnesses]")?;
    Ok(WitnessChoices { rekor2, ct: read(&log.ct_witnesses).context("[log.ct_witnesses]")? })
}

/// What an instance is started with.
struct Started<'a> {
    configuration: &'a Configuration,
    file: &'a Path,
    roles: &'a BTreeSet<Role>,
}

impl Started<'_> {
    async fn instance(&self, data: &DataDirectory, clock: GuardedClock) -> anyhow::Result<Instance> {
        let Self { configuration, file, roles } = *self;
        let addresses = Addresses::configured(configuration)?;
        let database_url = configuration.database.as_ref().map(|database| database.url.as_str());
        let database = match database_url {
            Some(url) => Location::Server(url.to_owned()),
            None => Location::File(data.database()?),
        };
        let setup = Setup {
            data,
            addresses: &addresses,
            organization: &configuration.organization,
            roles,
            issuer: match &configuration.ca.oidc_issuer {
                Some(url) => SignIn::At(BaseUrl::parse(url)?),
                None => SignIn::Nowhere,
            },
            database: &database,
            check_command: command::check_logs(Path::new("chancery"), data.path(), database_url).join(" "),
            console: configuration.console.enabled.then(|| ConsoleSettings {
                is_development: false,
                first_steps: Vec::new(),
                security_contact: configuration.console.security_contact.clone(),
            }),
        };
        let operations = operations(configuration)?;
        let authority = authority(configuration)?;
        let issuers = roles.contains(&Role::Ca).then_some(configuration.ca.issuers.as_path());
        let choices = Choices {
            tiles: tiles(configuration)?,
            witnesses: witnesses(configuration)?,
            transparency: transparency(configuration).read().context("[log]")?,
            operations: &operations,
            rekor_v2: &rekor_v2_settings(configuration),
            timestamps: &timestamps(configuration)?,
            tuf: &configuration.trust.tuf()?,
            settings: authority.settings(ConfiguredIssuers::load(issuers)?),
        };
        Instance::start(&setup, clock, choices)
            .await
            .with_context(|| format!("cannot start the instance of {}", file.display()))
    }
}
