//! Logs of a series: one for each generation of its key, of which one takes entries.
//!
//! The first is made with the instance. Another is made when its key is staged, empty and with a name of its own. One whose key
//! was retired is read like the others as long as its key is there. What a switch from one to the next is, the series' own file
//! says: [`super::ct_shards`], [`super::rekor_shards`], [`super::rekor2_shards`].

use super::running::RunningLogs;
use crate::rotation::{
    Generation, RingFiles, Role, State,
    follow::PERIOD,
    generations::{Generations, open_generation},
};
use anyhow::Context as _;
use axum::Router;
use chancery_daemon::{
    clock::{Clock, ClockGuard},
    random::Random,
};
use chancery_log::{CHECKPOINT_PERIOD, Files, Log, Settings, series, store::Store, witnessing::Witnesses};
use chancery_verify::PublicKey;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use tokio::task::JoinHandle;

/// How a log names and signs its checkpoints.
pub(super) type Naming = fn(&str, i64) -> Result<chancery_verify::checkpoint::Scheme, chancery_verify::Rejection>;

/// What a log of a series answers.
pub(super) trait Personality: Clone + Send + Sync + 'static {
    /// A later log of the series this one began.
    fn beside(&self, log: Log, path: &str) -> Self;

    /// The log underneath.
    fn log(&self) -> &Log;

    /// The log as files.
    fn files(&self) -> Files;

    /// What it alone answers, all of it below the series' own path.
    fn routes(&self) -> Router;
}

/// The host a generation's log is named by.
type HostOf = dyn Fn(&Generation) -> anyhow::Result<String> + Send + Sync;

/// What is the same for all logs of a series.
pub(super) struct Series {
    /// Of their keys.
    pub(super) role: Role,
    /// Of the first log in the database.
    pub(super) name: &'static str,
    pub(super) scheme: Naming,
    /// Where each generation's log is below the base URL.
    pub(super) path: Box<dyn Fn(u64) -> String + Send + Sync>,
    /// Host name, or host and path, that the checkpoints of each generation's log name.
    pub(super) host: Box<HostOf>,
    /// Who cosigns checkpoints, of logs they can have been told of.
    pub(super) witnesses: Option<Witnesses>,
}

/// What a log is opened with.
#[derive(Clone)]
pub(super) struct ShardOpener {
    pub(super) files: RingFiles,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<ClockGuard>,
    pub(super) random: Arc<dyn Random>,
    pub(super) running: RunningLogs,
    /// Directory of the logs' high-water marks.
    pub(super) marks: PathBuf,
}

/// Every log of a series. Clones are the same.
pub(super) struct Shards<P>(Arc<Inner<P>>);

struct Inner<P> {
    first: P,
    others: RwLock<BTreeMap<u64, (P, Router)>>,
    series: Series,
    opener: ShardOpener,
}

impl<P> Clone for Shards<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Personality> Shards<P> {
    pub(super) fn new(first: P, series: Series, opener: ShardOpener) -> Self {
        Self(Arc::new(Inner { first, others: RwLock::default(), series, opener }))
    }

    /// The one that was made with the instance.
    pub(super) fn first(&self) -> &P {
        &self.0.first
    }

    /// The log of a generation, if it is open.
    pub(super) fn get(&self, generation: u64) -> Option<P> {
        if generation == 1 {
            return Some(self.0.first.clone());
        }
        let others = self.0.others.read().unwrap_or_else(PoisonError::into_inner);
        others.get(&generation).map(|(shard, _)| shard.clone())
    }

    /// The log with this key, if it is open, and its generation.
    pub(super) fn with_key(&self, key: &PublicKey) -> Option<(u64, P)> {
        let others = self.0.others.read().unwrap_or_else(PoisonError::into_inner);
        let others = others.iter().map(|(generation, (shard, _))| (*generation, shard));
        let mut all = std::iter::once((1, &self.0.first)).chain(others);
        let found = all.find(|(_, shard)| shard.log().signer().public_key() == key);
        found.map(|(generation, shard)| (generation, shard.clone()))
    }

    /// Opens the logs of every generation that is or was in use; returns those that cannot be, and why.
    pub(super) async fn open(&self, keys: &Generations<PublicKey>) -> BTreeMap<u64, String> {
        let mut failed = BTreeMap::new();
        for generation in keys.in_use() {
            if let Err(error) = self.open_one(generation).await {
                failed.insert(generation.number, format!("{error:#}"));
            }
        }
        failed
    }

    async fn open_one(&self, generation: &Generation) -> anyhow::Result<()> {
        let (number, Inner { first, series, opener, .. }) = (generation.number, &*self.0);
        if self.get(number).is_none() {
            let (log, sequencer) = opener.open(series, generation).await?;
            let shard = first.beside(log, &(series.path)(number));
            opener.running.add(shard.files(), sequencer).await?;
            let routes = shard.routes();
            self.0.others.write().unwrap_or_else(PoisonError::into_inner).insert(number, (shard, routes));
        }
        Ok(())
    }

    /// Freezes the logs whose keys were retired, once everybody in other processes must have heard of it.
    pub(super) async fn freeze_retired(&self, keys: &Generations<PublicKey>) -> BTreeMap<u64, String> {
        let opener = &self.0.opener;
        let mut failed = BTreeMap::new();
        for generation in keys.in_use().filter(|generation| generation.state == State::Retired) {
            let Some(log) = self.get(generation.number).map(|shard| shard.log().clone()) else { continue };
            if !log.is_frozen() {
                tokio::time::sleep(3 * PERIOD).await;
                let frozen = opener.store.freeze(log.record().log_id, opener.clock.now()).await;
                failed.extend(frozen.err().map(|error| (generation.number, format!("cannot freeze the log: {error}"))));
            }
        }
        failed
    }

    /// The time by which logs are switched.
    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.0.opener.clock
    }

    /// The routes below a path of a log beside the first one, whenever it comes to be.
    pub(super) fn find_routes(&self) -> impl Fn(&str) -> Option<Router> + Send + Sync + use<P> {
        let shards = self.clone();
        move |path: &str| {
            shards.find(|number, _| {
                path.strip_prefix(&(shards.0.series.path)(number)).is_some_and(|rest| rest.starts_with('/'))
            })
        }
    }

    /// The routes of the log beside the first one that is meant.
    pub(super) fn find(&self, is_meant: impl Fn(u64, &P) -> bool) -> Option<Router> {
        let others = self.0.others.read().unwrap_or_else(PoisonError::into_inner);
        others.iter().find(|(number, (shard, _))| is_meant(**number, shard)).map(|(_, (_, routes))| routes.clone())
    }
}

/// Directory of the logs' high-water marks in a data directory.
pub(crate) fn marks(data: &Path) -> PathBuf {
    data.join("marks")
}

/// The file there of the log of this name.
pub(crate) fn mark_file(marks: &Path, name: &str) -> PathBuf {
    marks.join(format!("{name}.mark"))
}

impl ShardOpener {
    /// Where the log of this name has its high-water mark.
    pub(super) fn mark(&self, name: &str) -> PathBuf {
        mark_file(&self.marks, name)
    }

    async fn open(&self, series: &Series, generation: &Generation) -> anyhow::Result<(Log, JoinHandle<()>)> {
        let signer = open_generation(&self.files, series.role, generation).await?;
        let name = series::name(series.name, generation.number);
        // A log of a key that is only staged has signed nothing that would be contradicted.
        let may_be_made = generation.state == State::Staged;
        let settings = Settings {
            host: (series.host)(generation)?,
            scheme: series.scheme,
            signer: Arc::new(signer),
            new_tree_id: may_be_made.then(|| tree_id(&*self.random)),
            frozen: false,
            copy: self.running.copy(&name),
            witnesses: series.witnesses.clone().filter(|_| !may_be_made),
            checkpoint_period: CHECKPOINT_PERIOD,
            mark: Some(self.mark(&name)),
            name,
        };
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        Log::open(settings, store, clock, self.running.stopping()).await.context("cannot open the log")
    }
}

/// Positive, as the store wants it.
pub(crate) fn tree_id(random: &dyn Random) -> i64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    (i64::from_be_bytes(bytes) & i64::MAX).max(1)
}
