//! The running server's part: it renews metadata that is about to expire, publishes new trust files, loads changes made
//! by the command line, and raises an alarm if it cannot.

use super::{
    Mark, Publication, Publisher, Repository, Role, TufError, Urgency, directory::Stamp, publisher::Published,
    repository::RoleStatus,
};
use crate::files::TrustFiles;
use chancery_daemon::{
    clock::{Clock as _, ClockGuard},
    metrics::{MetricError, Metrics},
    shutdown::Shutdown,
};
use chancery_verify::Timestamp;
use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Time between checks of whether something is due or the directory has changed.
const LOOK: Duration = Duration::from_secs(1);
/// Checks skipped after a failure: doubled each time, up to this.
const MAX_PAUSE: u32 = 60;

/// The served repository, and the task that keeps it valid.
pub struct Service {
    publisher: Publisher,
    mark: Mark,
    clock: Arc<ClockGuard>,
    served: RwLock<Arc<Repository>>,
    wanted: Mutex<Wanted>,
    /// Allows one change at a time in this process; the directory's lock polls.
    changing: tokio::sync::Mutex<()>,
    failures: AtomicU64,
    last_failure: Mutex<Option<String>>,
    /// Allows one change of the mark at a time.
    marking: Mutex<()>,
    /// Whether the mark is behind what is served.
    is_unmarked: AtomicBool,
}

struct Wanted {
    publication: Publication,
    state: Published,
    /// The last attempt failed.
    is_behind: bool,
}

impl Service {
    /// Opens or creates the repository, and publishes `files`. An unavailable key or a clock in doubt is not an error if
    /// the repository exists: it is served unchanged.
    ///
    /// # Errors
    /// [`TufError::RolledBack`] if the repository is older than `mark` says, and others if it cannot be read or made.
    pub async fn start(
        publisher: Publisher,
        mark: Mark,
        files: &TrustFiles,
        clock: Arc<ClockGuard>,
    ) -> Result<Arc<Self>, TufError> {
        let publication = Publication::of(files)?;
        // Before a new one could be made.
        let directory = publisher.directory();
        mark.verify(directory.path(), Repository::read(directory)?.as_ref())?;
        let now = if publisher.is_new()? { clock.signing_time()? } else { clock.now() };
        let repository = publisher.create(&publication, now).await?;
        let wanted = Wanted { publication, state: Published::Served, is_behind: true };
        let service = Arc::new(Self {
            publisher,
            mark,
            clock,
            served: RwLock::new(Arc::new(repository)),
            wanted: Mutex::new(wanted),
            changing: tokio::sync::Mutex::new(()),
            failures: AtomicU64::new(0),
            last_failure: Mutex::new(None),
            marking: Mutex::new(()),
            is_unmarked: AtomicBool::new(false),
        });
        service.keep_mark(&service.repository());
        // Renew before the first request if possible: no client should receive expired metadata.
        if let Err(error) = service.work().await {
            service.report(&error);
        }
        Ok(service)
    }

    /// Returns the served repository.
    #[must_use]
    pub fn repository(&self) -> Arc<Repository> {
        Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What changes it.
    #[must_use]
    pub const fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// Publishes these files. Returns when they are served, or why they are not yet; then the server keeps trying. Does
    /// nothing if the bytes are the same.
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

    /// Returns whether the files last given are published, or wait for offline signatures.
    #[must_use]
    pub fn published(&self) -> Published {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).state
    }

    /// Returns why the last change could not be made, until one can.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns every role's version, expiry and urgency.
    #[must_use]
    pub fn status(&self) -> Vec<RoleStatus> {
        self.repository().status(self.publisher.lifetimes(), self.clock.now())
    }

    /// Returns why clients are not served as they should be: the clock cannot be trusted, or metadata has expired.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        if let Err(fault) = self.clock.check() {
            return Some(format!("the TUF repository is not renewed ({}): {fault}", fault.code()));
        }
        self.end_of_metadata(Urgency::Expired)
    }

    /// Returns why an operator must act although clients are served: metadata soon expires, and is not renewed.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.end_of_metadata(Urgency::Alarm)
    }

    /// Says which metadata comes to its end first, if that is of this urgency.
    fn end_of_metadata(&self, wanted: Urgency) -> Option<String> {
        let worst = self.status().into_iter().max_by_key(|status| status.urgency)?;
        let RoleStatus { role, expires, urgency, .. } = worst;
        if urgency != wanted {
            return None;
        }
        let verb = if urgency == Urgency::Expired { "has expired" } else { "expires" };
        let why = self.failure().map_or_else(String::new, |why| format!(" and could not be renewed: {why}"));
        Some(format!("the TUF {role} metadata {verb} on {}{why}; see: chancery trust status", expires.rfc3339()))
    }

    /// Measures versions, expiries and failures.
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
        // Load a change that another process made between opening and now.
        let mut seen = None;
        loop {
            tokio::select! {
                _ = look.tick() => {}
                () = shutdown.begun() => return,
            }
            let stamp = self.stamp();
            if seen.as_ref() != Some(&stamp) {
                self.reload();
                // Taken before reading, so that a later change gives another stamp.
                seen = Some(stamp);
            }
            if self.is_unmarked.load(Ordering::Relaxed) {
                self.keep_mark(&self.repository());
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

    /// Publishes and renews what is due.
    async fn work(&self) -> Result<(), TufError> {
        let _changing = self.changing.lock().await;
        let behind = {
            let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.is_behind.then(|| wanted.publication.clone())
        };
        let now = match self.clock.check() {
            Ok(now) => now,
            // Whether anything is due, the clock cannot tell.
            Err(_) if behind.is_none() => return Ok(()),
            Err(fault) => return Err(fault.into()),
        };
        if self.publisher.is_due(&self.repository(), now).await {
            let (repository, renewed) = self.publisher.renew(&[], self.clock.signing_time()?).await?;
            self.serve(repository);
            for role in renewed {
                let repository = self.repository();
                let metadata = repository.metadata(role);
                tracing::info!(%role, version = metadata.version, expires = metadata.expires.rfc3339(), "TUF metadata renewed");
            }
        }
        if let Some(publication) = behind {
            let (repository, state) = self.publisher.publish(&publication, self.clock.signing_time()?).await?;
            self.serve(repository);
            let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            // Unless other files were given meanwhile.
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

    /// Loads changes made by another process.
    fn reload(&self) {
        match Repository::read(self.publisher.directory()) {
            Ok(Some(repository)) => {
                self.serve(repository);
                let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                // The offline signatures it waits for may have been imported.
                wanted.is_behind |= wanted.state == Published::WaitsForSignatures;
            }
            // Keep serving the old state; the other process may still be writing.
            Ok(None) => tracing::error!("the TUF repository has been taken away; it is served from memory"),
            Err(error) => tracing::error!(%error, "the TUF repository on disk is refused; it is served as it was"),
        }
    }

    /// Never goes back behind metadata that clients have seen.
    fn serve(&self, repository: Repository) {
        // Requests wait for the lock, and the mark is synced to disk: one after the other.
        if first_older(&repository, &self.repository()).is_none() {
            self.keep_mark(&repository);
        }
        let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
        let older = first_older(&repository, &served);
        if let Some(role) = older {
            tracing::error!(%role, "the TUF repository on disk is older than the one that was served; it is not served");
        } else {
            *served = Arc::new(repository);
        }
    }

    /// What cannot be recorded is served all the same: clients need it, and it is recorded later.
    fn keep_mark(&self, repository: &Repository) {
        // It is read and then written.
        let _marking = self.marking.lock().unwrap_or_else(PoisonError::into_inner);
        let marked = self.mark.advance(repository);
        let was_unmarked = self.is_unmarked.swap(marked.is_err(), Ordering::Relaxed);
        if let Some(error) = marked.err().filter(|_| !was_unmarked) {
            tracing::error!(%error, "which TUF metadata is served cannot be recorded; trying again");
        }
    }

    fn report(&self, error: &TufError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%error, "the TUF repository could not be brought up to date; trying again");
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    /// Logs once for each stage of expiring metadata.
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

/// The first role whose metadata is older than what is served.
fn first_older(repository: &Repository, served: &Repository) -> Option<Role> {
    Role::ALL.into_iter().find(|role| repository.metadata(*role).version < served.metadata(*role).version)
}
