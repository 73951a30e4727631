//! A witness (C2SP tlog-witness): it cosigns the checkpoints of one history of a log, and never of a second one.
//!
//! For each log it stores the checkpoint that it cosigned last, with its own cosignature. It compares the next
//! checkpoint with it, and shows it to monitors. [`chancery_verify::witness`] has the rules. This crate stores the
//! state (`state`) and speaks HTTP ([`http`]).
//!
//! # One request
//! 1. The log is found by the origin of the checkpoint. It must be a configured one.
//! 2. Under that log's lock, signature, size and consistency proof are checked against the stored state.
//! 3. If the clock can be trusted, the checkpoint is cosigned, and written to disk with its directory entry. **This is
//!    the commit point**: a crash before it leaves the old checkpoint, and a cosignature that was never sent.
//! 4. The cosignature is verified and returned.
//!
//! A request is completed even if the client disconnects, so that no two requests are judged with the same state. A
//! data directory is for one process. A witness with a restored old copy may cosign a second history. So never restore
//! one: make a new witness with a new name.

pub mod http;
mod identity;
mod state;

pub use identity::read_verifier_key;

use chancery_daemon::clock::{ClockFault, ClockGuard};
use chancery_daemon::metrics::Counters;
use chancery_daemon::signer::SignerError;
use chancery_verify::cosignature::signed_bytes;
use chancery_verify::merkle::TreeHead;
use chancery_verify::note::{KeyName, Note};
use chancery_verify::verifier_key::VerifierKey;
use chancery_verify::witness::{AddCheckpoint, Refusal};
use chancery_verify::{Rejection, hash};
use identity::Identity;
use state::Kept;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The reason why a witness does not start or cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process uses the directory.
    #[error("another witness is using {0}: two of them would cosign two histories")]
    InUse(PathBuf),
    /// The directory belongs to a witness with another name or key.
    #[error(
        "{path} has the data of the witness {kept}, but this start is for {found}: a witness must keep its name and key"
    )]
    OtherIdentity {
        /// The directory.
        path: PathBuf,
        /// Verifier key that it was made with.
        kept: String,
        /// Verifier key of this start.
        found: String,
    },
    /// The private key is missing.
    #[error(
        "{0} is missing, and a new key would be another witness: put it back, or start afresh with another directory"
    )]
    KeyMissing(PathBuf),
    /// The state of a log was not written by this witness.
    #[error("{path} is damaged ({rejection}): it was not written by this witness about a log with the configured key")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The verifier's reason.
        rejection: Rejection,
    },
    /// The name is invalid, or the key is not one of a log.
    #[error("{text:?} is refused: {rejection}")]
    Configuration {
        /// The given text.
        text: String,
        /// The reason.
        rejection: Rejection,
    },
    /// The key cannot be used.
    #[error("the witness's key: {0}")]
    Signer(#[from] SignerError),
}

/// The reason why a checkpoint is not cosigned.
#[derive(Debug)]
pub enum NotCosigned {
    /// The log is not configured.
    UnknownLog,
    /// The rules of witnesses forbid it.
    Refused(Refusal),
    /// The clock cannot be trusted.
    Clock(ClockFault),
    /// It could not be signed or stored.
    Broken(Error),
}

/// Settings of a witness.
pub struct Settings<'a> {
    /// Its directory. It is created if it does not exist.
    pub data: &'a Path,
    /// Its name, by convention a URL without scheme: `witness.example.org/2026`. It cannot change after the directory
    /// was made.
    pub name: &'a str,
    /// Verifier keys of the logs that it cosigns for. The name of each key is the log's origin.
    pub logs: Vec<VerifierKey>,
}

/// A witness. Clones are cheap and share the same state.
#[derive(Clone)]
pub struct Witness(Arc<Inner>);

struct Inner {
    identity: Identity,
    logs: BTreeMap<String, Followed>,
    clock: Arc<ClockGuard>,
    /// Requests by origin and result, if metrics are enabled.
    requests: Option<Counters>,
}

/// The witness's data of a log.
struct Followed {
    key: VerifierKey,
    /// File with its last checkpoint.
    path: PathBuf,
    /// The contents of the file. Locked from judging a request until the new state is written.
    kept: Mutex<Option<Kept>>,
}

/// The public status of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus {
    /// First line of its checkpoints.
    pub origin: String,
    /// The tree that was cosigned last.
    pub head: Option<TreeHead>,
}

impl Witness {
    /// Opens the witness in a directory. In a new directory it makes a new witness with a new key.
    ///
    /// # Errors
    /// The directory is in use, belongs to another witness, or is damaged.
    pub fn open(settings: Settings<'_>, clock: Arc<ClockGuard>, requests: Option<Counters>) -> Result<Self, Error> {
        let configuration = |text: &str| {
            let text = text.to_owned();
            move |rejection| Error::Configuration { text, rejection }
        };
        let name = KeyName::new(settings.name).map_err(configuration(settings.name))?;
        let identity = Identity::open(settings.data, name)?;
        let mut logs = BTreeMap::new();
        for key in settings.logs {
            let scheme = key.scheme().ok_or(Rejection::KeyUnsupported).map_err(configuration(&key.to_string()))?;
            let origin = scheme.origin();
            let path = identity.logs().join(format!("{}.checkpoint", hex::encode(hash::sha256(origin.as_bytes()))));
            let kept = Kept::read(&path, &key, &identity.witness)?;
            logs.insert(origin, Followed { key, path, kept: Mutex::new(kept) });
        }
        Ok(Self(Arc::new(Inner { identity, logs, clock, requests })))
    }

    /// The witness's verifier key.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        self.0.identity.witness.to_string()
    }

    /// The status of every log, by origin.
    pub async fn logs(&self) -> Vec<LogStatus> {
        let mut logs = Vec::new();
        for (origin, log) in &self.0.logs {
            let head = log.kept.lock().await.as_ref().map(|kept| kept.head);
            logs.push(LogStatus { origin: origin.clone(), head });
        }
        logs
    }

    /// The last checkpoint of a log, with the cosignature. `origin_hash` is the SHA-256 of its origin in hexadecimal.
    pub async fn checkpoint(&self, origin_hash: &str) -> Option<String> {
        let of = |origin: &String| hex::encode(hash::sha256(origin.as_bytes())) == origin_hash;
        let (_, log) = self.0.logs.iter().find(|(origin, _)| of(origin))?;
        log.kept.lock().await.as_ref().map(|kept| kept.note.clone())
    }

    /// Cosigns a checkpoint, or refuses it. Returns the signature line with its line break.
    pub async fn add_checkpoint(&self, request: String) -> Result<String, NotCosigned> {
        let inner = Arc::clone(&self.0);
        // A separate task completes the request even if the client disconnects.
        let answer = tokio::spawn(async move { inner.add_checkpoint(&request).await });
        answer.await.unwrap_or_else(|error| {
            let source = io::Error::other(error);
            Err(NotCosigned::Broken(Error::File { path: self.0.identity.logs(), source }))
        })
    }
}

impl Inner {
    async fn add_checkpoint(&self, request: &str) -> Result<String, NotCosigned> {
        let request = AddCheckpoint::parse(request).map_err(|_| NotCosigned::Refused(Refusal::Malformed))?;
        // (1)
        let log = self.logs.get(request.origin()).ok_or(NotCosigned::UnknownLog)?;
        let answer = self.cosign(log, &request).await;
        if let Some(requests) = &self.requests {
            requests.increment(&[request.origin(), outcome(&answer)]);
        }
        answer
    }

    async fn cosign(&self, log: &Followed, request: &AddCheckpoint<'_>) -> Result<String, NotCosigned> {
        // (2)
        let mut kept = log.kept.lock().await;
        let known = kept.as_ref().map(|kept| &kept.head);
        let head = request.judge(&log.key, known).map_err(NotCosigned::Refused)?;
        // (3)
        let note = Note::parse(request.checkpoint).map_err(|_| NotCosigned::Refused(Refusal::Malformed))?;
        let seconds = self.clock.signing_time().map_err(NotCosigned::Clock)?.seconds();
        let (next, line) = self.next(log, note, head, seconds).await.map_err(NotCosigned::Broken)?;
        next.write(&log.path).await.map_err(NotCosigned::Broken)?;
        *kept = Some(next);
        // (4)
        Ok(line)
    }

    /// Cosigns a checkpoint. Returns the new state, and the line for the answer.
    async fn next(&self, log: &Followed, note: Note, head: TreeHead, seconds: u64) -> Result<(Kept, String), Error> {
        let witness = &self.identity.witness;
        let signature = self.identity.signer.sign(&signed_bytes(&note.text, seconds)).await?;
        let line = witness.line(seconds, &signature);
        let damaged = |rejection| Error::Damaged { path: log.path.clone(), rejection };
        witness.find(&note.text, std::slice::from_ref(&line)).map_err(damaged)?;
        let written = format!("{line}\n");
        // Signatures other than the log's are not stored.
        let own = |known: &chancery_verify::note::NoteSignature| {
            known.name == *log.key.name() && known.key_id == log.key.key_id()
        };
        let signatures = note.signatures.into_iter().filter(own).chain([line]).collect();
        Ok((Kept { head, note: Note { text: note.text, signatures }.to_string() }, written))
    }
}

/// The result of a request, as a label of metrics.
fn outcome(answer: &Result<String, NotCosigned>) -> &'static str {
    match answer {
        Ok(_) => "cosigned",
        Err(NotCosigned::UnknownLog) => "unknown_log",
        Err(NotCosigned::Refused(Refusal::Malformed)) => "malformed",
        Err(NotCosigned::Refused(Refusal::Unsigned)) => "unsigned",
        Err(NotCosigned::Refused(Refusal::Conflict { .. })) => "conflict",
        Err(NotCosigned::Refused(Refusal::Inconsistent)) => "inconsistent",
        Err(NotCosigned::Clock(_)) => "clock",
        Err(NotCosigned::Broken(_)) => "broken",
    }
}
