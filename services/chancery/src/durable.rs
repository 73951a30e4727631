//! Small files that are whole or not there: written beside their place, synced, renamed, and the directory synced.

use anyhow::Context as _;
use std::{fs::File, io::Write as _, path::Path};

/// Writes a file that only its owner can read. A reader, and who comes back after a crash, sees the old contents or these.
pub(crate) fn write(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let attempt = || {
        let directory = path.parent().unwrap_or(path);
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(contents)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|failed| failed.error)?;
        File::open(directory)?.sync_all()
    };
    attempt().with_context(|| format!("cannot write {}", path.display()))
}
