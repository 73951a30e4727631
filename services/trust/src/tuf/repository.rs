//! The repository as clients see it, verified as they do.
//!
//! Expiry is not checked here: a server that was off for a month must be able to renew.

use super::{
    Directory, InvalidMetadata, Lifetimes, Metadata, Role, Root, TargetName, TufError, Urgency,
    metadata::{FileFacts, expect_role, listed_metadata, listed_targets},
};
use chancery_verify::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// Old versions of snapshot and targets metadata that are kept and served, for clients with an older timestamp.
pub const KEPT_VERSIONS: u64 = 16;

/// All served files, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The newest root. An unbroken chain from version 1 leads to it.
    root: (Metadata, Root),
    /// The previous root.
    previous_root: Option<Root>,
    targets: Metadata,
    snapshot: Metadata,
    timestamp: Metadata,
    /// The current targets.
    listed: BTreeMap<TargetName, FileFacts>,
    files: BTreeMap<String, Arc<[u8]>>,
    /// Some metadata is signed for the previous root: a change was interrupted.
    is_unfinished: bool,
}

/// Status of one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleStatus {
    /// The role.
    pub role: Role,
    /// Version of its current metadata.
    pub version: u64,
    /// Expiry of its current metadata.
    pub expires: Timestamp,
    /// Number of its keys.
    pub keys: usize,
    /// Its threshold.
    pub threshold: usize,
    /// How soon it expires.
    pub urgency: Urgency,
}

impl Repository {
    /// Reads a directory and verifies the chain from root version 1; `None` if no repository has been made yet.
    pub fn read(directory: &Directory) -> Result<Option<Self>, TufError> {
        let versions = directory.versions(Role::Root)?;
        // The timestamp is written last.
        if versions.is_empty() {
            return Ok(None);
        }
        let mut files = BTreeMap::new();
        let open_root = |version, previous: Option<&Root>, files: &mut _| -> Result<_, TufError> {
            let path = Role::Root.path(version);
            let metadata = open(directory, &path, Role::Root, version, files)?;
            let root = follow(previous, &metadata)
                .map_err(|source| TufError::Invalid { path: directory.file(&path), source })?;
            Ok((metadata, root))
        };
        let (mut root, mut previous_root) = (open_root(1, None, &mut files)?, None);
        for version in 2..=versions.last().copied().unwrap_or(1) {
            let next = open_root(version, Some(&root.1), &mut files)?;
            previous_root = Some(std::mem::replace(&mut root, next).1);
        }
        let mut reader =
            Reader { directory, root: &root.1, previous_root: previous_root.as_ref(), files, is_unfinished: false };
        let timestamp = reader.current("timestamp.json", Role::Timestamp, None)?;
        let snapshot = reader.below(&timestamp, Role::Snapshot)?;
        let targets = reader.below(&snapshot, Role::Targets)?;
        let listed = reader.contents(&targets)?;
        reader.older(&snapshot, &targets)?;
        let Reader { files, is_unfinished, .. } = reader;
        let mut repository = Self { root, previous_root, targets, snapshot, timestamp, listed, files, is_unfinished };
        // Root version 1 never changes, so the checksum that people were given stays valid.
        if let Some(first) = repository.files.get("1.root.json").cloned() {
            repository.files.insert("root.json".to_owned(), first);
        }
        Ok(Some(repository))
    }

    /// The newest root.
    #[must_use]
    pub const fn root(&self) -> &Root {
        &self.root.1
    }

    /// The root before the newest.
    pub(super) const fn previous_root(&self) -> Option<&Root> {
        self.previous_root.as_ref()
    }

    /// The current metadata of a role.
    #[must_use]
    pub const fn metadata(&self, role: Role) -> &Metadata {
        match role {
            Role::Root => &self.root.0,
            Role::Targets => &self.targets,
            Role::Snapshot => &self.snapshot,
            Role::Timestamp => &self.timestamp,
        }
    }

    /// Returns whether a change was interrupted, so that some metadata must be signed again.
    #[must_use]
    pub const fn is_unfinished(&self) -> bool {
        self.is_unfinished
    }

    /// What the current targets metadata lists.
    #[must_use]
    pub const fn listed(&self) -> &BTreeMap<TargetName, FileFacts> {
        &self.listed
    }

    /// The file at a path below the repository's URL.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&Arc<[u8]>> {
        self.files.get(path)
    }

    /// Every file that is served.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), &**bytes))
    }

    /// The contents of a current target.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&[u8]> {
        let (name, facts) = self.listed.iter().find(|(listed, _)| listed.as_str() == name)?;
        self.files.get(&name.path(facts)).map(|bytes| &**bytes)
    }

    /// Returns the status of every role, root first.
    #[must_use]
    pub fn status(&self, lifetimes: &Lifetimes, now: Timestamp) -> Vec<RoleStatus> {
        let status = |role| {
            let (metadata, keys) = (self.metadata(role), self.root().role(role));
            RoleStatus {
                role,
                version: metadata.version,
                expires: metadata.expires,
                keys: keys.keys.len(),
                threshold: keys.threshold,
                urgency: lifetimes.urgency(role, metadata.expires, now),
            }
        };
        Role::ALL.map(status).into()
    }
}

/// Reads root metadata and checks that it may follow `previous`: enough keys of both have signed it.
///
/// # Errors
/// It is no root metadata, or too few keys have signed it.
pub fn follow(previous: Option<&Root>, metadata: &Metadata) -> Result<Root, InvalidMetadata> {
    let root = Root::parse(metadata)?;
    if let Some(previous) = previous {
        previous.verify(metadata)?;
    }
    root.verify(metadata)?;
    Ok(root)
}

struct Reader<'a> {
    directory: &'a Directory,
    root: &'a Root,
    previous_root: Option<&'a Root>,
    files: BTreeMap<String, Arc<[u8]>>,
    is_unfinished: bool,
}

impl Reader<'_> {
    /// Reads current metadata, signed by the keys of the newest root or, if a change was interrupted, of the previous
    /// one.
    fn current(&mut self, path: &str, role: Role, version: Option<u64>) -> Result<Metadata, TufError> {
        let metadata = match version {
            Some(version) => open(self.directory, path, role, version, &mut self.files)?,
            None => open_any(self.directory, path, role, &mut self.files)?,
        };
        let Err(source) = self.root.verify(&metadata) else { return Ok(metadata) };
        if self.previous_root.is_some_and(|previous| previous.verify(&metadata).is_ok()) {
            self.is_unfinished = true;
            return Ok(metadata);
        }
        Err(TufError::Invalid { path: self.directory.file(path), source })
    }

    /// The metadata of `role` that `above` points to.
    fn below(&mut self, above: &Metadata, role: Role) -> Result<Metadata, TufError> {
        let pointed = listed_metadata(above, &format!("{role}.json"));
        let (version, facts) = pointed.map_err(|source| TufError::Refused { role: above.role, source })?;
        let path = role.path(version);
        let metadata = self.current(&path, role, Some(version))?;
        self.expect(&path, &facts, above.role)?;
        Ok(metadata)
    }

    fn expect(&self, path: &str, facts: &FileFacts, by: Role) -> Result<(), TufError> {
        if self.files.get(path).is_some_and(|bytes| FileFacts::of(bytes) == *facts) {
            return Ok(());
        }
        let source = InvalidMetadata::Differs { name: path.to_owned(), by };
        Err(TufError::Invalid { path: self.directory.file(path), source })
    }

    /// Reads the files that targets metadata lists.
    fn contents(&mut self, targets: &Metadata) -> Result<BTreeMap<TargetName, FileFacts>, TufError> {
        let listed = listed_targets(targets).map_err(|source| TufError::Refused { role: Role::Targets, source })?;
        for (name, facts) in &listed {
            let path = name.path(facts);
            if let Some(bytes) = self.directory.read(&path)? {
                self.files.insert(path.clone(), bytes.into());
            }
            self.expect(&path, facts, Role::Targets)?;
        }
        Ok(listed)
    }

    /// Reads files that clients with an older timestamp may still request. They were verified when they were current.
    fn older(&mut self, snapshot: &Metadata, targets: &Metadata) -> Result<(), TufError> {
        for current in [snapshot, targets] {
            for version in current.version.saturating_sub(KEPT_VERSIONS)..current.version {
                let path = current.role.path(version);
                let Some(bytes) = self.directory.read(&path)? else { continue };
                let listed = Metadata::parse(&bytes).and_then(|old| listed_targets(&old)).unwrap_or_default();
                for (name, facts) in listed {
                    if let Some(contents) = self.directory.read(&name.path(&facts))? {
                        self.files.insert(name.path(&facts), contents.into());
                    }
                }
                self.files.insert(path, bytes.into());
            }
        }
        Ok(())
    }
}

fn open_any(
    directory: &Directory,
    path: &str,
    role: Role,
    files: &mut BTreeMap<String, Arc<[u8]>>,
) -> Result<Metadata, TufError> {
    let bytes = directory.read_metadata(path)?;
    let metadata = Metadata::parse(&bytes).and_then(|metadata| expect_role(&metadata, role).map(|()| metadata));
    let metadata = metadata.map_err(|source| TufError::Invalid { path: directory.file(path), source })?;
    files.insert(path.to_owned(), bytes.into());
    Ok(metadata)
}

fn open(
    directory: &Directory,
    path: &str,
    role: Role,
    version: u64,
    files: &mut BTreeMap<String, Arc<[u8]>>,
) -> Result<Metadata, TufError> {
    let metadata = open_any(directory, path, role, files)?;
    if metadata.version == version {
        return Ok(metadata);
    }
    let source = InvalidMetadata::Version { role, expected: version, found: metadata.version };
    Err(TufError::Invalid { path: directory.file(path), source })
}
