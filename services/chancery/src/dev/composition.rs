//! Which parts a development server has, and how they hang together.
//!
//! ```text
//! issuer ──token──▶ certificate authority ──precertificate──▶ CT log ─┐
//!                                          Rekor v1 log ──────────────┴─▶ one database
//! ```

use super::{
    authority::{self, ORGANIZATION},
    certificate_log::LocalLog,
    data::DataDirectory,
    operations::OperationsArguments,
    transparency,
    tuf::{Tuf, TufArguments},
};
use crate::issuer::{self, Issuer};
use anyhow::Context as _;
use axum::Router;
use chancery_ca::{chain::IssuingChain, issue::Pipeline};
use chancery_daemon::{
    clock::Clock,
    http::Readiness,
    metrics::Metrics,
    random::{Random, SystemRandom},
    shutdown::{self, Shutdown, Trigger},
};
use chancery_log::{
    Files, Log, Settings,
    ct::{self, Ct},
    mirror::{Destination, Mirror},
    quarantine::Obstacle,
    rekor_v1::{self, RekorV1},
    store::{Database, Location},
};
use chancery_trust::{BaseUrl, CertificateAuthority, FileName, Material, Services, TrustFiles, Validity, tuf::Service};
use chancery_verify::key::KeyKind;
use std::{net::SocketAddr, sync::Arc};
use tokio::task::JoinHandle;

/// Where the certificate log lives below the base URL.
const CT_PATH: &str = "/ct/dev";

/// Where the server is reached.
pub(super) struct Address {
    /// Without port: names the logs, and so must stay the same for one data directory.
    host: String,
    /// Base URL, without trailing slash.
    pub(super) url: String,
}

impl Address {
    pub(super) fn new(listening: SocketAddr) -> Self {
        Self { host: listening.ip().to_string(), url: format!("http://{listening}") }
    }
}

/// What the options ask for, read and checked.
pub(super) struct Choices<'a> {
    pub(super) tiles: Option<Destination>,
    pub(super) transparency: transparency::Settings,
    pub(super) operations: &'a OperationsArguments,
    pub(super) settings: authority::Settings,
    pub(super) tuf: &'a TufArguments,
}

/// A server that is ready to answer.
pub(super) struct Instance {
    /// Of every role; without the shell all listeners share.
    pub(super) routes: Router,
    /// What is measured, where somebody asks for it.
    pub(super) metrics: Option<Metrics>,
    /// Whether both logs take entries.
    pub(super) readiness: Readiness,
    /// What clients need.
    pub(super) trust_files: TrustFiles,
    /// The development issuer's `iss`.
    pub(super) issuer_url: String,
    stop_logs: Trigger,
    sequencers: [JoinHandle<()>; 2],
    mirrors: Mirrors,
    /// What clients get it from.
    pub(super) tuf: Tuf,
    expiry: JoinHandle<()>,
    follower: Option<JoinHandle<()>>,
    database: Database,
}

impl Instance {
    /// Opens everything in `data`, and creates it where `data` is new.
    pub(super) async fn start(
        data: &DataDirectory,
        address: &Address,
        clock: Arc<dyn Clock>,
        database: &Location,
        choices: Choices<'_>,
        check_command: String,
    ) -> anyhow::Result<Self> {
        let Choices { tiles, transparency, operations, settings, tuf } = choices;
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let database = Database::open(database).await?;
        let (stop_logs, logs_stop) = shutdown::channel();
        let opening = Opening {
            data,
            address,
            random: &*random,
            clock: &clock,
            database: &database,
            tiles: tiles.as_ref(),
            shutdown: logs_stop,
        };

        let authority_key = Arc::new(data.ca_key().await?);
        let chain = authority::issuing_chain(data, &authority_key, &*random, clock.now()).await?;
        let expiry = authority::watch_expiry(chain.expires(), Arc::clone(&clock));
        let (ct, ct_sequencer) = opening.log(ct::NAME, format!("{}{CT_PATH}", address.host), ct::scheme).await?;
        let roots = [&[chain.root().der().to_vec()], &transparency.accepted_roots[..]].concat();
        let ct = Ct::new(ct, CT_PATH, &roots).context("cannot open the certificate log")?;
        let (rekor, rekor_sequencer) = opening.log(rekor_v1::NAME, address.host.clone(), rekor_v1::scheme).await?;
        let rekor = RekorV1::new(rekor);

        let mirrors = Mirrors::start(tiles.as_ref(), [ct.files(), rekor.files()]).await?;

        let issuer_key = data.key("issuer", issuer::KEY_KIND)?;
        let issuer = Arc::new(Issuer::new(&address.url, issuer_key, Arc::clone(&clock), Arc::clone(&random)));
        let trust_files = trust_files(&opening, issuer.url(), &chain, [ct.log(), rekor.log()], &transparency)?;
        // The first entry is the trust root it will be verified with.
        let seeded = rekor.seed(trust_files.contents(FileName::TrustedRoot).as_bytes()).await;
        seeded.context("cannot write the log's first entry")?;
        let logs = [ct.log().clone(), rekor.log().clone()];
        let metrics = operations.metrics(&logs, &clock)?;
        let tuf = Tuf::start(data, tuf, &trust_files, Arc::clone(&clock), metrics.as_ref()).await?;
        let logged = transparency.transparency(Arc::new(LocalLog::new(ct.clone())));
        let pipeline = Pipeline::new(chain, authority_key, logged, random)
            .context("the authority's certificates are for another key")?;
        let recorded = (operations.rates(), operations.records(data.path(), metrics.as_ref())?);
        let authority = authority::authority(issuer.url(), &settings, pipeline, clock, recorded)?;
        let readiness = readiness(logs, mirrors.running.clone(), Arc::clone(tuf.service()), check_command);
        let routes = Router::new()
            .merge(authority::router(&authority, metrics.as_ref())?)
            .merge(ct.router())
            .merge(rekor.router())
            .merge(chancery_trust::http::router(&trust_files))
            .merge(tuf.router())
            .merge(issuer::router(Arc::clone(&issuer)));
        let follower = settings.issuers.follow(authority, authority::development_issuer(issuer.url()))?;
        Ok(Self {
            routes,
            metrics,
            readiness,
            trust_files,
            issuer_url: issuer.url().to_owned(),
            stop_logs,
            sequencers: [ct_sequencer, rekor_sequencer],
            mirrors,
            tuf,
            expiry,
            follower,
            database,
        })
    }

    /// Lets the logs answer who still waits, then the mirrors copy what that added, then closes the database.
    pub(super) async fn stop(self) {
        self.expiry.abort();
        self.tuf.stop().await;
        if let Some(follower) = self.follower {
            follower.abort();
        }
        self.stop_logs.stop();
        for sequencer in self.sequencers {
            if let Err(error) = sequencer.await {
                tracing::error!(%error, "a log did not stop cleanly");
            }
        }
        self.mirrors.stop().await;
        self.database.close().await;
    }
}

/// Whether both logs take entries, their copies are made, and clients accept the TUF metadata for some time; otherwise why not and, of a quarantined log, what to run.
fn readiness(logs: [Log; 2], mirrors: Vec<Mirror>, tuf: Arc<Service>, check_command: String) -> Readiness {
    Arc::new(move || {
        let obstacle = logs.iter().find_map(Log::obstacle).map(|obstacle| match obstacle {
            Obstacle::Quarantined { .. } => format!("{obstacle}. To see what is wrong, run: {check_command}"),
            Obstacle::Clock { .. } | Obstacle::Stopped { .. } => obstacle.to_string(),
        });
        let obstacle = obstacle.or_else(|| mirrors.iter().find_map(Mirror::obstacle).map(str::to_owned));
        obstacle.or_else(|| tuf.obstacle())
    })
}

/// The copies of the logs' files.
struct Mirrors {
    running: Vec<Mirror>,
    tasks: Vec<JoinHandle<()>>,
    stop: Trigger,
}

impl Mirrors {
    /// One for each log, each below the log's name; none where no place is given. A quarantined log is not copied.
    async fn start(place: Option<&Destination>, logs: [Files; 2]) -> anyhow::Result<Self> {
        let (stop, stopping) = shutdown::channel();
        let (mut running, mut tasks) = (Vec::new(), Vec::new());
        if let Some(place) = place {
            for files in logs.into_iter().filter(|files| files.log().quarantine().is_none()) {
                let name = files.log().record().name.clone();
                let (mirror, task) = Mirror::start(files, place.below(&name), stopping.clone())
                    .await
                    .with_context(|| format!("cannot copy the {name} log to --tiles"))?;
                running.push(mirror);
                tasks.push(task);
            }
        }
        Ok(Self { running, tasks, stop })
    }

    async fn stop(self) {
        self.stop.stop();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a log's copy did not stop cleanly");
            }
        }
    }
}

/// What every log is opened with.
struct Opening<'a> {
    data: &'a DataDirectory,
    address: &'a Address,
    random: &'a dyn Random,
    clock: &'a Arc<dyn Clock>,
    database: &'a Database,
    tiles: Option<&'a Destination>,
    shutdown: Shutdown,
}

/// How a log names and signs its checkpoints.
type Naming = fn(&str, i64) -> Result<chancery_verify::checkpoint::Scheme, chancery_verify::Rejection>;

impl Opening<'_> {
    async fn log(&self, name: &'static str, host: String, scheme: Naming) -> anyhow::Result<(Log, JoinHandle<()>)> {
        let signer = Arc::new(self.data.key(name, KeyKind::P256)?);
        let new_tree_id = self.data.is_new().then(|| tree_id(self.random));
        let copy = self.tiles.map(|tiles| tiles.below(name));
        let settings = Settings { name, scheme, host, signer, new_tree_id, copy };
        Log::open(settings, self.database.store(), Arc::clone(self.clock), self.shutdown.clone())
            .await
            .with_context(|| format!("cannot open the {name} log"))
    }
}

/// Positive, as the store wants it.
fn tree_id(random: &dyn Random) -> i64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    (i64::from_be_bytes(bytes) & i64::MAX).max(1)
}

fn trust_files(
    opening: &Opening<'_>,
    issuer_url: &str,
    chain: &IssuingChain,
    [ct, rekor]: [&Log; 2],
    transparency: &transparency::Settings,
) -> anyhow::Result<TrustFiles> {
    let url = BaseUrl::parse(&opening.address.url)?;
    let validity = Validity::since(opening.data.created());
    let log = |log: &Log, base_url| chancery_trust::Log { base_url, key: log.signer().public_key().clone(), validity };
    let authority = CertificateAuthority {
        url: url.clone(),
        organization: ORGANIZATION.to_owned(),
        common_name: format!("{ORGANIZATION} intermediate"),
        chain_der: chain.certificates().iter().map(|certificate| certificate.der().to_vec()).collect(),
        validity,
    };
    // The one that is used comes first; the own one keeps counting for what was issued under it.
    let elsewhere = transparency.elsewhere.as_ref().map(|elsewhere| {
        let (base_url, key) = (elsewhere.url.clone(), elsewhere.key.clone());
        chancery_trust::Log { base_url, key, validity }
    });
    let own = log(ct, BaseUrl::parse(&format!("{}{CT_PATH}", opening.address.url))?);
    let material = Material {
        certificate_authorities: vec![authority],
        ct_logs: elsewhere.into_iter().chain([own]).collect(),
        rekor_logs: vec![log(rekor, url.clone())],
    };
    let services = Services {
        operator: opening.address.host.clone(),
        certificate_authority: url.clone(),
        oidc_issuer: BaseUrl::parse(issuer_url)?,
        rekor_v1: url,
        validity,
    };
    TrustFiles::build(&material, &services).context("the trust files cannot be made")
}
