//! The repository on disk: `N.root.json`, `N.targets.json`, `N.snapshot.json`, `timestamp.json`, `targets/<sha256>.<name>`,
//! as it is below the URL. `pending/` has what waits for signatures from elsewhere and is not served.
//!
//! Whoever changes it holds `lock`. A file is there whole or not at all, and durable before the next is written.

use super::{InvalidMetadata, Role, TufError, metadata::MAX_BYTES};
use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a change by another process is waited for. Keys elsewhere answer within seconds, or not at all.
const LOCK_PATIENCE: u32 = 300;
const LOCK_INTERVAL: Duration = Duration::from_millis(200);
/// Largest target that is read back.
const MAX_TARGET_BYTES: u64 = 5_000_000;

/// Where the targets metadata is that waits for signatures.
pub const PENDING_TARGETS: &str = "pending/targets.json";

/// A directory that is, or will be, a repository.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
}

/// Held while the repository is changed; the lock ends with it.
#[derive(Debug)]
pub struct Held {
    _lock: File,
}

/// What changes whenever somebody has changed the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Of `timestamp.json`: inode, length and time of change.
    timestamp: Option<(u64, u64, i64, i64)>,
    /// Of the root that was asked about, or of the one after it where there is one.
    root_version: u64,
}

impl Directory {
    /// The directory, which need not exist yet.
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

    /// Makes what is missing, and waits until nobody else changes the repository.
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

    /// The contents of a file; `None` where there is none.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, TufError> {
        let path = self.file(name);
        match read_bounded(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(TufError::File { path, source }),
        }
    }

    /// The contents of a file that must be there and be metadata of acceptable size.
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

    /// Puts a file in its place, durably; the one before it is gone. Bytes that are there already are left alone.
    pub fn write(&self, _held: &Held, name: &str, bytes: &[u8]) -> Result<(), TufError> {
        let path = self.file(name);
        let attempt = || {
            if read_bounded(&path).is_ok_and(|present| present == bytes) {
                return Ok(());
            }
            let directory = path.parent().unwrap_or(&path);
            let mut file = tempfile::Builder::new()
                .prefix(".new-")
                // Public by nature; the directory above is not.
                .permissions(Permissions::from_mode(0o644))
                .tempfile_in(directory)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|failed| failed.error)?;
            File::open(directory)?.sync_all()
        };
        attempt().map_err(|source| TufError::File { path: path.clone(), source })
    }

    /// Takes a file away; one that is not there is no fault.
    pub fn remove(&self, _held: &Held, name: &str) -> Result<(), TufError> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(TufError::File { path, source }),
        }
    }

    /// Which versions of a role's metadata are there, in order.
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

    /// To see whether somebody has changed the repository whose newest root is `root_version`.
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
