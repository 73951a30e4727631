//! A log elsewhere, with what is known of it: how often it is asked, and that each head extends the one before.
//!
//! A head is accepted if the log's key has signed it (that is `chancery_log_client`'s) and if the log proves that it extends
//! the newest one that was accepted, here or by the process before: that one is the checkpoint in the database. Two heads of the
//! same size with different roots are a fork, which nothing repairs.

use chancery_log_client::{ReadError, RemoteHead, RemoteLog};
use chancery_search::{LogKind, SourceError, SourceHead, store::Store};
use chancery_verify::{
    Hash, Rejection, entries,
    hash::sha256_parts,
    merkle::{TreeHead, verify_consistency},
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long a log that fails is left alone, unless it asks for more.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest pause that a log may ask for.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// What a log shows that is not true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Whether its key has signed two trees of which neither extends the other, which is final. If not, it does not prove that
    /// its head extends the one before: it may be a server that lags.
    pub(super) is_forked: bool,
    pub(super) reason: String,
    /// The checkpoint that was accepted, and the one that was not.
    pub(super) checkpoints: [String; 2],
}

/// A log elsewhere.
pub(super) struct Followed {
    pub(super) log: RemoteLog,
    log_id: i64,
    name: String,
    store: Arc<dyn Store>,
    /// A newer head is asked for after this time.
    interval: Duration,
    /// Held while the head is asked for: of two answers at once, neither would be proved to extend the other.
    asking: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The newest head that was accepted, and when it was last seen.
    head: Option<(SourceHead, Instant)>,
    /// Until when the log is left alone, and why.
    pause: Option<(Instant, String)>,
    fault: Option<Fault>,
}

/// An error as the index reports it.
pub(super) fn unreadable(reason: &dyn fmt::Display) -> SourceError {
    SourceError { reason: reason.to_string() }
}

impl Followed {
    /// The log whose checkpoints begin with `origin`, which is its name, unless it has another.
    pub(super) fn new(
        log: RemoteLog,
        origin: &str,
        name: Option<String>,
        store: Arc<dyn Store>,
        interval: Duration,
    ) -> Self {
        let log_id = log_id(origin, &log);
        let name = name.unwrap_or_else(|| origin.to_owned());
        Self { log, log_id, name, store, interval, asking: tokio::sync::Mutex::default(), state: Mutex::default() }
    }

    pub(super) const fn log_id(&self) -> i64 {
        self.log_id
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn kind(&self) -> LogKind {
        if self.log.identity().protocol.has_certificates() { LogKind::Certificates } else { LogKind::Rekor }
    }

    /// Whether it tells when it took its entries.
    pub(super) fn tells_times(&self) -> bool {
        self.log.identity().protocol.tells_times()
    }

    /// What it shows that is not true.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.state().fault.clone()
    }

    /// The newest head, asked for once in each interval. A fork is final, whatever is shown later.
    pub(super) async fn head(&self) -> Result<SourceHead, SourceError> {
        let _asking = self.asking.lock().await;
        if let Some(Fault { reason, .. }) = self.fault().filter(|fault| fault.is_forked) {
            return Err(SourceError { reason });
        }
        let known = self.state().head.clone();
        if let Some((head, _)) = known.as_ref().filter(|(_, seen)| seen.elapsed() < self.interval) {
            return Ok(head.clone());
        }
        let RemoteHead { size, root, checkpoint, .. } = self.ask(self.log.head()).await?;
        let head = SourceHead { size, root, checkpoint };
        let before = match known {
            Some((before, _)) => Some(before),
            None => self.stored().await?,
        };
        if let Some(before) = before
            && let Err(fault) = self.verify_extends(&before, &head).await?
        {
            let reason = fault.reason.clone();
            self.state().fault = Some(fault);
            return Err(SourceError { reason });
        }
        let mut state = self.state();
        (state.head, state.fault) = (Some((head.clone(), Instant::now())), None);
        Ok(head)
    }

    /// A head that was accepted before, without asking.
    pub(super) async fn accepted(&self) -> Result<TreeHead, SourceError> {
        let known = self.state().head.as_ref().map(|(head, _)| TreeHead { size: head.size, root: head.root });
        let known = match known {
            Some(known) => Some(known),
            None => self.stored().await?.map(|head| tree(&head)),
        };
        known.ok_or_else(|| unreadable(&"no checkpoint of it was accepted yet"))
    }

    /// The size of the newest head that was accepted by this process.
    pub(super) fn size(&self) -> u64 {
        self.state().head.as_ref().map_or(0, |(head, _)| head.size)
    }

    /// The checkpoints of it that were accepted: the one in the database, and the newest one.
    pub(super) async fn checkpoints(&self) -> Vec<String> {
        let stored = self.store.progress(self.log_id).await.ok().flatten();
        let newest = self.state().head.as_ref().map(|(head, _)| head.checkpoint.clone());
        stored.and_then(|progress| progress.checkpoint).into_iter().chain(newest).collect()
    }

    /// The head of the checkpoint in the database.
    async fn stored(&self) -> Result<Option<SourceHead>, SourceError> {
        let progress = self.store.progress(self.log_id).await.map_err(|error| unreadable(&error))?;
        let Some(note) = progress.and_then(|progress| progress.checkpoint) else { return Ok(None) };
        let opened = self.log.open_checkpoint(&note).map_err(|rejection| {
            let reason = "the checkpoint in the database is not one of this log";
            unreadable(&format!("{reason} ({rejection}): follow it into a new database"))
        });
        opened.map(|TreeHead { size, root }| Some(SourceHead { size, root, checkpoint: note }))
    }

    /// Whether the log proves that the tree `new` extends `old`.
    async fn verify_extends(&self, old: &SourceHead, new: &SourceHead) -> Result<Result<(), Fault>, SourceError> {
        let (is_older, smaller, larger) = if new.size < old.size { (true, new, old) } else { (false, old, new) };
        let checkpoints = [old.checkpoint.clone(), new.checkpoint.clone()];
        let request = async {
            match self.log.consistency_proof(smaller.size, larger.size).await {
                // A log that was put back has nothing to prove it with.
                Err(error) if is_older && error.is_refusal() => Ok(Err(error)),
                answer => answer.map(Ok),
            }
        };
        let proof = match self.ask(request).await? {
            Ok(proof) => proof,
            Err(error) => {
                let reason = format!(
                    "{} shows a tree of {}, and has shown one of {} before: the server lags, or was put back. It does not prove \
                     that one extends the other: {error}",
                    self.name,
                    entries(new.size),
                    entries(old.size)
                );
                return Ok(Err(Fault { is_forked: false, reason, checkpoints }));
            }
        };
        let verdict = verify_consistency(&tree(smaller), &tree(larger), &proof);
        if verdict.is_err() {
            self.log.forget();
        }
        let (name, is_forked) = (&self.name, verdict.is_err() && new.size == old.size);
        let reason = match verdict {
            Ok(()) if is_older => format!(
                "{name} shows a tree of {}, and has shown one of {} before: the server lags, or was put back",
                entries(new.size),
                entries(old.size)
            ),
            Ok(()) => return Ok(Ok(())),
            Err(_) if is_forked => format!(
                "{name} is forked: its key has signed two trees of {} with the roots {} and {}. Its two checkpoints prove it: keep \
                 them, and send them to whoever relies on the log",
                entries(new.size),
                hex::encode(old.root),
                hex::encode(new.root)
            ),
            Err(rejection) => format!(
                "{name} does not prove that its tree of {} extends that of {} ({rejection}): it may be forked, or was put back. Keep \
                 both checkpoints, and ask its operator and its witnesses for the proof",
                entries(larger.size),
                entries(smaller.size)
            ),
        };
        Ok(Err(Fault { is_forked, reason, checkpoints }))
    }

    /// Makes a request, unless the log is to be left alone.
    pub(super) async fn ask<T>(
        &self,
        request: impl Future<Output = Result<T, ReadError>> + Send,
    ) -> Result<T, SourceError> {
        let pause = self.state().pause.clone();
        if let Some((_, reason)) = pause.filter(|(until, _)| Instant::now() < *until) {
            return Err(SourceError { reason });
        }
        let answer = request.await;
        let mut state = self.state();
        state.pause = None;
        answer.map_err(|error| {
            if error.is_passing() {
                let pause = error.retry_after().unwrap_or(PAUSE).clamp(PAUSE, LONGEST_PAUSE);
                state.pause = Some((Instant::now() + pause, error.to_string()));
            }
            unreadable(&error)
        })
    }

    /// That an entry is not the one in the tree.
    pub(super) fn contradicts(&self, index: u64, rejection: Rejection) -> SourceError {
        self.log.forget();
        unreadable(&format!("{} shows another entry {index} than the one in its tree ({rejection})", self.name))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn tree(SourceHead { size, root, .. }: &SourceHead) -> TreeHead {
    TreeHead { size: *size, root: *root }
}

/// The number of a log in the database: of its key and its origin, so that a database cannot be continued with another log.
fn log_id(origin: &str, log: &RemoteLog) -> i64 {
    let key: Hash = log.identity().key.fingerprint();
    let [a, b, c, d, e, f, g, h, ..] = sha256_parts(&[b"chancery followed log\n", &key, origin.as_bytes()]);
    // Positive, as all numbers of logs are.
    i64::from_be_bytes([a & 0x7f, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests;
