//! A running server keeps up with `keys/ring.json`: it is looked at every second, and at once on SIGHUP.
//!
//! 1. Open what is new, and see that it signs.
//! 2. Have the certificate logs accept its root.
//! 3. Publish every chain: trust files, trust bundle.
//! 4. Have the active key sign.
//! 5. Record it in the audit log.
//! 6. Say how far this is.
//!
//! What fails is an obstacle to the generation it belongs to: it is logged once, told by `chancery keys list` and the metrics,
//! and tried again every ten seconds. Meanwhile the key that signs goes on signing.

use super::{
    Progress,
    generations::{AuthorityKeys, TrustedChain},
};
use anyhow::Context as _;
use chancery_ca::{CertificateAuthority, audit::AuditLog, issue::Pipeline, transparency::Transparency};
use chancery_daemon::{
    clock::Clock,
    metrics::{MetricError, Metrics},
    random::Random,
};
use chancery_log::ct::Ct;
use chancery_verify::Timestamp;
use serde_json::json;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// How long a change may go unnoticed.
pub(super) const PERIOD: Duration = Duration::from_secs(1);
/// Looks after which something that failed is tried again.
const RETRY_LOOKS: u32 = 10;

/// Makes what clients are given out of the chains, and publishes it.
pub(crate) type Publish = Box<dyn Fn(&[TrustedChain]) -> anyhow::Result<()> + Send>;

/// What a rotation changes.
pub(crate) struct Parts {
    pub(crate) authority: Arc<CertificateAuthority>,
    /// The log of this process, if it has one, whether or not the authority uses it.
    pub(crate) own_log: Option<Ct>,
    pub(crate) transparency: Transparency,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) clock: Arc<dyn Clock>,
    /// `None` where another process publishes.
    pub(crate) publish: Option<Publish>,
    pub(crate) audit: Option<Arc<AuditLog>>,
}

/// What is told about a rotation. Clones are the same.
#[derive(Clone, Default)]
struct Status(Arc<Mutex<(Progress, Option<String>)>>);

impl Status {
    fn set(&self, progress: &Progress, complaint: Option<&String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (progress.clone(), complaint.cloned());
    }

    /// Which generation signs, and how many things are in the way of what is wanted.
    fn measure(&self, metrics: &Metrics) -> Result<(), MetricError> {
        let generations =
            metrics.gauges("chancery_key_generation", "Generation of the key that signs, from 1", &["role"])?;
        let obstacles = metrics.gauges(
            "chancery_key_obstacles",
            "Generations of a key that cannot be used, and faults of the ring; chancery keys list tells them",
            &["role"],
        )?;
        let status = self.clone();
        metrics.before_scrape(move || {
            let (progress, complaint) = &*status.0.lock().unwrap_or_else(PoisonError::into_inner);
            generations.set(&["ca"], progress.signing);
            let count = progress.obstacles.len() + usize::from(complaint.is_some());
            obstacles.set(&["ca"], count.try_into().unwrap_or(u64::MAX));
        });
        Ok(())
    }
}

/// What the ring says; `None` where no key was ever rotated; or why it cannot be read.
type RingText = Result<Option<Vec<u8>>, String>;

/// The authority's rotation in a running server.
pub(crate) struct Rotation {
    keys: AuthorityKeys,
    parts: Parts,
    status: Status,
    /// The ring's text when it was last taken.
    taken: Option<RingText>,
    written: Option<Progress>,
    complaint: Option<String>,
}

impl Rotation {
    /// Keeps up until it is aborted, and says in `metrics` how far it is.
    pub(crate) fn start(
        keys: AuthorityKeys,
        parts: Parts,
        metrics: Option<&Metrics>,
    ) -> anyhow::Result<JoinHandle<()>> {
        // Before the first request: what was published stays so across a restart.
        parts.authority.publish_chains(keys.shown());
        let status = Status::default();
        status.set(&keys.progress, None);
        if let Some(metrics) = metrics {
            status.measure(metrics)?;
        }
        Self { keys, parts, status, taken: None, written: None, complaint: None }.follow()
    }

    fn follow(mut self) -> anyhow::Result<JoinHandle<()>> {
        let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
        Ok(tokio::spawn(async move {
            let mut looks = interval(PERIOD);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut count: u32 = 0;
            loop {
                let asked = tokio::select! {
                    _ = hangup.recv() => true,
                    _ = looks.tick() => false,
                };
                count = count.wrapping_add(1);
                self.look(asked || count.is_multiple_of(RETRY_LOOKS)).await;
            }
        }))
    }

    /// Does what there is to do; what failed before is tried again only if `again`, or if the ring is another one.
    async fn look(&mut self, again: bool) {
        let text = self.keys.files().ring_text().map_err(|error| format!("{error:#}"));
        let failed = self.complaint.is_some() || !self.keys.progress.obstacles.is_empty();
        if self.taken.as_ref() == Some(&text) && !(failed && again) {
            return;
        }
        self.taken = Some(text.clone());
        let complaint = self.apply(text).await.err().map(|error| format!("{error:#}"));
        if let Some(error) = complaint.as_ref().filter(|complaint| self.complaint.as_ref() != Some(complaint)) {
            tracing::error!(error, "the rotation of the CA key does not go on; what signs goes on signing");
        }
        self.complaint = complaint;
        self.status.set(&self.keys.progress, self.complaint.as_ref());
    }

    async fn apply(&mut self, text: RingText) -> anyhow::Result<()> {
        let ring = match text {
            Err(error) => anyhow::bail!(error),
            Ok(None) => self.keys.files().ring()?,
            Ok(Some(text)) => self.keys.files().parse(&text)?,
        };
        let before = self.keys.progress.obstacles.clone();
        // (1)
        self.keys.take(ring, self.parts.clock.now()).await;
        // (2)
        self.prepare_logs().await;
        // (3)
        if let Some(publish) = &self.parts.publish {
            publish(&self.keys.trusted())?;
        }
        self.parts.authority.publish_chains(self.keys.shown());
        self.keys.note_published(self.parts.clock.now());
        // (4)
        if let Some((number, chain, signer)) = self.keys.next() {
            let Parts { transparency, random, authority, .. } = &self.parts;
            authority.replace_pipeline(Pipeline::new(chain, signer, transparency.clone(), Arc::clone(random))?)?;
            self.keys.signs(number, self.parts.clock.now());
            tracing::info!(generation = number, "the CA signs with this generation of its key from now on");
        }
        // (5)
        self.record()?;
        // (6)
        let now = &self.keys.progress;
        for (number, reason) in now.obstacles.iter().filter(|(number, reason)| before.get(number) != Some(reason)) {
            tracing::error!(generation = number, reason, "this generation of the CA key cannot be used");
        }
        if self.written.as_ref() != Some(now) {
            self.keys.write_progress()?;
            self.written = Some(now.clone());
        }
        Ok(())
    }

    /// Has the audit log say what became of each generation. What there is when it is looked at for the first time is no change.
    fn record(&mut self) -> anyhow::Result<()> {
        let is_first = self.keys.progress.recorded.is_empty();
        for generation in self.keys.unrecorded() {
            let ends = generation.ends_seconds.map(|seconds| Timestamp::from_seconds(seconds).rfc3339());
            if let Some(audit) = self.parts.audit.as_ref().filter(|_| !is_first) {
                let members = json!({
                    "role": "ca",
                    "generation": generation.number,
                    "state": generation.state,
                    "key_fingerprint": generation.fingerprint,
                    "ends": ends,
                });
                audit.changed("key", members, self.parts.clock.now()).context("cannot write the audit log")?;
            }
            self.keys.progress.recorded.insert(generation.number, generation.state);
        }
        Ok(())
    }

    /// Has the logs accept every root; what the authority's log does not accept must not issue.
    async fn prepare_logs(&mut self) {
        let chains: Vec<_> = self.keys.chains().map(|(number, chain)| (number, chain.root().der().to_vec())).collect();
        for (number, root) in chains {
            let own = self.parts.own_log.as_ref().map_or(Ok(()), |log| log.accept_root(&root));
            let own = own.map_err(|rejection| rejection.to_string());
            let used = match &self.parts.transparency {
                Transparency::Embedded(log) | Transparency::Detached(log) if self.keys.is_coming(number) => {
                    log.accept_root(root).await.map_err(|error| error.to_string())
                }
                _ => Ok(()),
            };
            if let Err(reason) = own.and(used) {
                self.keys.obstruct(number, reason);
            }
        }
    }
}
