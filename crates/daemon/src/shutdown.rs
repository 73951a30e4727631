//! Stopping: one signal, seen by everyone who works in the background.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The side that decides to stop. Dropping it stops as well.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// The side that waits for the decision.
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
        // An error means the trigger is gone, which means the same.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// SIGTERM and SIGINT, caught from the moment this exists: before that they end the process where it stands.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to catch them. One that arrives before [`Self::received`] is asked is not lost.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns once one of them has come.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
