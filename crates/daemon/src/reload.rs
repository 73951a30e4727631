//! SIGHUP: an operator asks a server to read its files again. It never ends one.

use tokio::signal::unix::{Signal, SignalKind, signal};

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
