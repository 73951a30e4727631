//! The disk of a directory: whether it can be written, how much is free, and how long a commit takes at least.

use super::finding::Finding;
use chancery_daemon::disk::{Space, sync_time, try_to_write};
use std::{
    io::{self, ErrorKind},
    path::Path,
    time::Duration,
};

const CHECK: &str = "disk";
/// Less than this is little, whatever the size of the disk.
const LITTLE_BYTES: u64 = 1 << 30;
/// So is less than one part of so many.
const LITTLE_PART: u64 = 20;
/// Files, of which each commit of a copy of the logs makes some.
const LITTLE_FILES: u64 = 10_000;
/// A batch of entries is one synced commit, and a client waits for it.
const SLOW: Duration = Duration::from_millis(100);

/// Examines the disk of `directory`. What is written has no name, and is gone at once.
pub(super) fn examine(directory: &Path) -> Vec<Finding> {
    let subject = directory.display().to_string();
    if let Err(error) = try_to_write(directory) {
        return vec![unwritten(&subject, &error)];
    }
    let space = Space::of(directory).map_or_else(|error| unread(&subject, &error), |space| room(&subject, space));
    let speed = sync_time(directory).map_or_else(|error| unwritten(&subject, &error), |time| speed(&subject, time));
    vec![space, speed]
}

fn unwritten(subject: &str, error: &io::Error) -> Finding {
    if error.kind() == ErrorKind::PermissionDenied {
        let message = format!("this user must not write there, so the disk was not tried ({error})");
        return Finding::note(CHECK, subject, &message, "run chancery doctor as the user of the server");
    }
    let message = format!(
        "nothing can be written there ({error}): entries and certificates are refused with 503 until there is room"
    );
    Finding::error(CHECK, subject, &message, "make room on its disk, or enlarge it; the server goes on by itself then")
}

fn unread(subject: &str, error: &io::Error) -> Finding {
    let message = format!("its free space cannot be read: {error}");
    Finding::note(CHECK, subject, &message, &format!("see: df -h {subject}"))
}

fn room(subject: &str, Space { free_bytes, total_bytes, free_files }: Space) -> Finding {
    let free = mebibytes(free_bytes);
    if free_bytes < LITTLE_BYTES || free_bytes < total_bytes / LITTLE_PART {
        let message = format!("only {free} of {} are free; a full disk stops all writes", mebibytes(total_bytes));
        return Finding::warning(CHECK, subject, &message, "make room on its disk, or enlarge it");
    }
    if let Some(files) = free_files.filter(|files| *files < LITTLE_FILES) {
        let message = format!("only {files} more files can be made there; without any, all writes stop");
        return Finding::warning(
            CHECK,
            subject,
            &message,
            "remove small files, or make the file system with more inodes",
        );
    }
    Finding::ok(CHECK, subject, &format!("{free} are free"))
}

fn speed(subject: &str, time: Duration) -> Finding {
    let milliseconds = time.as_secs_f64() * 1e3;
    if time > SLOW {
        let message = format!(
            "a write takes {milliseconds:.1} ms until it is on stable storage, and every answer about a new entry waits for one"
        );
        let action =
            "put the data directory on a local SSD, not on a network file system; see: docs/src/operate/scale.md";
        return Finding::warning(CHECK, subject, &message, action);
    }
    Finding::ok(CHECK, subject, &format!("a write is on stable storage after {milliseconds:.1} ms"))
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Severity;

    #[test]
    fn a_disk_that_is_full_small_or_slow_is_told() {
        let space = |free_bytes, total_bytes, free_files| room("data", Space { free_bytes, total_bytes, free_files });
        let plenty = 1 << 40;
        for (found, severity) in [
            (space(plenty, plenty, None), Severity::Ok),
            (space(LITTLE_BYTES - 1, LITTLE_BYTES, None), Severity::Warning),
            (space(plenty / 21, plenty, Some(plenty)), Severity::Warning),
            (space(plenty, plenty, Some(LITTLE_FILES - 1)), Severity::Warning),
            (speed("data", SLOW), Severity::Ok),
            (speed("data", SLOW * 2), Severity::Warning),
            (unwritten("data", &ErrorKind::StorageFull.into()), Severity::Error),
            (unwritten("data", &ErrorKind::PermissionDenied.into()), Severity::Note),
        ] {
            assert_eq!(found.severity, severity, "{found:?}");
        }
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(examine(directory.path()).len(), 2);
        assert_eq!(examine(&directory.path().join("missing"))[0].severity, Severity::Error);
    }
}
