//! The audit log: one line of JSON for every request for a certificate, granted or refused, and for every change of the
//! published trust.
//!
//! It is only appended to, and only its owner can read it, because it names people. A line has the request's id
//! ([`RequestId`](chancery_daemon::http::RequestId)), the decision and the code of its reason. It never has the token,
//! nor any unverified text of the request. A certificate whose line cannot be written is not returned. No more
//! certificates are issued until a line can be written again. A line survives a crash of the process immediately, and a
//! power cut after [`SYNC_PERIOD`]. Lines are not synced one by one, because the certificate log is the record that
//! must survive.
//!
//! Granted requests are never left out. Refusals beyond the limits of `refusals` are left out, so that clients cannot
//! fill the disk. One line per minute has their number. `file` follows, rotates and syncs the file.

mod file;
mod refusals;

pub use file::Rotation;

use crate::Error;
use crate::identity::Principal;
use crate::issue::Issued;
use chancery_daemon::clock::Clock;
use chancery_daemon::http::Peer;
use chancery_verify::certificate::Identity;
use chancery_verify::{Timestamp, hash, sct};
use file::AuditFile;
use refusals::Refusals;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Version of a line's format. New members do not change it.
const SCHEMA: u32 = 1;
/// Longest time until a line is on disk while [`AuditLog::keep`] runs, not counting the sync itself.
pub const SYNC_PERIOD: Duration = Duration::from_secs(1);

/// An open audit log.
#[derive(Debug)]
pub struct AuditLog {
    file: AuditFile,
    /// Locked before the file.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    refusals: Refusals,
    /// The reason why the last line could not be written.
    unwritable: Option<String>,
    /// Decisions without a line since then.
    unrecorded: u64,
    /// The reason why the last sync failed.
    unsyncable: Option<String>,
}

/// The request, and the verified facts about its sender.
pub(crate) struct Asked<'a> {
    pub(crate) request_id: &'a str,
    /// `v1`, `v2` or `grpc`.
    pub(crate) api: &'static str,
    /// The client's address. `None` if there is no connection.
    pub(crate) peer: Option<Peer>,
    /// Name of the configured issuer that the token names, verified or not.
    pub(crate) issuer: Option<&'a str>,
    /// Set once the token is verified.
    pub(crate) principal: Option<&'a Principal>,
}

/// The result of writing a line about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The line is in the file.
    Line,
    /// The line was left out.
    LeftOut,
}

impl AuditLog {
    /// Opens `path` for appending. Creates it (0600) if it is missing.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        Ok(Self { file: AuditFile::open(path, rotation)?, state: Mutex::default() })
    }

    /// Opens the file again, for example after SIGHUP.
    pub fn reopen(&self) {
        if let Err(error) = self.file.reopen() {
            tracing::error!(%error, "the audit log cannot be opened again; the open file stays in use");
        }
    }

    /// Returns the reason why nothing is issued, if lines cannot be written or synced at the moment.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        let state = self.state();
        let reason = state.unwritable.as_ref().or(state.unsyncable.as_ref())?;
        Some(format!("the audit log cannot be written, so nothing is issued: {reason}"))
    }

    /// Returns when all lines written so far are on disk.
    pub fn sync(&self) -> io::Result<()> {
        let synced = self.file.sync();
        let mut state = self.state();
        if let Err(error) = &synced
            && state.unsyncable.is_none()
        {
            tracing::error!(%error, "the audit log cannot be synced");
        }
        state.unsyncable = synced.as_ref().err().map(ToString::to_string);
        synced
    }

    /// Maintains the log for as long as it is polled: syncs lines, repeats failed writes, and writes the number of
    /// refusals that were left out.
    pub async fn keep(self: Arc<Self>, clock: Arc<dyn Clock>) {
        loop {
            tokio::time::sleep(SYNC_PERIOD).await;
            let (log, now) = (Arc::clone(&self), clock.now());
            let due = move || {
                log.resume(now);
                log.sum_up(now, false);
                // The error is logged and stored there.
                let _synced = log.sync();
            };
            if tokio::task::spawn_blocking(due).await.is_err() {
                return;
            }
        }
    }

    /// Writes the refusals that were left out, and returns when all lines are on disk.
    pub fn close(&self, now: Timestamp) {
        self.sum_up(now, true);
        let _synced = self.sync();
    }

    /// If the last line could not be written, writes a line to test whether lines can be written again.
    fn resume(&self, now: Timestamp) {
        let mut state = self.state();
        if state.unwritable.is_some() {
            let _written = self.write(&mut state, "", now);
        }
    }

    fn sum_up(&self, now: Timestamp, at_once: bool) {
        let mut state = self.state();
        let left_out = state.refusals.summary(now, at_once);
        let time = now.rfc3339();
        let mut lines = String::new();
        for (code, count) in &left_out {
            let line = json!({ "schema": SCHEMA, "time": time, "event": "left_out", "code": code, "count": count });
            // Writing to a string does not fail.
            let _ = writeln!(lines, "{line}");
        }
        if !lines.is_empty() && self.write(&mut state, &lines, now).is_err() {
            state.refusals.put_back(&left_out);
        }
    }

    /// Appends a line about a change of the published trust. `members` is a JSON object without secrets.
    pub fn changed(&self, event: &str, members: Value, now: Timestamp) -> io::Result<()> {
        let common = json!({ "schema": SCHEMA, "time": now.rfc3339(), "event": event });
        let (Value::Object(mut line), Value::Object(members)) = (common, members) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        line.extend(members);
        self.write(&mut self.state(), &one(line), now)
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
        self.decided(line, now)
    }

    /// Appends a line about a refusal, if there is room for it.
    pub(crate) fn refused(&self, asked: &Asked<'_>, error: &Error, now: Timestamp) -> io::Result<Recorded> {
        if !self.state().refusals.take(error.code(), asked.peer, now) {
            return Ok(Recorded::LeftOut);
        }
        let mut line = line("refused", asked, now);
        line.insert("code".into(), error.code().into());
        self.decided(line, now).map(|()| Recorded::Line)
    }

    fn decided(&self, line: Map<String, Value>, now: Timestamp) -> io::Result<()> {
        let mut state = self.state();
        let written = self.write(&mut state, &one(line), now);
        state.unrecorded += u64::from(written.is_err());
        written
    }

    /// Writes whole lines. After a failure, a line with the number of missing lines comes first.
    fn write(&self, state: &mut State, lines: &str, now: Timestamp) -> io::Result<()> {
        let Some(reason) = &state.unwritable else {
            let written = self.file.append(lines, now);
            if let Err(error) = &written {
                tracing::error!(%error, "the audit log cannot be written; nothing is issued until it can");
                state.unwritable = Some(error.to_string());
            }
            return written;
        };
        let time = now.rfc3339();
        let resumed = json!({ "schema": SCHEMA, "time": time, "event": "resumed", "unrecorded": state.unrecorded });
        self.file.append(&format!("{resumed}\n{lines}"), now)?;
        tracing::info!(reason, unrecorded = state.unrecorded, "the audit log can be written again");
        (state.unwritable, state.unrecorded) = (None, 0);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line.
fn one(members: Map<String, Value>) -> String {
    format!("{}\n", Value::Object(members))
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
mod tests;
