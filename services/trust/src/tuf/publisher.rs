//! Changes of the repository, one at a time, by whoever has its directory: the running server and the command line alike.
//!
//! Each takes the lock, reads what is there, decides, signs, writes, and reads again what a client would then see. So it
//! does not matter who makes a change while a server runs: the server sees that the directory has changed.

use super::{
    Directory, InvalidMetadata, Lifetimes, Metadata, Publication, Repository, Role, RoleKeys, Root, TufError,
    directory::{Held, PENDING_TARGETS},
    metadata::{FileFacts, listed_targets},
    repository::KEPT_VERSIONS,
    succession::{Change, Files, Signing, again, targets_metadata},
};
use chancery_daemon::signer::{Signer, SignerError};
use chancery_verify::{PublicKey, Timestamp};
use std::{collections::BTreeSet, pin::Pin, sync::Arc};

/// The keys of one role that are at hand.
#[derive(Debug, Default)]
pub struct KeysHeld {
    /// Those that can be asked to sign. Which of them count, the root says.
    pub signers: Vec<Arc<Signer>>,
    /// Why others cannot.
    pub failures: Vec<SignerError>,
}

/// The keys, later: some may have to be reached first.
pub type HeldKeys<'a> = Pin<Box<dyn Future<Output = KeysHeld> + Send + 'a>>;

/// Where keys come from. An offline key is one that is never there.
pub trait KeySource: Send + Sync {
    /// The keys of `role` that are at hand now.
    fn held(&self, role: Role) -> HeldKeys<'_>;
}

/// What has become of something that was to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// Clients get it.
    Served,
    /// It waits for signatures of keys that are elsewhere: `pending/targets.json`.
    WaitsForSignatures,
}

/// Who changes a repository.
pub struct Publisher {
    directory: Directory,
    keys: Arc<dyn KeySource>,
    lifetimes: Lifetimes,
}

impl Publisher {
    /// For the repository in `directory`.
    #[must_use]
    pub fn new(directory: Directory, keys: Arc<dyn KeySource>, lifetimes: Lifetimes) -> Self {
        Self { directory, keys, lifetimes }
    }

    /// Where it is.
    #[must_use]
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// How long new metadata is valid.
    #[must_use]
    pub const fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    fn signing(&self, now: Timestamp) -> Signing<'_> {
        Signing { keys: &*self.keys, lifetimes: &self.lifetimes, now }
    }

    /// Whether there is no repository yet.
    pub fn is_new(&self) -> Result<bool, TufError> {
        Ok(self.directory.versions(Role::Root)?.is_empty())
    }

    /// Makes the first version of everything, in which one key of each role that is at hand must sign; what exists already
    /// is left alone.
    pub async fn create(&self, publication: &Publication, now: Timestamp) -> Result<Repository, TufError> {
        let held = self.directory.lock().await?;
        if let Some(repository) = Repository::read(&self.directory)? {
            return Ok(repository);
        }
        let root = Root {
            root: self.first_keys(Role::Root).await?,
            targets: self.first_keys(Role::Targets).await?,
            snapshot: self.first_keys(Role::Snapshot).await?,
            timestamp: self.first_keys(Role::Timestamp).await?,
        };
        let files = self.signing(now).begin(&root, publication.document()).await?;
        self.write_contents(&held, publication)?;
        self.write(&held, files)
    }

    async fn first_keys(&self, role: Role) -> Result<RoleKeys, TufError> {
        let KeysHeld { signers, failures } = self.keys.held(role).await;
        if signers.is_empty() {
            return Err(TufError::KeysMissing { role, signed: 0, threshold: 1, failures });
        }
        let keys: Vec<PublicKey> = signers.iter().map(|signer| signer.public_key().clone()).collect();
        RoleKeys::new(&keys, 1).map_err(|source| TufError::Refused { role, source })
    }

    /// Has clients get these files. Where they get them already nothing is written.
    pub async fn publish(
        &self,
        publication: &Publication,
        now: Timestamp,
    ) -> Result<(Repository, Published), TufError> {
        let (held, current) = self.open().await?;
        let document = publication.document();
        let targets = current.metadata(Role::Targets);
        if targets.member("targets").is_ok_and(|listed| *listed == document) {
            self.directory.remove(&held, PENDING_TARGETS)?;
            return Ok((current, Published::Served));
        }
        let signing = self.signing(now);
        let next = targets_metadata(document, targets.version + 1, &signing)?;
        self.write_contents(&held, publication)?;
        if !self.can_sign(&current, Role::Targets).await {
            self.keep_pending(&held, &next)?;
            return Ok((current, Published::WaitsForSignatures));
        }
        let change = Change { targets: Some(next), ..Change::default() };
        let files = signing.succeed(&current, change).await?;
        let repository = self.write(&held, files)?;
        self.directory.remove(&held, PENDING_TARGETS)?;
        Ok((repository, Published::Served))
    }

    /// Signs anew what is due at `now`, what was left unfinished, and the `asked` roles whose keys are at hand. Returns the
    /// repository and what was renewed; root and targets whose keys are elsewhere are left to their people.
    pub async fn renew(&self, asked: &[Role], now: Timestamp) -> Result<(Repository, Vec<Role>), TufError> {
        let (held, current) = self.open().await?;
        let due = |role| asked.contains(&role) || self.lifetimes.is_due(role, current.metadata(role).expires, now);
        let mut change = Change { snapshot: due(Role::Snapshot), timestamp: due(Role::Timestamp), ..Change::default() };
        let signing = self.signing(now);
        if due(Role::Root) && self.can_sign(&current, Role::Root).await {
            let next = current
                .root()
                .to_metadata(current.metadata(Role::Root).version + 1, self.lifetimes.expiry(Role::Root, now));
            change.root = Some(next.map_err(|source| TufError::Refused { role: Role::Root, source })?);
        }
        if due(Role::Targets) && self.can_sign(&current, Role::Targets).await {
            change.targets = Some(again(&current, &signing)?);
        }
        if change.is_empty() && !current.is_unfinished() {
            return Ok((current, Vec::new()));
        }
        let files = signing.succeed(&current, change).await?;
        let repository = self.write(&held, files)?;
        let is_newer = |role: &Role| repository.metadata(*role).version > current.metadata(*role).version;
        let renewed = Role::ALL.into_iter().filter(is_newer).collect();
        Ok((repository, renewed))
    }

    /// Whether anything is due at `now` that could be renewed here.
    pub async fn is_due(&self, repository: &Repository, now: Timestamp) -> bool {
        for role in Role::ALL {
            if !self.lifetimes.is_due(role, repository.metadata(role).expires, now) {
                continue;
            }
            // An offline key must not have the server look for work every second.
            if matches!(role, Role::Snapshot | Role::Timestamp) || self.can_sign(repository, role).await {
                return true;
            }
        }
        repository.is_unfinished()
    }

    /// Replaces the keys of a role. Those of before sign once more, for who has only seen the old root.
    pub async fn replace_keys(&self, role: Role, keys: RoleKeys, now: Timestamp) -> Result<Repository, TufError> {
        let (held, current) = self.open().await?;
        let version = current.metadata(Role::Root).version + 1;
        let next = current.root().clone().with(role, keys).to_metadata(version, self.lifetimes.expiry(Role::Root, now));
        let next = next.map_err(|source| TufError::Refused { role: Role::Root, source })?;
        let files = self.signing(now).succeed(&current, Change { root: Some(next), ..Change::default() }).await?;
        self.write(&held, files)
    }

    /// Takes root or targets metadata, or both, that was signed elsewhere. Keys that are at hand sign too.
    ///
    /// # Errors
    /// [`TufError::Refused`] and [`TufError::KeysMissing`], and nothing has changed: not the next version, expired, not signed
    /// by enough keys of the root before and of its own, or targets whose files are not here.
    pub async fn import(&self, documents: Vec<Metadata>, now: Timestamp) -> Result<Repository, TufError> {
        let (held, current) = self.open().await?;
        let mut change = Change::default();
        for document in documents {
            let role = document.role;
            let refused = |source| TufError::Refused { role, source };
            let expected = current.metadata(role).version + 1;
            if document.version != expected {
                let found = document.version;
                return Err(refused(InvalidMetadata::Version { role, expected, found }));
            }
            match role {
                Role::Root => change.root = Some(document),
                Role::Targets => {
                    self.check_contents(&document)?;
                    change.targets = Some(document);
                }
                Role::Snapshot | Role::Timestamp => {
                    let expected = Role::Targets;
                    return Err(refused(InvalidMetadata::OtherRole { expected, found: role }));
                }
            }
        }
        let files = self.signing(now).succeed(&current, change).await?;
        let repository = self.write(&held, files)?;
        let pending = self.pending(&repository)?;
        if pending.is_none() {
            self.directory.remove(&held, PENDING_TARGETS)?;
        }
        Ok(repository)
    }

    /// The targets metadata that waits for signatures, if it still comes next.
    pub fn pending(&self, current: &Repository) -> Result<Option<Metadata>, TufError> {
        let Some(bytes) = self.directory.read(PENDING_TARGETS)? else { return Ok(None) };
        let metadata = Metadata::parse(&bytes)
            .map_err(|source| TufError::Invalid { path: self.directory.file(PENDING_TARGETS), source })?;
        Ok((metadata.version == current.metadata(Role::Targets).version + 1).then_some(metadata))
    }

    /// What would come next for a role whose keys are elsewhere, without signatures.
    pub fn draft(&self, current: &Repository, role: Role, now: Timestamp) -> Result<Metadata, TufError> {
        match (role, self.pending(current)?) {
            (Role::Targets, Some(pending)) => Ok(pending),
            (Role::Targets, None) => again(current, &self.signing(now)),
            _ => {
                let version = current.metadata(Role::Root).version + 1;
                let next = current.root().to_metadata(version, self.lifetimes.expiry(Role::Root, now));
                next.map_err(|source| TufError::Refused { role: Role::Root, source })
            }
        }
    }

    async fn open(&self) -> Result<(Held, Repository), TufError> {
        let held = self.directory.lock().await?;
        let read = Repository::read(&self.directory)?;
        Ok((held, read.ok_or_else(|| TufError::Missing { path: self.directory.path().to_owned() })?))
    }

    /// Whether enough keys of `role` are at hand.
    pub async fn can_sign(&self, current: &Repository, role: Role) -> bool {
        let KeysHeld { signers, .. } = self.keys.held(role).await;
        let keys = current.root().role(role);
        let held: BTreeSet<_> = signers.iter().map(|signer| signer.public_key().fingerprint()).collect();
        keys.keys.values().filter(|key| held.contains(&key.fingerprint())).count() >= keys.threshold
    }

    /// The files of targets metadata are here, with the right bytes.
    fn check_contents(&self, targets: &Metadata) -> Result<(), TufError> {
        let refused = |source| TufError::Refused { role: Role::Targets, source };
        for (name, facts) in listed_targets(targets).map_err(refused)? {
            let path = name.path(&facts);
            if self.directory.read(&path)?.is_none_or(|bytes| FileFacts::of(&bytes) != facts) {
                return Err(refused(InvalidMetadata::Differs { name: path, by: Role::Targets }));
            }
        }
        Ok(())
    }

    /// Keeps what waits for signatures, unless the same thing waits already: somebody may be signing it.
    fn keep_pending(&self, held: &Held, next: &Metadata) -> Result<(), TufError> {
        let waiting = self.directory.read(PENDING_TARGETS)?.and_then(|bytes| Metadata::parse(&bytes).ok());
        let same = waiting.is_some_and(|waiting| {
            waiting.version == next.version && waiting.member("targets").ok() == next.member("targets").ok()
        });
        if same { Ok(()) } else { self.directory.write(held, PENDING_TARGETS, &next.to_bytes()) }
    }

    fn write_contents(&self, held: &Held, publication: &Publication) -> Result<(), TufError> {
        for (name, target) in publication.iter() {
            let path = name.path(&FileFacts::of(target.contents()));
            self.directory.write(held, &path, target.contents())?;
        }
        Ok(())
    }

    /// Writes in order, reads it back as a client would, and only then takes away what nobody asks for any more.
    fn write(&self, held: &Held, files: Files) -> Result<Repository, TufError> {
        for (path, bytes) in files {
            self.directory.write(held, &path, &bytes)?;
        }
        let read = Repository::read(&self.directory)?;
        let repository = read.ok_or_else(|| TufError::Missing { path: self.directory.path().to_owned() })?;
        self.prune(held, &repository)?;
        Ok(repository)
    }

    fn prune(&self, held: &Held, repository: &Repository) -> Result<(), TufError> {
        for role in [Role::Snapshot, Role::Targets] {
            let current = repository.metadata(role).version;
            for version in self.directory.versions(role)? {
                if version + KEPT_VERSIONS < current {
                    self.directory.remove(held, &role.path(version))?;
                }
            }
        }
        let pending = self.directory.read(PENDING_TARGETS)?.and_then(|bytes| Metadata::parse(&bytes).ok());
        let waiting = pending.and_then(|pending| listed_targets(&pending).ok()).unwrap_or_default();
        let waiting: BTreeSet<String> = waiting.iter().map(|(name, facts)| name.path(facts)).collect();
        for name in self.directory.names("targets")? {
            let path = format!("targets/{name}");
            if repository.file(&path).is_none() && !waiting.contains(&path) {
                self.directory.remove(held, &path)?;
            }
        }
        Ok(())
    }
}
