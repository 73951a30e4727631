//! Changes of the repository, one at a time, by any process with access to its directory: the running server and the
//! command line.
//!
//! Each change takes the lock, reads the repository, decides, signs, writes, and reads it again as a client would. The
//! command line may make changes while a server runs: the server notices that the directory has changed.

use super::{
    Directory, InvalidMetadata, KeySource, KeysHeld, Lifetimes, Metadata, Publication, Repository, Review, Role,
    RoleKeys, Root, TufError, Urgency,
    directory::{Held, PENDING_TARGETS},
    metadata::{FileFacts, listed_targets},
    repository::KEPT_VERSIONS,
    succession::{Change, Files, Signing, again, targets_metadata},
};
use chancery_verify::{PublicKey, Timestamp};
use std::{collections::BTreeSet, sync::Arc};

/// Result of publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// Published: clients receive it.
    Served,
    /// Waits for signatures of offline keys: `pending/targets.json`.
    WaitsForSignatures,
}

/// Changes a repository.
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

    /// Returns whether the repository does not exist yet.
    pub fn is_new(&self) -> Result<bool, TufError> {
        Ok(self.directory.versions(Role::Root)?.is_empty())
    }

    /// Makes the first version of all metadata. One available key of each role must sign. Existing metadata is left
    /// alone.
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

    /// Publishes these files. Writes nothing if they are already published.
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

    /// Renews metadata that is due at `now` or was left unfinished, and the `asked` roles whose keys are available.
    /// Returns the repository and the renewed roles. Root and targets with offline keys are left to their holders.
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

    /// Returns whether anything due at `now` can be renewed here.
    pub async fn is_due(&self, repository: &Repository, now: Timestamp) -> bool {
        for role in Role::ALL {
            if !self.lifetimes.is_due(role, repository.metadata(role).expires, now) {
                continue;
            }
            // An offline key must not make the server retry every second.
            if matches!(role, Role::Snapshot | Role::Timestamp) || self.can_sign(repository, role).await {
                return true;
            }
        }
        repository.is_unfinished()
    }

    /// Replaces the keys of a role. The old keys sign once more, for clients that have only the old root.
    pub async fn replace_keys(&self, role: Role, keys: RoleKeys, now: Timestamp) -> Result<Repository, TufError> {
        let (held, current) = self.open().await?;
        let version = current.metadata(Role::Root).version + 1;
        let next = current.root().clone().with(role, keys).to_metadata(version, self.lifetimes.expiry(Role::Root, now));
        let next = next.map_err(|source| TufError::Refused { role: Role::Root, source })?;
        let files = self.signing(now).succeed(&current, Change { root: Some(next), ..Change::default() }).await?;
        self.write(&held, files)
    }

    /// Imports root or targets metadata, or both, signed by offline keys. Available keys also sign.
    ///
    /// # Errors
    /// [`TufError::Refused`] and [`TufError::KeysMissing`], without any change: not the next version, expired or almost, not
    /// signed by enough keys of the previous root and of its own, or targets whose files are not here.
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
            self.check_expiry(&document, now).map_err(refused)?;
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

    /// Returns the targets metadata that waits for signatures, if it is still the next version.
    pub fn pending(&self, current: &Repository) -> Result<Option<Metadata>, TufError> {
        let Some(bytes) = self.directory.read(PENDING_TARGETS)? else { return Ok(None) };
        let metadata = Metadata::parse(&bytes)
            .map_err(|source| TufError::Invalid { path: self.directory.file(PENDING_TARGETS), source })?;
        Ok((metadata.version == current.metadata(Role::Targets).version + 1).then_some(metadata))
    }

    /// Returns the next version for a role with offline keys, without signatures: the one that waits for them, with another expiry if
    /// it has waited for too long.
    pub fn draft(&self, current: &Repository, role: Role, now: Timestamp) -> Result<Metadata, TufError> {
        match (role, self.pending(current)?) {
            (Role::Targets, Some(pending)) => {
                if self.lifetimes.urgency(role, pending.expires, now) < Urgency::Warning {
                    return Ok(pending);
                }
                // It has waited for so long that, once it is signed, it would be refused.
                let listed = pending.member("targets").map_err(|source| TufError::Refused { role, source })?.clone();
                targets_metadata(listed, pending.version, &self.signing(now))
            }
            (Role::Targets, None) => again(current, &self.signing(now)),
            _ => {
                let version = current.metadata(Role::Root).version + 1;
                let next = current.root().to_metadata(version, self.lifetimes.expiry(Role::Root, now));
                next.map_err(|source| TufError::Refused { role: Role::Root, source })
            }
        }
    }

    /// Returns what people need to see what `next` changes.
    pub fn review(&self, current: &Repository, next: &Metadata) -> Result<Review, TufError> {
        Review::of(current, next, |path| self.directory.read(path))
    }

    async fn open(&self) -> Result<(Held, Repository), TufError> {
        let held = self.directory.lock().await?;
        let read = Repository::read(&self.directory)?;
        Ok((held, read.ok_or_else(|| TufError::Missing { path: self.directory.path().to_owned() })?))
    }

    /// Returns whether enough keys of `role` are available.
    pub async fn can_sign(&self, current: &Repository, role: Role) -> bool {
        let KeysHeld { signers, .. } = self.keys.held(role).await;
        let keys = current.root().role(role);
        let held: BTreeSet<_> = signers.iter().map(|signer| signer.public_key().fingerprint()).collect();
        keys.keys.values().filter(|key| held.contains(&key.fingerprint())).count() >= keys.threshold
    }

    /// Checks that what people have signed lives long enough for them to sign its successor.
    fn check_expiry(&self, document: &Metadata, now: Timestamp) -> Result<(), InvalidMetadata> {
        let expires = document.expires.rfc3339();
        match self.lifetimes.urgency(document.role, document.expires, now) {
            Urgency::None | Urgency::Notice | Urgency::Warning => Ok(()),
            Urgency::Alarm => Err(InvalidMetadata::ExpiresSoon { expires }),
            Urgency::Expired => Err(InvalidMetadata::Expired { expires }),
        }
    }

    /// Checks that the files of targets metadata exist here with the right bytes.
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

    /// Stores metadata that waits for signatures, unless the same already waits: its signing may be in progress.
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

    /// Writes files in order, reads them back as a client would, and only then removes those that no client requests
    /// any more.
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
