//! The certificate logs of an instance: one for each generation of the key, of which one takes the authority's certificates.
//!
//! The first is made with the instance. Another is made when its key is staged, empty and with an origin of its own; it accepts
//! the roots the first one accepts. One whose key was retired is frozen, and is read like the others as long as its key is there.

use super::{authority::Issuing, certificate_log::LocalLog, trust::Publisher};
use crate::rotation::{
    Generation, RingFiles, Role, State,
    follow::{PERIOD, Subject},
    generations::{Generations, open_generation},
};
use anyhow::Context as _;
use axum::Router;
use chancery_ca::transparency::CertificateLog;
use chancery_daemon::{clock::Clock, random::Random, shutdown::Shutdown, signer::Signer};
use chancery_log::{
    Log, Settings,
    ct::{self, Ct},
    mirror::{Destination, Mirror},
    store::Store,
    witnessing::Witnesses,
};
use chancery_verify::PublicKey;
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};
use tokio::task::JoinHandle;

/// What a log is opened with.
pub(super) struct ShardOpener {
    pub(super) files: RingFiles,
    pub(super) host: String,
    /// Where each generation's log is below the base URL.
    pub(super) path: Box<dyn Fn(u64) -> String + Send + Sync>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) stopping: Shutdown,
    /// Where its files are copied to.
    pub(super) tiles: Option<Destination>,
    pub(super) mirrors_stopping: Shutdown,
    /// Who cosigns checkpoints, of logs they can have been told of.
    pub(super) witnesses: Option<Witnesses>,
}

/// A log beside the first one.
struct Shard {
    ct: Ct,
    routes: Router,
    sequencer: JoinHandle<()>,
    mirror: Option<JoinHandle<()>>,
}

/// Every certificate log. Clones are the same.
#[derive(Clone)]
pub(super) struct CtShards(Arc<Inner>);

struct Inner {
    first: Ct,
    others: RwLock<BTreeMap<u64, Shard>>,
    opener: ShardOpener,
}

impl CtShards {
    pub(super) fn new(first: Ct, opener: ShardOpener) -> Self {
        Self(Arc::new(Inner { first, others: RwLock::default(), opener }))
    }

    /// The one that was made with the instance.
    pub(super) fn first(&self) -> &Ct {
        &self.0.first
    }

    /// The log of a generation, if it is open.
    pub(super) fn get(&self, generation: u64) -> Option<Ct> {
        if generation == 1 {
            return Some(self.0.first.clone());
        }
        self.0.others.read().unwrap_or_else(PoisonError::into_inner).get(&generation).map(|shard| shard.ct.clone())
    }

    /// The log with this key, if it is open.
    fn with_key(&self, key: &PublicKey) -> Option<Ct> {
        let others = self.0.others.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = std::iter::once(&self.0.first).chain(others.values().map(|shard| &shard.ct));
        all.find(|ct| ct.log().signer().public_key() == key).cloned()
    }

    /// The logs beside the first one.
    pub(super) fn others(&self) -> Vec<Log> {
        let others = self.0.others.read().unwrap_or_else(PoisonError::into_inner);
        others.values().map(|shard| shard.ct.log().clone()).collect()
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
        let number = generation.number;
        if self.get(number).is_none() {
            let shard = self.0.opener.open(&self.0.first, generation).await?;
            self.0.others.write().unwrap_or_else(PoisonError::into_inner).insert(number, shard);
        }
        Ok(())
    }

    /// Freezes the logs whose keys were retired.
    async fn freeze_retired(&self, keys: &Generations<PublicKey>) -> BTreeMap<u64, String> {
        let opener = &self.0.opener;
        let mut failed = BTreeMap::new();
        for generation in keys.in_use().filter(|generation| generation.state == State::Retired) {
            let Some(log) = self.get(generation.number).map(|ct| ct.log().clone()) else { continue };
            if !log.is_frozen() {
                // An authority in another process looks once a second where it should log.
                tokio::time::sleep(3 * PERIOD).await;
                let frozen = opener.store.freeze(log.record().log_id, opener.clock.now()).await;
                failed.extend(frozen.err().map(|error| (generation.number, format!("it cannot be frozen: {error}"))));
            }
        }
        failed
    }

    /// The routes of the first log, and of the others whenever they come to be.
    pub(super) fn routes(&self) -> Router {
        let shards = self.clone();
        let find = move |path: &str| {
            let others = shards.0.others.read().unwrap_or_else(PoisonError::into_inner);
            let is_below =
                |shard: &&Shard| path.strip_prefix(shard.ct.path()).is_some_and(|rest| rest.starts_with('/'));
            others.values().find(is_below).map(|shard| shard.routes.clone())
        };
        self.0.first.router().merge(ct::shards_router(find))
    }

    /// Waits until the logs beside the first one have answered who still waits.
    pub(super) async fn sequenced(&self) -> Vec<JoinHandle<()>> {
        let others = std::mem::take(&mut *self.0.others.write().unwrap_or_else(PoisonError::into_inner));
        let mut mirrors = Vec::new();
        for (generation, shard) in others {
            mirrors.extend(shard.mirror);
            if let Err(error) = shard.sequencer.await {
                tracing::error!(generation, %error, "a certificate log did not stop cleanly");
            }
        }
        mirrors
    }
}

impl ShardOpener {
    async fn open(&self, first: &Ct, generation: &Generation) -> anyhow::Result<Shard> {
        let signer = open_generation(&self.files, Role::Ct, generation).await?;
        let (name, path) = (format!("{}-{}", ct::NAME, generation.number), (self.path)(generation.number));
        // A log of a key that is only staged has signed nothing that would be contradicted.
        let may_be_made = generation.state == State::Staged;
        let settings = Settings {
            host: format!("{}{path}", self.host),
            scheme: ct::scheme,
            signer: Arc::new(signer),
            new_tree_id: may_be_made.then(|| super::logs::tree_id(&*self.random)),
            frozen: false,
            copy: self.tiles.as_ref().map(|tiles| tiles.below(&name)),
            witnesses: self.witnesses.clone().filter(|_| !may_be_made),
            name,
        };
        let opened = Log::open(settings, Arc::clone(&self.store), Arc::clone(&self.clock), self.stopping.clone()).await;
        let (log, sequencer) = opened.context("cannot open its log")?;
        let ct = first.beside(log, &path);
        let mirror = match &self.tiles {
            Some(tiles) if ct.log().quarantine().is_none() => {
                let place = tiles.below(&ct.log().record().name);
                let started = Mirror::start(ct.files(), place, self.mirrors_stopping.clone()).await;
                Some(started.context("cannot copy its log to --tiles")?.1)
            }
            _ => None,
        };
        Ok(Shard { routes: ct.router(), ct, sequencer, mirror })
    }
}

/// The certificate logs as a rotation changes them.
pub(super) struct RotatedCt {
    pub(super) shards: CtShards,
    /// The authority, where it is in this process.
    pub(super) issuing: Option<Arc<Issuing>>,
    pub(super) publisher: Option<Publisher>,
}

impl RotatedCt {
    /// The log of a generation as the authority in this process uses it.
    pub(super) fn local(shards: &CtShards, generation: u64) -> anyhow::Result<Arc<dyn CertificateLog>> {
        let ct = shards.get(generation).with_context(|| format!("the certificate log {generation} is not open"))?;
        Ok(Arc::new(LocalLog::new(ct)))
    }
}

impl Subject for RotatedCt {
    type Credential = PublicKey;

    async fn prepare(&mut self, keys: &Generations<PublicKey>) -> BTreeMap<u64, String> {
        let mut failed = self.shards.open(keys).await;
        failed.extend(self.shards.freeze_retired(keys).await);
        failed
    }

    fn publish(&self, keys: &Generations<PublicKey>) -> anyhow::Result<()> {
        publish(self.publisher.as_ref(), keys)
    }

    fn sign_with(&mut self, credential: Arc<PublicKey>, _signer: Arc<Signer>) -> anyhow::Result<()> {
        let Some(issuing) = &self.issuing else { return Ok(()) };
        let found = self.shards.with_key(&credential).context("the log of the key is not open")?;
        issuing.log_to(Arc::new(LocalLog::new(found)))
    }
}

/// Has `publisher`, if it is in this process, name every log that is to be trusted.
pub(super) fn publish(publisher: Option<&Publisher>, keys: &Generations<PublicKey>) -> anyhow::Result<()> {
    let Some(publisher) = publisher else { return Ok(()) };
    let logs = keys.trusted();
    publisher.publish(|sources| sources.set_ct_logs(&logs))
}
