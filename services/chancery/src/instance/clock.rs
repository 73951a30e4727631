//! The clock of a process. One guard checks it for every role, and time servers confirm it if they are configured.

use super::time_servers::TimeServers;
use anyhow::bail;
use chancery_daemon::{
    clock::{Clock, ClockFault, ClockGuard, SourceSettings, SystemClock, SystemUptime},
    metrics::{MetricError, Metrics},
};
use chancery_verify::Timestamp;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The state of a trusted clock. The other states are the codes of [`ClockFault`] without `clock.`.
const TRUSTED: &str = "trusted";

/// The clock, and the time servers that confirm it.
pub(crate) struct GuardedClock {
    guard: Arc<ClockGuard>,
    servers: Option<TimeServers>,
}

impl GuardedClock {
    /// Watches the machine's clock from now on. Asks each time server once, so that there is a verdict from the start.
    pub(crate) async fn start(settings: Option<SourceSettings>) -> Self {
        // No passed time is known yet: the logs report theirs later.
        let guard = ClockGuard::new(Arc::new(SystemClock), Arc::new(SystemUptime), Timestamp::from_seconds(0));
        match settings {
            None => Self { guard: Arc::new(guard), servers: None },
            Some(settings) => {
                let servers = TimeServers::start(settings).await;
                Self { guard: Arc::new(guard.confirmed_by(servers.sources())), servers: Some(servers) }
            }
        }
    }

    /// As [`Self::start`], for a command that makes keys or certificates. Time servers that do not answer are ignored.
    /// If they show that the clock is wrong, nothing is made.
    pub(crate) async fn start_to_make(settings: Option<SourceSettings>) -> anyhow::Result<Self> {
        let clock = Self::start(settings).await;
        match clock.guard.check() {
            Err(ClockFault::Unconfirmed) => {
                tracing::warn!(
                    "no quorum of the servers in [tsa] ntp has answered, so the clock was not compared with their time"
                );
                if let Some(servers) = clock.servers {
                    servers.into_background().abort();
                }
                Ok(Self::start(None).await)
            }
            Err(fault) => {
                bail!("no key or certificate was made, because the clock is not trusted ({}): {fault}", fault.code())
            }
            Ok(_) => Ok(clock),
        }
    }

    /// The guard that provides every signed time.
    pub(crate) fn guard(&self) -> Arc<ClockGuard> {
        Arc::clone(&self.guard)
    }

    /// The time now. It may be shown, but not signed.
    pub(crate) fn now(&self) -> Timestamp {
        self.guard.now()
    }

    /// Registers metrics: whether the clock is trusted, and the answers of the time servers.
    pub(super) fn measure(&self, metrics: &Metrics) -> Result<(), MetricError> {
        let states = metrics.gauges(
            "chancery_clock_state",
            "1 for the current state of the clock, 0 for the others: trusted, or the reason why its time is not signed",
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

    /// The task that watches the clock. It is aborted at the end.
    pub(super) fn into_background(self) -> impl Iterator<Item = JoinHandle<()>> {
        let watch = tokio::spawn(self.guard.watch());
        std::iter::once(watch).chain(self.servers.map(TimeServers::into_background))
    }
}

/// A fault's code as a state.
fn state(code: &'static str) -> &'static str {
    code.strip_prefix("clock.").unwrap_or(code)
}
