//! The logs of an instance, over one database, with the copies of their files.

use super::{
    RekorV2Arguments, Setup, WitnessChoices,
    shards::{CtShards, ShardOpener},
};
use crate::{command, rotation::RingFiles};
use anyhow::Context as _;
use axum::Router;
use chancery_daemon::{
    clock::Clock,
    random::Random,
    shutdown::{self, Shutdown, Trigger},
    signer::{Signer, Use},
};
use chancery_log::{
    Files, Log, Settings,
    ct::{self, Ct},
    mirror::{Destination, Mirror},
    quarantine::Obstacle,
    rekor_v1::{self, RekorV1},
    rekor_v2::{self, RekorV2},
    store::Database,
    witnessing::Witnesses,
};
use chancery_verify::key::KeyKind;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// How a log names and signs its checkpoints.
pub(super) type Naming = fn(&str, i64) -> Result<chancery_verify::checkpoint::Scheme, chancery_verify::Rejection>;

/// Every log that runs.
pub(super) struct Logs {
    pub(super) ct: CtShards,
    rekor: RekorV1,
    rekor2: RekorV2,
    stop: Trigger,
    sequencers: Vec<JoinHandle<()>>,
    mirrors: Mirrors,
    database: Database,
}

/// What the logs are opened with.
pub(super) struct Opening<'a> {
    pub(super) setup: &'a Setup<'a>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) random: &'a Arc<dyn Random>,
    pub(super) tiles: Option<&'a Destination>,
    pub(super) witnesses: &'a WitnessChoices,
    pub(super) rekor_v2: &'a RekorV2Arguments,
}

/// The database, and the signal to stop.
pub(super) struct Running {
    database: Database,
    stopping: Shutdown,
}

impl Opening<'_> {
    /// Opens the logs; the certificate log takes chains that end in one of `roots` (DER).
    pub(super) async fn logs(&self, roots: &[Vec<u8>]) -> anyhow::Result<Logs> {
        let (stop, stopping) = shutdown::channel();
        let running = Running { database: Database::open(self.setup.database).await?, stopping };
        let (host, ct_path) = (&self.setup.addresses.host, self.setup.addresses.ct_path(1));
        let (ct, ct_sequencer) = self.log(&running, ct::NAME, format!("{host}{ct_path}"), ct::scheme).await?;
        let ct = Ct::new(ct, &ct_path, roots).context("cannot open the certificate log")?;
        let (rekor, rekor_sequencer) = self.log(&running, rekor_v1::NAME, host.clone(), rekor_v1::scheme).await?;
        let rekor = RekorV1::new(rekor);
        let (rekor2, rekor2_sequencer) = self.rekor_v2.open(self, &running).await?;
        let mirrors = Mirrors::start(self.tiles, [ct.files(), rekor.files(), rekor2.files()]).await?;
        let addresses = self.setup.addresses.clone();
        let opener = ShardOpener {
            files: RingFiles::of(self.setup.data.path()),
            host: host.clone(),
            path: Box::new(move |generation| addresses.ct_path(generation)),
            store: running.database.store(),
            clock: Arc::clone(self.clock),
            random: Arc::clone(self.random),
            stopping: running.stopping.clone(),
            tiles: self.tiles.cloned(),
            mirrors_stopping: mirrors.stopping.clone(),
            witnesses: self.witnesses.ct.clone(),
        };
        let ct = CtShards::new(ct, opener);
        let sequencers = vec![ct_sequencer, rekor_sequencer, rekor2_sequencer];
        Ok(Logs { ct, rekor, rekor2, stop, sequencers, mirrors, database: running.database })
    }

    async fn log(
        &self,
        running: &Running,
        name: &'static str,
        host: String,
        scheme: Naming,
    ) -> anyhow::Result<(Log, JoinHandle<()>)> {
        let signer = self.setup.data.key_at(Use::Any, name, KeyKind::P256, &**self.random).await?;
        self.log_with(running, signer, name, host, scheme, false).await
    }

    /// As for every log, with a key that the caller has opened.
    pub(super) async fn log_with(
        &self,
        running: &Running,
        signer: Signer,
        name: &'static str,
        host: String,
        scheme: Naming,
        frozen: bool,
    ) -> anyhow::Result<(Log, JoinHandle<()>)> {
        let new_tree_id = self.setup.data.lacks(name).then(|| tree_id(&**self.random));
        let copy = self.tiles.map(|tiles| tiles.below(name));
        let witnesses = self.witnesses_of(name, new_tree_id.is_some());
        let settings = Settings {
            name: name.to_owned(),
            scheme,
            host,
            signer: Arc::new(signer),
            new_tree_id,
            frozen,
            copy,
            witnesses,
        };
        Log::open(settings, running.database.store(), Arc::clone(self.clock), running.stopping.clone())
            .await
            .with_context(|| format!("cannot open the {name} log"))
    }

    /// Who witnesses a log. A new one's key is known to nobody yet.
    fn witnesses_of(&self, name: &str, is_new: bool) -> Option<Witnesses> {
        let of = match name {
            rekor_v2::NAME => self.witnesses.rekor2.clone(),
            ct::NAME => self.witnesses.ct.clone(),
            _ => None,
        };
        if of.is_some() && is_new {
            tracing::warn!(log.name = name, "the log is new: its witnesses are asked from the next start on");
        }
        of.filter(|_| !is_new)
    }
}

impl Logs {
    /// Logs an entry of our own where a log of signatures is empty.
    pub(super) async fn seed(&self, artifact: &[u8]) -> anyhow::Result<()> {
        self.rekor.seed(artifact).await.context("cannot write the rekor log's first entry")?;
        self.rekor2.seed(artifact).await.context("cannot write the rekor2 log's first entry")
    }

    pub(super) fn all(&self) -> Vec<Log> {
        let first = self.ct.first().log().clone();
        vec![first, self.rekor.log().clone(), self.rekor2.log().clone()].into_iter().chain(self.ct.others()).collect()
    }

    pub(super) fn routes(&self) -> Router {
        self.ct.routes().merge(self.rekor.router()).merge(self.rekor2.router())
    }

    /// Says why a log takes no entries, or is not copied, and, of a quarantined log, what to run.
    pub(super) fn obstacle(&self, check_command: String) -> impl Fn() -> Option<String> + Send + Sync + use<> {
        let (logs, shards, mirrors) = (self.all(), self.ct.clone(), self.mirrors.running.clone());
        move || {
            let obstacle = logs.iter().chain(&shards.others()).find_map(Log::obstacle).map(|obstacle| match obstacle {
                Obstacle::Quarantined { ref reason, .. } => {
                    let command = command::compare(&check_command, reason.evidence());
                    format!("{obstacle}. To see what is wrong, run: {command}")
                }
                Obstacle::Clock { .. } | Obstacle::Stopped { .. } | Obstacle::Unwitnessed { .. } => {
                    obstacle.to_string()
                }
            });
            obstacle.or_else(|| mirrors.iter().find_map(Mirror::obstacle).map(str::to_owned))
        }
    }

    /// Lets the logs answer who still waits, then the mirrors copy what that added, then closes the database.
    pub(super) async fn stop(self) {
        self.stop.stop();
        for sequencer in self.sequencers {
            if let Err(error) = sequencer.await {
                tracing::error!(%error, "a log did not stop cleanly");
            }
        }
        let shard_mirrors = self.ct.sequenced().await;
        self.mirrors.stop(shard_mirrors).await;
        self.database.close().await;
    }
}

/// The copies of the logs' files.
struct Mirrors {
    running: Vec<Mirror>,
    tasks: Vec<JoinHandle<()>>,
    stop: Trigger,
    stopping: Shutdown,
}

impl Mirrors {
    /// One for each log, each below the log's name; none where no place is given. A quarantined log is not copied.
    async fn start(place: Option<&Destination>, logs: impl IntoIterator<Item = Files>) -> anyhow::Result<Self> {
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
        Ok(Self { running, tasks, stop, stopping })
    }

    /// Also waits for `others`, which stop with them.
    async fn stop(self, others: Vec<JoinHandle<()>>) {
        self.stop.stop();
        for task in self.tasks.into_iter().chain(others) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a log's copy did not stop cleanly");
            }
        }
    }
}

/// Positive, as the store wants it.
pub(super) fn tree_id(random: &dyn Random) -> i64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    (i64::from_be_bytes(bytes) & i64::MAX).max(1)
}
