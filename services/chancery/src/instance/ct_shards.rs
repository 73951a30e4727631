//! The certificate logs of an instance: the authority logs in the one whose key signs. They accept the same roots, and each has
//! an address of its own. One whose key was retired is frozen.

use super::{
    authority::Issuing,
    certificate_log::LocalLog,
    shards::{Personality, Shards},
    trust::{Publisher, TrustSources},
};
use crate::rotation::{follow::Subject, generations::Generations};
use anyhow::Context as _;
use axum::Router;
use chancery_ca::transparency::CertificateLog;
use chancery_daemon::signer::Signer;
use chancery_log::{Files, Log, ct::Ct, series};
use chancery_verify::PublicKey;
use std::{collections::BTreeMap, sync::Arc};

/// Every certificate log.
pub(super) type CtShards = Shards<Ct>;

impl Personality for Ct {
    fn beside(&self, log: Log, path: &str) -> Self {
        self.beside(log, path)
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

/// The routes of the first log, and of the others whenever they come to be.
pub(super) fn routes(shards: &CtShards) -> Router {
    shards.first().router().merge(series::router("/ct", shards.find_routes()))
}

/// The log of a generation as the authority in this process uses it.
pub(super) fn local(shards: &CtShards, generation: u64) -> anyhow::Result<Arc<dyn CertificateLog>> {
    let ct = shards.get(generation).with_context(|| format!("the certificate log {generation} is not open"))?;
    Ok(Arc::new(LocalLog::new(ct)))
}

/// The certificate logs as a rotation changes them.
pub(super) struct RotatedCt {
    pub(super) shards: CtShards,
    /// The authority, where it is in this process.
    pub(super) issuing: Option<Arc<Issuing>>,
    pub(super) publisher: Option<Publisher>,
}

impl Subject for RotatedCt {
    type Credential = PublicKey;

    async fn prepare(&mut self, keys: &Generations<PublicKey>) -> BTreeMap<u64, String> {
        let mut failed = self.shards.open(keys).await;
        failed.extend(self.shards.freeze_retired(keys).await);
        failed
    }

    fn publish(&self, keys: &Generations<PublicKey>) -> anyhow::Result<()> {
        Publisher::name(self.publisher.as_ref(), keys, TrustSources::set_ct_logs)
    }

    async fn sign_with(&mut self, credential: Arc<PublicKey>, _signer: Arc<Signer>) -> anyhow::Result<()> {
        let Some(issuing) = &self.issuing else { return Ok(()) };
        let (_, found) = self.shards.with_key(&credential).context("the log of the key is not open")?;
        issuing.log_to(Arc::new(LocalLog::new(found)))
    }
}
