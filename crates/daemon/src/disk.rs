//! The disk of a directory: free space, and how long a write takes until it is on stable storage.
//!
//! This module only measures. What is too little or too slow, the caller decides.

use rustix::fs::statvfs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Free space that a role needs to go on: a batch of entries takes less.
const ROOM_BYTES: usize = 1 << 20;
/// Synced writes that are measured. One alone may meet a write of another process.
const SYNCS: usize = 8;
/// Bytes of each: about what a small batch adds to a write-ahead log.
const SYNC_BYTES: usize = 4096;

/// Free space on the file system of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that a user without privileges may still write.
    pub free_bytes: u64,
    /// Bytes of the whole file system.
    pub total_bytes: u64,
    /// Files that may still be made. `None` if the file system has no limit of its own.
    pub free_files: Option<u64>,
}

impl Space {
    /// Measures the file system of `directory`.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let found = statvfs(directory)?;
        Ok(Self {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            free_files: (found.f_files > 0).then_some(found.f_favail),
        })
    }
}

/// Writes as many bytes as must be free. The file has no name, so it is removed when its handle is closed. Nothing is synced,
/// so the bytes do not reach the disk.
pub fn try_to_write(directory: &Path) -> io::Result<()> {
    tempfile::tempfile_in(directory)?.write_all(&vec![0; ROOM_BYTES])
}

/// Returns the median time of a small write until it is on stable storage. A commit takes at least as long.
pub fn sync_time(directory: &Path) -> io::Result<Duration> {
    let mut file = tempfile::tempfile_in(directory)?;
    let mut times = [Duration::ZERO; SYNCS];
    for time in &mut times {
        let begun = Instant::now();
        file.write_all(&[0; SYNC_BYTES])?;
        file.sync_data()?;
        *time = begun.elapsed();
    }
    times.sort_unstable();
    Ok(times[SYNCS / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_measured_and_nothing_is_left_on_it() {
        let directory = tempfile::tempdir().unwrap();
        let space = Space::of(directory.path()).unwrap();
        assert!(space.free_bytes > 0 && space.free_bytes <= space.total_bytes, "{space:?}");
        try_to_write(directory.path()).unwrap();
        assert!(sync_time(directory.path()).unwrap() > Duration::ZERO);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let missing = directory.path().join("missing");
        assert!(Space::of(&missing).is_err() && try_to_write(&missing).is_err() && sync_time(&missing).is_err());
    }
}
