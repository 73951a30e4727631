//! The next versions of metadata: signed, verified, and in the order in which they may be written.
//!
//! New root keys, and metadata signed by them, cannot be written to disk in one step. So such metadata is also signed
//! by the old keys: first it replaces the old metadata under the old root, then the new root is written. After a power
//! cut at any moment, clients find metadata that verifies.

use super::{
    InvalidMetadata, KeySource, KeysHeld, Lifetimes, Metadata, Repository, Role, Root, TufError, metadata::FileFacts,
    repository::follow, root::RoleKeys,
};
use chancery_verify::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A requested change.
#[derive(Debug, Default)]
pub struct Change {
    /// The next root, possibly with offline signatures.
    pub root: Option<Metadata>,
    /// The next targets metadata, possibly with offline signatures.
    pub targets: Option<Metadata>,
    /// A new snapshot, even if the targets are unchanged.
    pub snapshot: bool,
    /// A new timestamp, even if the snapshot is unchanged.
    pub timestamp: bool,
}

impl Change {
    /// Returns whether nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.root.is_none() && self.targets.is_none() && !self.snapshot && !self.timestamp
    }
}

/// Files in the order in which they must be written.
pub type Files = Vec<(String, Vec<u8>)>;

/// A document with enough signatures, in its final bytes.
struct Signed {
    metadata: Metadata,
    bytes: Vec<u8>,
}

impl Signed {
    fn new(metadata: Metadata) -> Self {
        let bytes = metadata.to_bytes();
        Self { metadata, bytes }
    }

    fn into_file(self) -> (String, Vec<u8>) {
        (self.metadata.role.path(self.metadata.version), self.bytes)
    }
}

/// The signing keys and lifetimes.
pub struct Signing<'a> {
    /// The available keys.
    pub keys: &'a dyn KeySource,
    /// Lifetimes of new metadata.
    pub lifetimes: &'a Lifetimes,
    /// The time now.
    pub now: Timestamp,
}

impl Signing<'_> {
    /// Makes the first version of all metadata, for these targets. The root comes last: without it there is no
    /// repository.
    pub async fn begin(&self, root: &Root, targets: Value) -> Result<Files, TufError> {
        let metadata = root.to_metadata(1, self.lifetimes.expiry(Role::Root, self.now)).map_err(refused(Role::Root))?;
        let first = self.sign_root(None, metadata).await?;
        let roots = [root];
        let targets = self.sign(&roots, targets_metadata(targets, 1, self)?).await?;
        let snapshot = self.sign(&roots, self.pointer(Role::Snapshot, &targets, 1)?).await?;
        let timestamp = self.sign(&roots, self.pointer(Role::Timestamp, &snapshot, 1)?).await?;
        Ok([targets, snapshot, timestamp, Signed::new(first)].map(Signed::into_file).into())
    }

    /// Applies `change` to `current`.
    pub async fn succeed(&self, current: &Repository, change: Change) -> Result<Files, TufError> {
        let old_root = current.root();
        let root = match change.root {
            Some(metadata) => Some(Signed::new(self.sign_root(Some(current), metadata).await?)),
            None => None,
        };
        let next_root = root.as_ref().map(|root| Root::parse(&root.metadata)).transpose();
        let next_root = next_root.map_err(refused(Role::Root))?;
        let new_root = next_root.as_ref().unwrap_or(old_root);
        // The newest root comes first: its threshold must be met.
        let roots: Vec<&Root> = [new_root, old_root].into_iter().chain(current.previous_root()).collect();
        let fits = |role| new_root.verify(current.metadata(role)).is_ok();

        let targets = match change.targets {
            None if fits(Role::Targets) => None,
            None => Some(self.sign(&roots, again(current, self)?).await?),
            Some(metadata) => Some(self.sign(&roots, metadata).await?),
        };
        let snapshot = if targets.is_some() || change.snapshot || !fits(Role::Snapshot) {
            self.next_pointer(current, &roots, Role::Snapshot, targets.as_ref()).await?
        } else {
            None
        };
        let timestamp = if snapshot.is_some() || change.timestamp || !fits(Role::Timestamp) {
            self.next_pointer(current, &roots, Role::Timestamp, snapshot.as_ref()).await?
        } else {
            None
        };
        // If it also verifies under the old root, it may be written before the new root.
        let fits_old = |new: &Option<Signed>| new.as_ref().is_none_or(|new| old_root.verify(&new.metadata).is_ok());
        let fits_old = [&targets, &snapshot, &timestamp].into_iter().all(fits_old);
        let last = if fits_old { [timestamp, root] } else { [root, timestamp] };
        Ok([targets, snapshot].into_iter().chain(last).flatten().map(Signed::into_file).collect())
    }

    /// Makes the next snapshot for the targets, or timestamp for the snapshot, changed or not.
    async fn next_pointer(
        &self,
        current: &Repository,
        roots: &[&Root],
        role: Role,
        below: Option<&Signed>,
    ) -> Result<Option<Signed>, TufError> {
        let unchanged = current.metadata(if role == Role::Snapshot { Role::Targets } else { Role::Snapshot });
        let version = current.metadata(role).version + 1;
        let metadata = if let Some(below) = below {
            self.pointer(role, below, version)?
        } else {
            // Hash the exact bytes that are served, also those that another program wrote.
            let bytes = current.file(&unchanged.role.path(unchanged.version)).map(|bytes| bytes.to_vec());
            let bytes = bytes.unwrap_or_else(|| unchanged.to_bytes());
            self.pointer(role, &Signed { metadata: unchanged.clone(), bytes }, version)?
        };
        self.sign(roots, metadata).await.map(Some)
    }

    /// Makes snapshot metadata that points to targets, or timestamp metadata that points to a snapshot.
    fn pointer(&self, role: Role, below: &Signed, version: u64) -> Result<Metadata, TufError> {
        let mut entry = FileFacts::of(&below.bytes).members();
        entry.insert("version".to_owned(), below.metadata.version.into());
        let meta = Map::from_iter([(format!("{}.json", below.metadata.role), Value::Object(entry))]);
        let parts = Map::from_iter([("meta".to_owned(), Value::Object(meta))]);
        Metadata::new(role, version, self.lifetimes.expiry(role, self.now), parts).map_err(refused(role))
    }

    /// Signs for the newest of `roots`, and for the others as far as possible. Fails if the newest's threshold is not
    /// met.
    async fn sign(&self, roots: &[&Root], mut metadata: Metadata) -> Result<Signed, TufError> {
        let role = metadata.role;
        let all: Vec<&RoleKeys> = roots.iter().map(|root| root.role(role)).collect();
        let held = self.keys.held(role).await;
        add_signatures(&mut metadata, &all, held, self.now).await?;
        Ok(Signed::new(metadata))
    }

    /// Signs the next or first root. Fails if its own threshold or that of the previous root is not met.
    async fn sign_root(&self, current: Option<&Repository>, mut metadata: Metadata) -> Result<Metadata, TufError> {
        let root = Root::parse(&metadata).map_err(refused(Role::Root))?;
        let previous = current.map(Repository::root);
        let all: Vec<&RoleKeys> = [Some(&root), previous].into_iter().flatten().map(|r| r.role(Role::Root)).collect();
        let held = self.keys.held(Role::Root).await;
        add_signatures(&mut metadata, &all, held, self.now).await?;
        follow(previous, &metadata).map_err(refused(Role::Root))?;
        Ok(metadata)
    }
}

/// Adds the signatures that can be made, drops those of keys in none of the `roles`, and fails if the threshold of the
/// first is not met.
async fn add_signatures(
    metadata: &mut Metadata,
    roles: &[&RoleKeys],
    held: KeysHeld,
    now: Timestamp,
) -> Result<(), TufError> {
    let KeysHeld { signers, mut failures } = held;
    for signer in signers {
        let listed = roles.iter().flat_map(|role| &role.keys).filter(|(_, key)| *key == signer.public_key());
        let names: BTreeSet<_> = listed.map(|(id, _)| id.clone()).collect();
        if names.is_empty() {
            continue;
        }
        match signer.sign(metadata.message()).await {
            Ok(signature) => names.into_iter().for_each(|id| metadata.add_signature(id, signature.clone())),
            Err(error) => failures.push(error),
        }
    }
    metadata.keep_signatures(|id| roles.iter().any(|role| role.keys.contains_key(id)));
    if now >= metadata.expires {
        let source = InvalidMetadata::Expired { expires: metadata.expires.rfc3339() };
        return Err(TufError::Refused { role: metadata.role, source });
    }
    let Some(role) = roles.first() else { return Ok(()) };
    let (signed, threshold) = (role.count(metadata), role.threshold);
    if signed < threshold {
        return Err(TufError::KeysMissing { role: metadata.role, signed, threshold, failures });
    }
    Ok(())
}

fn refused(role: Role) -> impl Fn(InvalidMetadata) -> TufError {
    move |source| TufError::Refused { role, source }
}

/// Makes targets metadata that lists `targets`.
pub(super) fn targets_metadata(targets: Value, version: u64, signing: &Signing<'_>) -> Result<Metadata, TufError> {
    let expires = signing.lifetimes.expiry(Role::Targets, signing.now);
    let parts = Map::from_iter([("targets".to_owned(), targets)]);
    Metadata::new(Role::Targets, version, expires, parts).map_err(refused(Role::Targets))
}

/// Makes the next version with the same targets.
pub(super) fn again(current: &Repository, signing: &Signing<'_>) -> Result<Metadata, TufError> {
    let targets = current.metadata(Role::Targets);
    let listed = targets.member("targets").map_err(refused(Role::Targets))?.clone();
    targets_metadata(listed, targets.version + 1, signing)
}
