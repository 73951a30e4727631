//! Which parts a process has, and how they hang together.
//!
//! ```text
//! issuer ──token──▶ certificate authority ──precertificate──▶ CT log ─┐
//!                                  Rekor v1 log, Rekor v2 log ────────┴─▶ one database
//!                                   timestamp authority                 nothing but its key and a clock
//! ```
//! A process that has not every role reaches the others at their URLs, and knows of their keys the public half.

use super::{
    AccessSettings, OperationsArguments, RekorV1Arguments, RekorV2Arguments, SearchArguments, Setup, SignIn,
    access::Access,
    agreement,
    assembly::{Assembly, Part},
    authority::{self, Issuing, RotatedAuthority},
    clock::GuardedClock,
    ct_shards::{self, CtShards, RotatedCt},
    description::Answering,
    events::EventSettings,
    log_keys::LogKeys,
    logs::{Logs, Opening},
    monitor,
    readiness::{self, Checked},
    running::RunningLogs,
    search::{self, Search},
    served,
    status::{self, Process},
    timestamps::{TimestampArguments, Timestamps},
    transparency,
    trust::{self, Publisher, TrustSources},
    tuf::{Tuf, TufArguments},
    upkeep::Upkeep,
    witnesses::WitnessChoices,
};
use crate::{
    issuer::{self, Issuer},
    listening::Listening,
    monitor::MonitorConfiguration,
    role::Role,
    rotation::{
        self, RingFiles,
        follow::{Rotation, Shared},
        generations::Generations,
        observe,
        status::Statuses,
    },
};
use anyhow::Context as _;
use axum::Router;
use chancery_ca::{IssuerSettings, audit::AuditLog, chain::IssuingChain, issue::Pipeline};
use chancery_console::Console;
use chancery_daemon::{
    clock::{Clock, ClockGuard},
    health::Checks,
    http::openapi,
    metrics::Metrics,
    random::{Random, SystemRandom},
};
use chancery_log::{admission::OwnAuthority, mirror::Destination, reader::Readers};
use chancery_trust::{CurrentFiles, FileName};
use chancery_verify::{PublicKey, timestamping::Authority};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::task::JoinHandle;

/// What the options ask for, read and checked.
pub(crate) struct Choices<'a> {
    pub(crate) access: AccessSettings,
    pub(crate) events: Option<EventSettings>,
    pub(crate) tiles: Option<Destination>,
    pub(crate) witnesses: WitnessChoices,
    pub(crate) transparency: transparency::Settings,
    /// What the logs are monitored for; `None` if they are not.
    pub(crate) monitor: Option<Arc<MonitorConfiguration>>,
    pub(crate) operations: &'a OperationsArguments,
    pub(crate) rekor_v1: &'a RekorV1Arguments,
    pub(crate) rekor_v2: &'a RekorV2Arguments,
    pub(crate) search: &'a SearchArguments,
    pub(crate) settings: authority::Settings,
    pub(crate) timestamps: &'a TimestampArguments,
    pub(crate) tuf: &'a TufArguments,
}

/// A process that is ready to answer.
pub(crate) struct Instance {
    /// Of every role; without the shell all listeners share.
    routes: Router,
    /// The pages, unless they are switched off.
    console: Option<Console>,
    /// The metrics, if they are enabled.
    metrics: Option<Metrics>,
    /// Whether every role does its work.
    checks: Checks,
    /// What clients need, where this process knows it.
    trust_files: Option<CurrentFiles>,
    /// Aborted at the end: none of them has anything to finish.
    background: Vec<JoinHandle<()>>,
    tuf: Option<Tuf>,
    logs: Option<Logs>,
    upkeep: Upkeep,
}

/// What all parts need.
struct Common<'a> {
    setup: &'a Setup<'a>,
    /// The guard as a clock that only shows the time.
    clock: Arc<dyn Clock>,
    /// What dates everything that is signed.
    guard: Arc<ClockGuard>,
    random: Arc<dyn Random>,
    /// The authority, as rules of the logs may mean it.
    own: OwnAuthority,
}

/// The first entry of a log is the trust root it will be verified with.
async fn seed(logs: Option<&Logs>, files: Option<&CurrentFiles>) -> anyhow::Result<()> {
    let (Some(logs), Some(files)) = (logs, files) else { return Ok(()) };
    let trusted_root = files.borrow().contents(FileName::TrustedRoot).to_owned();
    logs.seed(trusted_root.as_bytes()).await
}

impl Instance {
    /// Opens everything of these roles, and creates it where the data directory is new.
    pub(crate) async fn start(
        setup: &Setup<'_>,
        guarded: GuardedClock,
        mut choices: Choices<'_>,
    ) -> anyhow::Result<Self> {
        let common = Common::new(setup, &guarded)?;
        let Common { clock, .. } = &common;
        let keys = common.keys().await?;
        let access = common.access(std::mem::take(&mut choices.access), &keys)?;
        let logs = common.logs(&keys, &choices, &access).await?;
        let log_keys = LogKeys::start(common.ring(), logs.as_ref(), clock.now()).await?;
        let timestamps = common.timestamps(&choices).await?;
        let issuer = common.development_issuer()?;
        let tsa = timestamps.as_ref().map(Timestamps::keys);
        let (publisher, trust_files) = common.publisher(issuer.as_deref(), &choices, &keys, &log_keys, tsa)?.unzip();
        seed(logs.as_ref(), trust_files.as_ref()).await?;
        let (running, shown_to) = (logs.as_ref().map(|logs| logs.running.clone()), access.status.clone());
        let metrics = choices.operations.metrics(running.as_ref(), &access, clock)?;
        let audit = choices.operations.audit(setup.data.path(), setup.roles)?;
        let tuf = common.tuf(&choices, trust_files.clone(), metrics.as_ref(), audit.clone()).await?;
        let (search, following) = Common::search(logs.as_ref(), &mut choices, &access, metrics.as_ref())?.unzip();
        let (monitor, monitoring) = common.monitor(logs.as_ref(), &choices, metrics.as_ref())?.unzip();
        let statuses = Statuses::new(audit.clone());
        metrics.as_ref().map_or(Ok(()), |metrics| statuses.measure(metrics).and_then(|()| guarded.measure(metrics)))?;
        let serving = served::serving(tuf.as_ref(), setup.addresses, clock)?;
        let shared = Shared { clock: clock.clone(), statuses, serving };
        let shards = logs.as_ref().map(|logs| logs.ct.clone());
        let (ct_keys, rekor_keys) = log_keys.apart();
        let followed = Followed { keys, ct_keys, shards, publisher: publisher.clone(), shared: shared.clone() };
        let (authority, mut background) = if setup.roles.contains(&Role::Ca) {
            common.authority(followed, choices, issuer.as_deref(), metrics.as_ref())?
        } else {
            ((Router::new(), Checked::default()), common.observed_authority(followed)?)
        };
        background.extend(rekor_keys.follow(common.ring(), logs.as_ref(), publisher.as_ref(), &shared)?);
        let upkeep = Upkeep::new(setup.data.path(), audit, clock);
        background.extend(upkeep.start()?.into_iter().chain(guarded.into_background()).chain(monitoring));
        background.extend(following.into_iter().flatten().chain(access.into_background()));
        background.extend(logs.as_ref().map(Logs::read_attestations));
        let mut assembly = Assembly { routes: Router::new(), checked: upkeep.checks(setup.roles) };
        assembly.checked.extend(readiness::of_keys(shared.statuses.clone()));
        assembly.add(Role::Log, common.answering_logs(logs.as_ref(), metrics.as_ref())?);
        assembly.add(Role::Log, search.as_ref().map(|search| search.part(trust_files.clone(), clock)));
        assembly.add(Role::Log, monitor);
        assembly.add(Role::Ca, Some(authority));
        assembly.add(Role::Trust, tuf.as_ref().map(|tuf| (tuf.router(), tuf.checks())));
        if let Some(timestamps) = timestamps {
            assembly.add(Role::Tsa, Some((timestamps.router(metrics.as_ref())?, timestamps.checks())));
            background.extend(timestamps.into_background(publisher, shared)?);
        } else {
            background.push(common.observed_timestamps(publisher));
        }
        assembly.merge([trust_files.as_ref().map(chancery_trust::http::router), issuer.map(issuer::router)]);
        let health = assembly.checked.start(metrics.as_ref()).await?;
        let checks = health.checks();
        background.push(tokio::spawn(health.watch()));
        let console = common.console(&checks, running.clone(), tuf.as_ref())?;
        let mut routes = assembly.routes.merge(console.as_ref().map(Console::router).unwrap_or_default());
        routes = routes.merge(common.status(shown_to.as_ref(), &checks, running, tuf.as_ref())?);
        routes = routes.merge(common.description(metrics.is_some(), search.is_some(), shown_to.is_some()));
        routes = routes.merge(readiness::health_service(setup.roles, Arc::clone(&checks)));
        Ok(Self { routes, console, metrics, checks, trust_files, background, tuf, logs, upkeep })
    }

    /// Writes what clients need into `directory`, where this process knows it.
    pub(crate) fn write_trust_files(&self, directory: &Path) -> anyhow::Result<()> {
        let Some(files) = &self.trust_files else { return Ok(()) };
        let files = Arc::clone(&files.borrow());
        files.write_to(directory).context("cannot write the trust files")
    }

    /// Why logs are quarantined, each with `check_command` to run; empty where none is.
    pub(crate) fn quarantined(&self, check_command: &str) -> Vec<String> {
        self.logs.as_ref().map(|logs| logs.running.quarantined(check_command)).unwrap_or_default()
    }

    /// SHA-256 of the root that clients of the TUF repository start from, in hexadecimal; empty where it is not here.
    pub(crate) fn root_checksum(&self) -> String {
        self.tuf.as_ref().map(Tuf::root_checksum).unwrap_or_default()
    }

    /// Answers on `listening` until SIGTERM or SIGINT; see [`Listening::serve`].
    pub(crate) async fn serve(
        self,
        listening: Listening,
        guard: impl Fn(Router) -> Router,
        ready: impl FnOnce(),
    ) -> anyhow::Result<()> {
        let (routes, checks) = (self.routes.clone(), Arc::clone(&self.checks));
        let pages = self.console.as_ref().map(Console::unknown_path);
        listening.serve(routes, pages, checks, self.metrics.as_ref(), guard, ready).await?;
        self.stop().await;
        Ok(())
    }

    /// Lets the logs answer who still waits.
    pub(crate) async fn stop(self) {
        for task in self.background {
            task.abort();
        }
        if let Some(tuf) = self.tuf {
            tuf.stop().await;
        }
        if let Some(logs) = self.logs {
            logs.stop().await;
        }
        self.upkeep.stop();
    }
}

/// The keys of the authority and of its log, and who is told when they change.
struct Followed {
    keys: Generations<IssuingChain>,
    ct_keys: Generations<PublicKey>,
    shards: Option<CtShards>,
    publisher: Option<Publisher>,
    shared: Shared,
}

impl<'a> Common<'a> {
    /// Refuses a data directory whose files contradict each other.
    fn new(setup: &'a Setup<'a>, guarded: &GuardedClock) -> anyhow::Result<Self> {
        agreement::verify(setup.data.path())?;
        let (clock, guard) = (guarded.guard(), guarded.guard());
        Ok(Self { setup, clock, guard, random: Arc::new(SystemRandom), own: OwnAuthority::default() })
    }

    fn ring(&self) -> RingFiles {
        RingFiles::of(self.setup.data.path())
    }

    /// The authority's keys. They are made where the authority is this process's and has none.
    async fn keys(&self) -> anyhow::Result<Generations<IssuingChain>> {
        let Self { setup, clock, random, .. } = self;
        if !setup.roles.contains(&Role::Ca) {
            return Generations::read(self.ring(), rotation::Role::Ca);
        }
        authority::keys(setup, &**random, clock.now()).await
    }

    /// Who may write to the logs and read their entries.
    fn access(&self, settings: AccessSettings, keys: &Generations<IssuingChain>) -> anyhow::Result<Access> {
        self.own.replace(authority::issuing(keys));
        Access::start(settings, self.own.clone(), &self.clock)
    }

    /// The logs, where they are this process's.
    async fn logs(
        &self,
        keys: &Generations<IssuingChain>,
        choices: &Choices<'_>,
        access: &Access,
    ) -> anyhow::Result<Option<Logs>> {
        let Self { setup, guard: clock, random, .. } = self;
        if !setup.roles.contains(&Role::Log) {
            return Ok(None);
        }
        let Choices { tiles, witnesses, rekor_v1, rekor_v2, transparency, .. } = choices;
        let roots = [&authority::roots(keys)[..], &transparency.accepted_roots[..]].concat();
        let (tiles, access) = (tiles.as_ref(), &access.log);
        let opening = Opening { setup, clock, random, tiles, witnesses, rekor_v1, rekor_v2, access };
        opening.logs(&roots).await.map(Some)
    }

    /// The logs' routes and checks, where they are this process's.
    fn answering_logs(&self, logs: Option<&Logs>, metrics: Option<&Metrics>) -> anyhow::Result<Option<Part>> {
        let Some(logs) = logs else { return Ok(None) };
        let routes = logs.routes(metrics).context("cannot measure the logs")?;
        Ok(Some((routes, logs.checks(self.setup.check_command.clone()))))
    }

    /// The search index of the logs, where they are this process's, unless it is switched off; and the tasks that follow them.
    fn search(
        logs: Option<&Logs>,
        choices: &mut Choices<'_>,
        access: &Access,
        metrics: Option<&Metrics>,
    ) -> anyhow::Result<Option<(Search, Vec<JoinHandle<()>>)>> {
        let Some(logs) = logs.filter(|_| !choices.search.disabled) else { return Ok(None) };
        Search::start(logs, access.log.readers.clone(), choices.events.take(), metrics).map(Some)
    }

    /// The monitor of the logs, where they are this process's and it is configured: its checks, and the task that follows them.
    fn monitor(
        &self,
        logs: Option<&Logs>,
        choices: &Choices<'_>,
        metrics: Option<&Metrics>,
    ) -> anyhow::Result<Option<(Part, JoinHandle<()>)>> {
        let (Some(logs), Some(configuration)) = (logs, &choices.monitor) else { return Ok(None) };
        let (checks, task) = monitor::start(configuration, search::sources(logs), &self.clock, metrics)?;
        Ok(Some(((Router::new(), checks), task)))
    }

    /// What follows the rotation of the certificate logs' keys in this process; `issuing` is its authority.
    fn certificate_logs(
        &self,
        keys: Generations<PublicKey>,
        shards: Option<CtShards>,
        issuing: Option<Arc<Issuing>>,
        publisher: Option<Publisher>,
        shared: Shared,
    ) -> anyhow::Result<JoinHandle<()>> {
        if let Some(shards) = shards {
            return Rotation::start(keys, RotatedCt { shards, issuing, publisher }, shared);
        }
        let (addresses, logs_to) = (self.setup.addresses.clone(), AtomicU64::new(keys.signing_credential()?.0));
        Ok(observe::start(self.ring(), rotation::Role::Ct, move |keys: &Generations<PublicKey>| {
            Publisher::name(publisher.as_ref(), keys, TrustSources::set_ct_logs)?;
            let (generation, key) = keys.signing_credential()?;
            if let Some(issuing) = issuing.as_ref().filter(|_| logs_to.load(Ordering::Relaxed) != generation) {
                issuing.log_to(transparency::reached(&addresses, generation, &key)?)?;
                logs_to.store(generation, Ordering::Relaxed);
            }
            Ok(())
        }))
    }

    /// What follows the rotations of an authority in another process.
    fn observed_authority(&self, followed: Followed) -> anyhow::Result<Vec<JoinHandle<()>>> {
        let Followed { ct_keys, shards, publisher, shared, .. } = followed;
        let (own_log, published) = (shards.as_ref().map(|shards| shards.first().clone()), publisher.clone());
        let own = self.own.clone();
        let take = move |keys: &_| authority::observe(own_log.as_ref(), &own, published.as_ref(), keys);
        let observed = observe::start(self.ring(), rotation::Role::Ca, take);
        Ok(vec![observed, self.certificate_logs(ct_keys, shards, None, publisher, shared)?])
    }

    /// What follows the rotations of a timestamp authority in another process.
    fn observed_timestamps(&self, publisher: Option<Publisher>) -> JoinHandle<()> {
        let take = move |keys: &_| Publisher::name(publisher.as_ref(), keys, TrustSources::set_timestamp_authorities);
        observe::start(self.ring(), rotation::Role::Tsa, take)
    }

    /// The timestamp authority, where it is this process's.
    async fn timestamps(&self, choices: &Choices<'_>) -> anyhow::Result<Option<Timestamps>> {
        let Self { setup, guard, random, .. } = self;
        if !setup.roles.contains(&Role::Tsa) {
            return Ok(None);
        }
        Timestamps::start(setup, choices.timestamps, Arc::clone(guard), Arc::clone(random)).await.map(Some)
    }

    /// What keeps the trust files, where that is this process.
    fn publisher(
        &self,
        issuer: Option<&Issuer>,
        choices: &Choices<'_>,
        keys: &Generations<IssuingChain>,
        log_keys: &LogKeys,
        timestamp_keys: Option<&Generations<Authority>>,
    ) -> anyhow::Result<Option<(Publisher, CurrentFiles)>> {
        if !self.setup.roles.contains(&Role::Trust) {
            return Ok(None);
        }
        let mut sources = trust::sources(self.setup, issuer, &choices.transparency, choices.rekor_v2)?;
        sources.set_authorities(keys);
        sources.set_ct_logs(&log_keys.ct);
        sources.set_rekor_logs(&log_keys.rekor);
        sources.set_rekor2_logs(&log_keys.rekor2);
        match timestamp_keys {
            Some(keys) => sources.set_timestamp_authorities(keys),
            None => sources.set_timestamp_authorities(&Generations::read(self.ring(), rotation::Role::Tsa)?),
        }
        Publisher::new(sources, self.setup.data.trust()).map(Some)
    }

    /// The TUF repository, where there are files for it.
    async fn tuf(
        &self,
        choices: &Choices<'_>,
        files: Option<CurrentFiles>,
        metrics: Option<&Metrics>,
        audit: Option<Arc<AuditLog>>,
    ) -> anyhow::Result<Option<Tuf>> {
        let Some(files) = files else { return Ok(None) };
        let (clock, random) = (Arc::clone(&self.guard), &*self.random);
        Tuf::start(self.setup, choices.tuf, files, clock, random, metrics, audit).await.map(Some)
    }

    /// The pages for people, unless they are switched off.
    fn console(
        &self,
        checks: &Checks,
        logs: Option<RunningLogs>,
        tuf: Option<&Tuf>,
    ) -> anyhow::Result<Option<Console>> {
        let Some(settings) = &self.setup.console else { return Ok(None) };
        settings.console(self.setup, Arc::clone(checks), logs, tuf.map(Tuf::service), &self.clock).map(Some)
    }

    /// The state of the instance, for its readers.
    fn status(
        &self,
        readers: Option<&Readers>,
        checks: &Checks,
        logs: Option<RunningLogs>,
        tuf: Option<&Tuf>,
    ) -> anyhow::Result<Router> {
        let process = Process::new(self.setup, Arc::clone(checks), logs, tuf.map(Tuf::service), &self.clock)?;
        Ok(status::router(process, readers))
    }

    /// What this process answers, as it says itself.
    fn description(&self, has_metrics: bool, has_search: bool, has_status: bool) -> Router {
        let Setup { roles, issuer, console, .. } = self.setup;
        let is_development = matches!(issuer, SignIn::Here);
        let console = console.as_ref().map(|console| console.security_contact.is_some());
        let answering = Answering { roles, is_development, console, has_metrics, has_search, has_status };
        openapi::router(&answering.description().into_json())
    }

    /// The issuer of a development server.
    fn development_issuer(&self) -> anyhow::Result<Option<Arc<Issuer>>> {
        let Self { setup, clock, random, .. } = self;
        let SignIn::Here = setup.issuer else { return Ok(None) };
        let key = setup.data.key("issuer", issuer::KEY_KIND)?;
        let url = setup.addresses.url(Role::Ca)?.as_str();
        Ok(Some(Arc::new(Issuer::new(url, key, Arc::clone(clock), Arc::clone(random)))))
    }

    /// The certificate authority's routes and checks, and what runs beside it.
    fn authority(
        &self,
        Followed { keys, ct_keys, shards, publisher, shared }: Followed,
        Choices { transparency, operations, settings, .. }: Choices<'_>,
        issuer: Option<&Issuer>,
        metrics: Option<&Metrics>,
    ) -> anyhow::Result<(Part, Vec<JoinHandle<()>>)> {
        let Self { setup, clock, random, guard, .. } = self;
        let (generation, log_key) = ct_keys.signing_credential()?;
        let own = match &shards {
            Some(shards) => ct_shards::local(shards, generation)?,
            None => transparency::reached(setup.addresses, generation, &log_key)?,
        };
        let uses_own_log = transparency.uses_own_log();
        let transparency = transparency.transparency(own);
        let (chain, signer) = keys.signing()?;
        let pipeline = Pipeline::new(chain, signer, transparency.clone(), Arc::clone(random))
            .context("the certificates of the authority are for another key than the one that signs; restore keys/ from a backup")?;
        let (rates, records) = (operations.rates(), OperationsArguments::records(shared.statuses.audit(), metrics)?);
        let own_issuer: Option<IssuerSettings> = issuer.map(|issuer| authority::development_issuer(issuer.url()));
        let guard = Arc::clone(guard);
        let authority = authority::authority(own_issuer.as_ref(), &settings, pipeline, guard, rates, records)?;
        let watched = Arc::clone(&authority);
        let expires = move || watched.pipeline().chain().expires();
        let expiry = authority::watch_expiry("certificate authority", expires, Arc::clone(clock));
        // Before the first request: what was published stays so across a restart.
        authority.publish_chains(keys.shown());
        let issuing = Issuing::new(Arc::clone(&authority), Arc::clone(random), transparency, uses_own_log);
        let (issuing, own_log) = (Arc::new(issuing), shards.as_ref().map(|shards| shards.first().clone()));
        let (own, named) = (self.own.clone(), publisher.clone());
        let subject = RotatedAuthority { issuing: Arc::clone(&issuing), own_log, own, publisher: named };
        let mut background = vec![expiry, Rotation::start(keys, subject, shared.clone())?];
        background.push(self.certificate_logs(ct_keys, shards, Some(issuing), publisher, shared)?);
        let routes = authority::router(&authority, metrics).context("cannot serve the authority")?;
        let checks = authority::checks(&authority, Arc::clone(clock));
        background.extend(authority::follow_issuers(settings.issuers, authority, own_issuer)?);
        Ok(((routes, checks), background))
    }
}
