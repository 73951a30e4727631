//! The logs of an instance, over one database, with the copies of their files.

use super::{
    CheckpointKey, RekorV1Arguments, RekorV2Arguments, Setup, WitnessChoices,
    ct_shards::{self, CtShards},
    readiness::Checked,
    rekor_shards::{self, RekorShard, RekorShards},
    rekor2_shards::{self, Rekor2Shards},
    running::RunningLogs,
    shards::{Naming, Series, ShardOpener, Shards, marks, tree_id},
};
use crate::{
    data_directory::private_directory,
    role::Role,
    rotation::{self, RingFiles},
};
use anyhow::{Context as _, ensure};
use axum::Router;
use chancery_daemon::{
    clock::ClockGuard,
    health::Probe,
    metrics::{MetricError, Metrics},
    random::Random,
    signer::{Signer, Use},
};
use chancery_log::{
    Access, CHECKPOINT_PERIOD, Log, Settings,
    ct::{self, Ct},
    mirror::Destination,
    read_attestations,
    rekor_v1::{self, RekorV1},
    rekor_v2::{self, RekorV2},
    store::Database,
    witnessing::Witnesses,
};
use chancery_trust::{BaseUrl, log_name};
use chancery_verify::key::KeyKind;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// Before it is looked again for what an earlier version kept.
const READ_AGAIN: Duration = Duration::from_mins(1);

/// Every log, as it is answered for.
pub(super) struct Logs {
    pub(super) ct: CtShards,
    pub(super) rekor: RekorShards,
    pub(super) rekor2: Rekor2Shards,
    pub(super) running: RunningLogs,
    database: Database,
}

/// What the logs are opened with.
pub(super) struct Opening<'a> {
    pub(super) setup: &'a Setup<'a>,
    pub(super) clock: &'a Arc<ClockGuard>,
    pub(super) random: &'a Arc<dyn Random>,
    pub(super) tiles: Option<&'a Destination>,
    pub(super) witnesses: &'a WitnessChoices,
    pub(super) rekor_v1: &'a RekorV1Arguments,
    pub(super) rekor_v2: &'a RekorV2Arguments,
    pub(super) access: &'a Access,
}

impl Opening<'_> {
    /// Opens the first log of each series; the certificate log takes chains that end in one of `roots` (DER).
    pub(super) async fn logs(&self, roots: &[Vec<u8>]) -> anyhow::Result<Logs> {
        let (database, running) = (Database::open(self.setup.database).await?, RunningLogs::new(self.tiles.cloned()));
        let marks = marks(self.setup.data.path());
        private_directory(&marks)?;
        let opener = ShardOpener {
            marks,
            files: RingFiles::of(self.setup.data.path()),
            store: database.store(),
            clock: Arc::clone(self.clock),
            random: Arc::clone(self.random),
            running: running.clone(),
        };
        let (host, ct_path) = (&self.setup.addresses.host, self.setup.addresses.ct_path(1));
        let (log, sequencer) = self.log(&opener, ct::NAME, format!("{host}{ct_path}"), ct::scheme).await?;
        let ct = Ct::new(log, &ct_path, roots).context("cannot open the certificate log")?;
        let ct = ct.read_by(self.access.readers.clone());
        running.add(ct.files(), sequencer).await?;
        let (log, sequencer) = self.log(&opener, rekor_v1::NAME, host.clone(), rekor_v1::scheme).await?;
        let rekor = RekorV1::new(log).restricted(self.access.clone()).with(self.rekor_v1.choices());
        running.add(rekor.files(), sequencer).await?;
        let (rekor2, sequencer) = self.rekor2(&opener).await?;
        running.add(rekor2.files(), sequencer).await?;
        let ct = Shards::new(ct, self.ct_series(), opener.clone());
        let rekor = Shards::new(RekorShard::first(rekor), self.rekor_series(), opener.clone());
        let rekor2 = Shards::new(rekor2, self.rekor2_series(), opener);
        Ok(Logs { ct, rekor, rekor2, running, database })
    }

    fn ct_series(&self) -> Series {
        let (addresses, paths) = (self.setup.addresses.clone(), self.setup.addresses.clone());
        Series {
            role: rotation::Role::Ct,
            name: ct::NAME,
            scheme: ct::scheme,
            path: Box::new(move |generation| paths.ct_path(generation)),
            host: Box::new(move |generation| Ok(format!("{}{}", addresses.host, addresses.ct_path(generation.number)))),
            witnesses: self.witnesses.ct.clone(),
        }
    }

    fn rekor_series(&self) -> Series {
        let host = self.setup.addresses.host.clone();
        Series {
            role: rotation::Role::Rekor,
            name: rekor_v1::NAME,
            scheme: rekor_v1::scheme,
            path: Box::new(|generation| rekor_v1::files_path(&chancery_log::series::name(rekor_v1::NAME, generation))),
            // Their trees' numbers tell them apart.
            host: Box::new(move |_| Ok(host.clone())),
            witnesses: None,
        }
    }

    fn rekor2_series(&self) -> Series {
        Series {
            role: rotation::Role::Rekor2,
            name: rekor_v2::NAME,
            scheme: rekor_v2::scheme,
            // At the root of each one's host.
            path: Box::new(|_| String::new()),
            host: Box::new(|generation| {
                let url = generation.url.as_deref().context("the generation has no URL")?;
                Ok(log_name(&BaseUrl::parse(url)?)?.to_string())
            }),
            witnesses: self.witnesses.rekor2.clone(),
        }
    }

    async fn log(
        &self,
        opener: &ShardOpener,
        name: &'static str,
        host: String,
        scheme: Naming,
    ) -> anyhow::Result<(Log, JoinHandle<()>)> {
        let signer = self.setup.data.key_at(Use::Any, name, KeyKind::P256, &**self.random).await?;
        self.log_with(opener, signer, name, host, scheme, false).await
    }

    /// The Rekor v2 log. Its kind of key is decided for ever when it is made.
    async fn rekor2(&self, opener: &ShardOpener) -> anyhow::Result<(RekorV2, JoinHandle<()>)> {
        let RekorV2Arguments { key, dsse, frozen, .. } = *self.rekor_v2;
        let kind = key.map_or(KeyKind::P256, CheckpointKey::kind);
        let signer = self.setup.data.key_at(Use::Checkpoints, rekor_v2::NAME, kind, &**self.random).await?;
        ensure!(
            key.is_none() || signer.public_key().kind() == kind,
            "--rekor-v2-key names another kind of key than the rekor2 log has. A log keeps its key: leave the option out, or start \
             with a new --data"
        );
        let host = self.setup.addresses.rekor2_host()?;
        let (log, sequencer) = self.log_with(opener, signer, rekor_v2::NAME, host, rekor_v2::scheme, frozen).await?;
        Ok((RekorV2::new(log).accepting_dsse(dsse).restricted(self.access.clone()), sequencer))
    }

    /// As for every log, with a key that the caller has opened.
    async fn log_with(
        &self,
        opener: &ShardOpener,
        signer: Signer,
        name: &'static str,
        host: String,
        scheme: Naming,
        frozen: bool,
    ) -> anyhow::Result<(Log, JoinHandle<()>)> {
        let new_tree_id = self.setup.data.lacks(name).then(|| tree_id(&**self.random));
        let copy = opener.running.copy(name);
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
            checkpoint_period: CHECKPOINT_PERIOD,
            mark: Some(opener.mark(name)),
        };
        let (store, clock) = (Arc::clone(&opener.store), Arc::clone(self.clock));
        let opened = Log::open(settings, store, clock, opener.running.stopping()).await;
        opened.with_context(|| format!("cannot open the {name} log"))
    }

    /// Who witnesses a log. A new one's key is known to nobody yet.
    fn witnesses_of(&self, name: &str, is_new: bool) -> Option<Witnesses> {
        let of = match name {
            rekor_v2::NAME => self.witnesses.rekor2.clone(),
            ct::NAME => self.witnesses.ct.clone(),
            _ => None,
        };
        if of.is_some() && is_new {
            tracing::warn!(log.name = name, "the log is new; its witnesses cosign from the next start on");
        }
        of.filter(|_| !is_new)
    }
}

impl Logs {
    /// Logs an entry of our own where a log of signatures is empty.
    pub(super) async fn seed(&self, artifact: &[u8]) -> anyhow::Result<()> {
        let rekor = rekor_shards::rekor(&self.rekor);
        rekor.seed(artifact).await.context("cannot write the rekor log's first entry")?;
        self.rekor2.first().seed(artifact).await.context("cannot write the rekor2 log's first entry")
    }

    /// Where they are.
    pub(super) const fn database(&self) -> &Database {
        &self.database
    }

    /// Reads what an earlier version kept beside entries, so that searches find these by it. Other servers over the database may be
    /// of such a version, and go on to keep it. The task may be aborted at any moment: the next start goes on.
    pub(super) fn read_attestations(&self) -> JoinHandle<()> {
        let store = self.database.store();
        tokio::spawn(async move {
            loop {
                match read_attestations(&*store).await {
                    Ok(count) => {
                        if count > 0 {
                            tracing::info!(count, "searches find the statements of an earlier version");
                        }
                        if !store.shared() {
                            return;
                        }
                    }
                    Err(error) => {
                        let advice =
                            "as the role chancery_log, run migrations/postgres/roles.sql again; it is tried again";
                        tracing::warn!(%error, advice, "the statements of an earlier version cannot be read");
                    }
                }
                tokio::time::sleep(READ_AGAIN).await;
            }
        })
    }

    /// The routes of every log, measured where there are metrics.
    pub(super) fn routes(&self, metrics: Option<&Metrics>) -> Result<Router, MetricError> {
        let rekor = rekor_shards::routes(&self.rekor, metrics)?;
        Ok(ct_shards::routes(&self.ct).merge(rekor).merge(rekor2_shards::routes(&self.rekor2)))
    }

    /// Whether each log takes entries, and the database under them. `check_command` is what to run where one is quarantined.
    pub(super) fn checks(&self, check_command: String) -> Checked {
        let (known, running, database) = (self.running.clone(), self.running.clone(), self.database.clone());
        Checked::known(move || known.findings(&check_command)).and_probes(move || {
            let mut probes = vec![usable(database.clone())];
            probes.extend(running.probes());
            probes
        })
    }

    /// Lets the logs answer who still waits and their copies be completed, then closes the database.
    pub(super) async fn stop(self) {
        self.running.stop().await;
        self.database.close().await;
    }
}

/// Asks the database whether it can be used.
fn usable(database: Database) -> Probe {
    Probe {
        role: Role::Log.name(),
        check: "database".to_owned(),
        fault: "the database of the logs cannot be used".to_owned(),
        advice: "see that it runs, can be reached and takes writes. The server goes on by itself then",
        asking: Box::pin(async move { database.verify_usable().await.map_err(|error| error.to_string()) }),
    }
}
