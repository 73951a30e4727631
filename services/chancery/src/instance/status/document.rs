//! The state of an instance as it is written: by `GET /api/status`, and by `chancery status --json`.
//!
//! Only the form, and what becomes what in it. Nothing is read here.

use crate::{
    instance::keys::{KeyRecord, kind_name},
    rotation::State,
};
use chancery_daemon::{
    expiry::End,
    health::{Finding, State as Found},
};
use chancery_trust::tuf::{Role, Urgency, repository::RoleStatus};
use chancery_verify::{PublicKey, Timestamp, certificate::Certificate, hash};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the form.
pub(super) const VERSION: u32 = 1;

/// The state of an instance.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct InstanceStatus {
    /// Version of the form. Members may be added under the same number.
    pub(crate) version: u32,
    /// When it was read (RFC 3339).
    pub(crate) at: String,
    /// `server`: by the process that answers. `directory`: from the data directory and the database, which do not know what only
    /// a running server knows: copies, witnesses and waiting entries.
    #[schemars(with = "String")]
    pub(crate) source: Source,
    /// The servers that are known. Behind one URL there may be several replicas, of which one answers.
    pub(crate) servers: Vec<ServerStatus>,
    /// The logs with all their shards. None if the server does not have the logs.
    pub(crate) logs: Vec<LogStatus>,
    /// Every signing key, as `chancery keys list` has it.
    pub(crate) keys: Vec<KeyStatus>,
    /// The roles of the TUF repository. None if the server does not have it.
    pub(crate) tuf: Vec<TufRoleStatus>,
    /// Version of targets metadata that waits for signatures.
    pub(crate) targets_waiting_for_signatures: Option<u64>,
    /// Every certificate of the authorities, of all generations of their keys, and the server's own for TLS.
    pub(crate) certificates: Vec<CertificateStatus>,
    /// What could not be read, and why. It is missing above.
    pub(crate) unread: Vec<String>,
}

/// The reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// A running server.
    Server,
    /// A command.
    Directory,
}

/// A process, or several behind one URL.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ServerStatus {
    /// URL of its roles.
    pub(crate) url: String,
    /// The roles that it has.
    pub(crate) roles: Vec<String>,
    /// Its version; `null` if it was not asked, or does not answer.
    pub(crate) version: Option<String>,
    /// Whether every role does its work.
    pub(crate) ready: Option<bool>,
    /// Each check of `/readyz?verbose`.
    pub(crate) checks: Vec<CheckStatus>,
    /// Why nothing is known of it.
    pub(crate) unknown_because: Option<String>,
}

/// A check of a server.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CheckStatus {
    /// The role.
    pub(crate) role: String,
    /// Name of the check.
    pub(crate) check: String,
    /// `passed`, `warning` or `failed`.
    #[schemars(with = "String")]
    pub(crate) result: CheckResult,
    /// What is wrong, and what to do.
    pub(crate) message: Option<String>,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CheckResult {
    /// All is well.
    Passed,
    /// An operator should look at it.
    Warning,
    /// The role does not do all of its work.
    Failed,
}

/// A log.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LogStatus {
    /// Its name in this instance.
    pub(crate) name: String,
    /// First line of its checkpoints.
    pub(crate) origin: String,
    /// `active`, `frozen`, `ended`, `quarantined`, or what keeps it from taking entries: `clock`, `unmarked` (its high-water mark
    /// cannot be written), `unwitnessed` or `stopped`.
    pub(crate) state: String,
    /// Stable name of the reason for a quarantine.
    pub(crate) code: Option<String>,
    /// Why it takes no entries.
    pub(crate) reason: Option<String>,
    /// Since when it has been frozen, ended or quarantined, if that is known (RFC 3339).
    pub(crate) since: Option<String>,
    /// Entries of its newest tree.
    pub(crate) size: Option<u64>,
    /// The time that its newest tree states (RFC 3339).
    pub(crate) head_at: Option<String>,
    /// Age of its newest tree.
    pub(crate) head_age_seconds: Option<u64>,
    /// SHA-256 of its public key.
    pub(crate) key_fingerprint: String,
    /// Entries that wait for the next batch of this process.
    pub(crate) queued: Option<u64>,
    /// The copy of its files (`tiles`), if it is copied.
    pub(crate) mirror: Option<MirrorStatus>,
    /// Its witnesses.
    pub(crate) witnesses: Vec<WitnessedStatus>,
}

/// The copy of a log's files.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MirrorStatus {
    /// Entries of the tree whose checkpoint is there; `null` before the first copy of this process.
    pub(crate) size: Option<u64>,
    /// Entries of the newest tree that are not there.
    pub(crate) lag_entries: u64,
    /// What keeps the log from being copied.
    pub(crate) fault: Option<String>,
}

/// A witness of a log.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct WitnessedStatus {
    /// Its name.
    pub(crate) name: String,
    /// Entries of the largest tree that it has cosigned for this process.
    pub(crate) size: u64,
    /// Entries of the newest tree that it has not cosigned for this process.
    pub(crate) lag_entries: u64,
    /// Why it did not cosign when it was last asked.
    pub(crate) fault: Option<String>,
}

/// A signing key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct KeyStatus {
    /// What it signs.
    pub(crate) role: String,
    /// Which key of its role it is, from 1.
    pub(crate) generation: u64,
    /// `staged`, `active`, `outgoing`, `retired` or `abandoned`.
    #[schemars(with = "String")]
    pub(crate) state: State,
    /// Such as `P-256`.
    pub(crate) kind: String,
    /// SHA-256 of the public key.
    pub(crate) fingerprint: String,
    /// A file or a URI.
    pub(crate) place: String,
    /// When its certificate ends.
    pub(crate) certificate_ends_at_seconds: Option<u64>,
    /// Since when clients can fetch it.
    pub(crate) published_at_seconds: Option<u64>,
    /// Why clients cannot fetch it yet.
    pub(crate) unpublished_because: Option<String>,
    /// The time until which its signatures are trusted.
    pub(crate) counts_until_seconds: Option<u64>,
    /// Whether the server signs with it.
    pub(crate) signing: bool,
    /// Why the server cannot use it.
    pub(crate) obstacle: Option<String>,
}

/// A role of the TUF repository.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TufRoleStatus {
    /// `root`, `targets`, `snapshot` or `timestamp`.
    #[schemars(with = "String")]
    pub(crate) role: Role,
    /// Version of its metadata.
    pub(crate) version: u64,
    /// When that expires (RFC 3339).
    pub(crate) expires: String,
    /// Seconds until then.
    pub(crate) seconds_left: u64,
    /// `none`, `notice`, `warning`, `alarm` or `expired`.
    #[schemars(with = "String")]
    pub(crate) urgency: Urgency,
    /// Number of its keys.
    pub(crate) keys: usize,
    /// How many of them must sign.
    pub(crate) threshold: usize,
    /// SHA-256 of each of them.
    pub(crate) signers: Vec<String>,
    /// Whether its keys are here.
    pub(crate) renewed_by_server: bool,
}

/// A certificate.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CertificateStatus {
    /// Role of the authority, or `tls`.
    pub(crate) role: String,
    /// Generation of the authority's key.
    pub(crate) generation: Option<u64>,
    /// State of that generation.
    #[schemars(with = "Option<String>")]
    pub(crate) state: Option<State>,
    /// Common name and organization of its subject.
    pub(crate) subject: String,
    /// SHA-256 of the certificate.
    pub(crate) fingerprint: String,
    /// When it expires (RFC 3339).
    pub(crate) expires: String,
    /// Seconds until then.
    pub(crate) seconds_left: u64,
    /// `none`, `warning` (a month is left) or `expired`.
    pub(crate) urgency: String,
}

impl InstanceStatus {
    /// Nothing is read yet.
    pub(super) fn new(source: Source, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            at: now.rfc3339(),
            source,
            servers: Vec::new(),
            logs: Vec::new(),
            keys: Vec::new(),
            tuf: Vec::new(),
            targets_waiting_for_signatures: None,
            certificates: Vec::new(),
            unread: Vec::new(),
        }
    }

    /// What was read, or nothing, and why.
    pub(super) fn taken<T: Default>(&mut self, what: &str, read: anyhow::Result<T>) -> T {
        read.unwrap_or_else(|error| {
            self.unread.push(format!("{what}: {error:#}"));
            T::default()
        })
    }
}

impl From<&Finding> for CheckStatus {
    fn from(finding: &Finding) -> Self {
        let (result, message) = match &finding.state {
            Found::Passed => (CheckResult::Passed, None),
            Found::Warning(message) => (CheckResult::Warning, Some(message.clone())),
            Found::Failed(message) => (CheckResult::Failed, Some(message.clone())),
        };
        Self { role: finding.role.to_owned(), check: finding.check.clone(), result, message }
    }
}

impl From<KeyRecord> for KeyStatus {
    fn from(key: KeyRecord) -> Self {
        let seconds = |time: Option<Timestamp>| time.map(Timestamp::seconds);
        Self {
            role: key.role,
            generation: key.generation,
            state: key.state,
            kind: kind_name(key.public_key.kind()),
            fingerprint: hex::encode(key.public_key.fingerprint()),
            place: key.place,
            certificate_ends_at_seconds: seconds(key.certificate_ends),
            published_at_seconds: seconds(key.published),
            unpublished_because: key.unpublished,
            counts_until_seconds: seconds(key.ends),
            signing: key.signing,
            obstacle: key.obstacle,
        }
    }
}

impl TufRoleStatus {
    /// The same, with the keys that may sign, and whether enough of them are here.
    pub(crate) fn new<'a>(
        status: &RoleStatus,
        signers: impl Iterator<Item = &'a PublicKey>,
        renewed_by_server: bool,
        now: Timestamp,
    ) -> Self {
        Self {
            role: status.role,
            version: status.version,
            expires: status.expires.rfc3339(),
            seconds_left: seconds_left(status.expires, now),
            urgency: status.urgency,
            keys: status.keys,
            threshold: status.threshold,
            signers: signers.map(|key| hex::encode(key.fingerprint())).collect(),
            renewed_by_server,
        }
    }
}

impl CertificateStatus {
    /// A certificate of a role; of an authority's with the generation and the state of the key.
    pub(super) fn new(role: &str, of: Option<(u64, State)>, certificate: &Certificate, now: Timestamp) -> Self {
        let subject = match certificate.subject_names() {
            (organization, name) if organization.is_empty() => name,
            (organization, name) if name.is_empty() => organization,
            (organization, name) => format!("{name} ({organization})"),
        };
        let expires = certificate.not_after();
        let urgency = match End::of(expires, now) {
            End::Far => "none",
            End::Near { .. } => "warning",
            End::Passed => "expired",
        };
        Self {
            role: role.to_owned(),
            generation: of.map(|(generation, _)| generation),
            state: of.map(|(_, state)| state),
            subject,
            fingerprint: hex::encode(hash::sha256(certificate.der())),
            expires: expires.rfc3339(),
            seconds_left: seconds_left(expires, now),
            urgency: urgency.to_owned(),
        }
    }
}

fn seconds_left(expires: Timestamp, now: Timestamp) -> u64 {
    expires.seconds().saturating_sub(now.seconds())
}
