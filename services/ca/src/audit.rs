//! The audit log: one line of JSON for every request for a certificate, granted or refused, and for every change of the
//! published trust.
//!
//! It is only appended to, and only its owner can read it, because it names people. A line has the request's id
//! ([`RequestId`](chancery_daemon::http::RequestId)), the decision and the code of its reason. It never has the token,
//! nor any text of the request that is not verified. A certificate whose line cannot be written is not returned. A line
//! survives a crash of the process at once, and a power cut after [`SYNC_PERIOD`]. Lines are not synced one by one,
//! because the certificate log is the record that must survive.

use crate::Error;
use crate::identity::Principal;
use crate::issue::Issued;
use chancery_verify::certificate::Identity;
use chancery_verify::{Timestamp, hash, sct};
use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Version of a line's format. New members do not change it.
const SCHEMA: u32 = 1;
/// Longest time until a line is on disk while [`AuditLog::keep_synced`] runs, not counting the sync itself.
pub const SYNC_PERIOD: Duration = Duration::from_secs(1);

/// An open audit log.
#[derive(Debug)]
pub struct AuditLog {
    lines: Mutex<Lines>,
    /// A second handle of the same file, so that writing a line never waits for a sync.
    disk: File,
    /// Whether some lines may not be on disk yet.
    unsynced: AtomicBool,
}

#[derive(Debug)]
struct Lines {
    file: File,
    /// Whether the file ends within a line, because a write was cut short.
    torn: bool,
}

/// The request, and the verified facts about its sender.
pub(crate) struct Asked<'a> {
    pub(crate) request_id: &'a str,
    /// `v1`, `v2` or `grpc`.
    pub(crate) api: &'static str,
    /// Name of the configured issuer that the token names, verified or not.
    pub(crate) issuer: Option<&'a str>,
    /// Set once the token is verified.
    pub(crate) principal: Option<&'a Principal>,
}

impl AuditLog {
    /// Opens `path` for appending. Creates it (0600) if it is missing.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        let disk = file.try_clone()?;
        Ok(Self { lines: Mutex::new(Lines { file, torn: last != *b"\n" }), disk, unsynced: AtomicBool::new(false) })
    }

    /// Returns when all lines written so far are on disk. Returns at once for a file that cannot be synced, such as a
    /// pipe.
    pub fn sync(&self) -> io::Result<()> {
        if !self.unsynced.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        match self.disk.sync_data() {
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
                self.unsynced.store(true, Ordering::Release);
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Syncs lines to disk for as long as it is polled.
    pub async fn keep_synced(self: Arc<Self>) {
        let mut is_failing = false;
        loop {
            tokio::time::sleep(SYNC_PERIOD).await;
            let log = Arc::clone(&self);
            let Ok(synced) = tokio::task::spawn_blocking(move || log.sync()).await else { return };
            if let Some(error) = synced.as_ref().err().filter(|_| !is_failing) {
                tracing::error!(%error, "the audit log cannot be synced");
            }
            is_failing = synced.is_err();
        }
    }

    /// Appends a line about a change of the published trust. `members` is a JSON object without secrets.
    pub fn changed(&self, event: &str, members: Value, now: Timestamp) -> io::Result<()> {
        let common = json!({ "schema": SCHEMA, "time": now.rfc3339(), "event": event });
        let (Value::Object(mut line), Value::Object(members)) = (common, members) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        line.extend(members);
        self.append(line)
    }

    /// Appends a line about a certificate.
    pub(crate) fn issued(&self, asked: &Asked<'_>, issued: &Issued, now: Timestamp) -> io::Result<()> {
        let mut line = line("issued", asked, now);
        let certificate = &issued.certificate;
        line.insert("serial".into(), hex::encode(certificate.tbs().serial_number().as_bytes()).into());
        line.insert("fingerprint".into(), hex::encode(hash::sha256(certificate.der())).into());
        line.insert("not_after".into(), certificate.not_after().rfc3339().into());
        let ct = issued.promise.sct().map(|sct| {
            json!({
                "log_id": hex::encode(sct.log_id),
                "timestamp_ms": sct.timestamp.millis(),
                "index": sct::leaf_index(&sct.extensions).ok().flatten(),
            })
        });
        line.insert("ct".into(), ct.unwrap_or_default());
        self.append(line)
    }

    /// Appends a line about a refusal.
    pub(crate) fn refused(&self, asked: &Asked<'_>, error: &Error, now: Timestamp) -> io::Result<()> {
        let mut line = line("refused", asked, now);
        line.insert("code".into(), error.code().into());
        self.append(line)
    }

    fn append(&self, line: Map<String, Value>) -> io::Result<()> {
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // One short write into the page cache, under a lock so that lines do not mix.
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.torn {
            text.insert(0, '\n');
        }
        lines.torn = true;
        lines.file.write_all(text.as_bytes())?;
        lines.torn = false;
        self.unsynced.store(true, Ordering::Release);
        Ok(())
    }
}

fn line(event: &str, asked: &Asked<'_>, now: Timestamp) -> Map<String, Value> {
    let identity = asked.principal.map(|principal| &principal.identity);
    let kind = identity.map(|identity| match identity {
        Identity::Email(_) => "email",
        Identity::Uri(_) => "uri",
        Identity::Username(_) => "username",
    });
    let members = [
        ("schema", json!(SCHEMA)),
        ("time", json!(now.rfc3339())),
        ("event", json!(event)),
        ("request_id", json!(asked.request_id)),
        ("api", json!(asked.api)),
        ("issuer", json!(asked.issuer)),
        ("subject", json!(asked.principal.map(|principal| &principal.subject))),
        ("identity", json!(identity.map(Identity::as_str))),
        ("identity_type", json!(kind)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lines_are_synced_in_the_background_and_devices_need_not_be() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        for path in [&path, Path::new("/dev/null")] {
            let log = Arc::new(AuditLog::open(path).unwrap());
            let syncing = tokio::spawn(Arc::clone(&log).keep_synced());
            log.changed("key", json!({ "generation": 2 }), Timestamp::from_seconds(0)).unwrap();
            assert!(log.unsynced.load(Ordering::Acquire));
            while log.unsynced.load(Ordering::Acquire) {
                tokio::time::sleep(SYNC_PERIOD / 4).await;
            }
            assert!(!syncing.is_finished());
            syncing.abort();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line, json!({ "schema": 1, "time": "1970-01-01T00:00:00Z", "event": "key", "generation": 2 }));
    }
}
