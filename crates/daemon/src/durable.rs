//! Writes files atomically: to a temporary file beside the target, synced, renamed, and the directory synced. Small ones at once;
//! a large one as a [`Draft`], piece by piece.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, PersistError};

/// Writes a file that only its owner can read. A reader, also after a crash, sees either the old contents or the new.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    place(path, contents, |file| file.persist(path))
}

/// As [`write()`], for a file that does not exist yet. A reader, also after a crash, sees all of it or nothing.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if there is one: it stays as it is.
pub fn create(path: &Path, contents: &[u8]) -> io::Result<()> {
    place(path, contents, |file| file.persist_noclobber(path))
}

/// A file that does not exist yet, while it is written. Nothing of it stays if it is dropped.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    path: PathBuf,
}

impl Draft {
    /// Begins the file `path`, which only its owner will be able to read.
    pub fn begin(path: &Path) -> io::Result<Self> {
        Ok(Self { file: NamedTempFile::new_in(directory_of(path))?, path: path.to_owned() })
    }

    /// What is written.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Puts it in its place, as [`create`] does.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if there is one: it stays as it is.
    pub fn create(self) -> io::Result<()> {
        let Self { file, path } = self;
        settle(&path, file, |file| file.persist_noclobber(&path))
    }
}

/// The directory of a file, which a temporary file beside it needs.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn place(
    path: &Path,
    contents: &[u8],
    rename: impl FnOnce(NamedTempFile) -> Result<File, PersistError>,
) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(directory_of(path))?;
    file.write_all(contents)?;
    settle(path, file, rename)
}

fn settle(
    path: &Path,
    file: NamedTempFile,
    rename: impl FnOnce(NamedTempFile) -> Result<File, PersistError>,
) -> io::Result<()> {
    file.as_file().sync_all()?;
    rename(file).map_err(|failed| failed.error)?;
    File::open(directory_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_replaced_or_made_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        create(&path, b"one").unwrap();
        assert_eq!(create(&path, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(create(&directory.path().join("none/file"), b"").is_err());
    }

    #[test]
    fn a_draft_is_there_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut dropped = Draft::begin(&path).unwrap();
        dropped.file().write_all(b"one").unwrap();
        drop(dropped);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        for (number, text) in [b"two", b"six"].into_iter().enumerate() {
            let mut draft = Draft::begin(&path).unwrap();
            draft.file().write_all(text).unwrap();
            let created = draft.create();
            assert_eq!(created.map_err(|error| error.kind()), [Ok(()), Err(io::ErrorKind::AlreadyExists)][number]);
            assert_eq!(fs::read(&path).unwrap(), b"two");
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
