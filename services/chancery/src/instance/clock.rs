//! The clock of a process: guarded once, for every role in it, and confirmed by time servers where some are configured.

use super::time_servers::TimeServers;
use anyhow::bail;
use chancery_daemon::{
    clock::{Clock, ClockFault, ClockGuard, SourceSettings, SystemClock, SystemUptime},
    metrics::{MetricError, Metrics},
};
use chancery_verify::Timestamp;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The state of a clock that is trusted; the others are the codes of [`ClockFault`] without `clock.`.
const TRUSTED: &str = "trusted";

/// The clock, and the time servers that are asked about it.
pub(crate) struct GuardedClock {
    guard: Arc<ClockGuard>,
    servers: Option<TimeServers>,
}

impl GuardedClock {
    /// Watches the machine's clock from now on. Asks each time server once, so that there is a verdict from the start.
    pub(crate) async fn start(settings: Option<SourceSettings>) -> Self {
        // Nothing is known yet: what has passed, the logs say.
        let guard = ClockGuard::new(Arc::new(SystemClock), Arc::new(SystemUptime), Timestamp::from_seconds(0));
        match settings {
            None => Self { guard: Arc::new(guard), servers: None },
            Some(settings) => {
                let servers = TimeServers::start(settings).await;
                Self { guard: Arc::new(guard.confirmed_by(servers.sources())), servers: Some(servers) }
            }
        }
    }

    /// As [`Self::start`], for a command with which an operator makes something. Time servers that do not answer are not
    /// waited for; a clock that they find wrong makes nothing.
    pub(crate) async fn start_to_make(settings: Option<SourceSettings>) -> anyhow::Result<Self> {
        let clock = Self::start(settings).await;
        match clock.guard.check() {
            Err(ClockFault::Unconfirmed) => {
                tracing::warn!("no quorum of [tsa] ntp has answered, so the clock is not compared with their time");
                if let Some(servers) = clock.servers {
                    servers.into_background().abort();
                }
                Ok(Self::start(None).await)
            }
            Err(fault) => bail!("nothing is made ({}): {fault}", fault.code()),
            Ok(_) => Ok(clock),
        }
    }

    /// What dates everything that is signed.
    pub(crate) fn guard(&self) -> Arc<ClockGuard> {
        Arc::clone(&self.guard)
    }

    /// The time now, to be shown and not to be signed.
    pub(crate) fn now(&self) -> Timestamp {
        self.guard.now()
    }

    /// Shows whether the clock is trusted, and what the time servers say.
    pub(super) fn measure(&self, metrics: &Metrics) -> Result<(), MetricError> {
        let states = metrics.gauges(
            "chancery_clock_state",
            "1 for the current state of the clock, 0 for the others: trusted, or why nothing is dated by it",
            &["state"],
        )?;
        let guard = self.guard();
        metrics.before_scrape(move || {
            let current = guard.check().err().map_or(TRUSTED, |fault| state(fault.code()));
            for state in ClockFault::CODES.into_iter().map(state).chain([TRUSTED]) {
                states.set(&[state], u64::from(state == current));
            }
        });
        self.servers.as_ref().map_or(Ok(()), |servers| servers.measure(metrics))
    }

    /// What watches it; aborted at the end.
    pub(super) fn into_background(self) -> impl Iterator<Item = JoinHandle<()>> {
        let watch = tokio::spawn(self.guard.watch());
        std::iter::once(watch).chain(self.servers.map(TimeServers::into_background))
    }
}

/// A fault's code as a state.
fn state(code: &'static str) -> &'static str {
    code.strip_prefix("clock.").unwrap_or(code)
}
