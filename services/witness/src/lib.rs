//! A witness (C2SP tlog-witness): it cosigns the checkpoints of one history of a log, and never of a second one.
//!
//! For each log it stores the checkpoint that it cosigned last, with its own cosignature. It compares the next
//! checkpoint with it, and shows it to monitors. [`chancery_verify::witness`] has the rules. This crate stores the
//! state (`state`) and speaks HTTP ([`http`]).
//!
//! # One request
//! 1. The log is found by the origin of the checkpoint. It must be a configured one. The list of logs may change while the
//!    witness runs.
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
use chancery_verify::witness::{AddCheckpoint, Log, Refusal};
use chancery_verify::{Rejection, hash};
use identity::Identity;
use state::Kept;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
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
    /// The name is invalid.
    #[error("{text:?} is refused: {rejection}")]
    Configuration {
        /// The given text.
        text: String,
        /// The reason.
        rejection: Rejection,
    },
    /// Two logs have the same origin and different keys.
    #[error("the logs name two keys for the origin {0:?}; a log has one key, so name one")]
    TwoKeys(String),
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
    /// The logs that it cosigns for.
    pub logs: Vec<Log>,
}

/// A witness. Clones are cheap and share the same state.
#[derive(Clone)]
pub struct Witness(Arc<Inner>);

struct Inner {
    identity: Identity,
    /// Replaced as a whole when the list changes. A request keeps the log that it began with.
    logs: RwLock<Arc<Logs>>,
    clock: Arc<ClockGuard>,
    /// Requests by origin and result, if metrics are enabled.
    requests: Option<Counters>,
}

/// The logs by origin.
type Logs = BTreeMap<String, Arc<Followed>>;

/// The witness's data of a log.
struct Followed {
    log: Log,
    /// File with its last checkpoint.
    path: PathBuf,
    /// Locked from judging a request until the new state is written.
    state: Mutex<State>,
}

/// The state of a log.
struct State {
    /// The contents of the file.
    kept: Option<Kept>,
    /// Whether the log is no longer on the list. Its file is not written any more, because a log that is on the list again
    /// reads it anew.
    is_removed: bool,
}

impl Followed {
    /// Reads what was cosigned for `log` before.
    fn open(log: Log, identity: &Identity) -> Result<Self, Error> {
        let name = format!("{}.checkpoint", hex::encode(hash::sha256(log.origin().as_bytes())));
        let path = identity.logs().join(name);
        let kept = Kept::read(&path, &log, &identity.witness)?;
        Ok(Self { log, path, state: Mutex::new(State { kept, is_removed: false }) })
    }
}

/// Sorts logs by origin. One that is named twice counts once.
fn by_origin(logs: Vec<Log>) -> Result<BTreeMap<String, Log>, Error> {
    let mut sorted = BTreeMap::new();
    for log in logs {
        let origin = log.origin().to_owned();
        if sorted.insert(origin, log.clone()).is_some_and(|before| before != log) {
            return Err(Error::TwoKeys(log.origin().to_owned()));
        }
    }
    Ok(sorted)
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
        let mut logs = Logs::new();
        for (origin, log) in by_origin(settings.logs)? {
            logs.insert(origin, Arc::new(Followed::open(log, &identity)?));
        }
        let logs = RwLock::new(Arc::new(logs));
        Ok(Self(Arc::new(Inner { identity, logs, clock, requests })))
    }

    /// Cosigns for these logs from now on, and for no others. When this returns, nothing more is cosigned for a log that
    /// was removed. A log that stays, or comes back, goes on where it was.
    ///
    /// The caller MUST NOT call this twice at the same time.
    ///
    /// # Errors
    /// As [`Self::open`]: a log keeps its key once something was cosigned for it. Then nothing has changed.
    pub async fn replace_logs(&self, logs: Vec<Log>) -> Result<(), Error> {
        let (inner, wanted) = (&self.0, by_origin(logs)?);
        let current = inner.logs();
        let stays = |followed: &Followed| wanted.get(followed.log.origin()) == Some(&followed.log);
        let mut removed = Vec::new();
        // Requests in flight end first, so that what they write is read where a log has another key now.
        for followed in current.values().filter(|followed| !stays(followed)) {
            removed.push(followed.state.lock().await);
        }
        let mut next = Logs::new();
        for (origin, log) in &wanted {
            let followed = match current.get(origin).filter(|followed| stays(followed)) {
                Some(followed) => Arc::clone(followed),
                None => Arc::new(Followed::open(log.clone(), &inner.identity)?),
            };
            next.insert(origin.clone(), followed);
        }
        for state in &mut removed {
            state.is_removed = true;
        }
        *inner.logs.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    /// The witness's verifier key.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        self.0.identity.witness.to_string()
    }

    /// The status of every log, by origin.
    pub async fn logs(&self) -> Vec<LogStatus> {
        let mut logs = Vec::new();
        for (origin, followed) in self.0.logs().iter() {
            let head = followed.state.lock().await.kept.as_ref().map(|kept| kept.head);
            logs.push(LogStatus { origin: origin.clone(), head });
        }
        logs
    }

    /// The last checkpoint of a log, with the cosignature. `origin_hash` is the SHA-256 of its origin in hexadecimal.
    pub async fn checkpoint(&self, origin_hash: &str) -> Option<String> {
        let of = |origin: &String| hex::encode(hash::sha256(origin.as_bytes())) == origin_hash;
        let logs = self.0.logs();
        let (_, followed) = logs.iter().find(|(origin, _)| of(origin))?;
        followed.state.lock().await.kept.as_ref().map(|kept| kept.note.clone())
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
    fn logs(&self) -> Arc<Logs> {
        Arc::clone(&self.logs.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn add_checkpoint(&self, request: &str) -> Result<String, NotCosigned> {
        let request = AddCheckpoint::parse(request).map_err(|_| NotCosigned::Refused(Refusal::Malformed))?;
        // (1)
        let followed = self.logs().get(request.origin()).cloned().ok_or(NotCosigned::UnknownLog)?;
        let answer = self.cosign(&followed, &request).await;
        if let Some(requests) = &self.requests {
            requests.increment(&[request.origin(), outcome(&answer)]);
        }
        answer
    }

    async fn cosign(&self, followed: &Followed, request: &AddCheckpoint<'_>) -> Result<String, NotCosigned> {
        // (2)
        let mut state = followed.state.lock().await;
        if state.is_removed {
            return Err(NotCosigned::UnknownLog);
        }
        let known = state.kept.as_ref().map(|kept| &kept.head);
        let head = request.judge(&followed.log, known).map_err(NotCosigned::Refused)?;
        // (3)
        let note = Note::parse(request.checkpoint).map_err(|_| NotCosigned::Refused(Refusal::Malformed))?;
        let seconds = self.clock.signing_time().map_err(NotCosigned::Clock)?.seconds();
        let (next, line) = self.next(followed, note, head, seconds).await.map_err(NotCosigned::Broken)?;
        next.write(&followed.path).await.map_err(NotCosigned::Broken)?;
        state.kept = Some(next);
        // (4)
        Ok(line)
    }

    /// Cosigns a checkpoint. Returns the new state, and the line for the answer.
    async fn next(
        &self,
        followed: &Followed,
        note: Note,
        head: TreeHead,
        seconds: u64,
    ) -> Result<(Kept, String), Error> {
        let witness = &self.identity.witness;
        let signature = self.identity.signer.sign(&signed_bytes(&note.text, seconds)).await?;
        let line = witness.line(seconds, &signature);
        let damaged = |rejection| Error::Damaged { path: followed.path.clone(), rejection };
        witness.find(&note.text, std::slice::from_ref(&line)).map_err(damaged)?;
        let written = format!("{line}\n");
        // Signatures other than the log's are not stored.
        let key = followed.log.key();
        let own =
            |known: &chancery_verify::note::NoteSignature| known.name == *key.name() && known.key_id == key.key_id();
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
