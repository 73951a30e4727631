//! The audit log: one line of JSON for every request for a certificate, granted or refused.
//!
//! It is appended to and never rewritten, and readable by its owner alone, because it names people. A line says which
//! request it was ([`RequestId`](chancery_daemon::http::RequestId)), what was decided and by which reason's code; never
//! the token, nor any text of the request that is not verified. A certificate whose line cannot be written is not handed
//! out. Lines are not synced one by one: what must survive a power cut is in the certificate log.

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
use std::sync::{Mutex, PoisonError};

/// Version of a line's shape. Members are added without a new one.
const SCHEMA: u32 = 1;

/// An open audit log.
#[derive(Debug)]
pub struct AuditLog(Mutex<Lines>);

#[derive(Debug)]
struct Lines {
    file: File,
    /// Whether the file ends within a line: a write was cut short.
    torn: bool,
}

/// What was asked, and what is known about who asked.
pub(crate) struct Asked<'a> {
    pub(crate) request_id: &'a str,
    /// `v1`, `v2` or `grpc`.
    pub(crate) api: &'static str,
    /// Of the configured issuer the token names, verified or not.
    pub(crate) issuer: Option<&'a str>,
    /// Known once the token is verified.
    pub(crate) principal: Option<&'a Principal>,
}

impl AuditLog {
    /// Opens `path` for appending, and makes it (0600) where it is missing.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(Self(Mutex::new(Lines { file, torn: last != *b"\n" })))
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
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.torn {
            text.insert(0, '\n');
        }
        lines.torn = true;
        lines.file.write_all(text.as_bytes())?;
        lines.torn = false;
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
