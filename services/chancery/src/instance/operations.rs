//! Operation of a running server: metrics on a listener of their own, the audit log, rate limits.

use super::{access::Access, log_metrics, running::RunningLogs, witnesses};
use crate::{loopback, role::Role, web_origin};
use anyhow::Context as _;
use chancery_ca::{
    Counts, Rates, Records,
    audit::{AuditLog, Rotation},
};
use chancery_daemon::{clock::Clock, metrics::Metrics};
use chancery_log::{Log, quarantine::Obstacle, rekor_v1, series};
use clap::Args;
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Every state a log can be in.
const STATES: [&str; 6] = ["active", "quarantined", "unmarked", "unwitnessed", "clock", "stopped"];

/// The options of `chancery dev` about it.
#[derive(Debug, Args)]
pub(crate) struct OperationsArguments {
    /// Serve Prometheus metrics under /metrics on this second loopback address
    #[arg(long, value_name = "ADDRESS", help_heading = "Listen", value_parser = loopback::listen_address)]
    pub(crate) metrics: Option<SocketAddr>,
    /// Let web pages of this origin do what any other client may; repeatable
    ///
    /// For example <https://search.example.org>.
    #[arg(long = "origin", value_name = "ORIGIN", help_heading = "Listen", value_parser = web_origin::parse)]
    pub(crate) origins: Vec<String>,
    /// Append the audit log to this file instead of audit.jsonl in --data
    ///
    /// One line of JSON for every request for a certificate, every change of a key and every new TUF metadata.
    #[arg(long, value_name = "FILE", help_heading = "Certificate authority")]
    pub(crate) audit: Option<PathBuf>,
    /// When a new file begins; a development server has one.
    #[arg(skip)]
    pub(crate) audit_rotation: Rotation,
    /// Allow one identity this many certificates per minute; more requests get 429 with Retry-After
    #[arg(long, value_name = "PER_MINUTE", help_heading = "Limits")]
    pub(crate) limit_identity: Option<NonZeroU32>,
    /// Allow all identities of one issuer together this many certificates per minute
    #[arg(long, value_name = "PER_MINUTE", help_heading = "Limits")]
    pub(crate) limit_issuer: Option<NonZeroU32>,
}

impl OperationsArguments {
    /// What will be measured, starting with the logs that run; `None` where nobody asks for it.
    pub(super) fn metrics(
        &self,
        logs: Option<&RunningLogs>,
        access: &Access,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Option<Metrics>> {
        let metrics = self.metrics.map(|_| Metrics::default());
        if let Some(metrics) = &metrics {
            let build = metrics.gauges(
                "chancery_build_info",
                "Always 1; the label has the version of the program",
                &["version"],
            )?;
            build.set(&[env!("CARGO_PKG_VERSION")], 1);
            let failed_checks = metrics.counters(
                "chancery_log_self_check_failures_total",
                "Self-checks of the logs that failed: of reads, promises, certificate timestamps, checkpoints and batches",
                &[],
            )?;
            metrics.before_scrape(move || failed_checks.advance_to(&[], chancery_log::failed_checks()));
            let logs = logs.cloned().unwrap_or_else(|| RunningLogs::new(None));
            access.measure(metrics)?;
            witnesses::measure(metrics, logs.clone())?;
            log_metrics::measure(metrics, logs.clone())?;
            measure(metrics, logs, clock)?;
        }
        Ok(metrics)
    }

    /// How much the authority does for whom.
    pub(super) const fn rates(&self) -> Rates {
        Rates { per_identity: self.limit_identity, per_issuer: self.limit_issuer }
    }

    /// Where a process with these roles records what it decides and changes; `None` where it does neither. The file that was
    /// asked for is the authority's.
    pub(super) fn audit(&self, data: &Path, roles: &BTreeSet<Role>) -> anyhow::Result<Option<Arc<AuditLog>>> {
        let asked = self.audit.clone().filter(|_| roles.contains(&Role::Ca));
        if ![Role::Ca, Role::Tsa, Role::Trust].iter().any(|role| roles.contains(role)) {
            return Ok(None);
        }
        let path = asked.unwrap_or_else(|| data.join("audit.jsonl"));
        let audit =
            AuditLog::open(&path, self.audit_rotation).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Some(Arc::new(audit)))
    }

    /// Where the authority records what it decides.
    pub(super) fn records(audit: Option<Arc<AuditLog>>, metrics: Option<&Metrics>) -> anyhow::Result<Records> {
        Ok(Records { audit, counts: metrics.map(Counts::register).transpose()? })
    }
}

/// Registers what is measured of `logs`, also of those that will run later.
fn measure(metrics: &Metrics, logs: RunningLogs, clock: &Arc<dyn Clock>) -> anyhow::Result<()> {
    let sizes =
        metrics.gauges("chancery_log_size", "Number of entries in the newest published checkpoint", &["log"])?;
    let entries = metrics.counters("chancery_log_entries_total", "Entries appended by this process", &["log"])?;
    let ages = metrics.gauges(
        "chancery_log_checkpoint_age_seconds",
        "Seconds since the newest published checkpoint; grows while no entry is logged",
        &["log"],
    )?;
    let queues = metrics.gauges("chancery_log_queue_entries", "Entries waiting for the next batch", &["log"])?;
    let states = metrics.gauges(
        "chancery_log_state",
        "1 for the current state of the log, 0 for the others",
        &["log", "state"],
    )?;
    let conflicts = metrics.counters(
        "chancery_log_cas_conflicts_total",
        "Batches repeated because another replica had moved the tree head",
        &["log"],
    )?;
    let rekor_entries = metrics.counters("rekor_new_entries", "Entries logged by this process", &[])?;
    let clock = Arc::clone(clock);
    metrics.before_scrape(move || {
        let (now, logs) = (clock.now().seconds(), logs.logs());
        let mut rekor = None;
        for log in &logs {
            let name = log.record().name.as_str();
            if let Ok(published) = log.published() {
                sizes.set(&[name], published.tree.size);
                ages.set(&[name], now.saturating_sub(published.timestamp.seconds()));
            }
            entries.advance_to(&[name], log.appended());
            conflicts.advance_to(&[name], log.conflicts());
            queues.set(&[name], log.queued());
            let current = state(log);
            for state in STATES {
                states.set(&[name, state], u64::from(state == current));
            }
            if series::split(name).0 == rekor_v1::NAME {
                rekor = Some(rekor.unwrap_or(0) + log.appended());
            }
        }
        if let Some(total) = rekor {
            rekor_entries.advance_to(&[], total);
        }
    });
    Ok(())
}

/// One of [`STATES`].
pub(super) fn state(log: &Log) -> &'static str {
    match log.obstacle() {
        None => "active",
        Some(Obstacle::Quarantined { .. }) => "quarantined",
        Some(Obstacle::Unmarked { .. }) => "unmarked",
        Some(Obstacle::Unwitnessed { .. }) => "unwitnessed",
        Some(Obstacle::Clock { .. }) => "clock",
        Some(Obstacle::Stopped { .. }) => "stopped",
    }
}
