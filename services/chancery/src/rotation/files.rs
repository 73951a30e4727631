//! `keys/ring.json`, `served.json` and `served-ROLE.json` in a data directory.
//!
//! A role the ring does not have is one whose key was never rotated: what `instance.json` says is its first generation. How
//! far a server is stands in a file for each role, because roles may have a process each. A ring that is lost or older than what
//! was done or published is refused ([`agreement`]), by every reader.

use super::{
    agreement::{self, Contradiction, Disagreement},
    published::Published,
    ring::{Generation, Place, Progress, Ring, Role, Root, SCHEMA, State},
};
use crate::{data_directory::recorded_instance, durable};
use anyhow::{Context as _, bail, ensure};
use chancery_trust::FileName;
use chancery_verify::{PublicKey, certificate::Certificate};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// The files of one data directory.
#[derive(Debug, Clone)]
pub(crate) struct RingFiles {
    directory: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Served {
    schema: u32,
    roles: BTreeMap<Role, Progress>,
}

impl RingFiles {
    /// Those of the data directory `directory`, which may be in use.
    pub(crate) fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The data directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file below `keys/`.
    pub(crate) fn key_file(&self, name: &str) -> PathBuf {
        self.directory.join("keys").join(name)
    }

    fn ring_file(&self) -> PathBuf {
        self.key_file("ring.json")
    }

    fn served_file(&self, role: Role) -> PathBuf {
        let name = match role {
            Role::Ca => "served.json".to_owned(),
            Role::Tsa | Role::Ct | Role::Rekor | Role::Rekor2 => format!("served-{role}.json"),
        };
        self.directory.join(name)
    }

    /// The ring's bytes as they are now, so that a change can be seen; `None` where no key was ever rotated.
    pub(crate) fn ring_text(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.ring_file();
        match fs::read(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Whether everything that the first start makes is there.
    pub(crate) fn is_complete(&self) -> anyhow::Result<bool> {
        Ok(recorded_instance(&self.directory)?.complete)
    }

    /// Refuses a directory that is not complete.
    pub(crate) fn verify_complete(&self) -> anyhow::Result<()> {
        ensure!(
            self.is_complete()?,
            "{} is not complete; finish it first: chancery init, or a start of chancery dev",
            self.directory.display()
        );
        Ok(())
    }

    /// What is wanted of a role, which is in the result in any case.
    ///
    /// # Errors
    /// With a [`Contradiction`] if it is not what comes after what was done and published.
    pub(crate) fn ring(&self, role: Role) -> anyhow::Result<Ring> {
        // Read before the ring, which may only be ahead of it.
        let progress = self.progress(role);
        let (root, published) = (self.trusted_root(), self.published());
        let text = self.ring_text()?;
        let ring = self.parse(text.as_deref(), role)?;
        // A directory that is not complete yet has published nothing.
        if !self.is_complete()? {
            return Ok(ring);
        }
        if let Ok(Some(progress)) = &progress {
            let verdict = agreement::with_progress(&ring, role, progress);
            verdict.map_err(|found| self.contradiction(&self.served_file(role), found))?;
        }
        published.map_or(Ok(()), |published| self.verify_published(&ring, role, &published, &root))?;
        Ok(ring)
    }

    /// What a text from [`Self::ring_text`] says of a role, which is in the result in any case.
    fn parse(&self, text: Option<&[u8]>, role: Role) -> anyhow::Result<Ring> {
        let path = self.ring_file();
        let mut ring = match text {
            None => Ring::new(),
            Some(text) => serde_json::from_slice(text)
                .with_context(|| format!("{} is damaged; restore it from a backup", path.display()))?,
        };
        ensure!(
            ring.is_sound(),
            "{} was written by another version of chancery, or is damaged; use that version, or restore the file from a backup",
            path.display()
        );
        if !ring.knows(role) {
            ring.begin(role, self.first(role)?);
        }
        Ok(ring)
    }

    /// Refuses a ring that is not what comes after what the trusted root at `path` says.
    pub(crate) fn verify_published(
        &self,
        ring: &Ring,
        role: Role,
        published: &Published,
        path: &Path,
    ) -> anyhow::Result<()> {
        // The other logs that the trusted root has in the same list.
        let other = match role {
            Role::Rekor => Some(Role::Rekor2),
            Role::Rekor2 => Some(Role::Rekor),
            Role::Ca | Role::Tsa | Role::Ct => None,
        };
        let others = match other {
            None => Vec::new(),
            Some(other) if ring.knows(other) => ring.generations(other).to_vec(),
            Some(other) => self.first(other).into_iter().collect(),
        };
        let is_other = |fingerprint: &str| {
            // A certificate log elsewhere was published, too.
            role == Role::Ct && !self.has_log_key(fingerprint)
                || others.iter().any(|generation| generation.fingerprint == fingerprint)
        };
        let verdict = agreement::with_published(ring, role, published, is_other);
        verdict.map_err(|found| self.contradiction(path, found).into())
    }

    /// Refuses a ring whose generations have other keys than the files that clients know them by, or have lost them.
    pub(crate) fn verify_key_files(&self, ring: &Ring, role: Role) -> anyhow::Result<()> {
        for generation in ring.generations(role) {
            let counts = matches!(generation.state, State::Active | State::Outgoing | State::Retired);
            let Some(name) = generation.chain.as_deref().filter(|_| counts) else { continue };
            let path = self.key_file(name);
            let found = if path.exists() {
                // What cannot be read is told when it is used.
                let Some(key) = public_key(role, &path) else { continue };
                Some(hex::encode(key.fingerprint()))
            } else if generation.state == State::Active {
                continue;
            } else {
                None
            };
            let verdict = agreement::with_key_file(role, generation, found.as_deref());
            verdict.map_err(|found| self.contradiction(&path, found))?;
        }
        Ok(())
    }

    /// Whether `keys/` has the public half of a certificate log with this fingerprint.
    fn has_log_key(&self, fingerprint: &str) -> bool {
        let entries = fs::read_dir(self.key_file("")).into_iter().flatten().filter_map(Result::ok);
        let mut paths = entries.map(|entry| entry.path()).filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".pub"));
            let number = name.and_then(|name| name.strip_prefix(Role::Ct.name()));
            // Somebody may keep the key of the log elsewhere here, under a name of its own.
            number.is_some_and(|number| number.is_empty() || number.trim_start_matches('-').parse::<u64>().is_ok())
        });
        paths.any(|path| public_key(Role::Ct, &path).is_some_and(|key| hex::encode(key.fingerprint()) == fingerprint))
    }

    fn contradiction(&self, other: &Path, disagreement: Disagreement) -> Contradiction {
        let path = self.ring_file();
        let missing = if path.exists() { "" } else { " is missing, and a data directory without it" };
        let ring = format!("{}{missing}", path.display());
        Contradiction { ring, other: other.display().to_string(), disagreement }
    }

    fn trusted_root(&self) -> PathBuf {
        self.directory.join("trust").join(FileName::TrustedRoot.as_str())
    }

    /// What the trusted root on disk says. `None` if it is not there or cannot be read: every start writes it anew.
    fn published(&self) -> Option<Published> {
        Published::parse(&fs::read(self.trusted_root()).ok()?).ok()
    }

    /// The only generation of a key that was never rotated.
    fn first(&self, role: Role) -> anyhow::Result<Generation> {
        let instance = recorded_instance(&self.directory)?;
        let public = match role {
            Role::Ca | Role::Tsa => format!("{role}-chain.pem"),
            Role::Ct | Role::Rekor | Role::Rekor2 => format!("{role}.pub"),
        };
        let path = self.key_file(&public);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let damaged = || format!("{} is damaged; restore it from a backup", path.display());
        let certificate = || Certificate::from_pem(&text).with_context(damaged);
        let (key, created) = match role {
            Role::Ca => (certificate()?.public_key().clone(), instance.created_at_seconds),
            // It may be younger than the directory.
            Role::Tsa => (certificate()?.public_key().clone(), certificate()?.not_before().seconds()),
            Role::Ct | Role::Rekor | Role::Rekor2 => {
                (PublicKey::from_pem(&text).with_context(damaged)?, instance.created_at_seconds)
            }
        };
        let root = if instance.has_imported(role.name()) {
            Some(Root::Imported)
        } else {
            instance.root_uri(role.name()).map(|uri| Root::Uri(uri.to_owned()))
        };
        let place = instance.key_uri(role.name()).map(|uri| Place::Uri(uri.to_owned()));
        Ok(Generation {
            number: 1,
            state: State::Active,
            key: place.unwrap_or_else(|| Place::File(format!("{role}.pem"))),
            fingerprint: hex::encode(key.fingerprint()),
            chain: Some(public),
            since_seconds: created,
            activated_seconds: Some(created),
            ends_seconds: None,
            url: None,
            root,
        })
    }

    /// URLs of the signature logs in the trusted root on disk, if it is here.
    pub(crate) fn published_log_urls(&self) -> anyhow::Result<Vec<String>> {
        let path = self.trusted_root();
        if !path.exists() {
            return Ok(Vec::new());
        }
        let root: Value = read(&path)?;
        let logs = root.get("tlogs").and_then(Value::as_array).into_iter().flatten();
        Ok(logs.filter_map(|log| log.get("baseUrl")?.as_str().map(str::to_owned)).collect())
    }

    /// Says what is wanted from now on.
    pub(crate) fn write_ring(&self, ring: &Ring) -> anyhow::Result<()> {
        write(&self.ring_file(), ring)
    }

    /// How far the server is with a role; `None` where no server has said so.
    pub(crate) fn progress(&self, role: Role) -> anyhow::Result<Option<Progress>> {
        let path = self.served_file(role);
        if !path.exists() {
            return Ok(None);
        }
        let mut served: Served = read(&path)?;
        ensure!(
            served.schema == SCHEMA,
            "{} was written by another version of chancery, or is damaged; use that version, or restore the file from a backup",
            path.display()
        );
        Ok(served.roles.remove(&role))
    }

    /// Says how far the server is with a role.
    pub(crate) fn write_progress(&self, role: Role, progress: &Progress) -> anyhow::Result<()> {
        let path = self.served_file(role);
        let mut served = if path.exists() { read(&path)? } else { Served { schema: SCHEMA, roles: BTreeMap::new() } };
        served.roles.insert(role, progress.clone());
        write(&path, &served)
    }

    /// Keeps other verbs from taking a step at the same time, until it is dropped.
    pub(crate) fn lock(&self) -> anyhow::Result<File> {
        let path = self.key_file("ring.lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                bail!("another `chancery keys rotate` is running on this data directory; wait until it has finished")
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}

/// The key that clients know by the file at `path`: a log's public half, or of an authority the one of the first certificate.
fn public_key(role: Role, path: &Path) -> Option<PublicKey> {
    let text = fs::read(path).ok()?;
    if role.is_log() {
        return PublicKey::from_pem(&text).ok();
    }
    Certificate::from_pem(&text).ok().map(|certificate| certificate.public_key().clone())
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged; restore it from a backup", path.display()))
}

fn write(path: &Path, document: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(document)?;
    text.push('\n');
    durable::write(path, text.as_bytes())
}
