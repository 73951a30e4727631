//! The TUF repository of an instance: its keys, its settings, and the part of the server that keeps it valid.
//!
//! ```text
//! tuf/                    the repository, as it is served under /tuf/
//! marks/tuf.json          the newest versions that were served
//! tuf.json                how long metadata is valid, keys that are elsewhere, and the URL; there once the repository has been made
//! keys/tuf-ROLE.pem       the first key of a role; keys/tuf-ROLE-N.pem one that root version N has brought
//! ```
//!
//! Which keys count, the newest root says; a file it does not name is of no use any more, and a key that is not here is
//! offline. Server and command line come by keys in this one way.

mod recorder;
mod settings;

pub(crate) use settings::{TufArguments, lifetime};

use super::{Setup, readiness::Checked, shards::marks};
use crate::{data_directory::private_directory, role};
use anyhow::{Context as _, ensure};
use chancery_ca::audit::AuditLog;
use chancery_daemon::{
    clock::ClockGuard,
    health::{Finding, State},
    metrics::Metrics,
    random::Random,
    shutdown::{self, Trigger},
    signer::{Signer, SignerError},
};
use chancery_trust::{
    CurrentFiles,
    tuf::{self, Directory, HeldKeys, KeySource, KeysHeld, Mark, Publisher, Repository, Role, Service},
};
use chancery_verify::{hash, key::KeyKind};
use settings::Settings;
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// A key elsewhere that could not be reached is not asked again before.
const RETRY: Duration = Duration::from_secs(15);

/// The keys of a data directory.
struct Keys {
    data: PathBuf,
    /// URIs that count until the settings are there.
    first: BTreeMap<Role, Vec<String>>,
    opened: Mutex<HashMap<String, Arc<Signer>>>,
    refused: Mutex<HashMap<String, (Instant, String)>>,
}

impl Keys {
    fn new(data: &Path, first: BTreeMap<Role, Vec<String>>) -> Arc<Self> {
        Arc::new(Self { data: data.to_owned(), first, opened: Mutex::default(), refused: Mutex::default() })
    }

    async fn open(&self, role: Role) -> KeysHeld {
        let mut held = KeysHeld::default();
        for path in key_files(&self.data, role) {
            match self.remembered(&path.display().to_string(), || Signer::open(&path)) {
                Ok(signer) => held.signers.push(signer),
                Err(error) => held.failures.push(error),
            }
        }
        let keys = Settings::read(&self.data).ok().flatten().map_or_else(|| self.first.clone(), |read| read.keys);
        for uri in keys.get(&role).into_iter().flatten() {
            match self.elsewhere(uri).await {
                Ok(signer) => held.signers.push(signer),
                Err(error) => held.failures.push(error),
            }
        }
        held
    }

    fn remembered(
        &self,
        name: &str,
        open: impl FnOnce() -> Result<Signer, SignerError>,
    ) -> Result<Arc<Signer>, SignerError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signer) = opened.get(name) {
            return Ok(Arc::clone(signer));
        }
        let signer = Arc::new(open()?);
        opened.insert(name.to_owned(), Arc::clone(&signer));
        Ok(signer)
    }

    async fn elsewhere(&self, uri: &str) -> Result<Arc<Signer>, SignerError> {
        let known = self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(uri).cloned();
        if let Some(signer) = known {
            return Ok(signer);
        }
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).get(uri).cloned();
        if let Some((_, reason)) = refused.filter(|(when, _)| when.elapsed() < RETRY) {
            return Err(SignerError::Unavailable { reason });
        }
        let key =
            uri.parse().map_err(|error: chancery_keys::UriError| SignerError::Refused { reason: error.to_string() });
        let opened = match key {
            Ok(key) => chancery_keys::open(&key).await,
            Err(error) => Err(error),
        };
        match opened {
            Ok(signer) => self.remembered(uri, || Ok(signer)),
            Err(error) => {
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                refused.insert(uri.to_owned(), (Instant::now(), error.to_string()));
                Err(error)
            }
        }
    }
}

impl KeySource for Keys {
    fn held(&self, role: Role) -> HeldKeys<'_> {
        Box::pin(self.open(role))
    }
}

/// The key files of a role, the first one first.
pub(crate) fn key_files(data: &Path, role: Role) -> Vec<PathBuf> {
    let first = format!("tuf-{role}.pem");
    let later = format!("tuf-{role}-");
    let number = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str())?;
        if name == first {
            return Some(0);
        }
        name.strip_prefix(&later)?.strip_suffix(".pem")?.parse::<u64>().ok()
    };
    let entries = fs::read_dir(data.join("keys")).into_iter().flatten();
    let numbered = |path: PathBuf| Some((number(&path)?, path));
    let mut paths: Vec<(u64, PathBuf)> = entries.filter_map(|entry| numbered(entry.ok()?.path())).collect();
    paths.sort();
    paths.into_iter().map(|(_, path)| path).collect()
}

/// Remembers where a role's key is, before a root names it.
pub(crate) fn use_key(data: &Path, role: Role, uri: &str) -> anyhow::Result<()> {
    let mut settings = Settings::read(data)?.unwrap_or_default();
    if settings.add_key(role, uri) { settings.write(data) } else { Ok(()) }
}

/// Where keys of a role are that are not in the data directory, the newest last.
pub(crate) fn key_uris(data: &Path, role: Role) -> anyhow::Result<Vec<String>> {
    Ok(Settings::read(data)?.and_then(|mut settings| settings.keys.remove(&role)).unwrap_or_default())
}

/// Makes the first key of a role where it is to be, or finds that it is there.
async fn first_key(data: &Path, role: Role, uri: Option<&String>, random: &dyn Random) -> anyhow::Result<()> {
    match uri {
        Some(uri) => drop(chancery_keys::open_or_create(&uri.parse()?, KeyKind::P256, random).await?),
        None => drop(Signer::open_or_create(&data.join(format!("keys/tuf-{role}.pem")), KeyKind::P256)?),
    }
    Ok(())
}

/// Who changes the repository of a data directory, whether or not a server runs.
pub(crate) fn publisher(data: &Path) -> anyhow::Result<Publisher> {
    let settings = Settings::read(data)?;
    let settings =
        settings.with_context(|| format!("{} has no TUF repository; start the server on it once", data.display()))?;
    Ok(Publisher::new(Directory::new(data.join("tuf")), Keys::new(data, BTreeMap::new()), settings.lifetimes()))
}

/// Who changes the repository of a data directory, and what clients get now.
pub(crate) fn repository(data: &Path) -> anyhow::Result<(Publisher, Repository)> {
    let publisher = publisher(data)?;
    // Once more where a running server was just replacing the one by the other.
    let read = Repository::read(publisher.directory()).or_else(|_| Repository::read(publisher.directory()))?;
    let repository = read.with_context(|| {
        format!("the TUF repository in {} is empty; start the server once", publisher.directory().path().display())
    })?;
    Ok((publisher, repository))
}

/// The URL of the process that serves the repository of a data directory, as its last start has recorded it.
pub(crate) fn trust_url(data: &Path) -> anyhow::Result<String> {
    let recorded = Settings::read(data)?.and_then(|settings| settings.url);
    recorded.with_context(|| {
        format!(
            "{} does not record where clients reach its TUF repository; start the server on it once",
            data.display()
        )
    })
}

/// The repository of a running server.
pub(super) struct Tuf {
    service: Arc<Service>,
    renewal: JoinHandle<()>,
    /// Publishes the trust files anew when they change. Nothing is lost where it is cut off: the next start publishes them.
    follower: JoinHandle<()>,
    /// Puts into the audit log what clients are given anew.
    recorder: Option<JoinHandle<()>>,
    stop: Trigger,
}

impl Tuf {
    /// Opens the repository, makes it where the data directory never had one, and publishes `files`, now and whenever they
    /// change.
    pub(super) async fn start(
        setup: &Setup<'_>,
        arguments: &TufArguments,
        mut files: CurrentFiles,
        clock: Arc<ClockGuard>,
        random: &dyn Random,
        metrics: Option<&Metrics>,
        audit: Option<Arc<AuditLog>>,
    ) -> anyhow::Result<Self> {
        let path = setup.data.path();
        let made = Settings::read(path)?;
        let directory = Directory::new(path.join("tuf"));
        ensure!(
            made.is_none() || !directory.versions(Role::Root)?.is_empty(),
            "{} is missing, and clients would refuse a new one that starts at version 1; put it back from a backup",
            directory.path().display()
        );
        let is_new = made.is_none();
        let mut settings = made.unwrap_or_default();
        settings.take_lifetimes(arguments);
        settings.url = Some(setup.addresses.url(role::Role::Trust)?.to_string());
        if is_new {
            for role in Role::ALL {
                let uri = arguments.keys.get(&role);
                first_key(path, role, uri, random).await.with_context(|| format!("cannot use the TUF {role} key"))?;
                if let Some(uri) = uri {
                    settings.add_key(role, uri);
                }
            }
        }
        let keys = Keys::new(path, settings.keys.clone());
        let before = Repository::read(&directory)?;
        let publisher = Publisher::new(directory, keys, settings.lifetimes());
        let first = Arc::clone(&files.borrow_and_update());
        private_directory(&marks(path))?;
        let mark = Mark::new(marks(path).join("tuf.json"));
        let service = Service::start(publisher, mark, &first, Arc::clone(&clock)).await;
        let service = service.context("cannot open the TUF repository")?;
        settings.write(path)?;
        check_keys(path, &service).await?;
        if let Some(metrics) = metrics {
            service.measure(metrics)?;
        }
        let (stop, stopping) = shutdown::channel();
        let renewal = tokio::spawn(Arc::clone(&service).run(stopping));
        let follower = tokio::spawn(follow(files, Arc::clone(&service)));
        let before = before.map_or_else(|| service.repository(), Arc::new);
        let recorder = audit.map(|audit| tokio::spawn(recorder::record(audit, before, Arc::clone(&service), clock)));
        Ok(Self { service, renewal, follower, recorder, stop })
    }

    /// `/tuf/…`.
    pub(super) fn router(&self) -> axum::Router {
        tuf::http::router(Arc::clone(&self.service))
    }

    /// What keeps and serves the repository.
    pub(super) fn service(&self) -> Arc<Service> {
        Arc::clone(&self.service)
    }

    /// Whether clients are given metadata that they accept, also in the next days.
    pub(super) fn checks(&self) -> Checked {
        let service = Arc::clone(&self.service);
        Checked::known(move || {
            let warned = || service.warning().map_or(State::Passed, State::Warning);
            let state = service.obstacle().map_or_else(warned, State::Failed);
            vec![Finding::new(role::Role::Trust.name(), "metadata", state)]
        })
    }

    /// What `--root-checksum` wants for `root.json`. It never changes.
    pub(super) fn root_checksum(&self) -> String {
        let repository = self.service.repository();
        repository.file("root.json").map_or_else(String::new, |bytes| hex::encode(hash::sha256(bytes)))
    }

    /// Finishes what it is writing.
    pub(super) async fn stop(self) {
        self.follower.abort();
        if let Some(recorder) = self.recorder {
            recorder.abort();
        }
        self.stop.stop();
        if let Err(error) = self.renewal.await {
            tracing::error!(%error, "the TUF repository's renewal did not stop cleanly");
        }
    }
}

/// Has the files published whenever they change. What cannot be signed now is tried again by the renewal.
async fn follow(mut files: CurrentFiles, service: Arc<Service>) {
    while files.changed().await.is_ok() {
        let changed = Arc::clone(&files.borrow_and_update());
        match service.publish(&changed).await {
            Ok(published) => {
                tracing::info!(?published, "the trust files have changed; the TUF repository has their new version");
            }
            Err(error) => {
                tracing::error!(%error, "cannot publish the changed trust files in the TUF repository yet; the next renewal tries again");
            }
        }
    }
}

/// The keys that renew by themselves must be those that clients know. One that cannot be reached now is another matter.
async fn check_keys(data: &Path, service: &Service) -> anyhow::Result<()> {
    let repository = service.repository();
    for role in [Role::Snapshot, Role::Timestamp] {
        let KeysHeld { signers, failures } = Keys::new(data, BTreeMap::new()).open(role).await;
        let keys = repository.root().role(role);
        let known = signers.iter().any(|signer| keys.keys.values().any(|key| key == signer.public_key()));
        ensure!(
            known || !failures.is_empty(),
            "the TUF {role} key in {}/keys is missing, or is not the key that clients know; put it back, or replace it: \
             chancery trust rotate --role {role}",
            data.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_role_are_found_by_name() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("keys")).unwrap();
        for name in [
            "tuf-root.pem",
            "tuf-root-10.pem",
            "tuf-root-3.pem",
            "tuf-root-x.pem",
            "tuf-root.pem.bak",
            "tuf-targets.pem",
            "ca.pem",
        ] {
            fs::write(data.path().join("keys").join(name), "").unwrap();
        }
        let names: Vec<_> = key_files(data.path(), Role::Root)
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["tuf-root.pem", "tuf-root-3.pem", "tuf-root-10.pem"]);
    }
}
