//! [`chancery_daemon::durable`], with the file's name in its errors.

use anyhow::Context as _;
use chancery_daemon::durable;
use std::path::Path;

/// Writes a file that only its owner can read. A reader, and who comes back after a crash, sees the old contents or these.
pub(crate) fn write(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    durable::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}

/// As [`write()`], for a file that does not exist yet.
pub(crate) fn create(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    durable::create(path, contents).with_context(|| format!("cannot write {}", path.display()))
}
