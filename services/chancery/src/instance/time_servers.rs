//! The time servers that must agree with a process's clock. They are asked in the background, with metrics for
//! Prometheus.

use chancery_daemon::{
    clock::{SourceSettings, Sources, SystemUptime, Uptime as _},
    metrics::{MetricError, Metrics},
};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The time servers and their task.
pub(super) struct TimeServers {
    sources: Arc<Sources>,
    asking: JoinHandle<()>,
}

impl TimeServers {
    /// Asks each server once, so that there is a result from the start, and then regularly.
    pub(super) async fn start(settings: SourceSettings) -> Self {
        let uptime = || SystemUptime.elapsed();
        let sources = Arc::new(Sources::new(settings));
        sources.round(&uptime).await;
        Self { asking: tokio::spawn(Arc::clone(&sources).follow(uptime)), sources }
    }

    /// Their answers.
    pub(super) fn sources(&self) -> Arc<Sources> {
        Arc::clone(&self.sources)
    }

    /// The task that asks them. It is aborted at the end.
    pub(super) fn into_background(self) -> JoinHandle<()> {
        self.asking
    }

    /// Registers the metrics that Sigstore's authority has for its time servers, with the same names.
    pub(super) fn measure(&self, metrics: &Metrics) -> Result<(), MetricError> {
        let asked = metrics.counters(
            "timestamp_authority_ntp_sync_total",
            "Requests to time servers; failed is true if there was no answer",
            &["host", "failed"],
        )?;
        let errors = metrics.counters(
            "timestamp_authority_ntp_errors_total",
            "Rounds without a quorum, or in which a quorum found the clock wrong",
            &["reason"],
        )?;
        let offsets = metrics.gauges(
            "chancery_tsa_clock_offset_milliseconds",
            "Difference between the clock and the newest answer of a time server, in either direction; absent without an answer",
            &["host"],
        )?;
        let sources = Arc::clone(&self.sources);
        metrics.before_scrape(move || {
            offsets.clear();
            for report in sources.reports() {
                asked.advance_to(&[&report.server, "false"], report.answered);
                asked.advance_to(&[&report.server, "true"], report.failed);
                if let Some(offset_ms) = report.offset_ms {
                    offsets.set(&[&report.server], offset_ms.unsigned_abs());
                }
            }
            let (too_few, wrong) = sources.failed_rounds();
            errors.advance_to(&["err_too_few"], too_few);
            errors.advance_to(&["err_inv_time"], wrong);
        });
        Ok(())
    }
}
