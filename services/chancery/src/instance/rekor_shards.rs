//! The shards of an instance's Rekor v1 log, which clients see as one: its personality decides which of them is written to, and
//! says where the point of no return is (`chancery_log::rekor_v1`). The files of each are below `/tlog/` and its name.

use super::{
    shards::{Personality, Shards},
    trust::{Publisher, TrustSources},
};
use crate::rotation::{follow::Subject, generations::Generations};
use anyhow::Context as _;
use axum::Router;
use chancery_daemon::{
    metrics::{MetricError, Metrics},
    signer::Signer,
};
use chancery_log::{Files, Log, rekor_v1::RekorV1, series};
use chancery_verify::PublicKey;
use std::{collections::BTreeMap, sync::Arc};

/// One shard, and the log it belongs to.
#[derive(Clone)]
pub(super) struct RekorShard {
    rekor: RekorV1,
    log: Log,
}

/// Every shard.
pub(super) type RekorShards = Shards<RekorShard>;

impl RekorShard {
    /// The first one.
    pub(super) fn first(rekor: RekorV1) -> Self {
        Self { log: rekor.first().clone(), rekor }
    }
}

impl Personality for RekorShard {
    fn beside(&self, log: Log, _path: &str) -> Self {
        Self { rekor: self.rekor.clone(), log }
    }

    fn log(&self) -> &Log {
        &self.log
    }

    fn files(&self) -> Files {
        Files::of_leaves(&self.log)
    }

    fn routes(&self) -> Router {
        self.rekor.files_router(&self.log)
    }
}

/// The log that clients see.
pub(super) fn rekor(shards: &RekorShards) -> &RekorV1 {
    &shards.first().rekor
}

/// The routes of the API, measured where there are metrics, and of every shard's files whenever it comes to be.
pub(super) fn routes(shards: &RekorShards, metrics: Option<&Metrics>) -> Result<Router, MetricError> {
    let rekor = rekor(shards);
    let api = metrics.map_or_else(|| Ok(rekor.router()), |metrics| rekor.measured_router(metrics))?;
    Ok(api.merge(series::router("/tlog", shards.find_routes())))
}

/// Opens the shards of every generation, and tells the log of them; returns those that cannot be opened, and why.
pub(super) async fn open(shards: &RekorShards, keys: &Generations<PublicKey>) -> BTreeMap<u64, String> {
    let mut failed = shards.open(keys).await;
    for (generation, _) in keys.credentials().filter(|(generation, _)| *generation > 1) {
        let Some(shard) = shards.get(generation) else { continue };
        if let Err(error) = rekor(shards).add_shard(shard.log).await {
            failed.insert(generation, error.to_string());
        }
    }
    failed
}

/// Makes the switch to the shard whose key signs, where that was not made or not finished before; returns what is in the way.
pub(super) async fn switch(shards: &RekorShards, keys: &Generations<PublicKey>) -> Option<(u64, String)> {
    let (generation, _) = keys.signing_credential().ok()?;
    let error = rekor(shards).switch_to(generation, shards.clock().now()).await.err()?;
    Some((generation, format!("its shard cannot be written to: {error}")))
}

/// The shards as a rotation changes them.
pub(super) struct RotatedRekor {
    pub(super) shards: RekorShards,
    pub(super) publisher: Option<Publisher>,
}

impl Subject for RotatedRekor {
    type Credential = PublicKey;

    async fn prepare(&mut self, keys: &Generations<PublicKey>) -> BTreeMap<u64, String> {
        let mut failed = open(&self.shards, keys).await;
        failed.extend(switch(&self.shards, keys).await);
        failed
    }

    fn publish(&self, keys: &Generations<PublicKey>) -> anyhow::Result<()> {
        Publisher::name(self.publisher.as_ref(), keys, TrustSources::set_rekor_logs)
    }

    async fn sign_with(&mut self, credential: Arc<PublicKey>, _signer: Arc<Signer>) -> anyhow::Result<()> {
        let (generation, _) = self.shards.with_key(&credential).context("the shard of the key is not open")?;
        Ok(rekor(&self.shards).switch_to(generation, self.shards.clock().now()).await?)
    }
}
