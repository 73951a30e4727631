//! The high-water mark: the newest checkpoint that this process has published, stored outside the database.
//!
//! A database can be restored to an earlier state (a backup, a standby that lags, a snapshot of a machine). Then it
//! does not have the later checkpoints. If signing went on from there, one key would sign two trees of the same size.
//! So each process keeps a small file for each log. The log opens quarantined if its database is behind that file, or
//! has another history.
//!
//! # Commit point
//! A signed head is published, and its entries are acknowledged, only after the file has been synced with that head or
//! a larger one. The sequencer does not wait: it commits and signs the next batch meanwhile, and one sync covers every
//! head that was signed during the one before. A crash before the sync loses only the mark of a checkpoint that was not
//! published.
//!
//! # The file
//! Two slots of [`SLOT_BYTES`], written in turn, so that a torn write damages one of them and leaves the other. A slot is
//! a counter and a length in big-endian order, the checkpoint, and the SHA-256 of these. Its size never changes, so
//! `fdatasync` writes one block. After the checkpoint is a line that names the database it was committed to ([`Home`]),
//! so that a fault can be explained: «the database is another cluster than before».
//!
//! What this cannot see: a database that is put back together with the files of every process, and a process that starts
//! alone and has never seen the last head. Witnesses can.

use crate::head::Published;
use crate::quarantine::Quarantine;
use crate::store::Identity;
use chancery_daemon::durable;
use chancery_verify::Timestamp;
use chancery_verify::hash::sha256;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Bytes of a slot: a checkpoint has some 300, with the longest host name and an RSA signature some 1,200.
const SLOT_BYTES: usize = 4096;
/// Counter and length.
const HEADER_BYTES: usize = 12;
const DIGEST_BYTES: usize = 32;
/// Begins the line after the checkpoint. No line of a checkpoint begins like this after its first.
const DATABASE: &str = "database ";
/// Stands for what is not known.
const UNKNOWN: &str = "-";
/// A mark that could not be written is tried again this often; nothing is acknowledged meanwhile.
const RETRY: Duration = Duration::from_secs(1);
/// A mark takes milliseconds. A disk that has not taken it after so long does not answer.
const LONG: Duration = Duration::from_secs(5);

/// Where a log is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Home {
    /// Which database it is.
    pub(crate) database: Identity,
    /// Since when it is that one, as far as this process knows; `None` where it has not seen another one before.
    pub(crate) since: Option<Timestamp>,
}

/// An open mark.
#[derive(Debug)]
pub(crate) struct Mark {
    file: File,
    /// Of the newest slot.
    counter: u64,
    /// Of what is in it, and of what will be written.
    home: Home,
}

impl Mark {
    /// Opens the file, or makes one without a checkpoint. Returns the newest checkpoint in it as well, not verified.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] where the file has contents and neither slot is whole, and
    /// [`io::ErrorKind::UnexpectedEof`] where it was cut off: what was signed is not known.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Option<String>)> {
        if !path.try_exists()? {
            durable::write(path, &[0; 2 * SLOT_BYTES])?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let newest = read_newest(&file)?;
        let (counter, text) = newest.map_or((0, None), |(counter, text)| (counter, Some(text)));
        let (note, home) = text.map(|text| split(&text)).unzip();
        Ok((Self { file, counter, home: home.unwrap_or_default() }, note))
    }

    /// The newest checkpoint in the file of a server that may be running, not verified. `None` where there is no file, or none
    /// in it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
        match File::open(path) {
            Ok(file) => Ok(read_newest(&file)?.map(|(_, text)| split(&text).0)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The database that the newest checkpoint was committed to.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// What is written from now on is of this database.
    pub(crate) fn moved_to(&mut self, home: Home) {
        self.home = home;
    }

    /// Puts a checkpoint into the older slot and syncs it.
    pub(crate) fn write(&mut self, note: &str) -> io::Result<()> {
        let counter = self.counter + 1;
        let slot = slot(counter, &joined(note, &self.home))?;
        let offset = if counter.is_multiple_of(2) { SLOT_BYTES } else { 0 };
        self.file.write_all_at(&slot, offset as u64)?;
        self.file.sync_data()?;
        self.counter = counter;
        Ok(())
    }
}

/// The newest whole slot: its counter and text.
fn read_newest(file: &File) -> io::Result<Option<(u64, String)>> {
    let mut bytes = [0; 2 * SLOT_BYTES];
    file.read_exact_at(&mut bytes, 0)?;
    let newest = bytes.chunks_exact(SLOT_BYTES).filter_map(read_slot).max_by_key(|(counter, _)| *counter);
    if newest.is_none() && bytes.iter().any(|byte| *byte != 0) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "neither of its two slots is whole"));
    }
    Ok(newest)
}

/// A checkpoint and what names its database; the checkpoint alone where nothing is known of that.
fn joined(note: &str, home: &Home) -> String {
    if *home == Home::default() {
        return note.to_owned();
    }
    let Home { database: Identity { cluster, timeline }, since } = home;
    let timeline = timeline.map_or_else(|| UNKNOWN.to_owned(), |timeline| timeline.to_string());
    let since = since.map_or_else(String::new, |since| format!(" {}", since.millis()));
    format!("{note}{DATABASE}{} {timeline}{since}\n", cluster.as_deref().unwrap_or(UNKNOWN))
}

/// The two again.
fn split(text: &str) -> (String, Home) {
    let Some((note, line)) = text.rsplit_once(DATABASE).filter(|(note, _)| note.ends_with('\n')) else {
        return (text.to_owned(), Home::default());
    };
    let mut words = line.split_whitespace();
    let cluster = words.next().filter(|cluster| *cluster != UNKNOWN).map(str::to_owned);
    let timeline = words.next().and_then(|timeline| timeline.parse().ok());
    let since = words.next().and_then(|millis| millis.parse().ok()).map(Timestamp::from_millis);
    (note.to_owned(), Home { database: Identity { cluster, timeline }, since })
}

/// The bytes of a slot.
fn slot(counter: u64, note: &str) -> io::Result<Vec<u8>> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "the checkpoint is too long for the mark");
    if HEADER_BYTES + note.len() + DIGEST_BYTES > SLOT_BYTES {
        return Err(too_long());
    }
    let length = u32::try_from(note.len()).map_err(|_| too_long())?;
    let mut bytes = [&counter.to_be_bytes()[..], &length.to_be_bytes(), note.as_bytes()].concat();
    bytes.extend(sha256(&bytes));
    bytes.resize(SLOT_BYTES, 0);
    Ok(bytes)
}

/// The counter and checkpoint of a slot; `None` where it is empty or torn.
fn read_slot(slot: &[u8]) -> Option<(u64, String)> {
    let (counter, rest) = slot.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (note, rest) = rest.split_at_checked(length)?;
    let digest = rest.first_chunk::<DIGEST_BYTES>()?;
    let counter = u64::from_be_bytes(*counter);
    let is_whole = counter > 0 && sha256(&slot[..HEADER_BYTES + length]) == *digest;
    is_whole.then(|| Some((counter, String::from_utf8(note.to_vec()).ok()?)))?
}

/// Whether heads can be marked; seen at once by everyone who holds a clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marking(Arc<Mutex<Progress>>);

/// How it goes with the marks.
#[derive(Debug, Default)]
struct Progress {
    /// Whether the last one could not be written.
    has_failed: bool,
    /// When the write began that is under way.
    begun: Option<Instant>,
}

impl Marking {
    /// Whether the last mark could not be written, or has not been for long.
    pub(crate) fn has_failed(&self) -> bool {
        let progress = self.progress();
        progress.has_failed || progress.begun.is_some_and(|begun| begun.elapsed() >= LONG)
    }

    fn begin(&self) {
        self.progress().begun = Some(Instant::now());
    }

    fn end(&self, has_failed: bool) {
        *self.progress() = Progress { has_failed, begun: None };
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes signed heads after they are marked. It runs beside the sequencer.
pub(crate) struct Marker {
    log: String,
    mark: Arc<Mutex<Mark>>,
    marking: Marking,
    signed: watch::Receiver<Arc<Published>>,
    published: watch::Sender<Arc<Published>>,
}

impl Marker {
    /// Begins with what is signed first, which the caller has marked.
    pub(crate) fn new(
        log: &str,
        mark: Mark,
        signed: watch::Receiver<Arc<Published>>,
    ) -> (Self, Marking, watch::Receiver<Arc<Published>>) {
        let (published, shown) = watch::channel(signed.borrow().clone());
        let marking = Marking::default();
        let mark = Arc::new(Mutex::new(mark));
        (Self { log: log.to_owned(), mark, marking: marking.clone(), signed, published }, marking, shown)
    }

    /// Marks and publishes until nothing more is signed, or the log is quarantined.
    pub(crate) async fn run(mut self, quarantine: Quarantine) {
        loop {
            tokio::select! {
                biased;
                _ = quarantine.begun() => return,
                // What was signed last is still published when the sequencer has ended.
                changed = self.signed.changed() => if changed.is_err() { return },
            }
            let newest = self.signed.borrow_and_update().clone();
            let grown = newest.tree.size > self.published.borrow().tree.size;
            if grown && !self.mark(&newest).await {
                if self.signed.has_changed().is_err() {
                    return;
                }
                self.signed.mark_changed();
                tokio::time::sleep(RETRY).await;
                continue;
            }
            self.published.send_replace(newest);
        }
    }

    /// Whether the head is on the disk now.
    async fn mark(&mut self, newest: &Arc<Published>) -> bool {
        let (mark, newest) = (Arc::clone(&self.mark), Arc::clone(newest));
        let write = move || mark.lock().unwrap_or_else(PoisonError::into_inner).write(&newest.note);
        self.marking.begin();
        let written = tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        let failed = written.is_err();
        if let Err(error) = written {
            tracing::error!(log.name = %self.log, %error, error.code = "log.mark", "cannot write the high-water mark; no entry is acknowledged until it can be written: make room on its disk");
        }
        self.marking.end(failed);
        !failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_last_that_was_written_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rekor.mark");
        let (mut mark, empty) = Mark::open(&path).unwrap();
        assert_eq!(empty, None);
        let newest = || Mark::open(&path).unwrap().1;
        for number in 1..=5 {
            mark.write(&format!("checkpoint {number}")).unwrap();
            assert_eq!(newest(), Some(format!("checkpoint {number}")));
        }
        // The newest, the fifth, is in the first slot: whatever is torn off it, the fourth is left.
        let whole = std::fs::read(&path).unwrap();
        for at in [0, 7, 11, 12, 20, HEADER_BYTES + "checkpoint 5".len() + DIGEST_BYTES - 1] {
            let mut torn = whole.clone();
            torn[at] ^= 1;
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(newest().as_deref(), Some("checkpoint 4"), "{at}");
        }
        let mut torn = whole;
        torn[20] ^= 1;
        torn[SLOT_BYTES + 20] ^= 1;
        std::fs::write(&path, &torn).unwrap();
        assert_eq!(Mark::open(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_mark_that_is_not_written_for_long_has_failed() {
        let marking = Marking::default();
        marking.begin();
        assert!(!marking.has_failed());
        marking.progress().begun = Instant::now().checked_sub(LONG);
        assert!(marking.has_failed());
        for failed in [false, true] {
            marking.end(failed);
            assert_eq!(marking.has_failed(), failed);
        }
        marking.begin();
        assert!(marking.has_failed(), "until it is written");
    }

    #[test]
    fn a_mark_names_the_database_of_its_checkpoint() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rekor.mark");
        assert_eq!(Mark::read(&path).unwrap(), None);
        let (mut mark, _) = Mark::open(&path).unwrap();
        assert_eq!(Mark::read(&path).unwrap(), None);
        mark.write("origin\n").unwrap();
        assert_eq!(*Mark::open(&path).unwrap().0.home(), Home::default());
        for (cluster, timeline, since) in [
            (Some("7301"), Some(2), None),
            (Some("7301"), Some(2), Some(1_800_000_000_123)),
            (Some("7301"), None, None),
            (None, Some(3), Some(0)),
        ] {
            let database = Identity { cluster: cluster.map(str::to_owned), timeline };
            let home = Home { database, since: since.map(Timestamp::from_millis) };
            mark.moved_to(home.clone());
            mark.write("origin\n13\n").unwrap();
            let (again, note) = Mark::open(&path).unwrap();
            assert_eq!((again.home(), note.as_deref()), (&home, Some("origin\n13\n")));
            assert_eq!(Mark::read(&path).unwrap(), note);
        }
    }

    #[test]
    fn a_file_that_was_cut_off_is_an_error_and_a_checkpoint_that_does_not_fit_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rekor.mark");
        let (mut mark, _) = Mark::open(&path).unwrap();
        mark.write("kept").unwrap();
        assert!(mark.write(&"x".repeat(SLOT_BYTES - HEADER_BYTES - DIGEST_BYTES + 1)).is_err());
        mark.write(&"x".repeat(SLOT_BYTES - HEADER_BYTES - DIGEST_BYTES)).unwrap();
        drop(mark);
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 100] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert_eq!(Mark::open(&path).unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{length} bytes");
        }
    }
}
