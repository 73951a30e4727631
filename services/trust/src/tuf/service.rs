//! The running server's part: it renews what is about to expire, publishes what is new, takes over what the command line has
//! changed, and says so when it cannot.

use super::{
    Publication, Publisher, Repository, Role, TufError, Urgency, directory::Stamp, publisher::Published,
    repository::RoleStatus,
};
use crate::files::TrustFiles;
use chancery_daemon::{
    clock::Clock,
    metrics::{MetricError, Metrics},
    shutdown::Shutdown,
};
use chancery_verify::Timestamp;
use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How often the server looks whether something is due, or the directory has changed.
const LOOK: Duration = Duration::from_secs(1);
/// Looks that are left out after a failure: doubled each time, up to this.
const MAX_PAUSE: u32 = 60;

/// What is served and who keeps it valid.
pub struct Service {
    publisher: Publisher,
    clock: Arc<dyn Clock>,
    served: RwLock<Arc<Repository>>,
    wanted: Mutex<Wanted>,
    /// One change of this process at a time; the lock of the directory polls.
    changing: tokio::sync::Mutex<()>,
    failures: AtomicU64,
    last_failure: Mutex<Option<String>>,
}

struct Wanted {
    publication: Publication,
    state: Published,
    /// It has been tried and could not be.
    is_behind: bool,
}

impl Service {
    /// Opens the repository, or makes it, and publishes `files`. A key that cannot be reached now is no fault where there is a
    /// repository: it is served as it is.
    pub async fn start(publisher: Publisher, files: &TrustFiles, clock: Arc<dyn Clock>) -> Result<Arc<Self>, TufError> {
        let publication = Publication::of(files)?;
        let repository = publisher.create(&publication, clock.now()).await?;
        let wanted = Wanted { publication, state: Published::Served, is_behind: true };
        let service = Arc::new(Self {
            publisher,
            clock,
            served: RwLock::new(Arc::new(repository)),
            wanted: Mutex::new(wanted),
            changing: tokio::sync::Mutex::new(()),
            failures: AtomicU64::new(0),
            last_failure: Mutex::new(None),
        });
        // Before the first request, where it can be: whoever asks must not find what has expired meanwhile.
        if let Err(error) = service.work().await {
            service.report(&error);
        }
        Ok(service)
    }

    /// What is served now.
    #[must_use]
    pub fn repository(&self) -> Arc<Repository> {
        Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has clients get these files; returns when they do, or why they do not yet. In the latter case the server goes on
    /// trying. Where the bytes are those of before nothing changes.
    pub async fn publish(&self, files: &TrustFiles) -> Result<Published, TufError> {
        let publication = Publication::of(files)?;
        {
            let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.publication = publication;
            wanted.is_behind = true;
        }
        self.work().await?;
        Ok(self.wanted.lock().unwrap_or_else(PoisonError::into_inner).state)
    }

    /// Whether what was last to be published is, or waits for signatures from elsewhere.
    #[must_use]
    pub fn published(&self) -> Published {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).state
    }

    /// Every role's version, end and urgency.
    #[must_use]
    pub fn status(&self) -> Vec<RoleStatus> {
        self.repository().status(self.publisher.lifetimes(), self.clock.now())
    }

    /// Why the repository needs somebody now: metadata that clients refuse, or soon will.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        let worst = self.status().into_iter().max_by_key(|status| status.urgency)?;
        let RoleStatus { role, expires, urgency, .. } = worst;
        if urgency < Urgency::Alarm {
            return None;
        }
        let verb = if urgency == Urgency::Expired { "has expired" } else { "expires" };
        let why = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let why = why.map_or_else(String::new, |why| format!(" and could not be renewed: {why}"));
        Some(format!("the TUF {role} metadata {verb} on {}{why}; see: chancery trust status", expires.rfc3339()))
    }

    /// Measures versions, ends and failures.
    pub fn measure(self: &Arc<Self>, metrics: &Metrics) -> Result<(), MetricError> {
        let expires = metrics.gauges(
            "chancery_tuf_expires_at_seconds",
            "Expiry of the served TUF metadata, in seconds since 1970",
            &["role"],
        )?;
        let versions = metrics.gauges("chancery_tuf_version", "Version of the served TUF metadata", &["role"])?;
        let failures =
            metrics.counters("chancery_tuf_renewal_failures_total", "Failed changes of the TUF repository", &[])?;
        let service = Arc::clone(self);
        metrics.before_scrape(move || {
            for status in service.status() {
                expires.set(&[status.role.as_str()], status.expires.seconds());
                versions.set(&[status.role.as_str()], status.version);
            }
            failures.advance_to(&[], service.failures.load(Ordering::Relaxed));
        });
        Ok(())
    }

    /// Keeps the repository valid until `shutdown`.
    pub async fn run(self: Arc<Self>, mut shutdown: Shutdown) {
        let mut look = tokio::time::interval(LOOK);
        let (mut pause, mut skip) = (0, 0);
        let mut told = [Urgency::None; Role::ALL.len()];
        // Whoever has changed it between its being read and now.
        let mut seen = None;
        loop {
            tokio::select! {
                _ = look.tick() => {}
                () = shutdown.begun() => return,
            }
            let stamp = self.stamp();
            if seen.as_ref() != Some(&stamp) {
                self.reload();
                // Taken before it was read: what changes meanwhile is another stamp.
                seen = Some(stamp);
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            match self.work().await {
                Ok(()) => pause = 0,
                Err(error) => {
                    self.report(&error);
                    pause = (pause * 2).clamp(1, MAX_PAUSE);
                    skip = pause;
                }
            }
            self.tell(&mut told);
        }
    }

    fn stamp(&self) -> Stamp {
        self.publisher.directory().stamp(self.repository().metadata(Role::Root).version)
    }

    /// Publishes and renews what there is to.
    async fn work(&self) -> Result<(), TufError> {
        let _changing = self.changing.lock().await;
        let now = self.clock.now();
        let behind = {
            let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.is_behind.then(|| wanted.publication.clone())
        };
        if self.publisher.is_due(&self.repository(), now).await {
            let (repository, renewed) = self.publisher.renew(&[], now).await?;
            self.serve(repository);
            for role in renewed {
                let repository = self.repository();
                let metadata = repository.metadata(role);
                tracing::info!(%role, version = metadata.version, expires = metadata.expires.rfc3339(), "TUF metadata renewed");
            }
        }
        if let Some(publication) = behind {
            let (repository, state) = self.publisher.publish(&publication, now).await?;
            self.serve(repository);
            let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            // Unless yet another has been asked for meanwhile.
            wanted.is_behind = wanted.publication != publication;
            wanted.state = state;
            if state == Published::WaitsForSignatures {
                tracing::warn!(
                    "new trust files wait for signatures of the TUF targets keys; see: chancery trust metadata export"
                );
            }
        }
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// Takes over what somebody else has written.
    fn reload(&self) {
        match Repository::read(self.publisher.directory()) {
            Ok(Some(repository)) => {
                self.serve(repository);
                let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                // The signatures it waits for may have come.
                wanted.is_behind |= wanted.state == Published::WaitsForSignatures;
            }
            // What is served stays as it was; whoever writes may not be done.
            Ok(None) => tracing::error!("the TUF repository has been taken away; it is served from memory"),
            Err(error) => tracing::error!(%error, "the TUF repository on disk is refused; it is served as it was"),
        }
    }

    /// Nothing that clients have seen is taken back.
    fn serve(&self, repository: Repository) {
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        let older =
            Role::ALL.into_iter().find(|role| repository.metadata(*role).version < served.metadata(*role).version);
        match older {
            Some(role) => {
                tracing::error!(%role, "the TUF repository on disk is older than what was served; it is not served");
            }
            None => *served = Arc::new(repository),
        }
    }

    fn report(&self, error: &TufError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%error, "the TUF repository could not be brought up to date; trying again");
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    /// Says once of each stage that metadata comes to its end.
    fn tell(&self, told: &mut [Urgency; Role::ALL.len()]) {
        let now: Timestamp = self.clock.now();
        for (status, told) in self.status().into_iter().zip(told) {
            if status.urgency > *told {
                let seconds_left = status.expires.seconds().saturating_sub(now.seconds());
                let (role, urgency) = (status.role, status.urgency);
                tracing::warn!(%role, ?urgency, seconds_left, "TUF metadata comes to its end; see: chancery trust status");
            }
            *told = status.urgency;
        }
    }
}
