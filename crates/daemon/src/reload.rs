//! Files that a server reads again: on SIGHUP, when an operator asks for it, and when they change. SIGHUP never ends a server.
//!
//! Contents decide, not events of the file system: editors, `mv` and Kubernetes' swapped links all look the same. A file that
//! cannot be used changes nothing but the log.

use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Catches SIGHUP. From the first one that was made on, for as long as the process runs, the signal ends it no more.
#[derive(Debug)]
pub struct Hangups(Signal);

impl Hangups {
    /// Begins to catch the signal. A server does so before anything else.
    pub fn catch() -> std::io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Returns once the signal has arrived since the last time. Every receiver is told of it.
    pub async fn received(&mut self) {
        // The stream has no end; if it had one, nothing would arrive any more.
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// When to read a file again, and when to log the result.
#[derive(Debug)]
pub struct Looks {
    hangups: Hangups,
    ticks: Interval,
    /// Whether an operator asked for the current look.
    asked: bool,
    /// The fault that was logged last, while it lasts.
    fault: Option<String>,
}

impl Looks {
    /// Looks at once, then every `period` and on SIGHUP. `period` is not zero.
    pub fn every(period: Duration) -> std::io::Result<Self> {
        let hangups = Hangups::catch()?;
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { hangups, ticks, asked: false, fault: None })
    }

    /// Returns when it is time for the next look.
    pub async fn next(&mut self) {
        self.asked = tokio::select! {
            () = self.hangups.received() => true,
            _ = self.ticks.tick() => false,
        };
    }

    /// The file can be used. Returns whether to log it: the contents changed, an operator asked, or there was a fault.
    pub fn is_good_news(&mut self, changed: bool) -> bool {
        let recovered = self.fault.take().is_some();
        changed || recovered || self.asked
    }

    /// The file cannot be used. Returns whether to log it: once for each fault, and whenever an operator asks.
    pub fn is_bad_news(&mut self, fault: &str) -> bool {
        let is_known = self.fault.as_deref() == Some(fault);
        self.fault = Some(fault.to_owned());
        self.asked || !is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fault_is_news_once_and_its_end_too() {
        let mut looks = Looks::every(Duration::from_millis(1)).unwrap();
        for _ in 0..3 {
            looks.next().await;
        }
        assert!(!looks.is_good_news(false) && looks.is_good_news(true));
        assert!(looks.is_bad_news("a") && !looks.is_bad_news("a") && looks.is_bad_news("b"));
        assert!(looks.is_good_news(false) && !looks.is_good_news(false));
        looks.asked = true;
        assert!(looks.is_good_news(false) && looks.is_bad_news("a") && looks.is_bad_news("a"));
    }
}
