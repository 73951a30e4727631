//! Stopping: one signal, seen by everyone who works in the background.

use tokio::signal::unix::{SignalKind, signal};
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

/// Waits for SIGTERM or SIGINT.
pub async fn signalled() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
