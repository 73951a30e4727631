//! The newest versions that were served, in a file that is not in the repository's directory: an older copy of the directory
//! that is put in its place is noticed by it.
//!
//! Clients refuse metadata that is older than what they have seen. The file is written before a version is served, so it may name
//! one that no client has seen, and never misses one. It is not signed: it protects against accidents and restores, not against
//! an attacker who can write to both places. Not here: versions that go back while a server runs; see [`super::service`].

use super::{Repository, Role, TufError};
use chancery_daemon::durable;
use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// The file.
#[derive(Debug, Clone)]
pub struct Mark {
    path: PathBuf,
}

impl Mark {
    /// The file at `path`, which need not exist yet. Its directory must exist.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that no role's metadata is older than what was served. `None` if there is no repository at `directory`.
    ///
    /// # Errors
    /// [`TufError::RolledBack`], or [`TufError::File`] if the file cannot be read.
    pub fn verify(&self, directory: &Path, repository: Option<&Repository>) -> Result<(), TufError> {
        for (role, served) in self.read()? {
            let found = repository.map_or(0, |repository| repository.metadata(role).version);
            if found < served {
                let (path, mark) = (directory.to_owned(), self.path.clone());
                return Err(TufError::RolledBack { path, role, found, served, mark });
            }
        }
        Ok(())
    }

    /// Records what is about to be served. No version goes back.
    pub fn advance(&self, repository: &Repository) -> Result<(), TufError> {
        let recorded = self.read()?;
        let mut versions = recorded.clone();
        for role in Role::ALL {
            let version = versions.entry(role).or_default();
            *version = repository.metadata(role).version.max(*version);
        }
        if versions == recorded {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(&versions).map_err(|error| self.failed(error.into()))?;
        durable::write(&self.path, &text).map_err(|error| self.failed(error))
    }

    fn read(&self) -> Result<BTreeMap<Role, u64>, TufError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(self.failed(error)),
        };
        let damaged =
            |_| self.failed(io::Error::new(ErrorKind::InvalidData, "it is damaged; restore it from a backup"));
        serde_json::from_slice(&text).map_err(damaged)
    }

    fn failed(&self, source: io::Error) -> TufError {
        TufError::File { path: self.path.clone(), source }
    }
}
