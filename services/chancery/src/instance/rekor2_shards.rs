//! The Rekor v2 logs of an instance, each at a host name of its own: a request is for the log of the host it names, and for the
//! first one where it names none of the others.
//!
//! Signers are sent to the one whose key signs, by the signing configuration. Those that have not fetched a new one go on with
//! the log before until its key is retired: then it is frozen.

use super::{
    shards::{Personality, Shards},
    trust::{Publisher, TrustSources},
};
use crate::rotation::{follow::Subject, generations::Generations};
use anyhow::Context as _;
use axum::Router;
use chancery_daemon::signer::Signer;
use chancery_log::{Files, Log, rekor_v2::RekorV2, series};
use chancery_verify::PublicKey;
use std::{collections::BTreeMap, sync::Arc};

/// Every Rekor v2 log.
pub(super) type Rekor2Shards = Shards<RekorV2>;

impl Personality for RekorV2 {
    fn beside(&self, log: Log, _path: &str) -> Self {
        self.beside(log)
    }

    fn log(&self) -> &Log {
        self.log()
    }

    fn files(&self) -> Files {
        self.files()
    }

    fn routes(&self) -> Router {
        self.router()
    }
}

/// The routes of all logs, whenever they come to be. The name of a log is that of its host.
pub(super) fn routes(shards: &Rekor2Shards) -> Router {
    let others = shards.clone();
    let find = move |host: &str| others.find(|_, shard| shard.log().record().origin == host);
    series::by_host(shards.first().router(), find)
}

/// Opens the logs of every generation, each with an entry of our own where it is empty; returns those that cannot be, and why.
pub(super) async fn open(shards: &Rekor2Shards, keys: &Generations<PublicKey>) -> BTreeMap<u64, String> {
    let mut failed = shards.open(keys).await;
    for (generation, key) in keys.credentials().filter(|(generation, _)| *generation > 1) {
        let Some(shard) = shards.get(generation) else { continue };
        if let Err(error) = shard.seed(key.to_pem().as_bytes()).await {
            failed.insert(generation, format!("cannot write its first entry: {error}"));
        }
    }
    failed
}

/// The logs as a rotation changes them.
pub(super) struct RotatedRekor2 {
    pub(super) shards: Rekor2Shards,
    pub(super) publisher: Option<Publisher>,
}

impl Subject for RotatedRekor2 {
    type Credential = PublicKey;

    async fn prepare(&mut self, keys: &Generations<PublicKey>) -> BTreeMap<u64, String> {
        let mut failed = open(&self.shards, keys).await;
        failed.extend(self.shards.freeze_retired(keys).await);
        failed
    }

    fn publish(&self, keys: &Generations<PublicKey>) -> anyhow::Result<()> {
        Publisher::name(self.publisher.as_ref(), keys, TrustSources::set_rekor2_logs)
    }

    /// Nobody is sent there before the signing configuration names it.
    async fn sign_with(&mut self, credential: Arc<PublicKey>, _signer: Arc<Signer>) -> anyhow::Result<()> {
        let (generation, _) = self.shards.with_key(&credential).context("the log of the key is not open")?;
        let Some(publisher) = &self.publisher else { return Ok(()) };
        publisher.publish(|sources| sources.send_signers_to(generation))
    }
}
