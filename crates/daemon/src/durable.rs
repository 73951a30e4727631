//! Writes small files atomically: to a temporary file beside the target, synced, renamed, and the directory synced.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes a file that only its owner can read. A reader, also after a crash, sees either the old contents or the new.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    File::open(directory)?.sync_all()
}
