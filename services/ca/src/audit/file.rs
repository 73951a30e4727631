//! The file of an audit log. It is appended to, opened again if its path names another file, rotated, and synced.
//!
//! The contents of lines are not interpreted here. Tools that rotate logs rename the file, and later remove it. So the
//! path is looked up before each line. A line that went into a file that was removed in the meantime is written again.
//! Several processes may append to one file and rotate it: the process that has locked it renames it, and the others
//! follow. Writes never wait for a reader: a full pipe is an error.

use chancery_verify::Timestamp;
use rustix::fs::OFlags;
use serde_json::Value;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::num::NonZeroU64;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Maximum attempts to write a line whose file is removed at that moment.
const ATTEMPTS: usize = 20;
/// Files that may wait for [`AuditFile::sync`] before a line waits for them instead.
const MAX_LEFT: usize = 16;
/// Maximum bytes of a first line that are read to find its time.
const MAX_FIRST_LINE_BYTES: u64 = 64 * 1024;

/// The limits of a file. Beyond them the next line begins another file. By default there are no limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Maximum size in bytes.
    pub size_bytes: Option<NonZeroU64>,
    /// Maximum time since its first line.
    pub age: Option<Duration>,
}

/// An open file.
#[derive(Debug)]
pub(super) struct AuditFile {
    path: PathBuf,
    rotation: Rotation,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    opened: Opened,
    /// Files that were replaced before their last lines were synced.
    left: Vec<Arc<File>>,
    /// Whether the name of a new file may still be missing on disk.
    is_new: bool,
    is_rotation_failing: bool,
}

#[derive(Debug)]
struct Opened {
    file: Arc<File>,
    /// Device and inode.
    identity: (u64, u64),
    /// Whether the file ends within a line, because a write was cut short.
    torn: bool,
    /// Whether some lines may still be missing on disk.
    unsynced: bool,
    /// Time of the first line.
    begun: Option<Timestamp>,
}

impl AuditFile {
    /// Opens `path` for appending. Creates it (0600) if it is missing.
    pub(super) fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let (opened, is_new) = Opened::open(path)?;
        let current = Mutex::new(Current { opened, left: Vec::new(), is_new, is_rotation_failing: false });
        Ok(Self { path: path.to_owned(), rotation, current })
    }

    /// Appends `text`, which must be whole lines.
    pub(super) fn append(&self, text: &str, now: Timestamp) -> io::Result<()> {
        let mut current = self.current();
        for _ in 0..ATTEMPTS {
            current.follow(&self.path)?;
            current.rotate_if_full(&self.path, self.rotation, text.len(), now);
            current.opened.write(text, now)?;
            if !current.opened.is_removed()? {
                return Ok(());
            }
        }
        Err(io::Error::other("the file is removed as often as it is made"))
    }

    /// Opens the file again, even if its path names the same file.
    pub(super) fn reopen(&self) -> io::Result<()> {
        self.current().replace(&self.path)
    }

    /// Returns when all lines written so far are on disk. Returns at once for a file that cannot be synced, such as a
    /// pipe. Meanwhile lines can be written.
    pub(super) fn sync(&self) -> io::Result<()> {
        let (file, left, is_new) = {
            let mut current = self.current();
            let unsynced = std::mem::take(&mut current.opened.unsynced);
            let file = unsynced.then(|| Arc::clone(&current.opened.file));
            (file, std::mem::take(&mut current.left), std::mem::take(&mut current.is_new))
        };
        // An error of a replaced file is reported once: a second sync would not return it.
        let left = left.iter().try_for_each(|file| sync(file));
        let named = if is_new { sync_directory(&self.path) } else { Ok(()) };
        let synced = file.as_ref().map_or(Ok(()), |file| sync(file));
        let mut current = self.current();
        current.is_new |= named.is_err();
        current.opened.unsynced |= synced.is_err();
        left.and(named).and(synced)
    }

    /// Whether some lines may still be missing on disk.
    #[cfg(test)]
    pub(super) fn is_unsynced(&self) -> bool {
        self.current().opened.unsynced
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    /// Opens the file that `path` names, unless it is the open one.
    fn follow(&mut self, path: &Path) -> io::Result<()> {
        match fs::metadata(path) {
            Ok(found) if identity(&found) == self.opened.identity => Ok(()),
            Ok(_) => self.replace(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.replace(path),
            Err(error) => Err(error),
        }
    }

    fn replace(&mut self, path: &Path) -> io::Result<()> {
        let (opened, is_new) = Opened::open(path)?;
        let before = std::mem::replace(&mut self.opened, opened);
        self.is_new |= is_new;
        if before.unsynced {
            self.left.push(before.file);
        }
        if self.left.len() > MAX_LEFT {
            return std::mem::take(&mut self.left).iter().try_for_each(|file| sync(file));
        }
        Ok(())
    }

    /// Renames a file that has no room for `length` more bytes or is too old, and opens the next one. A file that
    /// cannot be renamed grows further: losing lines would be worse.
    fn rotate_if_full(&mut self, path: &Path, rotation: Rotation, length: usize, now: Timestamp) {
        let rotated = match self.opened.is_full(rotation, length, now) {
            Ok(false) => return,
            Ok(true) => self.rotate(path, now),
            Err(error) => Err(error),
        };
        if let Some(error) = rotated.as_ref().err().filter(|_| !self.is_rotation_failing) {
            tracing::error!(%error, "the audit log cannot be rotated; the file grows on");
        }
        self.is_rotation_failing = rotated.is_err();
    }

    fn rotate(&mut self, path: &Path, now: Timestamp) -> io::Result<()> {
        let file = Arc::clone(&self.opened.file);
        match file.try_lock() {
            Ok(()) => {}
            // Another process renames it at this moment. The next line follows it.
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let rotated = self.rotate_locked(path, now);
        file.unlock().and(rotated)
    }

    fn rotate_locked(&mut self, path: &Path, now: Timestamp) -> io::Result<()> {
        // A symbolic link is kept, and names the directory for new files.
        let path_of_file = fs::canonicalize(path)?;
        if identity(&fs::metadata(&path_of_file)?) == self.opened.identity {
            fs::rename(&path_of_file, name_of_full(&path_of_file, now))?;
        }
        self.replace(path)
    }
}

impl Opened {
    /// Also returns whether the file is new.
    fn open(path: &Path) -> io::Result<(Self, bool)> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path)?;
        let metadata = file.metadata()?;
        let mut last = [b'\n'];
        let mut begun = None;
        if metadata.len() > 0 {
            begun = time_of_first_line(&file);
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        let (identity, torn) = (identity(&metadata), last != *b"\n");
        let is_new = metadata.is_file() && metadata.len() == 0;
        Ok((Self { file: Arc::new(file), identity, torn, unsynced: false, begun }, is_new))
    }

    fn write(&mut self, text: &str, now: Timestamp) -> io::Result<()> {
        // One short write into the page cache, under a lock so that lines do not mix.
        let text = if self.torn { format!("\n{text}") } else { text.to_owned() };
        self.torn = true;
        (&*self.file).write_all(text.as_bytes())?;
        self.torn = false;
        self.unsynced = true;
        self.begun.get_or_insert(now);
        Ok(())
    }

    /// Returns whether the file was removed, so that its lines are lost.
    fn is_removed(&self) -> io::Result<bool> {
        let metadata = self.file.metadata()?;
        Ok(metadata.is_file() && metadata.nlink() == 0)
    }

    /// Returns whether the next line belongs into another file. An empty file accepts any line.
    fn is_full(&self, rotation: Rotation, length: usize, now: Timestamp) -> io::Result<bool> {
        if rotation == Rotation::default() {
            return Ok(false);
        }
        let metadata = self.file.metadata()?;
        let grown = metadata.len().saturating_add(length.try_into().unwrap_or(u64::MAX));
        let is_large = rotation.size_bytes.is_some_and(|limit| grown > limit.get());
        let age = self.begun.map_or(0, |begun| now.seconds().saturating_sub(begun.seconds()));
        let is_old = rotation.age.is_some_and(|limit| age >= limit.as_secs());
        Ok(metadata.is_file() && metadata.len() > 0 && (is_large || is_old))
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// The time in the first line of a file. `None` if it is not a line of an audit log.
fn time_of_first_line(file: &File) -> Option<Timestamp> {
    let mut line = Vec::new();
    BufReader::new(file).take(MAX_FIRST_LINE_BYTES).read_until(b'\n', &mut line).ok()?;
    let line: Value = serde_json::from_slice(&line).ok()?;
    Timestamp::from_rfc3339(line.get("time")?.as_str()?)
}

/// An unused name for a full file: `audit-20261121T070000Z.jsonl`.
fn name_of_full(path: &Path, now: Timestamp) -> PathBuf {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    let name = format!("{}-{}", text(path.file_stem()), now.rfc3339().replace(['-', ':'], ""));
    let names = (0_u64..).map(|number| match number {
        0 => format!("{name}{extension}"),
        number => format!("{name}-{number}{extension}"),
    });
    let mut free = names.map(|name| path.with_file_name(name)).filter(|path| path.symlink_metadata().is_err());
    free.next().unwrap_or_else(|| path.to_owned())
}

fn sync(file: &File) -> io::Result<()> {
    match file.sync_data() {
        // A pipe or a device.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

/// Syncs the name of a new file to disk.
fn sync_directory(path: &Path) -> io::Result<()> {
    match fs::canonicalize(path) {
        Ok(path) => path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all()),
        // Renamed again. The next line makes another file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
