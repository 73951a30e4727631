//! A copy of a log's files in a directory or bucket. With it the log can be read and verified without this program.
//!
//! A mirror follows the published head of one log. It writes the files of C2SP tlog-tiles, for CT those of
//! static-ct-api:
//!
//! ```text
//! checkpoint                      the only file that is ever overwritten
//! tile/<L>/<N>[.p/<W>]            hashes
//! tile/entries/<N>[.p/<W>]        entries; tile/data/… in a CT log
//! issuer/<SHA-256>                certificates that data tiles name (CT only)
//! ```
//!
//! # One push
//! 1. Read the checkpoint that is there. It must be of this log, of a tree the log has had, and not of a larger one.
//! 2. Take the newest head the log has published; under load that skips those in between.
//! 3. Write every tile and bundle that is new since the checkpoint of 1, each only where nothing is at its path; equal
//!    bytes that are there already are what a push left behind that did not end. Before that, entries are hashed into
//!    tiles, tiles into their parents, and the right edge into the root: what does not follow is not written.
//! 4. Write the issuers the new entries name.
//! 5. Replace the checkpoint, where it is still the one of 1.
//!
//! A crash before 5 leaves files that no checkpoint covers, and the next push writes the same ones; there is no other
//! state than what is in the store. Partial tiles of earlier sizes stay: tlog-tiles allows to delete them, and nothing
//! here deletes.
//!
//! A mirror never delays the sequencer: nothing waits for it, and an answer promises nothing about it. A store that
//! fails or stalls is tried again, ever more slowly. A store that **contradicts** the log ends the mirror: either the
//! database was put back to an earlier state, or another program writes there, and an operator must look.
//!
//! An attacker who can change the store can make readers fail, or show them an older checkpoint; they cannot make one.

mod destination;
mod fault;
mod push;

pub use destination::Destination;
pub use fault::{Error, Fault};

use crate::head::Published;
use crate::tiles::Files;
use chancery_daemon::shutdown::Shutdown;
use push::Pusher;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Time between two pushes: bounds what a busy log costs in requests, and is how old the store's checkpoint may be.
const PAUSE: Duration = Duration::from_secs(1);
/// A replica whose log is written to by others looks for their heads this often.
const POLL: Duration = Duration::from_secs(10);
/// Wait after the first failed push; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait after a failed push.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// The last push, when the process stops, may take this long.
const LAST_PUSH: Duration = Duration::from_secs(8);

/// How far a mirror has come.
#[derive(Debug, Clone, Default)]
struct Progress {
    /// Leaves of the tree whose checkpoint is in the store.
    size: Option<u64>,
    /// What ended it.
    fault: Option<Arc<Fault>>,
}

/// A running mirror, as others see it.
#[derive(Debug, Clone)]
pub struct Mirror(watch::Receiver<Progress>);

impl Mirror {
    /// Looks at what is in the store and, where it is this log's or nothing, starts to follow the log. Refuses where the
    /// store cannot be read or contradicts the log: it may know of a larger tree, and then nothing must be signed. What
    /// was there when the log was opened, [`crate::Log::open`] has compared.
    pub async fn start(
        files: Files,
        destination: Destination,
        shutdown: Shutdown,
    ) -> Result<(Self, JoinHandle<()>), Error> {
        let mut pusher = Pusher::new(files, destination);
        pusher.inspect().await.map_err(Error::classified)?;
        let published = pusher.publications()?;
        let (sender, receiver) = watch::channel(Progress::default());
        Ok((Self(receiver), tokio::spawn(run(pusher, published, sender, shutdown))))
    }

    /// Why it has ended, for readiness; `None` while it works, also on a store that fails.
    #[must_use]
    pub fn obstacle(&self) -> Option<&'static str> {
        self.0.borrow().fault.as_ref().map(|fault| fault.obstacle())
    }

    /// What has ended it.
    #[must_use]
    pub fn fault(&self) -> Option<Arc<Fault>> {
        self.0.borrow().fault.clone()
    }

    /// Waits until the store has a checkpoint of at least `size` leaves; `false` where the mirror ends before that.
    pub async fn covers(&self, size: u64) -> bool {
        let reached = |progress: &Progress| progress.size.is_some_and(|known| known >= size);
        let mut progress = self.0.clone();
        let last = progress.wait_for(|progress| progress.fault.is_some() || reached(progress)).await;
        last.is_ok_and(|progress| reached(&progress))
    }
}

/// Pushes until the shutdown has begun or the store contradicts the log. The shutdown is to begin after the sequencer has
/// ended, so that the last push leaves the whole log behind.
async fn run(
    mut pusher: Pusher,
    mut published: watch::Receiver<Arc<Published>>,
    progress: watch::Sender<Progress>,
    mut shutdown: Shutdown,
) {
    let mut wait = FIRST_WAIT;
    loop {
        // Seen before the push: what is published during it makes the next one.
        published.mark_unchanged();
        let pushed = tokio::select! {
            pushed = pusher.push() => pushed,
            // Nothing is lost: a push can be broken off anywhere.
            () = shutdown.begun() => break,
        };
        let failed = pushed.is_err();
        if !report(&pusher, &progress, pushed, wait) {
            return;
        }
        let pause = if failed { wait } else { PAUSE };
        wait = if failed { (wait * 2).min(LONGEST_WAIT) } else { FIRST_WAIT };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.begun() => break,
        }
        if !failed {
            tokio::select! {
                changed = published.changed() => if changed.is_err() { shutdown.begun().await },
                () = tokio::time::sleep(POLL) => {}
                () = shutdown.begun() => break,
            }
        }
    }
    if let Ok(pushed) = tokio::time::timeout(LAST_PUSH, pusher.push()).await {
        report(&pusher, &progress, pushed, wait);
    } else {
        tracing::warn!(log.name = pusher.name(), "the store lacks the last entries; the next start adds them");
    }
}

/// Tells how a push ended; whether there may be another one.
fn report(pusher: &Pusher, progress: &watch::Sender<Progress>, pushed: Result<u64, Error>, wait: Duration) -> bool {
    match pushed.map_err(Error::classified) {
        Ok(size) => {
            progress.send_modify(|progress| progress.size = Some(size));
            true
        }
        Err(Error::Fault(fault)) => {
            tracing::error!(log.name = pusher.name(), error.code = fault.code(), %fault, "the mirror has ended");
            progress.send_modify(|progress| progress.fault = Some(Arc::new(fault)));
            false
        }
        Err(error) => {
            let retry_seconds = wait.as_secs();
            tracing::warn!(log.name = pusher.name(), %error, retry_seconds, "the store does not take the log's files");
            true
        }
    }
}
