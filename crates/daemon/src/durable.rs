//! Writes small files atomically: to a temporary file beside the target, synced, renamed, and the directory synced.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use tempfile::{NamedTempFile, PersistError};

/// Writes a file that only its owner can read. A reader, also after a crash, sees either the old contents or the new.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    place(path, contents, |file| file.persist(path))
}

/// As [`write`], for a file that does not exist yet. A reader, also after a crash, sees all of it or nothing.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if there is one: it stays as it is.
pub fn create(path: &Path, contents: &[u8]) -> io::Result<()> {
    place(path, contents, |file| file.persist_noclobber(path))
}

fn place(
    path: &Path,
    contents: &[u8],
    rename: impl FnOnce(NamedTempFile) -> Result<File, PersistError>,
) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    rename(file).map_err(|failed| failed.error)?;
    File::open(directory)?.sync_all()
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
}
