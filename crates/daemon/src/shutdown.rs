//! Shutdown: one signal that every background task receives.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The sender. Dropping it also begins the shutdown.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// The receiver.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// A connected pair.
#[must_use]
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Shutdown(receiver))
}

impl Trigger {
    /// Begins the shutdown.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Returns once the shutdown has begun.
    pub async fn begun(&mut self) {
        // An error means that the sender was dropped, which also begins the shutdown.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Catches SIGTERM and SIGINT from its creation on. Before that they end the process immediately.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to catch the signals. One that arrives before [`Self::received`] is polled is not lost.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns once one of the signals has arrived.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
