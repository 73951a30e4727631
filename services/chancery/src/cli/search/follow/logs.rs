//! The logs that are followed. They may become more while the command runs.

use super::{followed::Followed, sources::Elsewhere};
use anyhow::Context as _;
use chancery_log_client::RemoteLog;
use chancery_search::{Source, Sources, store::Store};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The logs, the oldest first. Clones are the same.
#[derive(Clone)]
pub(super) struct Logs(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    /// A newer head of a log is asked for after this time.
    interval: Duration,
    all: Mutex<Vec<One>>,
}

/// A log, and as it is followed and asked.
struct One {
    followed: Arc<Followed>,
    following: Arc<dyn Source>,
    asked: Arc<dyn Source>,
}

impl Logs {
    /// None yet. Their indexes are in `store`.
    pub(super) fn new(store: Arc<dyn Store>, interval: Duration) -> Self {
        Self(Arc::new(Inner { store, interval, all: Mutex::default() }))
    }

    /// Follows a log, under this name or the first line of its checkpoints. Returns its name.
    pub(super) fn add(&self, log: RemoteLog, name: Option<String>) -> anyhow::Result<String> {
        let origin = log.origin().context("the log has shown no checkpoint")?.to_owned();
        let Inner { store, interval, .. } = &*self.0;
        let followed = Arc::new(Followed::new(log, &origin, name, Arc::clone(store), *interval));
        let following = Arc::new(Elsewhere::following(Arc::clone(&followed)));
        let asked = Arc::new(Elsewhere::asked(Arc::clone(&followed)));
        let name = followed.name().to_owned();
        self.all().push(One { followed, following, asked });
        Ok(name)
    }

    /// The logs themselves.
    pub(super) fn followed(&self) -> Vec<Arc<Followed>> {
        self.all().iter().map(|one| Arc::clone(&one.followed)).collect()
    }

    /// As the index follows them.
    pub(super) fn following(&self) -> Sources {
        let logs = self.clone();
        Arc::new(move || logs.all().iter().map(|one| Arc::clone(&one.following)).collect())
    }

    /// As questions ask them.
    pub(super) fn asked(&self) -> Sources {
        let logs = self.clone();
        Arc::new(move || logs.all().iter().map(|one| Arc::clone(&one.asked)).collect())
    }

    fn all(&self) -> MutexGuard<'_, Vec<One>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
