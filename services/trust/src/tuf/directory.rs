//! The repository on disk: `N.root.json`, `N.targets.json`, `N.snapshot.json`, `timestamp.json`,
//! `targets/<sha256>.<name>`, with the same paths as below the URL. `pending/` has metadata that waits for offline
//! signatures and is not served.
//!
//! A process that changes it must hold `lock`. A file is written whole or not at all, and is durable before the next is
//! written.

use super::{InvalidMetadata, Role, TufError, metadata::MAX_BYTES};
use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long to wait for a change by another process. Remote keys answer within seconds, or not at all.
const LOCK_PATIENCE: u32 = 300;
const LOCK_INTERVAL: Duration = Duration::from_millis(200);
/// Largest target that is read.
const MAX_TARGET_BYTES: u64 = 5_000_000;

/// The targets metadata that waits for offline signatures.
pub const PENDING_TARGETS: &str = "pending/targets.json";

/// The directory of a repository, which may not exist yet.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

/// Held while the repository is changed. Dropping it releases the lock.
#[derive(Debug)]
pub struct Held {
    _lock: File,
}

/// A stamp that differs after every change of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// `timestamp.json`: inode, length and time of change.
    timestamp: Option<(u64, u64, i64, i64)>,
    /// The given root, or the one after it if it exists.
    root_version: u64,
}

impl Directory {
    /// Names the directory, which need not exist yet.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of it is.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Creates missing directories, and waits until no other process changes the repository.
    pub async fn lock(&self) -> Result<Held, TufError> {
        for directory in ["", "targets", "pending"] {
            let path = self.path.join(directory);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| TufError::File { path, source })?;
        }
        let path = self.file("lock");
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = opened.map_err(|source| TufError::File { path: path.clone(), source })?;
        for _ in 0..LOCK_PATIENCE {
            match lock.try_lock() {
                Ok(()) => return Ok(Held { _lock: lock }),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_INTERVAL).await,
                Err(TryLockError::Error(source)) => return Err(TufError::File { path, source }),
            }
        }
        Err(TufError::Busy { path })
    }

    /// Returns the contents of a file; `None` if it does not exist.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, TufError> {
        let path = self.file(name);
        match read_bounded(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(TufError::File { path, source }),
        }
    }

    /// Returns the contents of a metadata file, which must exist and have an acceptable size.
    pub(super) fn read_metadata(&self, name: &str) -> Result<Vec<u8>, TufError> {
        let path = self.file(name);
        let bytes = self.read(name)?.ok_or_else(|| TufError::File {
            path: path.clone(),
            source: io::Error::new(ErrorKind::NotFound, "it is missing; clients cannot go on without it"),
        })?;
        if bytes.len() > MAX_BYTES {
            return Err(TufError::Invalid { path, source: InvalidMetadata::TooLarge });
        }
        Ok(bytes)
    }

    /// Writes a file durably and replaces the previous one. Does nothing if the bytes are the same.
    pub fn write(&self, _held: &Held, name: &str, bytes: &[u8]) -> Result<(), TufError> {
        let path = self.file(name);
        let attempt = || {
            if read_bounded(&path).is_ok_and(|present| present == bytes) {
                return Ok(());
            }
            let directory = path.parent().unwrap_or(&path);
            let mut file = tempfile::Builder::new()
                .prefix(".new-")
                // Public by nature; the parent directory is not.
                .permissions(Permissions::from_mode(0o644))
                .tempfile_in(directory)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|failed| failed.error)?;
            File::open(directory)?.sync_all()
        };
        attempt().map_err(|source| TufError::File { path: path.clone(), source })
    }

    /// Removes a file; a missing file is not an error.
    pub fn remove(&self, _held: &Held, name: &str) -> Result<(), TufError> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(TufError::File { path, source }),
        }
    }

    /// Returns the versions of a role's metadata that exist, in order.
    pub fn versions(&self, role: Role) -> Result<Vec<u64>, TufError> {
        let version = |name: &str| {
            let version = name.strip_suffix(&format!(".{role}.json"))?.parse().ok()?;
            (role.path(version) == name).then_some(version)
        };
        let mut versions: Vec<u64> = self.names("")?.iter().filter_map(|name| version(name)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// The names of the files in `below`.
    pub(super) fn names(&self, below: &str) -> Result<Vec<String>, TufError> {
        let path = self.path.join(below);
        let list = || fs::read_dir(&path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
        match list() {
            Ok(names) => Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(TufError::File { path: path.clone(), source }),
        }
    }

    /// Returns the stamp for the repository whose newest root is `root_version`, to notice changes by other processes.
    #[must_use]
    pub fn stamp(&self, root_version: u64) -> Stamp {
        let facts = fs::metadata(self.file("timestamp.json"));
        let timestamp = facts.ok().map(|facts| (facts.ino(), facts.len(), facts.mtime(), facts.mtime_nsec()));
        let next_root = self.file(&Role::Root.path(root_version + 1)).exists();
        Stamp { timestamp, root_version: root_version + u64::from(next_root) }
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(MAX_TARGET_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_TARGET_BYTES) {
        Ok(bytes)
    } else {
        Err(io::Error::new(ErrorKind::FileTooLarge, "no file of a repository is that large"))
    }
}
