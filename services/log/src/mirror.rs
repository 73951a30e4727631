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
//! fails or stalls is tried again, ever more slowly. So is one with contents that are not the log's: a checkpoint that its
//! key did not sign, other bytes at the path of a tile. That is a **fault of the store**: the mirror names and counts it,
//! overwrites nothing, and goes on once it is gone. The log goes on all the same, and starts. A store that **contradicts**
//! the log, with a checkpoint that the log's own key signed, ends the mirror: the database was put back to an earlier
//! state, and an operator must look.
//!
//! An attacker who can change the store can make readers fail, show them an older checkpoint, or keep the log from being
//! copied; they cannot make a checkpoint, and cannot stop the log.

mod push;

pub use crate::destination::{Destination, Error, Fault};

use crate::head::Published;
use crate::read::tiles::Files;
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
    /// What keeps it from copying, or has ended it.
    fault: Option<Arc<Fault>>,
    /// Pushes that succeeded.
    succeeded: u64,
    /// Pushes that failed, for whatever reason.
    failed: u64,
    /// Pushes that ended with a fault, in the order of [`Fault::CODES`].
    faults: [u64; Fault::CODES.len()],
}

/// A running mirror, as others see it.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// Name of its log.
    log: Arc<str>,
    progress: watch::Receiver<Progress>,
}

impl Mirror {
    /// Looks at what is in the store and, unless it contradicts the log, starts to follow the log. Refuses where the
    /// store cannot be read or contradicts the log: it may know of a larger tree, and then nothing must be signed. What
    /// was there when the log was opened, [`crate::Log::open`] has compared.
    pub async fn start(
        files: Files,
        destination: Destination,
        shutdown: Shutdown,
    ) -> Result<(Self, JoinHandle<()>), Error> {
        let mut pusher = Pusher::new(files, destination);
        match pusher.inspect().await.map_err(Error::classified) {
            // The first push finds it again, and reports it.
            Err(Error::Fault(fault)) if !fault.contradicts_log() => {}
            inspected => inspected?,
        }
        let published = pusher.publications()?;
        let (sender, progress) = watch::channel(Progress::default());
        let log = pusher.name().into();
        Ok((Self { log, progress }, tokio::spawn(run(pusher, published, sender, shutdown))))
    }

    /// How the store contradicts the log, for readiness; `None` while it does not, also on a store that fails or has a fault
    /// of its own.
    #[must_use]
    pub fn obstacle(&self) -> Option<&'static str> {
        self.progress.borrow().fault.as_ref().and_then(|fault| fault.obstacle())
    }

    /// Leaves of the tree whose checkpoint is in the store, as far as this process knows: `None` before the first push.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.progress.borrow().size
    }

    /// Pushes of this process that succeeded, and that failed.
    #[must_use]
    pub fn pushes(&self) -> (u64, u64) {
        let progress = self.progress.borrow();
        (progress.succeeded, progress.failed)
    }

    /// What does not keep the log from taking entries but needs an operator: a fault of the store.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let fault = self.fault().filter(|fault| !fault.contradicts_log())?;
        Some(format!("the {} log is not copied ({}): {fault}", self.log, fault.code()))
    }

    /// What keeps it from copying, or has ended it.
    #[must_use]
    pub fn fault(&self) -> Option<Arc<Fault>> {
        self.progress.borrow().fault.clone()
    }

    /// How many pushes ended with each kind of fault, by [`Fault::code`].
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, u64)> {
        Fault::CODES.into_iter().zip(self.progress.borrow().faults).collect()
    }

    /// Waits until the store has a checkpoint of at least `size` leaves; `false` where a fault comes before that.
    pub async fn covers(&self, size: u64) -> bool {
        let reached = |progress: &Progress| progress.size.is_some_and(|known| known >= size);
        let mut progress = self.progress.clone();
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
    let retry_seconds = wait.as_secs();
    match pushed.map_err(Error::classified) {
        Ok(size) => {
            progress.send_modify(|progress| {
                progress.size = Some(size);
                progress.succeeded += 1;
                progress.fault = None;
            });
            true
        }
        Err(Error::Fault(fault)) => {
            let (name, code, has_ended) = (pusher.name(), fault.code(), fault.contradicts_log());
            if has_ended {
                tracing::error!(log.name = name, error.code = code, %fault, "the mirror has ended");
            } else {
                tracing::warn!(log.name = name, error.code = code, %fault, retry_seconds, "the log is not copied");
            }
            progress.send_modify(|progress| {
                let counts = Fault::CODES.into_iter().zip(&mut progress.faults);
                counts.filter(|(counted, _)| *counted == code).for_each(|(_, count)| *count += 1);
                progress.failed += 1;
                progress.fault = Some(Arc::new(fault));
            });
            !has_ended
        }
        Err(error) => {
            progress.send_modify(|progress| progress.failed += 1);
            tracing::warn!(log.name = pusher.name(), %error, retry_seconds, "the store does not take the log's files");
            true
        }
    }
}
