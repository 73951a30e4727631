//! The TUF repository of an instance: its keys, its settings, and the part of the server that keeps it valid.
//!
//! ```text
//! tuf/                    the repository, as it is served under /tuf/
//! tuf.json                how long metadata is valid, and keys that are elsewhere; there once the repository has been made
//! keys/tuf-ROLE.pem       the first key of a role; keys/tuf-ROLE-N.pem one that root version N has brought
//! ```
//!
//! Which keys count, the newest root says; a file it does not name is of no use any more, and a key that is not here is
//! offline. Server and command line come by keys in this one way.

use super::DataDirectory;
use crate::{durable, duration};
use anyhow::{Context as _, ensure};
use chancery_daemon::{
    clock::Clock,
    metrics::Metrics,
    shutdown::{self, Trigger},
    signer::{Signer, SignerError},
};
use chancery_trust::{
    CurrentFiles,
    tuf::{self, Directory, HeldKeys, KeySource, KeysHeld, Lifetimes, Publisher, Role, Service},
};
use chancery_verify::{hash, key::KeyKind};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

const SETTINGS: &str = "tuf.json";
/// A key elsewhere that could not be reached is not asked again before.
const RETRY: Duration = Duration::from_secs(15);

/// The options of `chancery dev` about it.
#[derive(Debug, Args)]
pub(crate) struct TufArguments {
    /// How long new TUF metadata of a role is valid, and remembered: root=365d targets=365d snapshot=21d timestamp=7d
    #[arg(long, value_name = "ROLE=TIME", num_args = 1.., value_parser = lifetime)]
    pub(crate) tuf_lifetime: Vec<(Role, Duration)>,
}

/// `timestamp=7d`: days, hours, minutes or seconds.
fn lifetime(text: &str) -> Result<(Role, Duration), String> {
    let parse = || {
        let (role, time) = text.split_once('=')?;
        // Clients read four digits of a year.
        let time = duration::parse(time).ok().filter(|time| (1..=100 * 366 * 86400).contains(&time.as_secs()))?;
        Some((Role::from_name(role)?, time))
    };
    parse().ok_or_else(|| {
        "expected root, targets, snapshot or timestamp with a time such as 7d, 12h, 30m or 45s".to_owned()
    })
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Seconds, where they are not the usual ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lifetimes_seconds: BTreeMap<Role, u64>,
    /// URIs of keys that are not in `keys/`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    keys: BTreeMap<Role, Vec<String>>,
}

impl Settings {
    /// `None` where no repository has been made yet.
    fn read(data: &Path) -> anyhow::Result<Option<Self>> {
        let path = data.join(SETTINGS);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).map(Some).with_context(|| format!("{} is damaged", path.display()))
    }

    fn write(&self, data: &Path) -> anyhow::Result<()> {
        let text = format!("{}\n", serde_json::to_string_pretty(self)?);
        durable::write(&data.join(SETTINGS), text.as_bytes())
    }

    fn lifetimes(&self) -> Lifetimes {
        let mut lifetimes = Lifetimes::default();
        for (role, seconds) in &self.lifetimes_seconds {
            let lifetime = match role {
                Role::Root => &mut lifetimes.root,
                Role::Targets => &mut lifetimes.targets,
                Role::Snapshot => &mut lifetimes.snapshot,
                Role::Timestamp => &mut lifetimes.timestamp,
            };
            *lifetime = Duration::from_secs(*seconds);
        }
        lifetimes
    }
}

/// The keys of a data directory.
struct Keys {
    data: PathBuf,
    opened: Mutex<HashMap<String, Arc<Signer>>>,
    refused: Mutex<HashMap<String, (Instant, String)>>,
}

impl Keys {
    fn new(data: &Path) -> Arc<Self> {
        Arc::new(Self { data: data.to_owned(), opened: Mutex::default(), refused: Mutex::default() })
    }

    async fn open(&self, role: Role) -> KeysHeld {
        let mut held = KeysHeld::default();
        for path in key_files(&self.data, role) {
            match self.remembered(&path.display().to_string(), || Signer::open(&path)) {
                Ok(signer) => held.signers.push(signer),
                Err(error) => held.failures.push(error),
            }
        }
        let settings = Settings::read(&self.data).ok().flatten().unwrap_or_default();
        for uri in settings.keys.get(&role).into_iter().flatten() {
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

/// The key files of a role, in order.
pub(crate) fn key_files(data: &Path, role: Role) -> Vec<PathBuf> {
    let first = format!("tuf-{role}.pem");
    let later = format!("tuf-{role}-");
    let is_key = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix(&later).and_then(|rest| rest.strip_suffix(".pem"));
        name == first || number.is_some_and(|number| number.parse::<u64>().is_ok())
    };
    let entries = fs::read_dir(data.join("keys")).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_key).collect();
    paths.sort();
    paths
}

/// Remembers where a role's key is, before a root names it.
pub(crate) fn use_key(data: &Path, role: Role, uri: &str) -> anyhow::Result<()> {
    let mut settings = Settings::read(data)?.unwrap_or_default();
    let keys = settings.keys.entry(role).or_default();
    if !keys.iter().any(|known| known == uri) {
        keys.push(uri.to_owned());
        settings.write(data)?;
    }
    Ok(())
}

/// Who changes the repository of a data directory, whether or not a server runs.
pub(crate) fn publisher(data: &Path) -> anyhow::Result<Publisher> {
    let settings = Settings::read(data)?;
    let settings =
        settings.with_context(|| format!("{} has no TUF repository; start the server once", data.display()))?;
    Ok(Publisher::new(Directory::new(data.join("tuf")), Keys::new(data), settings.lifetimes()))
}

/// The repository of a running server.
pub(super) struct Tuf {
    service: Arc<Service>,
    renewal: JoinHandle<()>,
    /// Publishes the trust files anew when they change. Nothing is lost where it is cut off: the next start publishes them.
    follower: JoinHandle<()>,
    stop: Trigger,
}

impl Tuf {
    /// Opens the repository, makes it where `data` never had one, and publishes `files`, now and whenever they change.
    pub(super) async fn start(
        data: &DataDirectory,
        arguments: &TufArguments,
        mut files: CurrentFiles,
        clock: Arc<dyn Clock>,
        metrics: Option<&Metrics>,
    ) -> anyhow::Result<Self> {
        let path = data.path();
        let made = Settings::read(path)?;
        let directory = Directory::new(path.join("tuf"));
        ensure!(
            made.is_none() || !directory.versions(Role::Root)?.is_empty(),
            "{} is missing, and clients would refuse a new one that starts at version 1; put it back from a backup",
            directory.path().display()
        );
        let is_new = made.is_none();
        let mut settings = made.unwrap_or_default();
        let lifetimes = arguments.tuf_lifetime.iter().map(|(role, lifetime)| (*role, lifetime.as_secs()));
        settings.lifetimes_seconds.extend(lifetimes);
        if is_new {
            for role in Role::ALL {
                let path = path.join(format!("keys/tuf-{role}.pem"));
                Signer::open_or_create(&path, KeyKind::P256)
                    .with_context(|| format!("cannot use the TUF {role} key"))?;
            }
        }
        let publisher = Publisher::new(directory, Keys::new(path), settings.lifetimes());
        let first = Arc::clone(&files.borrow_and_update());
        let service = Service::start(publisher, &first, clock).await.context("cannot open the TUF repository")?;
        settings.write(path)?;
        check_keys(path, &service).await?;
        if let Some(metrics) = metrics {
            service.measure(metrics)?;
        }
        let (stop, stopping) = shutdown::channel();
        let renewal = tokio::spawn(Arc::clone(&service).run(stopping));
        let follower = tokio::spawn(follow(files, Arc::clone(&service)));
        Ok(Self { service, renewal, follower, stop })
    }

    /// `/tuf/…`.
    pub(super) fn router(&self) -> axum::Router {
        tuf::http::router(Arc::clone(&self.service))
    }

    /// Says what is wrong with what clients are given, if anything is.
    pub(super) fn obstacle(&self) -> impl Fn() -> Option<String> + Send + Sync + use<> {
        let service = Arc::clone(&self.service);
        move || service.obstacle()
    }

    /// What `--root-checksum` wants for `root.json`. It never changes.
    pub(super) fn root_checksum(&self) -> String {
        let repository = self.service.repository();
        repository.file("root.json").map_or_else(String::new, |bytes| hex::encode(hash::sha256(bytes)))
    }

    /// Finishes what it is writing.
    pub(super) async fn stop(self) {
        self.follower.abort();
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
            Ok(published) => tracing::info!(?published, "the trust files changed, and the TUF repository with them"),
            Err(error) => tracing::error!(%error, "the changed trust files are not in the TUF repository yet"),
        }
    }
}

/// The keys that renew by themselves must be those that clients know. One that cannot be reached now is another matter.
async fn check_keys(data: &Path, service: &Service) -> anyhow::Result<()> {
    let repository = service.repository();
    for role in [Role::Snapshot, Role::Timestamp] {
        let KeysHeld { signers, failures } = Keys::new(data).open(role).await;
        let keys = repository.root().role(role);
        let known = signers.iter().any(|signer| keys.keys.values().any(|key| key == signer.public_key()));
        ensure!(
            known || !failures.is_empty(),
            "the TUF {role} key in {}/keys is not one that clients know, or is missing; put it back, or replace it: \
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
    fn lifetimes_are_read_with_their_unit_or_refused() {
        assert_eq!(lifetime("root=365d"), Ok((Role::Root, Duration::from_hours(365 * 24))));
        assert_eq!(lifetime("timestamp=45s"), Ok((Role::Timestamp, Duration::from_secs(45))));
        for bad in
            ["", "root", "root=", "root=d", "root=0d", "root=-1d", "root=1y", "boot=1d", "root=1é", "root=99999999d"]
        {
            assert!(lifetime(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_keys_of_a_role_are_found_by_name() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("keys")).unwrap();
        for name in
            ["tuf-root.pem", "tuf-root-3.pem", "tuf-root-x.pem", "tuf-root.pem.bak", "tuf-targets.pem", "ca.pem"]
        {
            fs::write(data.path().join("keys").join(name), "").unwrap();
        }
        let names: Vec<_> = key_files(data.path(), Role::Root)
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["tuf-root-3.pem", "tuf-root.pem"]);
    }
}
