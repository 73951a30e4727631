//! The data directory of an instance: its locks, and the files that must be in it.
//!
//! ```text
//! lock, lock.*    held by the processes that use the directory: one for each role
//! instance.json   when the directory was made, whether that was finished, which younger roles it has got since, and where
//!                 keys are that are not in keys/
//! keys/*.pem      private keys (0600), but not those of roots, and certificates: ca-chain.pem, tsa-chain.pem; keys/*.pub public halves
//! keys/ring.json  which generations of the keys there are, once one was rotated
//! served.json     how far the server is with a rotation of the CA's key; served-ROLE.json of another
//! chancery.db     the logs, unless they are in a database elsewhere
//! audit.jsonl     requests for certificates and the answers; new keys and TUF metadata; private; unless it is written elsewhere
//! tuf/, tuf.json  the TUF repository with the same; see `instance/tuf.rs`
//! marks/          the newest heads of the logs and versions of TUF metadata that clients may have seen
//! demo/           files that `chancery dev --demo` has signed, and their bundles
//! trust/          what clients need; rewritten when a key is rotated, and at every start, with the same bytes unless an option
//!                 names another certificate log
//! ```
//!
//! Keys and log belong together: a new key under an old log, or a new log under an old key, would contradict what was
//! signed before. So they are only created while the directory is being made; afterwards a missing one is an error. A role
//! that is younger than the directory is made once, at the next start.

use crate::durable;
use crate::role::Role;
use anyhow::{Context as _, anyhow, bail, ensure};
use chancery_daemon::{
    random::Random,
    signer::{Signer, Use},
};
use chancery_log::rekor_v2;
use chancery_verify::{PublicKey, Timestamp, key::KeyKind};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, File, TryLockError},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

/// Name of the certificate authority's key.
const CA: &str = "ca";
/// What the name of a root's key ends in.
const ROOT: &str = "-root";
/// Roles that a directory of an earlier version of this program has not.
const YOUNGER_ROLES: [&str; 2] = [rekor_v2::NAME, "tsa"];

/// An open data directory. The locks are released when it is dropped.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    instance: Instance,
    _locks: Vec<File>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instance {
    /// Before the first key was made: trust in everything here starts with this moment.
    pub(crate) created_at_seconds: u64,
    /// Keys, certificates and logs are all there.
    pub(crate) complete: bool,
    /// Younger roles that are there, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    added: Vec<String>,
    /// URI of the CA's first issuing key, where it is not in this directory. Later ones are in `keys/ring.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_key: Option<String>,
    /// The same of other keys, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    keys: BTreeMap<String, String>,
    /// Roles whose first certificates another authority has issued.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    imported: BTreeSet<String>,
}

impl Instance {
    /// URI of the key of the root of a role's first certificates; `None` where it was destroyed, or is not ours.
    pub(crate) fn root_uri(&self, role: &str) -> Option<&str> {
        self.key_uri(&root_name(role))
    }

    /// Whether another authority has issued a role's first certificates.
    pub(crate) fn has_imported(&self, role: &str) -> bool {
        self.imported.contains(role)
    }

    /// URI of the (first) key of this name; `None` where it is in the directory.
    pub(crate) fn key_uri(&self, name: &str) -> Option<&str> {
        if name == CA { self.ca_key.as_deref() } else { self.keys.get(name).map(String::as_str) }
    }
}

impl DataDirectory {
    /// Opens `path` for a process that has `roles`, or begins to make it. `now` counts only for a new one.
    pub(crate) fn open(path: &Path, roles: &BTreeSet<Role>, now: Timestamp) -> anyhow::Result<Self> {
        let is_new = prepare(path).with_context(|| format!("cannot use {} as data directory", path.display()))?;
        let path = path.canonicalize().with_context(|| format!("cannot resolve {}", path.display()))?;
        let locks = lock(&path, roles)?;
        let instance = if is_new {
            let instance = Instance { created_at_seconds: now.seconds(), ..Instance::default() };
            write_instance(&path, &instance)?;
            instance
        } else {
            read_instance(&path)?
        };
        for directory in ["keys", "trust"] {
            private_directory(&path.join(directory))?;
        }
        Ok(Self { path, instance, _locks: locks })
    }

    /// The directory, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where trust files go.
    pub(crate) fn trust(&self) -> PathBuf {
        self.path.join("trust")
    }

    /// When the directory was made.
    pub(crate) const fn created(&self) -> Timestamp {
        Timestamp::from_seconds(self.instance.created_at_seconds)
    }

    /// Whether keys and logs may still be created.
    pub(crate) const fn is_new(&self) -> bool {
        !self.instance.complete
    }

    /// Whether the keys, the log or the certificates of `role` may still be created.
    pub(crate) fn lacks(&self, role: &str) -> bool {
        self.is_new() || YOUNGER_ROLES.contains(&role) && !self.instance.added.iter().any(|added| added == role)
    }

    /// From now on nothing that is missing is created.
    pub(crate) fn complete(&mut self) -> anyhow::Result<()> {
        let missing: Vec<String> =
            YOUNGER_ROLES.into_iter().filter(|role| self.lacks(role)).map(str::to_owned).collect();
        if self.is_new() || !missing.is_empty() {
            self.instance.complete = true;
            self.instance.added.extend(missing);
            write_instance(&self.path, &self.instance)?;
        }
        Ok(())
    }

    /// Takes the keys that settings name, each by its name and URI. Where a root's key is follows the settings until the root
    /// is made: what an attempt before had, which failed, counts no more.
    pub(crate) fn use_keys<'a>(&mut self, keys: impl IntoIterator<Item = (&'a str, &'a str)>) -> anyhow::Result<()> {
        let keys: BTreeMap<&str, &str> = keys.into_iter().collect();
        for role in [Role::Ca, Role::Tsa] {
            let name = root_name(&role.to_string());
            let is_dropped = !keys.contains_key(name.as_str()) && !self.path.join(chain_file(role)).exists();
            if is_dropped && self.instance.keys.remove(&name).is_some() {
                write_instance(&self.path, &self.instance)?;
            }
        }
        keys.into_iter().try_for_each(|(name, uri)| self.use_key(name, uri))
    }

    /// Takes `uri` for the key of this name, which is decided for ever when that key would be made.
    fn use_key(&mut self, name: &str, uri: &str) -> anyhow::Result<()> {
        let recorded = self.instance.key_uri(name);
        if recorded == Some(uri) {
            return Ok(());
        }
        if let Some(role) = name.strip_suffix(ROOT) {
            ensure!(
                self.lacks(role) && !self.path.join(format!("keys/{role}-chain.pem")).exists(),
                "the root of {role} in {} is made, and its key {}; for another root: chancery keys rotate {role} stage --root-key URI",
                self.path.display(),
                recorded.map_or_else(|| "was used once".to_owned(), |uri| format!("is {uri}")),
            );
            self.instance.keys.insert(name.to_owned(), uri.to_owned());
            return write_instance(&self.path, &self.instance);
        }
        let own = format!("keys/{name}.pem");
        ensure!(
            recorded.is_none() && !self.path.join(&own).exists() && self.lacks(name),
            "the {name} key of {} is {}, and it has signed; a log or authority keeps its first key; to start with another key, use a new data directory",
            self.path.display(),
            recorded.unwrap_or(&own),
        );
        if name == CA {
            self.instance.ca_key = Some(uri.to_owned());
        } else {
            self.instance.keys.insert(name.to_owned(), uri.to_owned());
        }
        write_instance(&self.path, &self.instance)
    }

    /// Records whether another authority has issued the first certificates of a role, until they are here.
    pub(crate) fn use_chain(&mut self, role: Role, is_imported: bool) -> anyhow::Result<()> {
        let name = role.to_string();
        if self.path.join(chain_file(role)).exists() || self.instance.imported.contains(&name) == is_imported {
            return Ok(());
        }
        if is_imported {
            self.instance.imported.insert(name);
        } else {
            self.instance.imported.remove(&name);
        }
        write_instance(&self.path, &self.instance)
    }

    /// The key of a root that is to be made: where its URI says, or in memory alone.
    pub(crate) async fn root_key(&self, role: Role, kind: KeyKind, random: &dyn Random) -> anyhow::Result<Signer> {
        let name = root_name(&role.to_string());
        let signer = match self.instance.key_uri(&name) {
            None => Signer::ephemeral(kind),
            Some(uri) => {
                let key = uri.parse().with_context(|| format!("{uri} is not a key URI"))?;
                chancery_keys::open_or_create(&key, kind, random).await
            }
        };
        signer.with_context(|| format!("cannot use the {name} key"))
    }

    /// The (first) key of this name, which signs no more than `purpose` says: where its URI says, or `keys/<name>.pem`.
    pub(crate) async fn key_at(
        &self,
        purpose: Use,
        name: &str,
        kind: KeyKind,
        random: &dyn Random,
    ) -> anyhow::Result<Signer> {
        let Some(uri) = self.instance.key_uri(name) else { return self.key_for(purpose, name, kind) };
        let key = uri.parse().with_context(|| format!("{uri} is not a key URI"))?;
        let signer = if self.public_path(name).exists() {
            chancery_keys::reopen(&key, &self.public_key(name)?.fingerprint()).await
        } else if self.lacks(name) {
            chancery_keys::open_or_create(&key, kind, random).await
        } else {
            chancery_keys::open(&key).await
        };
        let signer = signer.with_context(|| format!("cannot use the {name} key {uri}"))?;
        self.keep_public(name, &signer)?;
        Ok(signer)
    }

    fn public_path(&self, name: &str) -> PathBuf {
        self.path.join(format!("keys/{name}.pub"))
    }

    /// Puts a public half into the directory, for processes that must not have the private one.
    fn keep_public(&self, name: &str, signer: &Signer) -> anyhow::Result<()> {
        let path = self.public_path(name);
        if path.exists() { Ok(()) } else { durable::write(&path, signer.public_key().to_pem().as_bytes()) }
    }

    /// The key `keys/<name>.pem`. Its public half is put beside it, for processes that must not have it.
    pub(crate) fn key(&self, name: &str, kind: KeyKind) -> anyhow::Result<Signer> {
        self.key_for(Use::Any, name, kind)
    }

    /// As [`Self::key`], for a key that signs no more than `purpose` says.
    pub(crate) fn key_for(&self, purpose: Use, name: &str, kind: KeyKind) -> anyhow::Result<Signer> {
        let path = self.must_exist(&format!("keys/{name}.pem"), self.lacks(name))?;
        let signer = Signer::open_or_create_for(purpose, &path, kind);
        let signer = signer.with_context(|| format!("cannot use the {name} key"))?;
        self.keep_public(name, &signer)?;
        Ok(signer)
    }

    /// The public half that [`Self::keep_public`] has put here.
    fn public_key(&self, name: &str) -> anyhow::Result<PublicKey> {
        let path = self.public_path(name);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        PublicKey::from_pem(&text).with_context(|| format!("{} is damaged; restore it from a backup", path.display()))
    }

    /// The path of the database file.
    pub(crate) fn database(&self) -> anyhow::Result<PathBuf> {
        self.must_exist("chancery.db", self.is_new())
    }

    /// The first certificates of an authority, in `keys/<role>-chain.pem`; `None` where they are still to be made.
    pub(crate) fn chain_of(&self, role: Role) -> anyhow::Result<Option<String>> {
        let path = self.must_exist(&chain_file(role), self.lacks(&role.to_string()))?;
        if !path.exists() {
            return Ok(None);
        }
        fs::read_to_string(&path).map(Some).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Keeps the certificates that were made.
    pub(crate) fn keep_chain_of(&self, role: Role, pem: &str) -> anyhow::Result<()> {
        durable::write(&self.path.join(chain_file(role)), pem.as_bytes())
    }

    /// A path below the directory; the file must be there unless it is still to be made.
    fn must_exist(&self, name: &str, may_be_made: bool) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        ensure!(
            may_be_made || path.exists(),
            "{} is missing, and a new one would contradict what was signed before; put it back, or start afresh with another --data",
            path.display()
        );
        Ok(path)
    }
}

/// Name of the key of a role's root.
fn root_name(role: &str) -> String {
    format!("{role}{ROOT}")
}

fn chain_file(role: Role) -> String {
    format!("keys/{role}-chain.pem")
}

/// Makes the directory if need be and returns whether it still has to be filled. A directory of something else is refused.
fn prepare(path: &Path) -> anyhow::Result<bool> {
    if path.exists() {
        if path.join("instance.json").exists() {
            return Ok(false);
        }
        // `lock` alone is left where the first start was killed at once.
        let foreign = fs::read_dir(path)?
            .filter_map(Result::ok)
            .find(|entry| !entry.file_name().to_string_lossy().starts_with("lock"));
        if let Some(entry) = foreign {
            bail!(
                "it is not empty and not a data directory of chancery (it contains {}); use a new or empty directory",
                entry.file_name().to_string_lossy()
            );
        }
        return Ok(true);
    }
    private_directory(path)?;
    Ok(true)
}

/// Makes a directory that only its owner can enter, unless it is there.
pub(crate) fn private_directory(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot create {}", path.display()))
}

/// Shares the directory with processes of other roles, and a role with none.
fn lock(directory: &Path, roles: &BTreeSet<Role>) -> anyhow::Result<Vec<File>> {
    let open = |name: &str| {
        let path = directory.join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        file.with_context(|| format!("cannot open {}", path.display()))
    };
    let taken = |error| match error {
        TryLockError::WouldBlock => anyhow!(
            "another chancery is using {}; stop it, or give this one its own data directory and port",
            directory.display()
        ),
        TryLockError::Error(error) => anyhow::Error::new(error).context("cannot lock the data directory"),
    };
    let shared = open("lock")?;
    shared.try_lock_shared().map_err(taken)?;
    let mut locks = vec![shared];
    for role in roles {
        let file = open(&format!("lock.{role}"))?;
        file.try_lock().map_err(taken)?;
        locks.push(file);
    }
    Ok(locks)
}

fn read_instance(directory: &Path) -> anyhow::Result<Instance> {
    let file = directory.join("instance.json");
    let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged; restore it from a backup", file.display()))
}

/// What a directory that may be in use says of itself.
pub(crate) fn recorded_instance(directory: &Path) -> anyhow::Result<Instance> {
    read_instance(directory)
}

fn write_instance(directory: &Path, instance: &Instance) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(instance)?;
    text.push('\n');
    durable::write(&directory.join("instance.json"), text.as_bytes())
}

#[cfg(test)]
mod tests;
