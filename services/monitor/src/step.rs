//! Reads entries of a log, looks at each, and proves that they are those of a signed tree. Nothing is remembered here.

use crate::scan::{Scanned, scan};
use crate::source::{Source, SourceError};
use crate::watch::Watches;
use chancery_verify::merkle::{self, CompactRange, TreeHead};
use chancery_verify::{Rejection, entries};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::task::{self, JoinError};
use tokio::time::{Instant, timeout};

/// Maximum entries of a step.
const STEP_ENTRIES: u64 = 1 << 16;
/// Entries that a log is asked for at once.
const READ_ENTRIES: u64 = 2048;
/// Bytes of entries from which on a step ends.
const STEP_BYTES: usize = 256 << 20;
/// Findings from which on a step ends. They are kept in the state until they are delivered.
const STEP_FINDINGS: usize = 256;
/// Time after which a step ends: so a slow log is asked for its head, too, and what is found is told.
const STEP_TIME: Duration = Duration::from_mins(1);
/// Maximum time for the entries that are asked for at once. A log may need several requests for them, each with its own limit.
const READ_TIME: Duration = Duration::from_mins(5);
/// Entries for which a thread of its own is worth while.
const THREAD_ENTRIES: usize = 128;

/// Why a step ends without progress.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The log cannot be read.
    Unreadable(SourceError),
    /// Its entries, up to `end`, are not those of the signed tree.
    Wrong { end: u64, rejection: Rejection },
}

impl From<SourceError> for Stopped {
    fn from(error: SourceError) -> Self {
        Self::Unreadable(error)
    }
}

/// Takes steps along a log.
pub(crate) struct Stepper {
    pub(crate) name: String,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) watches: Arc<Watches>,
}

impl Stepper {
    /// Reads the entries after those in `range`, and returns the range with them, and what was found. They are the first leaves of
    /// the signed `tree`.
    pub(crate) async fn step(
        &self,
        mut range: CompactRange,
        tree: &TreeHead,
    ) -> Result<(CompactRange, Scanned), Stopped> {
        let end = tree.size.min(range.size().saturating_add(STEP_ENTRIES));
        let (mut all, mut bytes, begun) = (Scanned::default(), 0, Instant::now());
        while range.size() < end
            && bytes < STEP_BYTES
            && all.findings.len() < STEP_FINDINGS
            && begun.elapsed() < STEP_TIME
        {
            let (mut scanned, read) = self.read(range.size(), end).await?;
            bytes += read;
            scanned.cut(range.size(), STEP_FINDINGS - all.findings.len());
            scanned.leaf_hashes.drain(..).for_each(|leaf_hash| range.push(leaf_hash));
            all.append(scanned);
        }
        let head = range.head();
        let proof = if head.size == tree.size {
            Vec::new()
        } else {
            self.source.consistency_proof(head.size, tree.size).await?
        };
        match merkle::verify_consistency(&head, tree, &proof) {
            Ok(()) => Ok((range, all)),
            Err(rejection) => {
                self.source.forget();
                Err(Stopped::Wrong { end: head.size, rejection })
            }
        }
    }

    /// Reads entries and looks at them. Returns their bytes, too.
    async fn read(&self, first: u64, end: u64) -> Result<(Scanned, usize), SourceError> {
        let end = end.min(first.saturating_add(READ_ENTRIES));
        let late = |_| {
            let reason = format!("it has not shown the entries from {first} on in {} s", READ_TIME.as_secs());
            Err(SourceError { reason, is_refusal: false })
        };
        let read = timeout(READ_TIME, self.source.entries(first, end)).await.unwrap_or_else(late)?;
        let count = read.len() as u64;
        if count == 0 || count > end - first {
            let reason = format!("it answers with {} for {first} to {end}", entries(count));
            return Err(SourceError { reason, is_refusal: true });
        }
        let bytes = read.iter().map(|entry| entry.leaf.len() + entry.extra.len()).sum();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let size = read.len().div_ceil(threads).max(THREAD_ENTRIES);
        let (read, kind, mut running) = (Arc::new(read), self.source.kind(), Vec::new());
        for (first, start) in (first..).step_by(size).zip((0..read.len()).step_by(size)) {
            let (watches, name, read) = (Arc::clone(&self.watches), self.name.clone(), Arc::clone(&read));
            running.push(task::spawn_blocking(move || {
                let part = read.get(start..read.len().min(start + size)).unwrap_or_default();
                scan(&watches, &name, kind, first, part)
            }));
        }
        let mut all = Scanned::default();
        for part in running {
            let interrupted = |error: JoinError| {
                let reason = format!("its entries could not be looked at: {error}");
                SourceError { reason, is_refusal: false }
            };
            all.append(part.await.map_err(interrupted)?);
        }
        Ok((all, bytes))
    }
}
